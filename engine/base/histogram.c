/* histogram.c - see histogram.h. */
#include "base/histogram.h"

/* Values below 64 have a bucket each; above, the top six bits below the leading one pick the step. */
static unsigned
bucket_of (uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (unsigned)value;
    unsigned power = 63u - (unsigned)__builtin_clzll (value);
    unsigned step = (unsigned)(value >> (power - 6)) & (HISTOGRAM_STEPS - 1);
    unsigned bucket = (power - 5) * HISTOGRAM_STEPS + step;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static uint64_t
bucket_highest (unsigned bucket)
{
    if (bucket < HISTOGRAM_STEPS)
        return bucket;
    unsigned power = bucket / HISTOGRAM_STEPS + 5;
    uint64_t step = bucket % HISTOGRAM_STEPS;
    return ((HISTOGRAM_STEPS + step + 1) << (power - 6)) - 1;
}

void
histogram_record (struct histogram *histogram, int64_t value_us)
{
    uint64_t value = value_us < 0 ? 0 : (uint64_t)value_us;
    histogram->buckets[bucket_of (value)]++;
    histogram->count++;
    histogram->sum_us += value;
    if (value > histogram->max_us)
        histogram->max_us = value;
}

void
histogram_add (struct histogram *to, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        to->buckets[i] += from->buckets[i];
    to->count += from->count;
    to->sum_us += from->sum_us;
    if (from->max_us > to->max_us)
        to->max_us = from->max_us;
}

uint64_t
histogram_percentile (const struct histogram *histogram, double percent)
{
    double rank = (double)histogram->count * percent / 100.0;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && histogram->count > 0; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && (double)seen >= rank) {
            uint64_t highest = bucket_highest (i);
            return highest < histogram->max_us ? highest : histogram->max_us;
        }
    }
    return histogram->max_us;
}
