/* fields.c - the pairs of name and value that answers and events are made of. */
#include "render/render.h"
#include "wire/msgpack.h"

void
render_ok (struct buf *out, uint32_t fields)
{
    wire_write_map (out, 2);
    wire_write_cstr (out, "ok");
    wire_write_bool (out, true);
    wire_write_cstr (out, "result");
    wire_write_map (out, fields);
}

void
render_text (struct buf *out, const char *name, struct str value)
{
    wire_write_cstr (out, name);
    wire_write_str (out, value);
}

void
render_int (struct buf *out, const char *name, int64_t value)
{
    wire_write_cstr (out, name);
    wire_write_int (out, value);
}

void
render_bool (struct buf *out, const char *name, bool value)
{
    wire_write_cstr (out, name);
    wire_write_bool (out, value);
}

void
render_points (struct buf *out, const char *name, int64_t points)
{
    wire_write_cstr (out, name);
    wire_write_decimal (out, points, POINTS_DIGITS, POINTS_DIGITS);
}

void
render_time (struct buf *out, const char *name, int64_t instant)
{
    wire_write_cstr (out, name);
    wire_write_time (out, instant);
}

void
render_nil (struct buf *out, const char *name)
{
    wire_write_cstr (out, name);
    wire_write_nil (out);
}
