/* clock.h - the two clocks, read in one place. Nothing in domain or the broker's core calls these. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds that never run backwards; the origin means nothing. */
int64_t clock_monotonic_ms (void);
int64_t clock_monotonic_us (void);
/* Microseconds since 1970-01-01T00:00Z by the machine's clock, which may jump. */
int64_t clock_real_us (void);

#endif
