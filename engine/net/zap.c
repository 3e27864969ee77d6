/* zap.c - see zap.h. */
#include "net/zap.h"
#include "wire/role.h"

#include <stdarg.h>
#include <stdio.h>
#include <zmq.h>

/* The frames of a request, in their order. The last one is the peer's public key, 32 bytes. */
enum { FRAME_VERSION, FRAME_SEQUENCE, FRAME_DOMAIN, FRAME_ADDRESS, FRAME_IDENTITY, FRAME_MECHANISM, FRAME_KEY };

enum { KEY_BYTES = 32, ADDRESS_SHOWN_MAX = 64 };

const struct door_rule DOOR_RULES[DOOR_COUNT] = {
#define X(id, domain, roles, name) { domain, roles, name },
    ZAP_DOORS (X)
#undef X
};

static void answer (struct zap_verdict *verdict, unsigned code, const char *text, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));

static void
answer (struct zap_verdict *verdict, unsigned code, const char *text, const char *format, ...)
{
    va_list args;
    verdict->code = code;
    verdict->text = text;
    va_start (args, format);
    vsnprintf (verdict->reason, sizeof verdict->reason, format, args);
    va_end (args);
}

static const struct door_rule *
door_of (struct str domain)
{
    for (unsigned i = 0; i < DOOR_COUNT; i++)
        if (str_equal (domain, str_of (DOOR_RULES[i].domain)))
            return &DOOR_RULES[i];
    return NULL;
}

/* The peer's address, fit for a line of a log. */
static void
show_address (struct str address, char text[ADDRESS_SHOWN_MAX + 1])
{
    uint32_t size = address.size < ADDRESS_SHOWN_MAX ? address.size : ADDRESS_SHOWN_MAX;
    for (uint32_t i = 0; i < size; i++)
        text[i] = address.data[i] > ' ' && address.data[i] <= '~' ? address.data[i] : '?';
    text[size] = '\0';
}

void
zap_judge (const struct key_list *list, const struct str frames[], unsigned count, struct zap_verdict *verdict)
{
    char address[ADDRESS_SHOWN_MAX + 1];
    *verdict = (struct zap_verdict){ 0 };
    if (count != ZAP_FRAMES || !str_equal (frames[FRAME_VERSION], STR ("1.0"))) {
        answer (verdict, 500, "Not understood", "a request of another protocol than ZAP 1.0");
        return;
    }
    show_address (frames[FRAME_ADDRESS], address);
    if (!str_equal (frames[FRAME_MECHANISM], STR ("CURVE")) || frames[FRAME_KEY].size != KEY_BYTES) {
        answer (verdict, 400, "No access", "%s: it shows no CURVE key", address);
        return;
    }
    zmq_z85_encode (verdict->key, (const uint8_t *)frames[FRAME_KEY].data, KEY_BYTES);
    const struct door_rule *door = door_of (frames[FRAME_DOMAIN]);
    const struct listed_key *key = key_list_find (list, str_of (verdict->key));
    if (door == NULL)
        answer (verdict, 400, "No access", "%s: no port of this engine", address);
    else if (key == NULL)
        answer (verdict, 400, "No access", "%s: the key %s is not listed", address, verdict->key);
    else if ((key->roles & door->roles) == 0)
        answer (verdict, 400, "No access", "%s: the roles of %s do not open %s", address, key->name, door->name);
    else
        answer (verdict, 200, "OK", "%s", key->name);
}
