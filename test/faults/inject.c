/* inject.c - see inject.h. Only calls between this project's files are wrapped: what libpq does within itself is not, and is
 * stood in for by what its functions then return. */
#include "faults/inject.h"
#include "base/arena.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <sys/socket.h>

const char *const INJECT_KIND_NAMES[INJECT_KIND_COUNT] = {
    [INJECT_MEMORY] = "memory",
    [INJECT_ARENA] = "arena",
    [INJECT_CALL] = "call",
    [INJECT_CONNECTION] = "connection",
};

static struct {
    bool is_armed, has_fired;
    enum inject_kind kind;
    uint64_t number, count;
} armed;

void
inject_arm (enum inject_kind kind, uint64_t number)
{
    armed.is_armed = true;
    armed.has_fired = false;
    armed.kind = kind;
    armed.number = number;
    armed.count = 0;
}

void
inject_disarm (void)
{
    armed.is_armed = false;
}

bool
inject_fired (void)
{
    return armed.has_fired;
}

uint64_t
inject_count (void)
{
    return armed.count;
}

/* Whether this call is the one. */
static bool
is_due (enum inject_kind kind)
{
    if (!armed.is_armed || armed.kind != kind || ++armed.count != armed.number)
        return false;
    armed.has_fired = true;
    return true;
}

/* The names are the linker's: NOLINTBEGIN(bugprone-reserved-identifier) */

/* --- memory --- */

void *__real_malloc (size_t size);
void *__real_calloc (size_t count, size_t size);
void *__real_realloc (void *memory, size_t size);
void *__real_arena_alloc (struct arena *arena, size_t size);
void *__real_arena_array (struct arena *arena, size_t count, size_t size);
struct str __real_arena_str (struct arena *arena, struct str text);
void *__wrap_malloc (size_t size);
void *__wrap_calloc (size_t count, size_t size);
void *__wrap_realloc (void *memory, size_t size);
void *__wrap_arena_alloc (struct arena *arena, size_t size);
void *__wrap_arena_array (struct arena *arena, size_t count, size_t size);
struct str __wrap_arena_str (struct arena *arena, struct str text);

void *
__wrap_malloc (size_t size)
{
    return is_due (INJECT_MEMORY) ? NULL : __real_malloc (size);
}

void *
__wrap_calloc (size_t count, size_t size)
{
    return is_due (INJECT_MEMORY) ? NULL : __real_calloc (count, size);
}

void *
__wrap_realloc (void *memory, size_t size)
{
    return is_due (INJECT_MEMORY) ? NULL : __real_realloc (memory, size);
}

void *
__wrap_arena_alloc (struct arena *arena, size_t size)
{
    return is_due (INJECT_ARENA) ? NULL : __real_arena_alloc (arena, size);
}

void *
__wrap_arena_array (struct arena *arena, size_t count, size_t size)
{
    return is_due (INJECT_ARENA) ? NULL : __real_arena_array (arena, count, size);
}

struct str
__wrap_arena_str (struct arena *arena, struct str text)
{
    return is_due (INJECT_ARENA) ? (struct str){ NULL, text.size } : __real_arena_str (arena, text);
}

/* --- libpq --- */

/* True: the call is to fail at once. False: it goes on, perhaps over a connection that was just broken. */
static bool
call_fails (const PGconn *connection)
{
    if (is_due (INJECT_CONNECTION) && connection != NULL && PQsocket (connection) >= 0)
        shutdown (PQsocket (connection), SHUT_RDWR);
    return is_due (INJECT_CALL);
}

/* X (type, name, parameters, arguments, what it returns when it has no memory); the connection comes first */
#define CALLS(X) \
    X (PostgresPollingStatusType, PQconnectPoll, (PGconn * connection), (connection), PGRES_POLLING_FAILED) \
    X (int, PQsetnonblocking, (PGconn * connection, int on), (connection, on), -1) \
    X (int, PQenterPipelineMode, (PGconn * connection), (connection), 0) \
    X (int, PQsendPrepare, (PGconn * connection, const char *name, const char *query, int count, const Oid *types), \
       (connection, name, query, count, types), 0) \
    X (int, PQsendQueryPrepared, \
       (PGconn * connection, const char *name, int count, const char *const *values, const int *lengths, \
        const int *formats, int format), \
       (connection, name, count, values, lengths, formats, format), 0) \
    X (int, PQpipelineSync, (PGconn * connection), (connection), 0) \
    X (int, PQflush, (PGconn * connection), (connection), -1) \
    X (int, PQconsumeInput, (PGconn * connection), (connection), 0)

#define X(type, name, parameters, arguments, failure) \
    type __real_##name parameters; \
    type __wrap_##name parameters; \
    type __wrap_##name parameters \
    { \
        return call_fails (connection) ? (failure) : __real_##name arguments; \
    }
CALLS (X)
#undef X

PGconn *__real_PQconnectStartParams (const char *const *keywords, const char *const *values, int expand);
PGconn *__wrap_PQconnectStartParams (const char *const *keywords, const char *const *values, int expand);
PGresult *__real_PQgetResult (PGconn *connection);
PGresult *__wrap_PQgetResult (PGconn *connection);

PGconn *
__wrap_PQconnectStartParams (const char *const *keywords, const char *const *values, int expand)
{
    return call_fails (NULL) ? NULL : __real_PQconnectStartParams (keywords, values, expand);
}

/* Without memory for a result libpq makes one that says so, and has no SQLSTATE. */
PGresult *
__wrap_PQgetResult (PGconn *connection)
{
    if (!call_fails (connection))
        return __real_PQgetResult (connection);
    PQclear (__real_PQgetResult (connection));
    return PQmakeEmptyPGresult (connection, PGRES_FATAL_ERROR);
}

/* NOLINTEND(bugprone-reserved-identifier) */
