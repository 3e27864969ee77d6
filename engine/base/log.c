/* log.c - see log.h. */
#include "base/log.h"
#include "base/clock.h"
#include "base/timestamp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const NAMES[] = { "error", "warning", "info", "debug" };
static const char *log_program = "loyalty";
static enum log_level log_least = LOG_INFO;

void
log_open (const char *program, enum log_level level)
{
    log_program = program;
    log_least = level;
}

int
log_level_by_name (const char *name)
{
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++)
        if (strcmp (NAMES[level], name) == 0)
            return level;
    return -1;
}

void
log_write (enum log_level level, const char *format, ...)
{
    if (level > log_least)
        return;
    char line[1200], time_text[TIMESTAMP_TEXT_MAX];
    timestamp_format (clock_real_us () / 1000 * 1000, time_text);
    int length = snprintf (line, sizeof line, "%s %s %s[%d]: ", time_text, NAMES[level], log_program, (int)getpid ());
    va_list args;
    va_start (args, format);
    int text = vsnprintf (line + length, sizeof line - (size_t)length - 1, format, args);
    va_end (args);
    length += text < 0 ? 0 : text;
    if (length > (int)sizeof line - 2)
        length = (int)sizeof line - 2;
    line[length++] = '\n';
    /* One write, so that lines of several processes do not mix. */
    if (write (STDERR_FILENO, line, (size_t)length) < 0)
        return;
}
