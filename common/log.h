/*
 * log: one structured line an event, on standard error.
 *
 *     log_warn("could not send mail: connection refused", "outbox_id", id, NULL);
 *
 * The message is lower case and says "could not X: reason"; after it come pairs
 * of key and text, closed by NULL. A pair whose text is NULL is left out.
 * Secrets, e-mail addresses and tokens are never logged. Each line leaves in one
 * write(2); control bytes are escaped. Format (text or JSON) and level come from
 * the configuration; before log_open, text and info. Under journald a line begins
 * with its priority, <N>. errno is left as it was.
 *
 * The logger is the only global of Rollcall.
 */
#ifndef ROLLCALL_LOG_H
#define ROLLCALL_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `program` is put on each line ("server", "worker"); must outlive the process. */
void log_open(enum log_level level, bool as_json, const char *program);
bool log_wants(enum log_level level);

void log_event(enum log_level level, const char *message, ...)
	__attribute__((sentinel));

#define log_error(...) log_event(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_event(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_event(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_event(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* For what keeps a program from starting: logs the line and exits with 1. */
void die(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

#endif
