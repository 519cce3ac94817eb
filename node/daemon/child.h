/* Children: parley-worker processes that parleyd starts, one for each foreign text, source or
 * session. A child that hangs is killed at its deadline; a child that dies ends one thing, not the
 * node. Children start with an empty environment but for an allow-list, and with no descriptor but
 * their own. */
#ifndef PL_NODE_DAEMON_CHILD_H
#define PL_NODE_DAEMON_CHILD_H

#include "protocols/base/bytes.h"

#include <uv.h>

typedef struct pl_child pl_child;

/* Where a child's news go; called on the loop. on_end comes exactly once, after which the child is
 * gone. */
typedef struct pl_child_callbacks {
    void (*on_message)(pl_child *child, pl_view message, void *ctx);
    /* why: OK for exit code 0; else how it ended ("worker killed by signal 9"). Borrowed. */
    void (*on_end)(pl_child *child, pl_status why, void *ctx);
    void *ctx;
} pl_child_callbacks;

typedef struct pl_child_params {
    const char *program; /* path of parley-worker */
    const char *mode;    /* "plan", "source", "session" */
    int source_fd;       /* mode source: becomes descriptor 3; closed here. -1: none */
    bool session; /* descriptors 3 (control) and 4 (passed connections) instead of stdin and stdout
                   */
    int kept_fd;  /* becomes descriptor 4 of a source child, 5 of a session: the two ends of one
                     socket pair; borrowed. 0: none */
    unsigned deadline_ms; /* 0: none */
} pl_child_params;

PL_STATUS pl_child_start(uv_loop_t *loop, const pl_child_params *params,
                         const pl_child_callbacks *callbacks, pl_child **out);

/* pl_child_adopt hands a child that was started earlier to its user: as if it were started now. */
void pl_child_adopt(pl_child *child, const pl_child_callbacks *callbacks, unsigned deadline_ms);

/* pl_child_send queues one framed message; it is copied, and wiped once written. */
PL_STATUS pl_child_send(pl_child *child, pl_view message);

/* pl_child_pass hands a connection to a session child; fd is closed here in any case. */
PL_STATUS pl_child_pass(pl_child *child, int fd, pl_view preamble);

/* pl_child_extend sets the deadline anew, counted from now. */
void pl_child_extend(pl_child *child, unsigned deadline_ms);

/* pl_child_kill ends it now; on_end still comes. */
void pl_child_kill(pl_child *child);

/* pl_child_forget: no callback will come any more; the process is killed. */
void pl_child_forget(pl_child *child);

/* How many children live (for shutdown: the loop runs until none). */
size_t pl_child_count(void);

#endif
