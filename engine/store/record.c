/* record.c - writes and reads an order's stored record: its effects and refund plan, the frame, compression, the check. */
#include "store/record.h"
#include "base/hash.h"
#include "store/record_walk.h"

#include <limits.h>
#include <lz4.h>

/* Shorter bodies gain nothing; a gain below a sixteenth is not worth the reading. */
enum { COMPRESS_MIN = 256, CHECK_BYTES = 4, VARINT_MAX = 10, SHORTFALLS = SHORTFALL_FORGIVE + 1 };

#define COUNT_OF(array) ((unsigned)(sizeof (array) / sizeof *(array)))

/* ---------------------------------------------------------------- shared parts of the walk */

void
record_walk_taxes (struct record_io *io, const struct tax_amount **taxes, uint32_t *count)
{
    struct tax_amount *list = io_list (io, taxes, count, sizeof *list, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < *count && !io->bad; i++) {
        io_int (io, &list[i].tax_id);
        io_int (io, &list[i].amount_minor);
    }
}

int32_t
record_walk_card (struct record_io *io, const struct order *order, int64_t *card_id, int64_t *program_id)
{
    int32_t state = (int32_t)order->card_count - 1;
    while (io->writing && state >= 0 &&
           (order->cards[state].card_id != *card_id || order->cards[state].program_id != *program_id))
        state--;
    io_index (io, &state, order->card_count);
    if (state < 0) {
        io_int (io, card_id);
        io_int (io, program_id);
    } else if (!io->writing) {
        *card_id = order->cards[state].card_id;
        *program_id = order->cards[state].program_id;
    }
    return state;
}

/* ---------------------------------------------------------------- effects */

static void
uses_walk (struct record_io *io, const struct lot_use **uses, uint32_t *count)
{
    struct lot_use *list = io_list (io, uses, count, sizeof *list, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < *count && !io->bad; i++) {
        io_int32 (io, &list[i].lot_no);
        io_int (io, &list[i].points);
    }
}

/* 0 stands for never, so that it costs a byte. */
static void
expiry_walk (struct record_io *io, int64_t *expires, int64_t instant)
{
    bool never = *expires == INSTANT_NEVER;
    io_bools (io, (bool *const[]){ &never }, 1);
    if (!never)
        io_near (io, expires, instant);
    else if (!io->writing)
        *expires = INSTANT_NEVER;
}

static void
lots_walk (struct record_io *io, const struct order *order, struct card_effect *effect)
{
    struct record_lot *lots = io_list (io, &effect->lots, &effect->lot_count, sizeof *lots, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < effect->lot_count && !io->bad; i++) {
        io_int32 (io, &lots[i].lot_no);
        io_near (io, &lots[i].points, effect->earned);
        io_near (io, &lots[i].usable_from, order->instant);
        expiry_walk (io, &lots[i].expires, order->instant);
    }
}

/* What its stored points should have changed by what it says; what the card should hold after it by what it held before. */
static int64_t
expected_change (const struct card_effect *effect)
{
    return (int64_t)((uint64_t)effect->earned - (uint64_t)effect->redeemed - (uint64_t)effect->taken_back +
                     (uint64_t)effect->given_back);
}

static int64_t
expected_balance (const struct card_effect *effect, const struct card_state *state)
{
    uint64_t balance = state != NULL ? (uint64_t)state->usable : 0;
    return (int64_t)(balance + (uint64_t)expected_change (effect));
}

static void
effect_walk (struct record_io *io, const struct order *order, struct card_effect *effect)
{
    int32_t index = record_walk_card (io, order, &effect->card_id, &effect->program_id);
    const struct card_state *state = index >= 0 ? &order->cards[index] : NULL;
    bool own_code = io->writing && (state == NULL || !str_equal (state->code, effect->code));
    int64_t shortfall = effect->shortfall;
    int64_t change_more = (int64_t)((uint64_t)effect->change - (uint64_t)expected_change (effect));
    int64_t *const numbers[] = { &effect->earned,  &effect->redeemed, &effect->taken_back, &effect->given_back,
                                 &effect->missing, &shortfall,        &effect->owed,       &change_more };
    io_bools (io, (bool *const[]){ &effect->is_created, &own_code }, 2);
    if (own_code)
        io_str (io, &effect->code);
    else if (!io->writing && state != NULL)
        effect->code = state->code;
    io_sparse (io, numbers, COUNT_OF (numbers));
    if (!io->writing) {
        io->bad = io->bad || shortfall < 0 || shortfall >= SHORTFALLS;
        effect->shortfall = io->bad ? SHORTFALL_DEBT : (enum shortfall)shortfall;
        effect->change = (int64_t)((uint64_t)expected_change (effect) + (uint64_t)change_more);
    }
    io_near (io, &effect->balance, expected_balance (effect, state));
    io_near (io, &effect->debt, state != NULL ? state->debt : 0);
    lots_walk (io, order, effect);
    uses_walk (io, &effect->redeemed_uses, &effect->redeemed_count);
    uses_walk (io, &effect->taken_uses, &effect->taken_count);
    uses_walk (io, &effect->given_uses, &effect->given_count);
}

/* ---------------------------------------------------------------- the refund plan */

static void
originals_walk (struct record_io *io, struct record_refund *refund)
{
    struct record_original *originals =
        io_list (io, &refund->originals, &refund->original_count, sizeof *originals, RECORD_LIST_MAX);
    int64_t number = 0;
    for (uint32_t i = 0; i < refund->original_count && !io->bad; i++) {
        io_name (io, &originals[i].order_id, &number);
        io_int (io, &originals[i].order_ref);
        io_bools (io, (bool *const[]){ &originals[i].is_whole }, 1);
        io_sparse (io,
                   (int64_t *const[]){ &originals[i].referral.card_id, &originals[i].referral.program_id,
                                       &originals[i].referral.points },
                   3);
    }
}

static void
refund_walk (struct record_io *io, const struct order *order, struct record_refund *refund)
{
    int64_t line_number = -1;
    originals_walk (io, refund);
    struct record_part *parts = io_list (io, &refund->parts, &refund->part_count, sizeof *parts, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < refund->part_count && !io->bad; i++) {
        io_below (io, &parts[i].line, order->line_count);
        io_below (io, &parts[i].original, refund->original_count);
        io_name (io, &parts[i].line_id, &line_number);
        io_decimal (io, &parts[i].qty_micro);
        io_int (io, &parts[i].net_minor);
        io_near (io, &parts[i].untaxed_minor, parts[i].net_minor);
        record_walk_taxes (io, &parts[i].taxes, &parts[i].tax_count);
    }
    struct refund_uncovered *uncovered =
        io_list (io, &refund->uncovered, &refund->uncovered_count, sizeof *uncovered, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < refund->uncovered_count && !io->bad; i++) {
        io_below (io, &uncovered[i].line, order->line_count);
        io_decimal (io, &uncovered[i].qty_micro);
    }
    struct record_points *points =
        io_list (io, &refund->points, &refund->points_count, sizeof *points, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < refund->points_count && !io->bad; i++) {
        io_below (io, &points[i].original, refund->original_count);
        record_walk_card (io, order, &points[i].card_id, &points[i].program_id);
        io_int (io, &points[i].take_back);
        io_int (io, &points[i].give_back);
        io_int (io, &points[i].paid_back_minor);
    }
}

int
order_record_set_plan (struct order_record *record, const struct refund_plan *plan, const struct original *originals,
                       struct arena *arena)
{
    uint32_t original_count = 0;
    for (uint32_t i = 0; i < plan->part_count; i++)
        if (plan->parts[i].original >= original_count)
            original_count = plan->parts[i].original + 1;
    struct record_original *kept = arena_array_of (arena, original_count, struct record_original);
    struct record_part *parts = arena_array_of (arena, plan->part_count, struct record_part);
    struct record_points *points = arena_array_of (arena, plan->points_count, struct record_points);
    if (kept == NULL || parts == NULL || points == NULL)
        return -1;
    for (uint32_t i = 0; i < original_count; i++)
        kept[i] = (struct record_original){ originals[i].order_id, originals[i].order_ref, false, { 0 } };
    for (uint32_t i = 0; i < plan->part_count; i++) {
        const struct refund_part *part = &plan->parts[i];
        parts[i] = (struct record_part){ .line = part->line,
                                         .original = part->original,
                                         .line_id = originals[part->original].lines[part->original_line].line_id,
                                         .qty_micro = part->qty_micro,
                                         .net_minor = part->net_minor,
                                         .untaxed_minor = part->untaxed_minor,
                                         .tax_count = part->tax_count,
                                         .taxes = part->taxes };
    }
    for (uint32_t i = 0; i < plan->points_count; i++)
        points[i] = (struct record_points){ plan->points[i].original,   plan->points[i].card_id,
                                            plan->points[i].program_id, plan->points[i].take_back,
                                            plan->points[i].give_back,  plan->points[i].paid_back_minor };
    record->refund = (struct record_refund){
        original_count, plan->part_count, plan->uncovered_count, plan->points_count, kept, parts, plan->uncovered,
        points
    };
    return 0;
}

/* ---------------------------------------------------------------- membership */

static void
membership_walk (struct record_io *io, const struct order *order, struct record_membership *membership)
{
    io_bools (io, (bool *const[]){ &membership->is_kept, &membership->has_next }, 2);
    if (!membership->is_kept)
        return;
    io_int (io, &membership->before);
    io_near (io, &membership->after, membership->before);
    io_int (io, &membership->spending_minor);
    io_sparse (io, (int64_t *const[]){ &membership->program_id, &membership->next_level, &membership->missing_minor },
               3);
    struct spent_day *spent =
        io_list (io, &membership->spent, &membership->spent_count, sizeof *spent, RECORD_LIST_MAX);
    int64_t order_day = order->instant / US_PER_DAY;
    for (uint32_t i = 0; i < membership->spent_count && !io->bad; i++) {
        int64_t day = spent[i].day;
        io_near (io, &day, order_day);
        io->bad = io->bad || day < INT32_MIN || day > INT32_MAX;
        if (!io->writing)
            spent[i].day = (int32_t)day;
        io_int (io, &spent[i].minor);
    }
}

/* ---------------------------------------------------------------- the whole */

void
record_walk (struct record_io *io, struct order_record *record)
{
    uint32_t kind = (uint32_t)record->kind - RECORD_PROCESS;
    uint64_t evaluator = record->evaluator_version;
    io_below (io, &kind, RECORD_CANCEL);
    io_bools (io, (bool *const[]){ &record->is_late }, 1);
    io_int (io, &record->order_ref);
    io_int (io, &record->catalog_version);
    io_unsigned (io, &evaluator);
    io_int (io, &record->recorded);
    if (!io->writing) {
        record->kind = (enum record_kind) (kind + RECORD_PROCESS);
        record->evaluator_version = (uint32_t)evaluator;
        io->bad = io->bad || evaluator > UINT32_MAX;
    }
    record_walk_order (io, &record->order, record->recorded);
    record_walk_evaluation (io, &record->order, &record->evaluation);
    refund_walk (io, &record->order, &record->refund);
    struct card_effect *effects =
        io_list (io, &record->effects, &record->effect_count, sizeof *effects, RECORD_LIST_MAX);
    for (uint32_t i = 0; i < record->effect_count && !io->bad; i++)
        effect_walk (io, &record->order, &effects[i]);
    membership_walk (io, &record->order, &record->membership);
}

/* Replaces the body, which stands at the end of `out`, by its raw size and an LZ4 block. False: it stays. */
static bool
body_compress (struct buf *out, size_t body_start)
{
    size_t raw_size = out->size - body_start;
    if (raw_size <= COMPRESS_MIN || raw_size > INT_MAX / 2)
        return false;
    int room = LZ4_compressBound ((int)raw_size);
    if (buf_reserve (out, (size_t)room + VARINT_MAX) == NULL)
        return false;
    char *body = (char *)out->data + body_start;
    int size = LZ4_compress_default (body, body + raw_size, (int)raw_size, room);
    if (size <= 0 || (size_t)size > raw_size - raw_size / 16)
        return false;
    struct record_io io = { .writing = true, .buf = out, .at = out->data + body_start, .end = out->data + out->size };
    char *block = body + raw_size;
    io_write_varint (&io, raw_size);
    memmove (io.at, block, (size_t)size);
    out->size = (size_t)(io.at - out->data) + (size_t)size;
    return true;
}

int
order_record_encode (const struct order_record *record, struct buf *out, struct error *err)
{
    size_t start = out->size;
    buf_byte (out, RECORD_FORM);
    struct record_io io = { .writing = true, .buf = out };
    if (!out->failed) {
        io.at = out->data + out->size;
        io.end = out->data + out->capacity;
        record_walk (&io, (struct order_record *)record); /* writing leaves it alone */
        if (!io.bad)
            out->size = (size_t)(io.at - out->data);
    }
    if (out->failed)
        return error_set (err, ERROR_INTERNAL, "out of memory for an order's record");
    if (io.bad || out->size - start > RECORD_BODY_MAX)
        return error_set (err, ERROR_INTERNAL, "the record of order %.*s is out of bounds",
                          (int)record->order.order_id.size, record->order.order_id.data);

    if (body_compress (out, start + 1))
        out->data[start] |= RECORD_COMPRESSED;
    uint32_t check = (uint32_t)fnv1a64 (out->data + start, out->size - start);
    for (unsigned i = 0; i < CHECK_BYTES; i++)
        buf_byte (out, (uint8_t)(check >> 8 * i));
    return out->failed ? error_set (err, ERROR_INTERNAL, "out of memory for an order's record") : 0;
}

/* Checks the frame and brings the body into the arena: io reads it. */
static int
body_open (struct str bytes, struct arena *arena, struct record_io *io, struct error *err)
{
    const uint8_t *data = (const uint8_t *)bytes.data;
    uint32_t check = 0;
    if (bytes.size < 1 + CHECK_BYTES || bytes.size > RECORD_BODY_MAX)
        return error_set (err, ERROR_INTERNAL, "an order's record is cut");
    size_t size = bytes.size - CHECK_BYTES;
    for (unsigned i = 0; i < CHECK_BYTES; i++)
        check |= (uint32_t)data[size + i] << 8 * i;
    if (check != (uint32_t)fnv1a64 (data, size))
        return error_set (err, ERROR_INTERNAL, "an order's record is damaged");
    if ((data[0] & ~RECORD_COMPRESSED) != RECORD_FORM)
        return error_set (err, ERROR_INTERNAL, "an order's record has form %u, which this version does not know",
                          data[0] & ~RECORD_COMPRESSED);

    *io = (struct record_io){ .from = data + 1, .from_end = data + size, .arena = arena };
    uint64_t raw_size = size - 1;
    if (data[0] & RECORD_COMPRESSED)
        raw_size = io_read_varint (io);
    if (io->bad || raw_size > RECORD_BODY_MAX)
        return error_set (err, ERROR_INTERNAL, "an order's record is damaged");
    uint8_t *body = arena_alloc (arena, raw_size);
    if (body == NULL)
        return error_set (err, ERROR_INTERNAL, "out of memory for an order's record");
    int packed = (int)(io->from_end - io->from);
    if (!(data[0] & RECORD_COMPRESSED))
        memcpy (body, io->from, raw_size);
    else if (LZ4_decompress_safe ((const char *)io->from, (char *)body, packed, (int)raw_size) != (int)raw_size)
        return error_set (err, ERROR_INTERNAL, "an order's record is damaged");
    io->from = body;
    io->from_end = body + raw_size;
    return 0;
}

int
order_record_decode (struct str bytes, struct arena *arena, struct order_record *record, struct error *err)
{
    struct record_io io;
    *record = (struct order_record){ 0 };
    if (body_open (bytes, arena, &io, err) != 0)
        return -1;
    record_walk (&io, record);
    if (io.bad || io.from != io.from_end)
        return error_set (err, ERROR_INTERNAL, "an order's record is damaged, or larger than memory allows");
    return 0;
}

const struct lot_use *
card_effect_uses (const struct card_effect *effect, struct arena *arena, uint32_t *count)
{
    struct lot_use *uses = arena_array_of (arena, (size_t)effect->redeemed_count + 1, struct lot_use);
    if (uses == NULL)
        return NULL;
    if (effect->redeemed_count > 0)
        memcpy (uses, effect->redeemed_uses, effect->redeemed_count * sizeof *uses);
    *count = effect->redeemed_count;
    if (effect->owed > 0)
        uses[(*count)++] = (struct lot_use){ 0, effect->owed };
    return uses;
}
