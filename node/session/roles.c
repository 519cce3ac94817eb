#include "node/session/roles.h"

#include <stdlib.h>
#include <string.h>

#define REP3_PARTIES 3

pl_status pl_strings_add(char ***list, size_t *n, const char *text) {
    char **grown = realloc(*list, (*n + 1) * sizeof *grown);
    if (grown == NULL)
        return pl_fail(PL_LIMIT, "there is no memory for a plan");
    *list = grown;
    PL_TRY(pl_strdup(text, &grown[*n]));
    (*n)++;
    return PL_OK;
}

static bool has(char *const *list, size_t n, const char *text) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], text) == 0)
            return true;
    return false;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static pl_status check_member(const pl_plan_context *context, const char *org, const char *role) {
    for (size_t i = 0; i < context->n_members; i++)
        if (strcmp(context->members[i], org) == 0)
            return PL_OK;
    return pl_fail(PL_INVALID_ARGUMENT, "%s %s is not a member of the federation", role, org);
}

/* The named parties, each a member and named once. */
static pl_status take_named(const pl_plan_context *context, char *const *named, size_t n,
                            const char *role, char ***list, size_t *out_n) {
    for (size_t i = 0; i < n; i++) {
        PL_TRY(check_member(context, named[i], role));
        if (has(*list, *out_n, named[i]))
            return pl_fail(PL_INVALID_ARGUMENT, "%s %s is named twice", role, named[i]);
        PL_TRY(pl_strings_add(list, out_n, named[i]));
    }
    return PL_OK;
}

static pl_status offer(Parley__V1__Plan *plan, const char *org) {
    if (plan->n_compute >= REP3_PARTIES || has(plan->compute, plan->n_compute, org))
        return PL_OK;
    return pl_strings_add(&plan->compute, &plan->n_compute, org);
}

/* The proposer, then the owners, then the other members, each group sorted; the first three. */
static pl_status default_compute(const pl_plan_context *context, Parley__V1__Plan *plan) {
    PL_TRY(offer(plan, context->proposer));
    for (size_t i = 0; i < plan->n_owners; i++)
        PL_TRY(offer(plan, plan->owners[i]));
    const char **sorted;
    PL_TRY(pl_alloc(context->n_members, sizeof *sorted, &sorted));
    for (size_t i = 0; i < context->n_members; i++)
        sorted[i] = context->members[i];
    qsort(sorted, context->n_members, sizeof *sorted, by_text);
    pl_status status = PL_OK;
    for (size_t i = 0; pl_is_ok(status) && i < context->n_members; i++)
        status = offer(plan, sorted[i]);
    free(sorted);
    return status;
}

static pl_status fill_compute(const pl_plan_context *context, const Parley__V1__Task *task,
                              Parley__V1__Plan *plan) {
    PL_TRY(take_named(context, task->compute, task->n_compute, "compute party", &plan->compute,
                      &plan->n_compute));
    if (task->n_compute == 0)
        PL_TRY(default_compute(context, plan));
    if (plan->n_compute == REP3_PARTIES)
        return PL_OK;
    return pl_fail(task->n_compute ? PL_INVALID_ARGUMENT : PL_FAILED_PRECONDITION,
                   "protocol rep3 needs exactly %d compute parties; there are %zu", REP3_PARTIES,
                   plan->n_compute);
}

static pl_status fill_recipients(const pl_plan_context *context, const Parley__V1__Task *task,
                                 Parley__V1__Plan *plan) {
    char *proposer[] = {(char *)context->proposer};
    size_t n = task->n_recipients;
    PL_TRY(take_named(context, n ? task->recipients : proposer, n ? n : 1, "recipient",
                      &plan->recipients, &plan->n_recipients));
    qsort(plan->recipients, plan->n_recipients, sizeof *plan->recipients, by_text);
    return PL_OK;
}

pl_status pl_roles_fill(const pl_plan_context *context, const Parley__V1__Task *task,
                        Parley__V1__Plan *plan) {
    const char *protocol = task->protocol[0] != '\0' ? task->protocol : "rep3";
    if (strcmp(protocol, "rep3") != 0)
        return pl_fail(PL_UNSUPPORTED, "protocol %.20s is not supported: use rep3", protocol);
    PL_TRY(check_member(context, context->proposer, "the proposer"));
    PL_TRY(pl_strdup(protocol, &plan->protocol));
    PL_TRY(fill_compute(context, task, plan));
    return fill_recipients(context, task, plan);
}

/* ---- repeated fields ---- */

static pl_status copy_flow(const Parley__V1__Plan *plan, const Parley__V1__Flow *model,
                           Parley__V1__Flow *flow) {
    flow->right = model->right;
    PL_TRY(pl_strdup(model->owner, &flow->owner));
    PL_TRY(pl_strdup(model->dataset, &flow->dataset));
    PL_TRY(pl_strdup(model->column, &flow->column));
    PL_TRY(pl_strdup(model->operation, &flow->operation));
    for (size_t i = 0; i < plan->n_recipients; i++)
        PL_TRY(pl_strings_add(&flow->recipients, &flow->n_recipients, plan->recipients[i]));
    return PL_OK;
}

static bool same_use(const Parley__V1__Flow *a, const Parley__V1__Flow *b) {
    return a->right == b->right && strcmp(a->owner, b->owner) == 0 &&
           strcmp(a->dataset, b->dataset) == 0 && strcmp(a->column, b->column) == 0 &&
           strcmp(a->operation, b->operation) == 0;
}

pl_status pl_plan_add_flow(Parley__V1__Plan *plan, const Parley__V1__Flow *model) {
    for (size_t i = 0; i < plan->n_flows; i++)
        if (same_use(plan->flows[i], model))
            return PL_OK;
    Parley__V1__Flow **flows = realloc(plan->flows, (plan->n_flows + 1) * sizeof *flows);
    if (flows == NULL)
        return pl_fail(PL_LIMIT, "there is no memory for a plan");
    plan->flows = flows;
    PL_TRY(pl_alloc(1, sizeof **flows, &flows[plan->n_flows]));
    parley__v1__flow__init(flows[plan->n_flows]);
    plan->n_flows++;
    return copy_flow(plan, model, flows[plan->n_flows - 1]);
}

pl_status pl_plan_add_opening(Parley__V1__Plan *plan, const char *what, uint64_t n_values) {
    Parley__V1__Opening **openings =
        realloc(plan->openings, (plan->n_openings + 1) * sizeof *openings);
    if (openings == NULL)
        return pl_fail(PL_LIMIT, "there is no memory for a plan");
    plan->openings = openings;
    Parley__V1__Opening *opening;
    PL_TRY(pl_alloc(1, sizeof *opening, &opening));
    parley__v1__opening__init(opening);
    openings[plan->n_openings++] = opening;
    opening->n_values = n_values;
    PL_TRY(pl_strdup(what, &opening->what));
    for (size_t i = 0; i < plan->n_recipients; i++)
        PL_TRY(pl_strings_add(&opening->recipients, &opening->n_recipients, plan->recipients[i]));
    return PL_OK;
}

pl_status pl_plan_add_compute_flows(Parley__V1__Plan *plan) {
    for (size_t i = 0; i < plan->n_compute; i++) {
        Parley__V1__Flow flow = PARLEY__V1__FLOW__INIT;
        flow.owner = plan->compute[i];
        flow.right = PARLEY__V1__RIGHT__RIGHT_COMPUTE;
        flow.operation = plan->protocol;
        PL_TRY(pl_plan_add_flow(plan, &flow));
    }
    return PL_OK;
}

/* ---- ranks ---- */

pl_status pl_rank_of(const pl_session_run *run, const char *org, size_t *out_rank) {
    for (size_t i = 0; i < run->n_parties; i++)
        if (strcmp(run->parties[i]->org, org) == 0) {
            *out_rank = i;
            return PL_OK;
        }
    return pl_fail(PL_INVALID_ARGUMENT, "%s is in the plan but is no party of the session", org);
}

pl_status pl_recipients_mask(const pl_session_run *run, uint64_t *out_mask) {
    *out_mask = 0;
    for (size_t i = 0; i < run->plan->n_recipients; i++) {
        size_t rank = 0;
        PL_TRY(pl_rank_of(run, run->plan->recipients[i], &rank));
        if (rank >= 64)
            return pl_fail(PL_LIMIT, "a session has at most 64 parties");
        *out_mask |= UINT64_C(1) << rank;
    }
    return PL_OK;
}
