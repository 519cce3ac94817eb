/* Log: one JSON line per event on stderr, with fixed event names and typed fields. The function
 * that ends an error's journey logs it, once. Never a secret, never SQL, never a row's value. */
#ifndef PL_NODE_LOG_LOG_H
#define PL_NODE_LOG_LOG_H

#include "protocols/base/status.h"

/* A field's text may be NULL (left out). End the list with {0}. */
typedef struct pl_log_field {
    const char *name;
    const char *text;
} pl_log_field;

/* pl_log_event writes {"time", "level", "event", fields...}. */
void pl_log_event(const char *level, const char *event, const pl_log_field *fields);

/* pl_log_status reports a failure under an event name and frees it; OK writes nothing. job may be
 * NULL. */
void pl_log_status(const char *event, const char *job, pl_status status);

#define PL_LOG_INFO(event, ...)                                                                    \
    pl_log_event("info", event, (const pl_log_field[]){__VA_ARGS__, {0}})
#define PL_LOG_WARN(event, ...)                                                                    \
    pl_log_event("warn", event, (const pl_log_field[]){__VA_ARGS__, {0}})

#endif
