/* histogram.h - latencies in logarithmic buckets with linear steps (the HDR form, http://hdrhistogram.org):
 * 64 steps a power of two, so that a figure is right to 1.6 % from 1 µs to an hour. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_BUCKETS = 28 * HISTOGRAM_STEPS };

struct histogram {
    uint64_t count, sum_us, max_us;
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_record (struct histogram *histogram, int64_t value_us);
void histogram_add (struct histogram *to, const struct histogram *from);
/* The value below which `percent` (0..100) of the recorded ones lie; 0 when none were. */
uint64_t histogram_percentile (const struct histogram *histogram, double percent);

#endif
