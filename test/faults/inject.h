/* inject.h - the N-th allocation, the N-th call of libpq fails: wrappers that the linker puts in front of them (-Wl,--wrap). */
#ifndef TEST_FAULTS_INJECT_H
#define TEST_FAULTS_INJECT_H

#include <stdbool.h>
#include <stdint.h>

enum inject_kind {
    INJECT_MEMORY,     /* malloc, calloc, realloc give NULL */
    INJECT_ARENA,      /* an arena has no more */
    INJECT_CALL,       /* a function of libpq fails as it does when it has no memory; the connection stays */
    INJECT_CONNECTION, /* the connection breaks just before a function of libpq is called */
    INJECT_KIND_COUNT
};

extern const char *const INJECT_KIND_NAMES[INJECT_KIND_COUNT];

/* From now on calls of that kind are counted, and the `number`-th (from 1) fails, once; 0: none. */
void inject_arm (enum inject_kind kind, uint64_t number);
/* Nothing fails any more. */
void inject_disarm (void);
/* Whether the armed one has failed, and calls of its kind since it was armed. */
bool inject_fired (void);
uint64_t inject_count (void);

#endif
