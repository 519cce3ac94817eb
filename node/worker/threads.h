/* Threads that a session's lanes will run on, made before the sandbox closes: afterwards a worker
 * can make none. Each waits until it is given one body, runs it and ends. */
#ifndef PL_NODE_WORKER_THREADS_H
#define PL_NODE_WORKER_THREADS_H

#include "protocols/share/party.h"

typedef struct pl_threads pl_threads;

/* pl_threads_new: n threads, PL_LANES_MAX - 1 at most. Errors: LIMIT. */
PL_STATUS pl_threads_new(size_t n, pl_threads **out);
void pl_threads_free(pl_threads *threads); /* ends those that were given nothing */

/* pl_threads_for_lanes: thread i is lane i + 1's; borrows threads. */
pl_lane_threads pl_threads_for_lanes(pl_threads *threads);

#endif
