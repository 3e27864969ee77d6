/* batch_transaction.c - see batch_transaction.h. The statements are sent in the order of DESIGN section 5; whatever
 * does not depend on another's result shares its round trip. */
#include "worker/batch_transaction.h"
#include "base/clock.h"
#include "store/migrate.h"
#include "worker/event.h"

#include <stdlib.h>

/* A member becomes another in one step; a second is taken only where two merges come at once. */
enum { SURVIVOR_ROUNDS_MAX = 8 };

/* One key to be claimed. */
struct claim_row {
    struct request *request;
    struct request_key *key;
    uint64_t hash;
};

struct attempt {
    struct executor *executor;
    struct unit *unit;
    struct request **requests;
    unsigned count;
    struct request **leaders; /* per request: who claims its key; itself, or an earlier one with the same key */
    struct claim_row *claims; /* of the leaders, by bucket, scope and key */
    unsigned claim_count;
    bool again; /* other members and cards were meant than those that were locked */
    struct error *err;
};

static int
out_of_memory (struct attempt *attempt)
{
    return error_set (attempt->err, ERROR_INTERNAL, "the worker is out of memory");
}

static int
broken (struct attempt *attempt)
{
    attempt->unit->failure = PG_UNAVAILABLE;
    return error_set (attempt->err, ERROR_UNAVAILABLE, "the database connection broke");
}

/* ---- keys */

static int
compare_claims (const void *a, const void *b)
{
    const struct request_key *x = ((const struct claim_row *)a)->key, *y = ((const struct claim_row *)b)->key;
    if (x->bucket != y->bucket)
        return x->bucket < y->bucket ? -1 : 1;
    if (x->scope != y->scope)
        return x->scope < y->scope ? -1 : 1;
    return str_compare (x->key, y->key);
}

static struct request *
holder_of (const struct attempt *attempt, uint64_t hash, const struct request_key *key)
{
    for (unsigned i = 0; i < attempt->claim_count; i++)
        if (attempt->claims[i].hash == hash && attempt->claims[i].key->scope == key->scope &&
            str_equal (attempt->claims[i].key->key, key->key))
            return attempt->claims[i].request;
    return NULL;
}

/* Who claims what: of the requests that share a key the first; the others wait for what becomes of it. */
static int
choose_claims (struct attempt *attempt)
{
    attempt->leaders = arena_array_of (attempt->unit->arena, attempt->count, struct request *);
    attempt->claims = arena_array_of (attempt->unit->arena, (size_t)attempt->count * 2, struct claim_row);
    if (attempt->leaders == NULL || attempt->claims == NULL)
        return out_of_memory (attempt);
    for (unsigned i = 0; i < attempt->count; i++) {
        struct request *request = attempt->requests[i];
        struct request *holder = NULL;
        uint64_t hashes[2] = { 0, 0 };
        for (unsigned k = 0; k < request->key_count; k++) {
            struct request_key *key = &request->keys[k];
            key->claimed = false;
            key->stored = NULL;
            hashes[k] = fnv1a64 (key->key.data, key->key.size);
            if (holder == NULL)
                holder = holder_of (attempt, hashes[k], key);
        }
        attempt->leaders[i] = holder == NULL ? request : holder;
        for (unsigned k = 0; holder == NULL && k < request->key_count; k++)
            attempt->claims[attempt->claim_count++] = (struct claim_row){ request, &request->keys[k], hashes[k] };
    }
    qsort (attempt->claims, attempt->claim_count, sizeof *attempt->claims, compare_claims);
    return 0;
}

static unsigned
claims_end (const struct attempt *attempt, unsigned from)
{
    unsigned to = from;
    while (to < attempt->claim_count && attempt->claims[to].key->bucket == attempt->claims[from].key->bucket)
        to++;
    return to;
}

static int
send_claims (struct attempt *attempt)
{
    for (unsigned from = 0, to; from < attempt->claim_count; from = to) {
        struct pg_array scopes, keys, methods, hashes, buckets, refs;
        struct pg_params params = { .arena = attempt->unit->arena };
        to = claims_end (attempt, from);
        pg_array_begin (&scopes, PG_INT2);
        pg_array_begin (&keys, PG_TEXT);
        pg_array_begin (&methods, PG_INT2);
        pg_array_begin (&hashes, PG_BYTEA);
        pg_array_begin (&buckets, PG_INT2);
        pg_array_begin (&refs, PG_INT8);
        for (unsigned i = from; i < to; i++) {
            const struct request *request = attempt->claims[i].request;
            const struct request_key *key = attempt->claims[i].key;
            bool tombstone = METHOD_TABLE[request->method].scope == SCOPE_CANCEL && key->scope == SCOPE_ORDER;
            pg_array_int (&scopes, key->scope);
            pg_array_bytes (&keys, key->key);
            pg_array_int (&methods, request->method);
            pg_array_bytes (&hashes, (struct str){ (const char *)request->hash, WIRE_HASH_BYTES });
            pg_array_int (&buckets, request->member_bucket);
            pg_array_int (&refs, tombstone ? 0 : request->order_ref);
        }
        pg_param_int2 (&params, attempt->claims[from].key->bucket);
        pg_param_array (&params, &scopes);
        pg_param_array (&params, &keys);
        pg_param_array (&params, &methods);
        pg_param_array (&params, &hashes);
        pg_param_array (&params, &buckets);
        pg_param_array (&params, &refs);
        pg_param_time (&params, attempt->unit->recorded_at);
        if (pg_send (attempt->unit->pg, STATEMENT_KEYS_CLAIM, &params) < 0)
            return broken (attempt);
    }
    return 0;
}

/* The rows come back in the order in which they were offered, without those that were there already. */
static int
receive_claims (struct attempt *attempt)
{
    for (unsigned from = 0, to; from < attempt->claim_count; from = to) {
        to = claims_end (attempt, from);
        PGresult *result =
            pg_receive (attempt->unit->pg, attempt->unit->deadline_us, &attempt->unit->failure, attempt->err);
        if (result == NULL)
            return -1;
        unsigned at = from;
        for (int row = 0; row < PQntuples (result); row++, at++) {
            int64_t scope = pg_int (result, row, 0);
            struct str key = pg_text (result, row, 1);
            while (at < to &&
                   (attempt->claims[at].key->scope != scope || !str_equal (attempt->claims[at].key->key, key)))
                at++;
            if (at < to)
                attempt->claims[at].key->claimed = true;
        }
        PQclear (result);
    }
    return 0;
}

static struct request_key *
key_of_row (struct attempt *attempt, unsigned from, unsigned to, int64_t scope, struct str key)
{
    for (unsigned i = from; i < to; i++)
        if (attempt->claims[i].key->scope == scope && str_equal (attempt->claims[i].key->key, key))
            return attempt->claims[i].key;
    return NULL;
}

static int
take_stored (struct attempt *attempt, const PGresult *result, unsigned from, unsigned to)
{
    for (int row = 0; row < PQntuples (result); row++) {
        struct request_key *key = key_of_row (attempt, from, to, pg_int (result, row, 0), pg_text (result, row, 1));
        struct stored_key *stored = arena_new_of (attempt->unit->arena, struct stored_key);
        struct str hash = pg_text (result, row, 3);
        if (key == NULL || stored == NULL || hash.size != WIRE_HASH_BYTES)
            return out_of_memory (attempt);
        stored->method = (int16_t)pg_int (result, row, 2);
        memcpy (stored->hash, hash.data, WIRE_HASH_BYTES);
        stored->place =
            (struct order_place){ (int16_t)pg_int (result, row, 4), pg_int (result, row, 5), pg_time (result, row, 6) };
        if (!pg_is_null (result, row, 7))
            stored->reply = arena_str (attempt->unit->arena, pg_text (result, row, 7));
        key->stored = stored;
    }
    return 0;
}

/* What is stored under the keys that were not ours to claim. */
static int
read_stored (struct attempt *attempt)
{
    for (unsigned from = 0, to; from < attempt->claim_count; from = to) {
        struct pg_array scopes, keys;
        struct pg_params params = { .arena = attempt->unit->arena };
        unsigned missing = 0;
        to = claims_end (attempt, from);
        pg_array_begin (&scopes, PG_INT2);
        pg_array_begin (&keys, PG_TEXT);
        for (unsigned i = from; i < to; i++) {
            if (attempt->claims[i].key->claimed)
                continue;
            missing++;
            pg_array_int (&scopes, attempt->claims[i].key->scope);
            pg_array_bytes (&keys, attempt->claims[i].key->key);
        }
        pg_param_int2 (&params, attempt->claims[from].key->bucket);
        pg_param_array (&params, &scopes);
        pg_param_array (&params, &keys);
        if (missing == 0)
            continue;
        PGresult *result = pg_run (attempt->unit->pg, STATEMENT_KEYS_READ, &params, attempt->unit->deadline_us,
                                   &attempt->unit->failure, attempt->err);
        if (result == NULL)
            return -1;
        int status = take_stored (attempt, result, from, to);
        PQclear (result);
        if (status < 0)
            return -1;
    }
    return 0;
}

/* ---- the round trip that locks and reads */

static bool
waits_briefly (const struct attempt *attempt)
{
    return attempt->executor->hurried || HANDLERS[attempt->requests[0]->method].background;
}

static int
send_reads (struct attempt *attempt, int *products)
{
    struct unit *unit = attempt->unit;
    if (pg_send (unit->pg, unit->locking ? STATEMENT_BEGIN : STATEMENT_BEGIN_SNAPSHOT, NULL) < 0)
        return broken (attempt);
    if (waits_briefly (attempt) && pg_send (unit->pg, STATEMENT_LOCKS_BRIEFLY, NULL) < 0)
        return broken (attempt);
    if (unit->locking && send_claims (attempt) < 0)
        return -1;
    if (unit_send_members (unit) < 0 || unit_send_cards (unit) < 0)
        return broken (attempt);
    *products = catalog_cache_send_products (&attempt->executor->cache, unit->pg, unit->arena);
    if (*products < 0 || pg_send (unit->pg, STATEMENT_CATALOG_STATE, NULL) < 0 || unit_send_lots (unit) < 0 ||
        pg_sync (unit->pg) < 0)
        return broken (attempt);
    return 0;
}

static int
receive_reads (struct attempt *attempt, int products, int64_t *version, int64_t *reference_version)
{
    struct unit *unit = attempt->unit;
    PGresult *result = NULL;
    for (int i = waits_briefly (attempt) ? 0 : 1; i < 2; i++) {
        result = pg_receive (unit->pg, unit->deadline_us, &unit->failure, attempt->err);
        if (result == NULL)
            return -1;
        PQclear (result);
    }
    if (unit->locking && receive_claims (attempt) < 0)
        return -1;
    if (unit_receive_members (unit, attempt->err) < 0 || unit_receive_cards (unit, attempt->err) < 0)
        return -1;
    if (products > 0 && catalog_cache_receive_products (&attempt->executor->cache, unit->pg, unit->deadline_us,
                                                        &unit->failure, attempt->err) < 0)
        return -1;
    result = pg_receive (unit->pg, unit->deadline_us, &unit->failure, attempt->err);
    if (result == NULL)
        return -1;
    *version = pg_int (result, 0, 0);
    *reference_version = pg_int (result, 0, 1);
    unit->outbox_slot = (int16_t)pg_int (result, 0, 2);
    int compatible_from = (int)pg_int (result, 0, 3);
    PQclear (result);
    /* It may have been migrated since the connection was made: forwards, so that only this can have changed. */
    if (pg_fits (unit->pg, store_schema_version (), compatible_from, attempt->err) < 0) {
        unit->failure = PG_UNAVAILABLE;
        return -1;
    }
    return unit_receive_lots (unit, attempt->err) < 0 ||
                   pg_finish (unit->pg, unit->deadline_us, &unit->failure, attempt->err) < 0
               ? -1
               : 0;
}

static int
want_all (struct attempt *attempt)
{
    for (unsigned i = 0; i < attempt->count; i++) {
        struct request *request = attempt->requests[i];
        const struct handler *handler = &HANDLERS[request->method];
        if (handler->want != NULL && handler->want (attempt->executor, request) < 0)
            return out_of_memory (attempt);
    }
    const struct executor *executor = attempt->executor;
    for (uint32_t i = 0; i < executor->members.count; i++)
        if (unit_want_member (attempt->unit, executor->members.ids[i], true) < 0)
            return out_of_memory (attempt);
    for (uint32_t i = 0; i < executor->cards.count; i++)
        if (unit_want_card (attempt->unit, executor->cards.ids[i]) < 0)
            return out_of_memory (attempt);
    return 0;
}

/* Who became another member since a request was made is meant as that one, which has to be locked in its turn: all is begun again
 * with it. That costs a round trip only where somebody still names the old one. */
static int
want_survivors (struct attempt *attempt)
{
    struct executor *executor = attempt->executor;
    int64_t *members, *cards;
    uint32_t member_count, card_count;
    if (unit_missing_survivors (attempt->unit, &members, &member_count, &cards, &card_count) < 0)
        return out_of_memory (attempt);
    for (uint32_t i = 0; i < member_count; i++)
        if (executor_want (executor, &executor->members, members[i]) < 0)
            return out_of_memory (attempt);
    for (uint32_t i = 0; i < card_count; i++)
        if (executor_want (executor, &executor->cards, cards[i]) < 0)
            return out_of_memory (attempt);
    attempt->again = member_count > 0 || card_count > 0;
    return attempt->again ? error_set (attempt->err, ERROR_BUSY, "members became others") : 0;
}

/* Products that changed since they were cached (or were thrown out) are read again. */
static int
read_stale_products (struct attempt *attempt)
{
    struct unit *unit = attempt->unit;
    struct catalog_cache *cache = &attempt->executor->cache;
    if (want_all (attempt) < 0)
        return -1;
    int sent = catalog_cache_send_products (cache, unit->pg, unit->arena);
    if (sent == 0)
        return 0;
    if (sent < 0 || pg_sync (unit->pg) < 0)
        return broken (attempt);
    return catalog_cache_receive_products (cache, unit->pg, unit->deadline_us, &unit->failure, attempt->err) < 0 ||
                   pg_finish (unit->pg, unit->deadline_us, &unit->failure, attempt->err) < 0
               ? -1
               : 0;
}

/* Members and cards are locked and the catalog is known: now the counters of limited programs can be named, and locked. */
static int
lock_counters (struct attempt *attempt)
{
    for (unsigned i = 0; i < attempt->count; i++) {
        struct request *request = attempt->requests[i];
        const struct handler *handler = &HANDLERS[request->method];
        bool runs = request->key_count == 0 || request->keys[0].claimed;
        if (runs && handler->count != NULL && handler->count (attempt->executor, request) < 0) {
            request_explain (request);
            *attempt->err = request->error;
            return -1;
        }
    }
    return unit_lock_usages (attempt->unit, attempt->err);
}

/* Not answered from what is stored. */
static bool
is_done_here (const struct attempt *attempt, unsigned index)
{
    const struct request *request = attempt->requests[index];
    return attempt->leaders[index] == request && (request->key_count == 0 || request->keys[0].claimed);
}

/* Members that were never met are made for what is done here alone: what a member was told before it was forgotten can be asked
 * for again, and must not bring it back. */
static int
add_missing_members (struct attempt *attempt)
{
    if (!unit_misses_members (attempt->unit))
        return 0;
    attempt->unit->needing = true;
    for (unsigned i = 0; i < attempt->count; i++) {
        struct request *request = attempt->requests[i];
        const struct handler *handler = &HANDLERS[request->method];
        if (is_done_here (attempt, i) && handler->want != NULL && handler->want (attempt->executor, request) < 0)
            return out_of_memory (attempt);
    }
    attempt->unit->needing = false;
    return unit_add_missing_members (attempt->unit, attempt->err);
}

static int
lock_and_read (struct attempt *attempt)
{
    int products = 0;
    int64_t version = 0, reference_version = 0, from_us = clock_monotonic_us ();
    if (choose_claims (attempt) < 0 || want_all (attempt) < 0 || send_reads (attempt, &products) < 0 ||
        receive_reads (attempt, products, &version, &reference_version) < 0)
        return -1;
    if (attempt->unit->locking && (add_missing_members (attempt) < 0 || read_stored (attempt) < 0))
        return -1;
    if (unit_read_absorbed (attempt->unit, attempt->err) < 0 || want_survivors (attempt) < 0 ||
        unit_read_holds (attempt->unit, attempt->err) < 0)
        return -1;
    if (catalog_cache_refresh (&attempt->executor->cache, attempt->unit->pg, version, reference_version,
                               attempt->unit->arena, attempt->unit->deadline_us, &attempt->unit->failure,
                               attempt->err) < 0)
        return -1;
    attempt->unit->catalog = attempt->executor->cache.catalog;
    if (unit_book_referrals (attempt->unit, attempt->err) < 0 ||
        event_referrals_booked (attempt->unit, 0, attempt->err) < 0 || read_stale_products (attempt) < 0 ||
        lock_counters (attempt) < 0)
        return -1;
    attempt->executor->stats.database_us += (uint64_t)(clock_monotonic_us () - from_us);
    return 0;
}

/* ---- evaluation */

/* An answer from what is stored, or `conflict`. */
static int
answer_stored (struct executor *executor, struct request *request)
{
    const struct stored_key *stored = request->keys[0].stored;
    if (stored == NULL) {
        request->status = REQUEST_DEFERRED; /* the one that held the key rolled back just now */
        return 0;
    }
    if (request->keys[0].scope == SCOPE_ORDER && stored->place.order_ref == 0) {
        request_fail (request, ERROR_CONFLICT,
                      "order %.*s was cancelled before it came; it cannot be processed any more",
                      (int)request->keys[0].key.size, request->keys[0].key.data);
        return error_detail (&request->error, "reason", "cancelled");
    }
    if (stored->method != request->method || memcmp (stored->hash, request->hash, WIRE_HASH_BYTES) != 0) {
        request_fail (request, ERROR_CONFLICT, "%s %.*s was used before with another %s",
                      request->keys[0].scope == SCOPE_OP ? "key" : "order_id", (int)request->keys[0].key.size,
                      request->keys[0].key.data, stored->method != request->method ? "method" : "body");
        return error_detail (&request->error, "reason", "key_reused");
    }
    request->replayed = true;
    return HANDLERS[request->method].replay (executor, request);
}

static void
execute_one (struct attempt *attempt, unsigned index)
{
    struct request *request = attempt->requests[index];
    struct request *leader = attempt->leaders[index];
    struct executor *executor = attempt->executor;
    int status;

    request->error = (struct error){ 0 };
    request->replayed = false;
    request->error_rendered = false;
    request->partner_count = 0;
    buf_clear (&request->reply);
    if (leader != request) {
        /* Its key is an earlier one's: answered alike when that was stored before; else when that is settled. */
        if (leader->keys[0].claimed || request->key_count > 1 || leader->key_count > 1) {
            request->status = REQUEST_DEFERRED;
            return;
        }
        request->keys[0].stored = leader->keys[0].stored;
        status = answer_stored (executor, request);
    } else if (request->key_count > 0 && !request->keys[0].claimed) {
        status = answer_stored (executor, request);
    } else {
        status = HANDLERS[request->method].execute (executor, request);
    }
    if (request->status == REQUEST_DEFERRED)
        return;
    if (status == 0 && request->reply.failed)
        status = request_fail (request, ERROR_INTERNAL, "the worker is out of memory for the answer");
    if (status < 0)
        request_explain (request);
    if (status < 0 && !request->error_rendered)
        buf_clear (&request->reply); /* it was rendered before the last step failed: nothing of it is done */
    request->status = status == 0 ? REQUEST_DONE : REQUEST_FAILED;
}

/* Whether the transaction cannot go on after a request: the database failed in the middle of it, or the engine itself did, where it may
 * have taken a part of its effects into the unit already. Without the transaction nothing of them is left; the batch is halved down
 * to whom it happens again. */
static bool
ends_attempt (const struct attempt *attempt, const struct request *request)
{
    return attempt->unit->failure != PG_NONE ||
           (request->status == REQUEST_FAILED && request->error.code == ERROR_INTERNAL);
}

static int
execute_all (struct attempt *attempt)
{
    int64_t from_us = clock_monotonic_us ();
    for (unsigned i = 0; i < attempt->count; i++) {
        attempt->unit->failure = PG_NONE;
        execute_one (attempt, i);
        if (ends_attempt (attempt, attempt->requests[i])) {
            *attempt->err = attempt->requests[i]->error;
            return -1;
        }
    }
    attempt->executor->stats.evaluate_us += (uint64_t)(clock_monotonic_us () - from_us);
    return 0;
}

/* ---- writing */

/* Queues a statement over the claimed keys that `picks` chooses. */
static int
send_keys (struct attempt *attempt, enum statement statement, bool replies, unsigned *sent)
{
    for (unsigned from = 0, to; from < attempt->claim_count; from = to) {
        struct pg_array scopes, keys, values;
        struct pg_params params = { .arena = attempt->unit->arena };
        unsigned picked = 0;
        to = claims_end (attempt, from);
        pg_array_begin (&scopes, PG_INT2);
        pg_array_begin (&keys, PG_TEXT);
        pg_array_begin (&values, PG_BYTEA);
        for (unsigned i = from; i < to; i++) {
            const struct request *request = attempt->claims[i].request;
            const struct request_key *key = attempt->claims[i].key;
            /* The answer is kept under the request's own key, where no order record holds it. */
            bool keeps = request->status == REQUEST_DONE && request->order_ref == 0 && key == &request->keys[0];
            if (!key->claimed || (replies ? !keeps : request->status == REQUEST_DONE))
                continue;
            picked++;
            pg_array_int (&scopes, key->scope);
            pg_array_bytes (&keys, key->key);
            pg_array_bytes (&values, (struct str){ (const char *)request->reply.data, (uint32_t)request->reply.size });
        }
        pg_param_int2 (&params, attempt->claims[from].key->bucket);
        pg_param_array (&params, &scopes);
        pg_param_array (&params, &keys);
        if (replies)
            pg_param_array (&params, &values);
        else
            buf_free (&values.bytes);
        if (picked == 0)
            continue;
        (*sent)++;
        if (pg_send (attempt->unit->pg, statement, &params) < 0)
            return broken (attempt);
    }
    return 0;
}

/* Notes which members the replies tell of that are kept under keys. */
static int
note_replies (struct attempt *attempt)
{
    for (unsigned i = 0; i < attempt->count; i++) {
        const struct request *request = attempt->requests[i];
        bool keeps = request->status == REQUEST_DONE && request->order_ref == 0 && request->key_count > 0 &&
                     request->keys[0].claimed;
        for (unsigned j = 0; keeps && j < request->partner_count; j++) {
            struct unit_reply reply = { request->partners[j], request->keys[0].key };
            if (unit_add_reply (attempt->unit, &reply) < 0)
                return out_of_memory (attempt);
        }
    }
    return 0;
}

/* What was stored may have been committed on this server while its standby was away: whoever is told of it again must be able to
 * rely on it as much as the first. A transaction that writes nothing waits for no standby, so one that answers from what was stored
 * writes a word into the log. */
static int
confirm_stored (struct attempt *attempt, unsigned *sent)
{
    for (unsigned i = 0; i < attempt->count; i++)
        if (attempt->requests[i]->replayed) {
            (*sent)++;
            return pg_send (attempt->unit->pg, STATEMENT_CONFIRM_STORED, NULL);
        }
    return 0;
}

/* Writes all, and waits for COMMIT with a deadline of its own: no server timeout covers it. */
static int
write_and_commit (struct attempt *attempt)
{
    struct unit *unit = attempt->unit;
    unsigned writes = 0, keys = 0;
    int64_t from_us = clock_monotonic_us ();

    if (unit->locking) {
        if (send_keys (attempt, STATEMENT_KEYS_DELETE, false, &keys) < 0 ||
            send_keys (attempt, STATEMENT_KEYS_REPLY, true, &keys) < 0)
            return -1;
        if (note_replies (attempt) < 0)
            return -1;
        if (unit_send_writes (unit, &writes) < 0 || confirm_stored (attempt, &keys) < 0)
            return broken (attempt);
    }
    if (pg_send (unit->pg, STATEMENT_COMMIT, NULL) < 0 || pg_sync (unit->pg) < 0)
        return broken (attempt);
    int64_t commit_us = attempt->executor->settings->commit_timeout_ms * INT64_C (1000);
    int64_t patience_us = attempt->executor->patience_us;
    unit->deadline_us = clock_monotonic_us () + (commit_us < patience_us ? commit_us : patience_us);
    if (unit_receive_writes (unit, keys + writes, attempt->err) < 0)
        return -1;
    if (pg_finish_commit (unit->pg, unit->deadline_us, &unit->failure, attempt->err) < 0)
        return -1;
    attempt->executor->stats.database_us += (uint64_t)(clock_monotonic_us () - from_us);
    return 0;
}

static int
reserve_ids (struct attempt *attempt)
{
    unsigned orders = 0;
    for (unsigned i = 0; i < attempt->count; i++)
        orders += HANDLERS[attempt->requests[i]->method].makes_order;
    unsigned cards = attempt->count * CARDS_PER_REQUEST;
    if (cards < CARDS_RESERVED_MIN)
        cards = CARDS_RESERVED_MIN;
    if (executor_ids (attempt->executor, orders, cards < ID_BLOCK ? cards : ID_BLOCK, attempt->err) < 0) {
        attempt->unit->failure = PG_UNAVAILABLE;
        return -1;
    }
    for (unsigned i = 0; i < attempt->count; i++)
        if (HANDLERS[attempt->requests[i]->method].makes_order)
            attempt->requests[i]->order_ref = id_take (&attempt->executor->order_ids);
    return 0;
}

/* A process that stood still may wake up here; by now the keys are claimed, or met. */
static int
check_lease (struct attempt *attempt)
{
    int64_t now_us = clock_monotonic_us ();
    for (unsigned i = 0; i < attempt->count && attempt->unit->locking; i++)
        if (!lease_holds (attempt->executor->lease, attempt->requests[i]->pauses, now_us)) {
            attempt->unit->failure = PG_UNAVAILABLE;
            return error_set (attempt->err, ERROR_UNAVAILABLE, "the worker stood still for too long: nothing was done");
        }
    return 0;
}

static enum pg_failure
run_attempt (struct attempt *attempt)
{
    struct executor *executor = attempt->executor;
    arena_reset (executor->transaction);
    unit_begin (&executor->unit, executor->transaction, executor->pg, executor->engine->buckets, !executor->reading,
                clock_real_us (), executor_deadline_us (executor));
    bool executed = (executor->reading || reserve_ids (attempt) == 0) && lock_and_read (attempt) == 0 &&
                    check_lease (attempt) == 0 && execute_all (attempt) == 0;
    if (executed && HANDLERS[attempt->requests[0]->method].alone && attempt->requests[0]->status == REQUEST_FAILED) {
        pg_abandon (executor->pg); /* it may have written half of what it does */
        return PG_NONE;
    }
    if (executed && write_and_commit (attempt) == 0)
        return PG_NONE;
    pg_abandon (executor->pg);
    return executor->unit.failure == PG_NONE ? PG_INTERNAL : executor->unit.failure;
}

enum pg_failure
batch_transaction (struct executor *executor, struct request **requests, unsigned count, struct error *err)
{
    for (unsigned round = 0; round < SURVIVOR_ROUNDS_MAX; round++) {
        struct attempt attempt = {
            .executor = executor, .unit = &executor->unit, .requests = requests, .count = count, .err = err
        };
        enum pg_failure failure = run_attempt (&attempt);
        if (!attempt.again)
            return failure;
    }
    return PG_RETRY; /* they go on becoming others */
}
