/* One question, one answer: the modes `plan` and `source`. Return exit codes. */
#ifndef PL_NODE_WORKER_ONESHOT_H
#define PL_NODE_WORKER_ONESHOT_H

int pl_worker_plan(void); /* PlanRequest on stdin, PlanReply on stdout */
int pl_worker_source(
    void); /* SourceRequest on stdin, the source as descriptor 3, SourceReply on stdout */

#endif
