/* Sandbox: what a worker may still do once it starts on foreign input. No new privileges, no core
 * file, no ptrace, bounded memory, death with the parent, and a system call list: no open, no exec,
 * no fork, no new listener; sockets only for a session. What is not listed kills the process. */
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

#endif
