/* lane.c - see lane.h. */
#include "worker/lane.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum lane_state { LANE_IDLE, LANE_BUSY, LANE_DONE, LANE_ENDING };

struct lane {
    struct executor executor; /* the thread's own, but between lists */
    lane_run *run;
    int done_fd;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum lane_state state;
    bool occupied; /* the owner's view: submitted and not collected */
    unsigned count, capacity;
    struct request **requests;
    struct executor_stats stats;
    bool is_unfit;
};

static void *
lane_thread (void *context)
{
    struct lane *lane = context;
    pthread_mutex_lock (&lane->mutex);
    for (;;) {
        while (lane->state != LANE_BUSY && lane->state != LANE_ENDING)
            pthread_cond_wait (&lane->changed, &lane->mutex);
        if (lane->state == LANE_ENDING)
            break;
        pthread_mutex_unlock (&lane->mutex);
        lane->run (&lane->executor, lane->requests, lane->count);
        pthread_mutex_lock (&lane->mutex);
        lane->stats = lane->executor.stats;
        lane->is_unfit = pg_is_unfit (lane->executor.pg);
        lane->stats.server = *pg_server (lane->executor.pg);
        if (lane->state == LANE_BUSY)
            lane->state = LANE_DONE;
        uint64_t one = 1;
        if (write (lane->done_fd, &one, sizeof one) < 0)
            continue; /* the counter is full: the owner is awake anyway */
    }
    pthread_mutex_unlock (&lane->mutex);
    return NULL;
}

struct lane *
lane_new (const struct worker_settings *settings, const struct lease *lease, enum executor_kind kind, lane_run *run,
          int done_fd, struct error *err)
{
    struct lane *lane = calloc (1, sizeof *lane);
    if (lane == NULL || (lane->requests = calloc (settings->batch_max, sizeof *lane->requests)) == NULL) {
        free (lane);
        error_set (err, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    lane->run = run;
    lane->done_fd = done_fd;
    lane->capacity = settings->batch_max;
    pthread_mutex_init (&lane->mutex, NULL);
    pthread_cond_init (&lane->changed, NULL);
    if (executor_init (&lane->executor, settings, lease, kind, err) == 0) {
        if (pthread_create (&lane->thread, NULL, lane_thread, lane) == 0)
            return lane;
        executor_free (&lane->executor);
        error_set (err, ERROR_INTERNAL, "a thread cannot be started");
    }
    free (lane->requests);
    free (lane);
    return NULL;
}

void
lane_destroy (struct lane **lane)
{
    if (*lane == NULL)
        return;
    pthread_mutex_lock (&(*lane)->mutex);
    (*lane)->state = LANE_ENDING;
    pthread_cond_signal (&(*lane)->changed);
    pthread_mutex_unlock (&(*lane)->mutex);
    pthread_join ((*lane)->thread, NULL);
    executor_free (&(*lane)->executor);
    pthread_mutex_destroy (&(*lane)->mutex);
    pthread_cond_destroy (&(*lane)->changed);
    free ((*lane)->requests);
    free (*lane);
    *lane = NULL;
}

bool
lane_idle (const struct lane *lane)
{
    return !lane->occupied;
}

void
lane_submit (struct lane *lane, struct request *const *requests, unsigned count)
{
    pthread_mutex_lock (&lane->mutex);
    memcpy (lane->requests, requests, count * sizeof (*requests));
    lane->count = count;
    lane->state = LANE_BUSY;
    lane->occupied = true;
    pthread_cond_signal (&lane->changed);
    pthread_mutex_unlock (&lane->mutex);
}

unsigned
lane_collect (struct lane *lane, struct request **requests)
{
    unsigned count = 0;
    if (!lane->occupied)
        return 0;
    pthread_mutex_lock (&lane->mutex);
    if (lane->state == LANE_DONE) {
        count = lane->count;
        memcpy (requests, lane->requests, count * sizeof (*requests));
        lane->state = LANE_IDLE;
        lane->occupied = false;
    }
    pthread_mutex_unlock (&lane->mutex);
    return count;
}

bool
lane_is_unfit (struct lane *lane)
{
    pthread_mutex_lock (&lane->mutex);
    bool is_unfit = lane->is_unfit;
    pthread_mutex_unlock (&lane->mutex);
    return is_unfit;
}

struct executor_stats
lane_stats (struct lane *lane)
{
    pthread_mutex_lock (&lane->mutex);
    struct executor_stats stats = lane->stats;
    pthread_mutex_unlock (&lane->mutex);
    return stats;
}
