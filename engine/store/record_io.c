/* record_io.c - varints, sparse lists, names and texts of stored records, in both directions. */
#include "store/record_io.h"

enum { VARINT_MAX = 10, UUID_TEXT = 36, UUID_BYTES = 16, NUMBER_DIGITS_MAX = 18, ROOM_MIN = 512 };

bool
io_grow (struct record_io *io, size_t size)
{
    if (io->bad)
        return false;
    io->buf->size = (size_t)(io->at - io->buf->data);
    size_t room = size > ROOM_MIN ? size : ROOM_MIN;
    if (buf_reserve (io->buf, room) == NULL) {
        io->bad = true;
        return false;
    }
    io->at = io->buf->data + io->buf->size;
    io->end = io->buf->data + io->buf->capacity;
    return true;
}

void
io_write_varint (struct record_io *io, uint64_t value)
{
    if (!io_room (io, VARINT_MAX))
        return;
    while (value >= 0x80) {
        *io->at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *io->at++ = (uint8_t)value;
}

uint64_t
io_read_varint (struct record_io *io)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && io->from < io->from_end; shift += 7) {
        uint8_t byte = *io->from++;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    io->bad = true;
    io->from = io->from_end;
    return 0;
}

void
io_below (struct record_io *io, uint32_t *value, uint32_t limit)
{
    uint64_t number = *value;
    io_unsigned (io, &number);
    if (number >= limit) {
        io->bad = true;
        number = 0;
    }
    if (!io->writing)
        *value = (uint32_t)number;
}

void
io_index (struct record_io *io, int32_t *value, uint32_t limit)
{
    uint32_t number = (uint32_t)*value + 1;
    io_below (io, &number, limit + 1);
    if (!io->writing)
        *value = (int32_t)number - 1;
}

void
io_int32 (struct record_io *io, int32_t *value)
{
    int64_t number = *value;
    io_int (io, &number);
    if (number > INT32_MAX || number < INT32_MIN) {
        io->bad = true;
        number = 0;
    }
    if (!io->writing)
        *value = (int32_t)number;
}

/* zigzag (mantissa) × 8 + zeros for mantissa × 10^zeros; 7 announces a mantissa too large for that, in full. */
void
io_decimal (struct record_io *io, int64_t *value)
{
    static const int64_t POWERS[] = { 1, 10, 100, 1000, 10000, 100000, 1000000 };
    if (io->writing) {
        int64_t mantissa = *value;
        unsigned zeros = 0;
        if (mantissa % 1000000 == 0 && mantissa != 0) {
            mantissa /= 1000000;
            zeros = 6;
        } else
            for (; zeros < 6 && mantissa != 0 && mantissa % 10 == 0; zeros++)
                mantissa /= 10;
        if (zigzag (mantissa) >> 61 == 0)
            io_write_varint (io, zigzag (mantissa) << 3 | zeros);
        else {
            io_write_varint (io, 7);
            io_write_varint (io, zigzag (*value));
        }
        return;
    }
    uint64_t head = io_read_varint (io);
    if ((head & 7) == 7)
        *value = unzigzag (io_read_varint (io));
    else if (__builtin_mul_overflow (unzigzag (head >> 3), POWERS[head & 7], value)) {
        io->bad = true;
        *value = 0;
    }
}

void
io_bools (struct record_io *io, bool *const bools[], unsigned count)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < count && io->writing; i++)
        bits |= (uint64_t)*bools[i] << i;
    io_unsigned (io, &bits);
    for (unsigned i = 0; i < count && !io->writing; i++)
        *bools[i] = bits >> i & 1;
    if (bits >> count != 0)
        io->bad = true;
}

void
io_sparse (struct record_io *io, int64_t *const values[], unsigned count)
{
    uint64_t present = 0;
    for (unsigned i = 0; i < count && io->writing; i++)
        present |= (uint64_t)(*values[i] != 0) << i;
    io_unsigned (io, &present);
    if (present >> count != 0)
        io->bad = true;
    for (unsigned i = 0; i < count; i++)
        if (present >> i & 1)
            io_int (io, values[i]);
        else if (!io->writing)
            *values[i] = 0;
}

static void
io_write_bytes (struct record_io *io, const void *bytes, size_t size)
{
    if (size > 0 && io_room (io, size)) {
        memcpy (io->at, bytes, size);
        io->at += size;
    }
}

/* The next `size` bytes; NULL (and bad) when there are not so many. */
static const uint8_t *
io_read_bytes (struct record_io *io, uint64_t size)
{
    if (size > (size_t)(io->from_end - io->from)) {
        io->bad = true;
        io->from = io->from_end;
        return NULL;
    }
    const uint8_t *bytes = io->from;
    io->from += size;
    return bytes;
}

void
io_str (struct record_io *io, struct str *text)
{
    if (io->writing) {
        io_write_varint (io, text->size);
        io_write_bytes (io, text->data, text->size);
        return;
    }
    uint64_t size = io_read_varint (io);
    const uint8_t *bytes = io_read_bytes (io, size);
    *text = bytes == NULL ? (struct str){ NULL, 0 } : (struct str){ (const char *)bytes, (uint32_t)size };
}

void
io_text (struct record_io *io, char *text, size_t size)
{
    struct str view = { text, io->writing ? (uint32_t)strnlen (text, size - 1) : 0 };
    io_str (io, &view);
    if (io->writing)
        return;
    if (view.size >= size) {
        io->bad = true;
        view.size = 0;
    }
    memset (text, 0, size);
    if (view.size > 0)
        memcpy (text, view.data, view.size);
}

/* ---------------------------------------------------------------- names */

enum name_form { NAME_TEXT, NAME_NUMBER, NAME_UUID, NAME_FORM_COUNT };

/* The number whose decimal text this is exactly: no sign, no leading zeros. */
static bool
name_number (struct str name, int64_t *number)
{
    if (name.size == 0 || name.size > NUMBER_DIGITS_MAX || (name.data[0] == '0' && name.size > 1))
        return false;
    *number = 0;
    for (uint32_t i = 0; i < name.size; i++) {
        if (name.data[i] < '0' || name.data[i] > '9')
            return false;
        *number = *number * 10 + (name.data[i] - '0');
    }
    return true;
}

static bool
is_dash (unsigned place)
{
    return place == 8 || place == 13 || place == 18 || place == 23;
}

/* A UUID in its usual text: lower case, with dashes. */
static bool
name_uuid (struct str name, uint8_t uuid[UUID_BYTES])
{
    unsigned nibbles = 0;
    if (name.size != UUID_TEXT)
        return false;
    for (unsigned i = 0; i < UUID_TEXT; i++) {
        char c = name.data[i];
        if (is_dash (i)) {
            if (c != '-')
                return false;
            continue;
        }
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
        uint8_t nibble = (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        uuid[nibbles / 2] = (uint8_t)(nibbles % 2 ? uuid[nibbles / 2] | nibble : nibble << 4);
        nibbles++;
    }
    return true;
}

static struct str
number_text (struct record_io *io, int64_t number)
{
    char reversed[NUMBER_DIGITS_MAX + 2];
    uint32_t size = 0;
    do
        reversed[size++] = (char)('0' + number % 10);
    while ((number /= 10) > 0 && size < sizeof reversed);
    char *text = arena_alloc (io->arena, size + 1);
    for (uint32_t i = 0; i < size && text != NULL; i++)
        text[i] = reversed[size - 1 - i];
    io->bad = io->bad || text == NULL;
    return (struct str){ text, text != NULL ? size : 0 };
}

static struct str
uuid_text (struct record_io *io)
{
    static const char DIGITS[] = "0123456789abcdef";
    const uint8_t *uuid = io_read_bytes (io, UUID_BYTES);
    char *text = uuid != NULL ? arena_alloc (io->arena, UUID_TEXT + 1) : NULL;
    if (text == NULL) {
        io->bad = true;
        return (struct str){ NULL, 0 };
    }
    for (unsigned i = 0, nibbles = 0; i < UUID_TEXT; i++) {
        if (is_dash (i)) {
            text[i] = '-';
            continue;
        }
        text[i] = DIGITS[nibbles % 2 ? uuid[nibbles / 2] & 15 : uuid[nibbles / 2] >> 4];
        nibbles++;
    }
    return (struct str){ text, UUID_TEXT };
}

static void
name_write (struct record_io *io, struct str name, int64_t *previous)
{
    uint8_t uuid[UUID_BYTES];
    int64_t number;
    if (name_number (name, &number)) {
        io_write_varint (io, zigzag (number - *previous) << 2 | NAME_NUMBER);
        *previous = number;
    } else if (name_uuid (name, uuid)) {
        io_write_varint (io, NAME_UUID);
        io_write_bytes (io, uuid, sizeof uuid);
    } else {
        io_write_varint (io, (uint64_t)name.size << 2 | NAME_TEXT);
        io_write_bytes (io, name.data, name.size);
    }
}

void
io_name (struct record_io *io, struct str *name, int64_t *previous)
{
    if (io->writing) {
        name_write (io, *name, previous);
        return;
    }
    uint64_t head = io_read_varint (io);
    *name = (struct str){ NULL, 0 };
    switch ((enum name_form) (head & 3)) {
    case NAME_TEXT: {
        const uint8_t *bytes = io_read_bytes (io, head >> 2);
        if (bytes != NULL)
            *name = (struct str){ (const char *)bytes, (uint32_t)(head >> 2) };
        break;
    }
    case NAME_NUMBER: {
        int64_t number;
        if (__builtin_add_overflow (*previous, unzigzag (head >> 2), &number) || number < 0) {
            io->bad = true;
            break;
        }
        *previous = number;
        *name = number_text (io, number);
        break;
    }
    case NAME_UUID:
        *name = uuid_text (io);
        break;
    default:
        io->bad = true;
    }
}

/* ---------------------------------------------------------------- lists */

void *
io_list (struct record_io *io, void *list, uint32_t *count, size_t size, uint32_t limit)
{
    void **first = list;
    uint64_t number = *count;
    io_unsigned (io, &number);
    if (number > limit || (!io->writing && number > (size_t)(io->from_end - io->from)))
        io->bad = true;
    if (io->writing)
        return io->bad ? NULL : *first;
    *first = number > 0 && !io->bad ? arena_array (io->arena, number, size) : NULL;
    if (number > 0 && *first == NULL)
        io->bad = true;
    *count = io->bad ? 0 : (uint32_t)number;
    return *first;
}
