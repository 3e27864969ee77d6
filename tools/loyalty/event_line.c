/* event_line.c - see event_line.h. */
#include "event_line.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* What the head of a line says already, or says better than its name would. */
static const char *const HEAD[] = { "number", "topic", "at", "order_id" };

/* Of an order, which has far more fields than a line has room for, these; of everything else all that are no lists. */
static const struct {
    const char *name, *label;
} ORDER_FACTS[] = {
    { "partner_id", "partner" },   { "store_id", "store" },           { "amount_total", "total" },
    { "points_earned", "earned" }, { "points_redeemed", "redeemed" }, { "final_balance", "balance" },
    { "left_out", "left out:" },
};

/* Control characters would let a text of somebody else's act on the terminal. */
static void
put_text (const char *text, FILE *out)
{
    for (; *text != '\0'; text++)
        fputc ((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, out);
}

static void
put_value (const json_t *value, FILE *out)
{
    if (json_is_string (value))
        put_text (json_string_value (value), out);
    else if (json_is_boolean (value))
        fputs (json_is_true (value) ? "yes" : "no", out);
    else
        json_dumpf (value, out, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION (12));
}

static bool
is_fact (const json_t *value)
{
    return value != NULL && !json_is_null (value) && !json_is_object (value) && !json_is_array (value);
}

static void
put_fact (const char *label, const json_t *value, FILE *out)
{
    if (!is_fact (value))
        return;
    fputs ("  ", out);
    put_text (label, out);
    fputc (' ', out);
    put_value (value, out);
}

/* Points of cards: of points.earned, points.redeemed and those that have a list of them. */
static void
put_points (const json_t *points, FILE *out)
{
    size_t i;
    json_t *card;
    json_array_foreach (points, i, card)
    {
        put_fact ("card", json_object_get (card, "card_id"), out);
        put_fact ("points", json_object_get (card, "points"), out);
        put_fact ("balance", json_object_get (card, "balance"), out);
    }
}

static bool
is_in_head (const char *name)
{
    for (size_t i = 0; i < sizeof HEAD / sizeof HEAD[0]; i++)
        if (strcmp (HEAD[i], name) == 0)
            return true;
    return false;
}

static void
put_order (const json_t *event, FILE *out)
{
    for (size_t i = 0; i < sizeof ORDER_FACTS / sizeof ORDER_FACTS[0]; i++)
        put_fact (ORDER_FACTS[i].label, json_object_get (event, ORDER_FACTS[i].name), out);
    if (json_object_get (event, "amount_total") == NULL)
        put_points (json_object_get (event, "points"), out);
}

void
event_line (const json_t *event, FILE *out)
{
    const char *at = json_string_value (json_object_get (event, "at"));
    const char *topic = json_string_value (json_object_get (event, "topic"));
    const char *order = json_string_value (json_object_get (event, "order_id"));
    const char *name;
    json_t *value;
    /* 2026-03-02T10:37:38.906172Z: to the second, with a space. */
    fprintf (out, "%8lld  %.10s %.8s  %-18s", (long long)json_integer_value (json_object_get (event, "number")),
             at != NULL ? at : "-", at != NULL && strlen (at) > 11 ? at + 11 : "-", topic != NULL ? topic : "?");
    if (order != NULL) {
        fputs ("  ", out);
        put_text (order, out);
        put_order (event, out);
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)event, name, value)
    {
        if (!is_in_head (name))
            put_fact (name, value, out);
    }
}
