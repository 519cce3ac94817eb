/* Query: the session kind that answers one SELECT. Shared by the files query_*.c of this folder
 * only. */
#ifndef PL_SESSION_QUERY_H
#define PL_SESSION_QUERY_H

#include "node/session/session.h"

PL_STATUS pl_query_plan(const pl_plan_context *context, const Parley__V1__Task *task,
                        Parley__V1__Plan **out);
PL_STATUS pl_query_explain(const Parley__V1__Plan *plan, pl_buf *out);
PL_STATUS pl_query_load(const Parley__V1__SourceRequest *request, int fd,
                        Parley__V1__SourceReply *out);
PL_STATUS pl_query_run(pl_session_run *run);

/* pl_query_body unpacks and checks the QueryPlan inside a plan; the caller frees *out.
 * INVALID_ARGUMENT. */
PL_STATUS pl_query_body(const Parley__V1__Plan *plan, Parley__V1__QueryPlan **out);

/* pl_moment_print writes "SUM(income)", "COUNT(*)". */
void pl_moment_print(const Parley__V1__Moment *moment, pl_buf *out);

/* pl_count_moments lists the moments that count contributions (every kind but SUM); returns how
 * many. out: [n_moments]. */
size_t pl_count_moments(const Parley__V1__QueryPlan *query, size_t *out);
/* pl_ring_moments lists the moments of one ring in order; out: [n_moments]. */
size_t pl_ring_moments(const Parley__V1__QueryPlan *query, uint32_t ring_bits, size_t *out);

#endif
