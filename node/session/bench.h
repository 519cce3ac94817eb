/* Bench: the session kind that multiplies n shared elements and reports rounds, bytes and seconds.
 * No data is involved: the elements are test data that the first two compute parties make up. */
#ifndef PL_SESSION_BENCH_H
#define PL_SESSION_BENCH_H

#include "node/session/session.h"

#define PL_BENCH_N_MAX UINT64_C(50000000)
#define PL_BENCH_BLOCK ((size_t)1 << 20) /* elements multiplied at once: bounds the memory */
#define PL_BENCH_SAMPLES 1000            /* products opened and checked */

PL_STATUS pl_bench_plan(const pl_plan_context *context, const Parley__V1__Task *task,
                        Parley__V1__Plan **out);
PL_STATUS pl_bench_explain(const Parley__V1__Plan *plan, pl_buf *out);
PL_STATUS pl_bench_load(const Parley__V1__SourceRequest *request, int fd,
                        Parley__V1__SourceReply *out);
PL_STATUS pl_bench_run(pl_session_run *run);

#endif
