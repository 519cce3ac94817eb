/* Roles: who takes part in a session and as what. One place decides the defaults, for every kind.
 */
#ifndef PL_SESSION_ROLES_H
#define PL_SESSION_ROLES_H

#include "node/session/session.h"

/* pl_roles_fill sets protocol, compute and recipients of a plan whose owners are set. Defaults:
 * session.h. Errors: UNSUPPORTED (protocol), INVALID_ARGUMENT (not a member, named twice, number),
 * FAILED_PRECONDITION (too few). */
PL_STATUS pl_roles_fill(const pl_plan_context *context, const Parley__V1__Task *task,
                        Parley__V1__Plan *plan);

/* Growing the repeated fields of a plan. A flow that is there already is not added again;
 * recipients are the plan's. */
PL_STATUS pl_strings_add(char ***list, size_t *n, const char *text);
PL_STATUS pl_plan_add_flow(Parley__V1__Plan *plan, const Parley__V1__Flow *model);
PL_STATUS pl_plan_add_opening(Parley__V1__Plan *plan, const char *what, uint64_t n_values);

/* pl_plan_add_compute_flows appends one RIGHT_COMPUTE flow per compute party. */
PL_STATUS pl_plan_add_compute_flows(Parley__V1__Plan *plan);

/* pl_rank_of finds an organisation among the parties of a session. INVALID_ARGUMENT: it is not
 * there. */
PL_STATUS pl_rank_of(const pl_session_run *run, const char *org, size_t *out_rank);
/* pl_recipients_mask has bit r set when rank r is a recipient of the plan. */
PL_STATUS pl_recipients_mask(const pl_session_run *run, uint64_t *out_mask);

#endif
