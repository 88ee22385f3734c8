/* log.h: one line an event on stderr, logfmt or JSON. Safe from any thread; a line is one write(2).
 *
 *     log_info("listening", LOG_STR("url", url), LOG_INT("pid", getpid()));
 *
 * Values are quoted and escaped here, so that no value can forge a line, and cut at LOG_VALUE_MAX bytes.
 * Tokens, query strings and message contents are never passed to it. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdint.h>
#include <stdbool.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum { LOG_VALUE_MAX = 512 };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
    const char *key;  /* NULL ends the list */
    const char *text; /* NULL: number counts */
    int64_t number;
};

/* A NULL text is logged as an empty one. */
static inline struct log_field log_field_text(const char *key, const char *text)
{
    return (struct log_field){.key = key, .text = text ? text : ""};
}
#define LOG_STR(k, v) log_field_text((k), (v))
#define LOG_INT(k, v) ((struct log_field){.key = (k), .number = (int64_t)(v)})
#define LOG_END       ((struct log_field){.key = 0})

/* Lines below threshold are dropped. Default: INFO, logfmt. Call before threads start. */
void log_configure(enum log_format format, enum log_level threshold);

/* Variadic arguments are struct log_field by value, ended by LOG_END; use the macros below. */
void log_event(enum log_level level, const char *event, ...);

#define log_debug(...) log_event(LOG_LEVEL_DEBUG, __VA_ARGS__, LOG_END)
#define log_info(...)  log_event(LOG_LEVEL_INFO, __VA_ARGS__, LOG_END)
#define log_warn(...)  log_event(LOG_LEVEL_WARN, __VA_ARGS__, LOG_END)
#define log_error(...) log_event(LOG_LEVEL_ERROR, __VA_ARGS__, LOG_END)

#endif
