/* engine_settings.h - what the database fixed when it was made. */
#ifndef STORE_ENGINE_SETTINGS_H
#define STORE_ENGINE_SETTINGS_H

#include "store/pg.h"

struct engine_settings {
    int buckets;
    char currency[4];
    unsigned currency_digits;
    char time_zone[64];
};

/* Reads table `settings`. -1: `unavailable`. */
int engine_settings_read (struct pg *pg, struct engine_settings *settings, struct error *err);

#endif
