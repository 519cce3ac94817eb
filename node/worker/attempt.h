/* Attempt: test builds only. The worker does what a hostile payload in it would do, so that a test
 * sees the sandbox stop it. */
#ifndef PL_NODE_WORKER_ATTEMPT_H
#define PL_NODE_WORKER_ATTEMPT_H

/* pl_attempt does what PARLEY_ATTEMPT=MODE:NAME[:PATH] asks for if mode is MODE. An attempt that is
 * not stopped ends the process with exit code 77. */
#ifdef PARLEY_TEST_HOOKS
void pl_attempt(const char *mode);
#else
#define pl_attempt(mode) ((void)0)
#endif

#endif
