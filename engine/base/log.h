/* log.h - one line per event on standard error: time, level, program, text. Never secrets, never bodies. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* The program's name in each line, and the least important level that is written. */
void log_open (const char *program, enum log_level level);
/* "error", "warning", "info", "debug"; -1 when it is none of these. */
int log_level_by_name (const char *name);
void log_write (enum log_level level, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

#define log_error(...) log_write (LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write (LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_write (LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write (LOG_DEBUG, __VA_ARGS__)

#endif
