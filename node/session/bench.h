/* Bench: the session kind that runs one operation of protocols/bench between nodes and reports
 * rounds, bytes and seconds. No data is involved: the elements are test data that the first two
 * compute parties make up. */
#ifndef PL_SESSION_BENCH_H
#define PL_SESSION_BENCH_H

#include "node/session/session.h"

#define PL_BENCH_SAMPLES 1000 /* elements of a result opened and checked */

PL_STATUS pl_bench_plan(const pl_plan_context *context, const Parley__V1__Task *task,
                        Parley__V1__Plan **out);
PL_STATUS pl_bench_explain(const Parley__V1__Plan *plan, pl_buf *out);
PL_STATUS pl_bench_load(const Parley__V1__SourceRequest *request, int fd,
                        Parley__V1__SourceReply *out);
PL_STATUS pl_bench_run(pl_session_run *run);

#endif
