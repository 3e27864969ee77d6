/* bench_baskets.c - what the bench's orders hold: products, prices and baskets of real orders. */
#include "bench.h"
#include "base/arena.h"
#include "base/hash.h"
#include "store/embedded.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct embedded_file BENCH_ORDERS[];

struct growing {
    uint32_t product_capacity, line_capacity, basket_capacity;
};

int64_t
bench_product_id (const char *code)
{
    return (int64_t)(fnv1a64 (code, strlen (code)) & ((UINT64_C (1) << 53) - 1));
}

static int
grow (void **array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return 0;
    uint32_t larger = *capacity ? *capacity * 2 : 256;
    void *moved = realloc (*array, larger * size);
    if (moved == NULL)
        return -1;
    *array = moved;
    *capacity = larger;
    return 0;
}

/* The product's place; a new one at its first price. A hash of the id would be quicker, but this runs once. */
static int64_t
product_place (struct bench_baskets *baskets, struct growing *room, int64_t id, int64_t cents)
{
    static struct {
        uint32_t *places;
        uint32_t size;
    } index;
    if (index.places == NULL || baskets->product_count == 0) {
        free (index.places);
        index.size = 1u << 16;
        index.places = calloc (index.size, sizeof *index.places);
        if (index.places == NULL)
            return -1;
    }
    uint32_t at = (uint32_t)fnv1a64_int (id) & (index.size - 1);
    while (index.places[at] != 0) {
        if (baskets->products[index.places[at] - 1].product_id == id)
            return index.places[at] - 1;
        at = (at + 1) & (index.size - 1);
    }
    if (baskets->product_count > index.size / 2 || grow ((void **)&baskets->products, baskets->product_count,
                                                         &room->product_capacity, sizeof *baskets->products) < 0)
        return -1;
    baskets->products[baskets->product_count++] = (struct bench_product){ id, cents };
    index.places[at] = baskets->product_count;
    return index.places[at] - 1;
}

static int
add_order (struct bench_baskets *baskets, struct growing *room, const json_t *order)
{
    const json_t *lines = json_object_get (order, "lines");
    struct bench_basket basket = { baskets->line_count, 0 };
    size_t i;
    json_t *line;
    json_array_foreach (lines, i, line)
    {
        const char *code = json_string_value (json_object_get (line, "product_id"));
        double qty = json_number_value (json_object_get (line, "qty"));
        long long cents = llround (json_number_value (json_object_get (line, "unit_price")) * 100);
        if (code == NULL || qty < 1 || qty > 1e6 || cents < 1)
            continue;
        int64_t place = product_place (baskets, room, bench_product_id (code), cents);
        if (place < 0 ||
            grow ((void **)&baskets->lines, baskets->line_count, &room->line_capacity, sizeof *baskets->lines) < 0)
            return -1;
        baskets->lines[baskets->line_count++] = (struct bench_line){ (uint32_t)place, (uint32_t)qty };
        basket.count++;
    }
    if (basket.count == 0)
        return 0;
    if (grow ((void **)&baskets->baskets, baskets->basket_count, &room->basket_capacity, sizeof *baskets->baskets) < 0)
        return -1;
    baskets->baskets[baskets->basket_count++] = basket;
    return 0;
}

static int
read_text (const char *text, const char *name, struct bench_baskets *baskets, struct error *err)
{
    struct growing room = { 0 };
    for (unsigned number = 1; *text != '\0'; number++) {
        size_t length = strcspn (text, "\n");
        json_error_t why;
        if (length > 0) {
            json_t *order = json_loadb (text, length, 0, &why);
            int status = order == NULL ? -1 : add_order (baskets, &room, order);
            json_decref (order);
            if (status < 0)
                return error_set (err, ERROR_INVALID_REQUEST, "%s, line %u: %s", name, number,
                                  order == NULL ? why.text : "too many products, or out of memory");
        }
        text += length + (text[length] == '\n');
    }
    if (baskets->basket_count == 0)
        return error_set (err, ERROR_INVALID_REQUEST, "%s holds no sale orders", name);
    return 0;
}

int
bench_baskets_read (const char *path, struct bench_baskets *baskets, struct error *err)
{
    *baskets = (struct bench_baskets){ 0 };
    if (path == NULL)
        return read_text (BENCH_ORDERS[0].data, BENCH_ORDERS[0].name, baskets, err);
    FILE *file = fopen (path, "rb");
    if (file == NULL)
        return error_set (err, ERROR_NOT_FOUND, "%s cannot be opened: %m", path);
    struct buf bytes = { 0 };
    size_t got;
    do {
        uint8_t *room = buf_reserve (&bytes, 1 << 20);
        got = room == NULL ? 0 : fread (room, 1, (1 << 20) - 1, file);
        bytes.size += got;
    } while (got > 0);
    fclose (file);
    buf_byte (&bytes, 0);
    int status = bytes.failed ? error_set (err, ERROR_INTERNAL, "out of memory")
                              : read_text ((const char *)bytes.data, path, baskets, err);
    buf_free (&bytes);
    return status;
}

void
bench_baskets_free (struct bench_baskets *baskets)
{
    free (baskets->products);
    free (baskets->lines);
    free (baskets->baskets);
    *baskets = (struct bench_baskets){ 0 };
}
