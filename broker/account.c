/* account.c - whose connections they are: one user's count together, and a connection without a user for itself. What
 * one account may have waiting and may send, and its share of the work. */
#include "broker/state.h"

#include "base/hash.h"

#include <stdio.h>
#include <string.h>

enum { TELL_EVERY_US = 60000000 };

static struct account **
bucket_of (struct core *core, struct str user)
{
    return &core->account_buckets[fnv1a64 (user.data, user.size) % ACCOUNT_BUCKETS];
}

static struct str
user_of (const struct account *account)
{
    return (struct str){ account->user, account->user_size };
}

void
account_init (struct account *account)
{
    list_init (&account->link);
    list_init (&account->busy);
    list_init (&account->limited);
    account->active_second = -1;
    account->told_us = INT64_MIN / 2;
}

static void
account_free (struct core *core, struct account *account)
{
    struct account **place = bucket_of (core, user_of (account));
    while (*place != account)
        place = &(*place)->chain;
    *place = account->chain;
    list_remove (&account->link);
    list_remove (&account->limited);
    core->user_count--;
    core->output.free (core->output.context, account);
}

struct account *
account_of_user (struct core *core, struct str user)
{
    struct account **bucket = bucket_of (core, user), *account = *bucket;
    while (account != NULL && !str_equal (user_of (account), user))
        account = account->chain;
    if (account != NULL || user.size > WORKER_NAME_BYTES_MAX)
        return account;
    if (core->user_count >= core->settings.clients_max && !list_empty (&core->accounts[ACCOUNT_LEFT]))
        account_free (core, list_first (&core->accounts[ACCOUNT_LEFT], struct account, link));
    account = core->output.allocate (core->output.context, sizeof *account);
    if (account == NULL)
        return NULL;
    account_init (account);
    account->user_size = (uint8_t)user.size;
    memcpy (account->user, user.data, user.size);
    account->chain = *bucket;
    *bucket = account;
    core->user_count++;
    return account;
}

/* Adds what the client has to the account's sums, or takes it away. */
static void
account_count (struct account *account, const struct client *client, int direction)
{
    account->clients += (uint32_t)direction;
    account->queued += (uint32_t)(direction * (int64_t)client->queued);
    account->held += (uint32_t)(direction * (int64_t)client->held);
    account->bytes += (uint64_t)(direction * (int64_t)client->bytes);
}

void
account_join (struct core *core, struct account *account, struct client *client)
{
    client->account = account;
    account_count (account, client, 1);
    if (client->state == CLIENT_BUSY)
        list_push_back (&account->busy, &client->link);
    account_settle (core, account, false);
}

void
account_leave (struct core *core, struct client *client)
{
    struct account *account = client->account;
    if (client->state == CLIENT_BUSY)
        list_remove (&client->link);
    account_count (account, client, -1);
    account->left_us = core->now_us;
    account_settle (core, account, false);
    if (account == &client->own) {
        list_remove (&account->link);
        list_remove (&account->limited);
    }
}

static enum account_state
state_of (const struct core *core, const struct account *account)
{
    if (account->clients == 0)
        return ACCOUNT_LEFT;
    if (account->queued == 0)
        return ACCOUNT_QUIET;
    return account->held - account->queued < core->share ? ACCOUNT_TURN : ACCOUNT_CAPPED;
}

static bool
is_waiting (enum account_state state)
{
    return state == ACCOUNT_TURN || state == ACCOUNT_CAPPED;
}

void
account_settle (struct core *core, struct account *account, bool first)
{
    enum account_state state = state_of (core, account);
    if (state == account->state && !list_empty (&account->link))
        return;
    core->waiting_accounts += (uint32_t)is_waiting (state) - (uint32_t)is_waiting (account->state);
    account->state = state;
    list_remove (&account->link);
    if (first)
        list_push_front (&core->accounts[state], &account->link);
    else
        list_push_back (&core->accounts[state], &account->link);
}

/* --- what it may have and send --- */

/* Refuses. Says so in the log, but not each time. */
static int
refuse (struct core *core, struct account *account, enum client_limit limit, const struct error *failure)
{
    static const char *const TEXTS[] = {
#define X(id, name, text) text,
        CLIENT_LIMITS (X)
#undef X
    };
    core->counters.limited++;
    account->refused[limit]++;
    account->limited_us = core->now_us;
    list_remove (&account->limited);
    list_push_front (&core->limited, &account->limited);
    if (core->now_us - account->told_us < TELL_EVERY_US)
        return -1;
    account->told_us = core->now_us;
    char connection[40] = "";
    if (account->user_size == 0)
        snprintf (connection, sizeof connection, "of connection %llx", (unsigned long long)account->peer);
    core_event (core, LOG_WARNING, "client %.*s%s is at its bound of %s: %s", (int)account->user_size, account->user,
                connection, TEXTS[limit], failure->message);
    return -1;
}

/* A bucket of tokens, told by the one time at which it will be full: each message moves that on by one token's time,
 * and a bucket is empty when it is a burst's time away. Whoever is refused is told the time of a token that nobody else
 * of its account was told, so that of many that were refused together each comes back when it can be served. */
static int
check_rate (struct core *core, struct account *account, struct error *failure, int64_t *retry_ms)
{
    const struct settings *settings = &core->settings;
    if (settings->client_rate_per_s == 0)
        return 0;
    int64_t now_ns = core->now_us * 1000, token_ns = 1000000000 / settings->client_rate_per_s;
    int64_t burst_ns = (settings->client_burst - 1) * token_ns;
    int64_t full_ns = account->full_ns > now_ns ? account->full_ns : now_ns;
    if (full_ns - now_ns <= burst_ns) {
        account->full_ns = full_ns + token_ns;
        return 0;
    }
    int64_t token_at_ns = full_ns - burst_ns;
    if (token_at_ns < account->promised_ns + token_ns)
        token_at_ns = account->promised_ns + token_ns;
    if (token_at_ns - now_ns > RETRY_MS_MAX * INT64_C (1000000))
        token_at_ns = now_ns + RETRY_MS_MAX * INT64_C (1000000);
    account->promised_ns = token_at_ns;
    *retry_ms = (token_at_ns - now_ns + 999999) / 1000000;
    error_set (failure, ERROR_BUSY, "you send more than the %lld requests a second that you may",
               (long long)settings->client_rate_per_s);
    return refuse (core, account, LIMIT_RATE, failure);
}

int
account_check (struct core *core, struct account *account, const struct client_message *message, struct error *failure,
               int64_t *retry_ms)
{
    const struct settings *settings = &core->settings;
    if (check_rate (core, account, failure, retry_ms) != 0)
        return -1;
    *retry_ms = rate_retry_ms (core, account->queued);
    if (account->held >= settings->client_requests_max) {
        error_set (failure, ERROR_BUSY, "you have %u requests waiting or in work, which is the bound", account->held);
        return refuse (core, account, LIMIT_REQUESTS, failure);
    }
    if (account->bytes + message->header.size + message->body_size > (uint64_t)settings->client_mib_max << 20) {
        error_set (failure, ERROR_BUSY, "your requests waiting or in work take the %lld MiB they may",
                   (long long)settings->client_mib_max);
        return refuse (core, account, LIMIT_BYTES, failure);
    }
    return 0;
}

/* --- its share of the work --- */

void
account_active (struct core *core, struct account *account)
{
    if (account->active_second == core->active_second)
        return;
    account->active_second = core->active_second;
    core->active_now++;
}

/* Requests that the workers would have in work if all credit was used. */
static uint64_t
credit_of_all (const struct core *core)
{
    uint64_t credit = 0;
    for (uint32_t i = 0; i < core->worker_count; i++) {
        const struct worker *worker = core->workers[i];
        if (!worker->is_draining)
            credit += worker->in_flight + (worker->granted - worker->dispatched);
    }
    return credit;
}

/* Whoever asks much fills the workers' batches, and who asks little then waits for full batches. So while several ask,
 * each may have no more in work than its part of all credit: but for a least, with which it fills small batches. */
static void
share_out (struct core *core)
{
    uint32_t active = core->active_now > core->active_before ? core->active_now : core->active_before;
    uint64_t share = active > 1 ? credit_of_all (core) / active : UINT32_MAX;
    if (share < (uint64_t)core->settings.client_work_min)
        share = (uint64_t)core->settings.client_work_min;
    core->share = (uint32_t)share;
    struct list capped;
    list_move_all (&core->accounts[ACCOUNT_CAPPED], &capped);
    while (!list_empty (&capped)) {
        struct account *account = list_first (&capped, struct account, link);
        list_remove (&account->link);
        account_settle (core, account, false);
    }
}

void
accounts_uncap (struct core *core)
{
    core->active_now = core->active_before = 0;
    share_out (core);
}

void
accounts_tick (struct core *core)
{
    int64_t second = core->now_us / ACTIVE_US;
    if (second != core->active_second) {
        core->active_before = second == core->active_second + 1 ? core->active_now : 0;
        core->active_now = 0;
        core->active_second = second;
    }
    share_out (core);
    struct list *left = &core->accounts[ACCOUNT_LEFT];
    while (!list_empty (left)) {
        struct account *account = list_first (left, struct account, link);
        if (core->now_us - account->left_us < us_of_ms (core->settings.client_idle_ms) ||
            account->full_ns > core->now_us * 1000)
            return;
        account_free (core, account);
    }
}

void
accounts_free (struct core *core)
{
    struct list *left = &core->accounts[ACCOUNT_LEFT];
    while (!list_empty (left))
        account_free (core, list_first (left, struct account, link));
}
