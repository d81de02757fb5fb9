/* log.h - the daemon's own log: one line per event on stderr (or the given descriptor).
 *
 * Format: `2026-11-21T08:02:36.123456Z level component: message key=value`. Every byte outside
 * printable ASCII/UTF-8 in a message is escaped (\xNN, \n), so that foreign text cannot inject
 * lines. Any thread; one write(2) per line.
 */
#pragma once
#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Set once at start, before threads. component is borrowed for ever. */
void log_init(const char *component, enum log_level max_level, int fd);
enum log_format { LOG_TEXT, LOG_JSON }; /* {"time","level","msg","component"}, one object a line */
void log_set_format(enum log_format format); /* before threads */
void log_set_level(enum log_level max_level);
bool log_enabled(enum log_level level);
bool log_level_from_name(const char *name, enum log_level *ret); /* debug info warn error fatal */
void log_line(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) (log_enabled(LOG_DEBUG) ? log_line(LOG_DEBUG, __VA_ARGS__) : (void)0)
/* Logs "words: message of e" and frees e; does nothing for success. */
void log_err(enum log_level level, struct err e, const char *fmt, ...) PRINTF(3, 4);
