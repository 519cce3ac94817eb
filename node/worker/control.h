/* Control: the worker's socket to parleyd, watched by a thread of its own while the protocol
 * blocks. When parleyd cancels, or is gone, the watcher records why and shuts the session's links
 * down, so that the protocol returns at once. */
#ifndef PL_NODE_WORKER_CONTROL_H
#define PL_NODE_WORKER_CONTROL_H

#include "proto/session.pb-c.h"
#include "protocols/base/bytes.h"

typedef struct pl_control pl_control;

/* stop is called once, from the watcher's thread, when the session must end. */
PL_STATUS pl_control_open(int fd, void (*stop)(void *ctx), void *ctx, pl_control **out);
void pl_control_close(pl_control *control);

/* pl_control_start waits for the SessionStart; the caller frees it. */
PL_STATUS pl_control_start(pl_control *control, Parley__V1__SessionStart **out);
/* pl_control_watch starts the watcher: after pl_control_start. */
PL_STATUS pl_control_watch(pl_control *control);
PL_STATUS pl_control_progress(pl_control *control, const char *what);
/* pl_control_opening asks parleyd to record OPENING and waits until it is on disk. */
PL_STATUS pl_control_opening(pl_control *control);
PL_STATUS pl_control_end(pl_control *control, const Parley__V1__SessionEnd *end);
/* Why the session must end: OK while it may go on. */
PL_STATUS pl_control_cause(pl_control *control);

#endif
