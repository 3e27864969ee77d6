/* slow_disk.c - preloaded into PostgreSQL, makes its disk slow: each sync takes as many milliseconds more as the file
 * named by SLOW_DISK_FILE says at that moment. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

typedef int sync_function (int fd);

/* RTLD_NEXT's pointer to an object as one to a function, as POSIX has it. */
static sync_function *
next_function (const char *name)
{
    union {
        void *object;
        sync_function *function;
    } next = { .object = dlsym (RTLD_NEXT, name) };
    return next.function;
}

static void
wait_for_disk (void)
{
    const char *path = getenv ("SLOW_DISK_FILE");
    FILE *file = path != NULL ? fopen (path, "re") : NULL;
    char digits[16];
    if (file == NULL)
        return;
    long delay_ms = fgets (digits, sizeof digits, file) != NULL ? strtol (digits, NULL, 10) : 0;
    fclose (file);
    struct timespec left = { .tv_sec = delay_ms / 1000, .tv_nsec = delay_ms % 1000 * 1000000 };
    while (nanosleep (&left, &left) < 0) /* Interrupted by a signal: a disk is not. */
        continue;
}

int
fsync (int fd)
{
    wait_for_disk ();
    return next_function ("fsync") (fd);
}

int
fdatasync (int fd)
{
    wait_for_disk ();
    return next_function ("fdatasync") (fd);
}
