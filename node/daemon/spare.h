/* Spares: planning and session children started before they are needed. A spare is the very process
 * that would be started on demand, with no order yet; it serves one order and ends. This takes a
 * fork, an exec and the loading of libraries (about 10 ms) out of a question's way. */
#ifndef PL_NODE_DAEMON_SPARE_H
#define PL_NODE_DAEMON_SPARE_H

#include "node/daemon/child.h"

typedef struct pl_spares pl_spares;

/* program is borrowed. The first spares are started a moment later. */
PL_STATUS pl_spares_open(uv_loop_t *loop, const char *program, pl_spares **out);
void pl_spares_close(pl_spares *spares);

typedef enum pl_spare_mode { PL_SPARE_PLAN, PL_SPARE_SESSION, PL_SPARE_MODES } pl_spare_mode;

/* pl_spares_take gives the waiting child of that mode, or starts one. As pl_child_start. */
PL_STATUS pl_spares_take(pl_spares *spares, pl_spare_mode mode, unsigned deadline_ms,
                         const pl_child_callbacks *callbacks, pl_child **out);

#endif
