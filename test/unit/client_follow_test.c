/* client_follow_test.c - a subscriber's decisions: the vectors that every client has to pass, and the bounds. */
#include "client_router.h"
#include "follow.h"
#include "wire/msgpack.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char *
text_at (const json_t *list, size_t place)
{
    return json_string_value (json_array_get (list, place));
}

static json_int_t
number_at (const json_t *list, size_t place)
{
    return json_integer_value (json_array_get (list, place));
}

static void
write_event (struct buf *out, const char *topic, int64_t number)
{
    wire_write_map (out, 2);
    wire_write_cstr (out, "number");
    wire_write_int (out, number);
    wire_write_cstr (out, "topic");
    wire_write_cstr (out, topic);
}

static void
send_message (struct follow *follow, const char *topic, const struct buf *body, int64_t now_ms)
{
    follow_message (follow, str_of (topic), (struct str){ (const char *)body->data, (uint32_t)body->size }, now_ms);
}

static void
send_event (struct follow *follow, const char *topic, int64_t number, int64_t now_ms)
{
    struct buf body = { 0 };
    write_event (&body, topic, number);
    send_message (follow, topic, &body, now_ms);
    buf_free (&body);
}

static void
send_tip (struct follow *follow, int64_t number, int64_t epoch, int64_t now_ms)
{
    struct buf body = { 0 };
    wire_write_map (&body, 2);
    wire_write_cstr (&body, "number");
    wire_write_int (&body, number);
    wire_write_cstr (&body, "epoch");
    wire_write_int (&body, epoch);
    send_message (follow, "tip", &body, now_ms);
    buf_free (&body);
}

/* An answer to events.read; *page owns its bytes until the next one. */
static int
send_page (struct follow *follow, const json_t *answer, struct buf *page, int64_t now_ms)
{
    const json_t *events = json_object_get (answer, "events"), *one;
    struct loyalty_error error;
    size_t i;
    buf_clear (page);
    wire_write_map (page, 3);
    wire_write_cstr (page, "events");
    wire_write_array (page, (uint32_t)json_array_size (events));
    json_array_foreach (events, i, one) write_event (page, text_at (one, 0), number_at (one, 1));
    wire_write_cstr (page, "after");
    wire_write_int (page, json_integer_value (json_object_get (answer, "after")));
    wire_write_cstr (page, "last");
    wire_write_int (page, json_integer_value (json_object_get (answer, "last")));
    return follow_page (follow, page->data, page->size, now_ms, &error);
}

static void
expect_next (struct follow *follow, const json_t *expected, const char *where)
{
    struct loyalty_event event;
    for (size_t i = 0; i < json_array_size (expected); i++) {
        cr_assert (follow_next (follow, &event), "%s: event %zu is not there", where, i);
        cr_expect_eq (event.number, number_at (expected, i), "%s: event %zu is %lld", where, i,
                      (long long)event.number);
        struct loyalty_value topic;
        cr_expect (loyalty_find (event.body, event.body_size, "topic", &topic) &&
                       loyalty_value_equals (&topic, event.topic),
                   "%s: its topic", where);
    }
    cr_expect_not (follow_next (follow, &event), "%s: another one, %lld", where, (long long)event.number);
}

static void
expect_figure (const json_t *expected, const char *name, int64_t value, const char *where)
{
    const json_t *figure = json_object_get (expected, name);
    int64_t number = json_is_boolean (figure) ? json_is_true (figure) : json_integer_value (figure);
    cr_expect (figure == NULL || number == value, "%s: %s is %lld", where, name, (long long)value);
}

static void
expect_state (const struct follow *follow, const json_t *expected, const char *where)
{
    expect_figure (expected, "position", follow->position, where);
    expect_figure (expected, "newest", follow->newest, where);
    expect_figure (expected, "gap", follow_has_gap (follow), where);
    expect_figure (expected, "ahead", follow_is_ahead (follow), where);
    expect_figure (expected, "delivered", (int64_t)follow->stats.delivered, where);
    expect_figure (expected, "received", (int64_t)follow->stats.received, where);
    expect_figure (expected, "repeated", (int64_t)follow->stats.repeated, where);
    expect_figure (expected, "garbage", (int64_t)follow->stats.garbage, where);
}

static void
send_garbage (struct follow *follow, const json_t *step, int64_t now_ms)
{
    size_t size;
    uint8_t *bytes = bytes_of_hex (text_at (step, 2), &size);
    const struct buf body = { .data = bytes, .size = size };
    send_message (follow, text_at (step, 1), &body, now_ms);
    free (bytes);
}

static void
take_step (struct follow *follow, const json_t *step, struct buf *page, int64_t *now_ms, const char *where)
{
    const char *what = text_at (step, 0);
    const json_t *argument = json_array_get (step, 1);
    if (strcmp (what, "event") == 0)
        send_event (follow, text_at (step, 1), number_at (step, 2), *now_ms);
    else if (strcmp (what, "tip") == 0)
        send_tip (follow, number_at (step, 1), number_at (step, 2), *now_ms);
    else if (strcmp (what, "garbage") == 0)
        send_garbage (follow, step, *now_ms);
    else if (strcmp (what, "page") == 0)
        cr_expect_eq (send_page (follow, argument, page, *now_ms), 0, "%s", where);
    else if (strcmp (what, "failed") == 0)
        follow_read_failed (follow, *now_ms);
    else if (strcmp (what, "wait") == 0)
        *now_ms += number_at (step, 1);
    else if (strcmp (what, "resume") == 0)
        follow_resume (follow, json_is_null (argument) ? LOYALTY_EVENTS_NEW : json_integer_value (argument));
    else if (strcmp (what, "next") == 0)
        expect_next (follow, argument, where);
    else if (strcmp (what, "reads") == 0)
        cr_expect_eq (follow_wants_read (follow, *now_ms), json_is_true (argument), "%s", where);
    else if (strcmp (what, "limit") == 0)
        cr_expect_eq (follow_read_limit (follow), number_at (step, 1), "%s: %lld", where,
                      (long long)follow_read_limit (follow));
    else if (strcmp (what, "state") == 0 || strcmp (what, "count") == 0)
        expect_state (follow, argument, where);
    else
        cr_assert_fail ("%s: there is no such step", where);
}

Test (follow, vectors)
{
    json_t *cases = vectors ("events"), *one, *step;
    size_t i, j;
    json_array_foreach (cases, i, one)
    {
        const json_t *after = json_object_get (one, "after"), *topics = json_object_get (one, "topics");
        const json_t *silence = json_object_get (one, "silence_ms");
        unsigned silence_ms = silence != NULL ? (unsigned)json_integer_value (silence) : 2000;
        struct follow follow;
        struct buf page = { 0 };
        int64_t now_ms = 1000000;
        int64_t from = json_is_null (after) ? LOYALTY_EVENTS_NEW : json_integer_value (after);
        cr_assert_eq (follow_init (&follow, from, silence_ms, now_ms), 0);
        for (follow.topic_count = 0; follow.topic_count < json_array_size (topics); follow.topic_count++)
            strcpy (follow.topics[follow.topic_count], text_at (topics, follow.topic_count));
        json_array_foreach (json_object_get (one, "steps"), j, step)
        {
            char where[256];
            snprintf (where, sizeof where, "%s: step %zu, %s", json_string_value (json_object_get (one, "name")), j + 1,
                      text_at (step, 0));
            take_step (&follow, step, &page, &now_ms, where);
        }
        follow_free (&follow);
        buf_free (&page);
    }
    json_decref (cases);
}

/* What arrives ahead of its turn is bounded: the first of it are dropped, and read. */
Test (follow, keeps_no_more_than_its_bound)
{
    struct follow follow;
    struct loyalty_event event;
    cr_assert_eq (follow_init (&follow, 0, 2000, 0), 0);
    for (int64_t number = 2; number < 2 + FOLLOW_ARRIVED_MAX + 10; number++)
        send_event (&follow, "alert", number, 0);
    cr_expect_eq (follow.count, FOLLOW_ARRIVED_MAX);
    cr_expect_eq (follow.stats.dropped, 10);
    cr_expect_not (follow_next (&follow, &event));
    cr_expect (follow_wants_read (&follow, 0));
    follow.position = 11; /* as if it had been read */
    for (int64_t number = 12; number < 2 + FOLLOW_ARRIVED_MAX + 10; number++) {
        cr_assert (follow_next (&follow, &event), "%lld", (long long)number);
        cr_assert_eq (event.number, number);
    }
    cr_expect_not (follow_next (&follow, &event));
    cr_expect_eq (follow.arrived_bytes, 0);
    follow_free (&follow);
}

Test (follow, keeps_no_more_bytes_than_its_bound)
{
    struct follow follow;
    struct buf body = { 0 };
    static const char FILLER[1000000];
    cr_assert_eq (follow_init (&follow, 0, 2000, 0), 0);
    for (int64_t number = 2; number < 30; number++) {
        buf_clear (&body);
        wire_write_map (&body, 3);
        wire_write_cstr (&body, "number");
        wire_write_int (&body, number);
        wire_write_cstr (&body, "topic");
        wire_write_cstr (&body, "alert");
        wire_write_cstr (&body, "text");
        wire_write_str (&body, (struct str){ FILLER, sizeof FILLER });
        send_message (&follow, "alert", &body, 0);
        cr_expect_leq (follow.arrived_bytes, FOLLOW_ARRIVED_BYTES_MAX);
    }
    cr_expect_eq (follow.count, 8);
    cr_expect_eq (follow.stats.dropped, 20);
    buf_free (&body);
    follow_free (&follow);
}

Test (follow, an_answer_that_is_none)
{
    static const char *const ANSWERS[] = { "80", "83a66576656e747301a5616674657201a46c61737401", "c1", "" };
    struct follow follow;
    struct loyalty_event event;
    for (size_t i = 0; i < sizeof ANSWERS / sizeof ANSWERS[0]; i++) {
        struct loyalty_error error;
        size_t size;
        uint8_t *bytes = bytes_of_hex (ANSWERS[i], &size);
        cr_assert_eq (follow_init (&follow, 0, 2000, 0), 0);
        cr_expect_eq (follow_page (&follow, bytes, size, 0, &error), -1, "%zu", i);
        cr_expect_eq (error.code, LOYALTY_INTERNAL);
        cr_expect_not (follow_next (&follow, &event));
        cr_expect_not (follow_wants_read (&follow, 0), "not at once again");
        cr_expect (follow_wants_read (&follow, 1000));
        follow_free (&follow);
        free (bytes);
    }
}

/* ---- random worlds: an engine whose messages get lost, doubled and mixed up, and whose answers are late */

enum { WORLDS = 300, WORLD_EVENTS = 400 };

struct world {
    struct follow follow;
    struct buf page;
    uint64_t random;
    bool has_filter;
    int64_t last, handed_out, now_ms; /* handed_out: the number of the last one */
    int64_t asked;                    /* after which number the read under way asks; -1: none is */
};

static uint64_t
chance (struct world *world, uint64_t bound)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return world->random % bound;
}

static const char *
topic_of (int64_t number)
{
    return number % 3 == 0 ? "alert" : "card.created";
}

static bool
is_wanted (const struct world *world, int64_t number)
{
    return !world->has_filter || strcmp (topic_of (number), "alert") == 0;
}

static void
subscriber_begin (struct world *world, int64_t after)
{
    cr_assert_eq (follow_init (&world->follow, after, 2000, world->now_ms), 0);
    world->asked = -1;
    world->follow.topic_count = world->has_filter;
    strcpy (world->follow.topics[0], "alert");
}

/* Some of the newest events, in any order, some of them twice and some never. */
static void
world_publish (struct world *world)
{
    int64_t from = world->last + 1;
    world->last += (int64_t)chance (world, 12);
    for (int64_t number = from; number <= world->last; number++)
        if (chance (world, 10) > 0)
            send_event (&world->follow, topic_of (number), number, world->now_ms);
    for (uint64_t i = chance (world, 4); i > 0 && world->last > 0; i--) {
        int64_t number = world->last - (int64_t)chance (world, world->last < 20 ? (uint64_t)world->last : 20);
        send_event (&world->follow, topic_of (number), number, world->now_ms);
    }
    if (chance (world, 4) == 0)
        send_tip (&world->follow, world->last, 2, world->now_ms);
}

/* What an engine answers that knows the first `known` events, in pages of at most `limit`. */
static void
world_answer (struct world *world, int64_t known, int64_t limit)
{
    json_t *events = json_array ();
    int64_t after = world->asked;
    while (after < known && (int64_t)json_array_size (events) < limit) {
        after++;
        if (is_wanted (world, after))
            json_array_append_new (events, json_pack ("[s, I]", topic_of (after), (json_int_t)after));
    }
    json_t *answer =
        json_pack ("{s:o, s:I, s:I}", "events", events, "after", (json_int_t)after, "last", (json_int_t)known);
    cr_assert_eq (send_page (&world->follow, answer, &world->page, world->now_ms), 0);
    json_decref (answer);
}

/* Asks, or is answered: perhaps some rounds later, when others have brought what was asked for. */
static void
world_read (struct world *world)
{
    if (world->asked < 0 && follow_wants_read (&world->follow, world->now_ms))
        world->asked = world->follow.position;
    if (world->asked < 0 || chance (world, 2) == 0)
        return;
    uint64_t kind = chance (world, 6);
    int64_t lag = kind == 1 ? (int64_t)chance (world, 10) : 0; /* a replica that is behind */
    if (kind == 0)
        follow_read_failed (&world->follow, world->now_ms);
    else
        world_answer (world, world->last > lag ? world->last - lag : 0, 1 + (int64_t)chance (world, 30));
    world->asked = -1;
}

/* Every event that is handed out has to be the next one wanted. */
static void
world_take (struct world *world, uint64_t seed, uint64_t most)
{
    struct loyalty_event event;
    for (uint64_t i = 0; i < most && follow_next (&world->follow, &event); i++) {
        do
            world->handed_out++;
        while (!is_wanted (world, world->handed_out));
        cr_assert_eq (event.number, world->handed_out, "world %llu: %lld in place of %lld", (unsigned long long)seed,
                      (long long)event.number, (long long)world->handed_out);
        cr_assert_str_eq (event.topic, topic_of (event.number));
    }
}

static void
world_live (uint64_t seed)
{
    struct world world = { .random = seed * UINT64_C (0x9e3779b97f4a7c15) | 1, .now_ms = 1000 };
    world.has_filter = chance (&world, 2) == 0;
    subscriber_begin (&world, 0);
    while (world.last < WORLD_EVENTS) {
        world.now_ms += (int64_t)chance (&world, 200);
        world_publish (&world);
        world_take (&world, seed, chance (&world, 20)); /* a slow one leaves some for later */
        struct loyalty_event none;
        if (follow_next (&world.follow, &none)) { /* taken here and not counted: so take it back by starting anew */
            follow_free (&world.follow);
            subscriber_begin (&world, world.handed_out);
        } else {
            world_read (&world);
        }
    }
    /* All is well again: it comes to the end. */
    for (int rounds = 0; world.follow.position < world.last; rounds++) {
        cr_assert_lt (rounds, 2 * WORLD_EVENTS, "world %llu does not end", (unsigned long long)seed);
        world.now_ms += 3000;
        send_tip (&world.follow, world.last, 2, world.now_ms);
        world_take (&world, seed, UINT64_MAX);
        if (follow_wants_read (&world.follow, world.now_ms)) {
            world.asked = world.follow.position;
            world_answer (&world, world.last, 50);
        }
        world_take (&world, seed, UINT64_MAX);
    }
    for (int64_t number = world.handed_out + 1; number <= world.last; number++)
        cr_assert_not (is_wanted (&world, number), "world %llu lacks %lld", (unsigned long long)seed,
                       (long long)number);
    cr_assert_not (follow_wants_read (&world.follow, world.now_ms));
    follow_free (&world.follow);
    buf_free (&world.page);
}

Test (follow, random_worlds)
{
    for (uint64_t seed = 1; seed <= WORLDS; seed++)
        world_live (seed);
}
