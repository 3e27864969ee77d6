/* child.c - see child.h. */
#include "child.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void
child_init (struct child *child, const char *name)
{
    memset (child, 0, sizeof *child);
    snprintf (child->name, sizeof child->name, "%s", name);
    child->output_fd = -1;
    child->orphan_signal = SIGKILL;
    child->backoff_ms = CHILD_BACKOFF_MIN_MS;
}

/* In the forked child: says why it cannot go on, in its log, and ends. */
static void __attribute__ ((noreturn)) child_give_up (const struct child *child, const char *doing)
{
    dprintf (STDERR_FILENO, "%s: %s: %s\n", child->name, doing, strerror (errno));
    _exit (127);
}

static void __attribute__ ((noreturn)) child_run (const struct child *child, pid_t parent, int log, int output)
{
    sigset_t none;
    sigemptyset (&none);
    sigprocmask (SIG_SETMASK, &none, NULL);
    signal (SIGPIPE, SIG_DFL);
    setpgid (0, 0);
    int null = open ("/dev/null", O_RDONLY);
    if (null < 0 || dup2 (null, STDIN_FILENO) < 0 || dup2 (output >= 0 ? output : log, STDOUT_FILENO) < 0 ||
        dup2 (log, STDERR_FILENO) < 0)
        _exit (127);
    if (child->has_user && (setgroups (0, NULL) < 0 || setgid (child->gid) < 0 || setuid (child->uid) < 0))
        child_give_up (child, "cannot change the user");
    /* After the change of user, which clears it. */
    if (prctl (PR_SET_PDEATHSIG, child->orphan_signal) < 0)
        child_give_up (child, "cannot set the parent-death signal");
    if (getppid () != parent) /* It died before that. */
        _exit (127);
    execv (child->args[0], (char *const *)(uintptr_t)child->args);
    child_give_up (child, child->args[0]);
}

void
child_argument (struct child *child, const char *text)
{
    unsigned count = 0;
    while (child->args[count] != NULL)
        count++;
    if (count + 1 < CHILD_ARGS_MAX) {
        child->args[count] = text;
        child->args[count + 1] = NULL;
    }
}

void
child_option (struct child *child, const char *name, const char *value)
{
    if (value[0] != 0) {
        child_argument (child, name);
        child_argument (child, value);
    }
}

int
child_start (struct child *child, int64_t now_ms, struct error *err)
{
    int output[2] = { -1, -1 };
    pid_t parent = getpid ();
    int log = open (child->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log < 0)
        return error_set (err, ERROR_UNAVAILABLE, "cannot write %.180s: %s", child->log_path, strerror (errno));
    if (child->wants_output && pipe2 (output, O_CLOEXEC) < 0) {
        close (log);
        return error_set (err, ERROR_UNAVAILABLE, "cannot make a pipe: %s", strerror (errno));
    }
    pid_t pid = fork ();
    if (pid == 0)
        child_run (child, parent, log, output[1]);
    int failure = errno;
    close (log);
    if (output[1] >= 0)
        close (output[1]);
    if (pid < 0) {
        if (output[0] >= 0)
            close (output[0]);
        return error_set (err, ERROR_UNAVAILABLE, "cannot start %s: %s", child->name, strerror (failure));
    }
    child->pid = pid;
    child->output_fd = output[0];
    child->started_ms = now_ms;
    return 0;
}

bool
child_reap (struct child *child, int64_t now_ms)
{
    if (child->pid == 0 || waitpid (child->pid, &child->last_status, WNOHANG) != child->pid)
        return false;
    child->pid = 0;
    if (child->output_fd >= 0)
        close (child->output_fd);
    child->output_fd = -1;
    child->exits++;
    /* One that ended in order was asked to (`loyalty drain`): nothing is wrong with it. */
    bool is_well = WIFEXITED (child->last_status) && WEXITSTATUS (child->last_status) == 0;
    if (is_well || now_ms - child->started_ms >= CHILD_STEADY_MS)
        child->backoff_ms = CHILD_BACKOFF_MIN_MS;
    child->start_at_ms = now_ms + child->backoff_ms;
    child->backoff_ms *= 2;
    if (child->backoff_ms > CHILD_BACKOFF_MAX_MS)
        child->backoff_ms = CHILD_BACKOFF_MAX_MS;
    return true;
}

void
child_signal (const struct child *child, int number)
{
    if (child->pid != 0)
        kill (child->pid, number);
}

const char *
child_end_text (const struct child *child, char text[64])
{
    if (WIFSIGNALED (child->last_status))
        snprintf (text, 64, "was killed by signal %d", WTERMSIG (child->last_status));
    else
        snprintf (text, 64, "exited with %d", WEXITSTATUS (child->last_status));
    return text;
}

/* Of the log's end, the last line that names an error, else the last line. */
void
child_last_words (const struct child *child, char *text, size_t size)
{
    char tail[4096], *rest = tail, *line;
    text[0] = 0;
    FILE *log = fopen (child->log_path, "re");
    if (log == NULL)
        return;
    if (fseek (log, -(long)sizeof tail + 1, SEEK_END) < 0)
        rewind (log);
    size_t length = fread (tail, 1, sizeof tail - 1, log);
    fclose (log);
    tail[length] = 0;
    bool is_error = false;
    while ((line = strsep (&rest, "\n")) != NULL) {
        bool names_error = strstr (line, "FATAL") != NULL || strstr (line, "error") != NULL;
        if (line[0] != 0 && (names_error || !is_error))
            snprintf (text, size, "%s", line);
        is_error = is_error || names_error;
    }
}

/* Copies the log to NAME.log.1 and empties it: the process has it open for appending, so it goes on at the start. */
void
child_trim_log (const struct child *child)
{
    struct stat status;
    char aside[PATH_MAX + 2], block[65536];
    if (stat (child->log_path, &status) < 0 || status.st_size < CHILD_LOG_MAX)
        return;
    snprintf (aside, sizeof aside, "%s.1", child->log_path);
    FILE *from = fopen (child->log_path, "re"), *to = fopen (aside, "we");
    size_t count;
    while (from != NULL && to != NULL && (count = fread (block, 1, sizeof block, from)) > 0)
        if (fwrite (block, 1, count, to) != count)
            break;
    if (from != NULL)
        fclose (from);
    if (to != NULL)
        fclose (to);
    if (truncate (child->log_path, 0) < 0)
        return;
}
