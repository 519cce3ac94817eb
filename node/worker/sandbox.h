/* Sandbox: what a worker may still do once it starts on foreign input. No new privileges, no core
 * file, no ptrace, bounded memory that is never executable, death with the parent, and a system
 * call list that holds for all threads: no open, no exec, no fork, no thread, no signal to others,
 * no listener; stream sockets for a session only, and only until its links are there. What is not
 * listed kills the process with SIGSYS. */
#ifndef PL_NODE_WORKER_SANDBOX_H
#define PL_NODE_WORKER_SANDBOX_H

#include "protocols/base/status.h"

#include <stdint.h>

typedef enum pl_sandbox_mode { PL_SANDBOX_COMPUTE, PL_SANDBOX_SESSION } pl_sandbox_mode;

/* pl_sandbox_prepare: descriptors above keep_fds closed, limits set, parent death signal. Call
 * first. */
PL_STATUS pl_sandbox_prepare(int keep_fds);

/* pl_sandbox_enter closes the door. memory_bytes 0: no limit of its own (sanitizers reserve address
 * space: none there). */
PL_STATUS pl_sandbox_enter(pl_sandbox_mode mode, uint64_t memory_bytes);

/* pl_sandbox_end_dialling: a session's links are there, no further socket is made. */
PL_STATUS pl_sandbox_end_dialling(void);

#endif
