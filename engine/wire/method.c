/* method.c - the table of methods, and finding one by its name. */
#include "wire/method.h"

const struct method METHOD_TABLE[METHOD_COUNT] = {
#define X(id, name, roles, scope, target, schema, doc) \
    [METHOD_##id] = { name, roles, scope, target, &SCHEMA_##schema, doc },
    METHODS (X)
#undef X
};

int
method_by_name (struct str name)
{
    static const struct str NAMES[METHOD_COUNT] = {
#define X(id, text, ...) [METHOD_##id] = { text, sizeof text - 1 },
        METHODS (X)
#undef X
    };
    /* Few, and of many lengths: comparing lengths first beats any table of hashes. */
    for (int method = 0; method < METHOD_COUNT; method++)
        if (str_equal (NAMES[method], name))
            return method;
    return -1;
}
