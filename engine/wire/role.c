/* role.c - see role.h. */
#include "wire/role.h"

#include <stdio.h>

static const struct {
    enum role role;
    const char *name;
} ROLES[] = {
#define X(id, bit, name, meaning) { ROLE_##id, name },
    ROLE_LIST (X)
#undef X
};

enum { ROLE_COUNT = sizeof ROLES / sizeof ROLES[0] };

static unsigned
role_by_name (struct str name)
{
    for (unsigned i = 0; i < ROLE_COUNT; i++)
        if (str_equal (name, str_of (ROLES[i].name)))
            return ROLES[i].role;
    return 0;
}

static struct str
trim (struct str text)
{
    for (; text.size > 0 && text.data[0] == ' '; text.data++)
        text.size--;
    for (; text.size > 0 && text.data[text.size - 1] == ' ';)
        text.size--;
    return text;
}

int
roles_read (struct str text, unsigned *roles, struct error *err)
{
    *roles = 0;
    for (uint32_t begin = 0; begin <= text.size;) {
        const char *comma = memchr (text.data + begin, ',', text.size - begin);
        uint32_t end = comma != NULL ? (uint32_t)(comma - text.data) : text.size;
        struct str name = trim ((struct str){ text.data + begin, end - begin });
        unsigned role = role_by_name (name);
        if (role == 0)
            return error_set (err, ERROR_INVALID_REQUEST,
                              "there is no role \"%.*s\"; roles are till, odoo, monitor, admin, worker",
                              (int)(name.size < 32 ? name.size : 32), name.data);
        *roles |= role;
        begin = end + 1;
    }
    return 0;
}

const char *
roles_text (unsigned roles, char text[ROLES_TEXT_MAX])
{
    size_t size = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < ROLE_COUNT; i++)
        if ((roles & ROLES[i].role) != 0)
            size += (size_t)snprintf (text + size, ROLES_TEXT_MAX - size, "%s%s", size > 0 ? ", " : "", ROLES[i].name);
    return text;
}
