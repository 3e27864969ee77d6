/* child.h - one process that `loyalty up` keeps running: started with a log file, restarted with backoff, gone
 * when its parent is. */
#ifndef LOYALTY_CHILD_H
#define LOYALTY_CHILD_H

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    CHILD_ARGS_MAX = 48,
    CHILD_BACKOFF_MIN_MS = 100,
    CHILD_BACKOFF_MAX_MS = 10000,
    CHILD_STEADY_MS = 5000,            /* having lived for so long, it starts with the least backoff again */
    CHILD_LOG_MAX = 16 * 1024 * 1024, /* bytes of a log file, then it moves to NAME.log.1 */
};

struct child {
    char name[32];               /* "broker", "worker-1": in logs, up.json and the log file's name */
    const char *args[CHILD_ARGS_MAX]; /* args[0] is the program's path; borrowed, NULL-terminated */
    char log_path[PATH_MAX];
    bool has_user;               /* run as this user instead of the caller's */
    uid_t uid;
    gid_t gid;
    int orphan_signal;           /* what it gets when the parent dies */
    bool wants_output;           /* its standard output is read by the parent, from output_fd */
    /* State. */
    pid_t pid;                   /* 0: not running */
    int output_fd;               /* -1: closed */
    int64_t started_ms, start_at_ms; /* on the monotonic clock; start_at_ms: when to start again */
    int backoff_ms;
    unsigned exits;              /* how often it ended without having been asked to */
    int last_status;             /* of waitpid */
};

/* Ready to be started at once. */
void child_init (struct child *child, const char *name);
/* Adds one argument; borrowed. */
void child_argument (struct child *child, const char *text);
/* Adds `--name value` to its arguments; nothing where the value is empty. */
void child_option (struct child *child, const char *name, const char *value);
/* Forks and executes. In the child: its own process group (so that Ctrl-C reaches only the parent), no blocked signals,
 * user, orphan signal, standard input from /dev/null, errors (and output, unless wanted) to the log. */
int child_start (struct child *child, int64_t now_ms, struct error *err);
/* Collects it when it has ended: true once per end. Sets the time of the next start. */
bool child_reap (struct child *child, int64_t now_ms);
/* Sends a signal, when it runs. */
void child_signal (const struct child *child, int number);
/* "exited with 1", "was killed by signal 9". */
const char *child_end_text (const struct child *child, char text[64]);
/* What its log ends with, an error before anything else; empty when there is nothing. */
void child_last_words (const struct child *child, char *text, size_t size);
/* Moves an overgrown log aside while the process goes on writing. */
void child_trim_log (const struct child *child);

#endif
