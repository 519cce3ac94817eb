/* What a query uses, opens and costs: the plan that policy judges and every party must arrive at
 * alike. */
#include "node/session/query.h"
#include "node/session/roles.h"
#include "node/sql/plan.h"
#include "protocols/rel/cohort.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef Parley__V1__Plan plan_t;
typedef Parley__V1__QueryPlan query_t;

/* ---- shared by the files of this kind ---- */

pl_status pl_query_body(const Parley__V1__Plan *plan, Parley__V1__QueryPlan **out) {
    query_t *query = parley__v1__query_plan__unpack(NULL, plan->body.len, plan->body.data);
    if (query == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "malformed plan: its query cannot be read");
    pl_status status = pl_sql_plan_check(query);
    if (pl_is_ok(status) && query->cohort != plan->cohort)
        status = pl_fail(PL_INVALID_ARGUMENT, "malformed plan: two cohorts");
    if (pl_is_ok(status))
        *out = query;
    else
        parley__v1__query_plan__free_unpacked(query, NULL);
    return status;
}

static const char *name_of(const Parley__V1__Moment *moment) {
    if (pl_moment_is_extreme(moment))
        return moment->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_MIN ? "MIN" : "MAX";
    return pl_moment_is_count(moment) ? "COUNT" : "SUM";
}

void pl_moment_print(const Parley__V1__Moment *moment, pl_buf *out) {
    bool is_square = moment->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM_SQUARE;
    bool is_product = moment->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM_PRODUCT;
    pl_buf_printf(out, "%s(%s%s%s)", name_of(moment), moment->column[0] ? moment->column : "*",
                  is_square || is_product ? " * " : "",
                  is_square    ? moment->column
                  : is_product ? moment->other
                               : "");
    if (!is_product && moment->other[0])
        pl_buf_printf(out, " where %s is there", moment->other);
}

size_t pl_count_moments(const Parley__V1__QueryPlan *query, size_t *out) {
    size_t n = 0;
    for (size_t i = 0; i < query->n_moments; i++)
        if (pl_moment_is_count(query->moments[i]))
            out[n++] = i;
    return n;
}

size_t pl_ring_moments(const Parley__V1__QueryPlan *query, uint32_t ring_bits, size_t *out) {
    size_t n = 0;
    for (size_t i = 0; i < query->n_moments; i++)
        if (query->moments[i]->ring_bits == ring_bits)
            out[n++] = i;
    return n;
}

/* ---- flows: every use of a column ---- */

/* One use of one column is a flow of every owner's dataset. */
static pl_status use(plan_t *plan, const query_t *query, const char *column,
                     Parley__V1__Right right, const char *operation) {
    for (size_t i = 0; i < query->n_inputs; i++) {
        Parley__V1__Flow flow = PARLEY__V1__FLOW__INIT;
        flow.owner = query->inputs[i]->org;
        flow.dataset = query->inputs[i]->dataset;
        flow.column = (char *)column;
        flow.right = right;
        flow.operation = (char *)operation;
        PL_TRY(pl_plan_add_flow(plan, &flow));
    }
    return PL_OK;
}

/* The second column of a moment is used as the first. */
static const char *second_column(const query_t *query, const Parley__V1__Expr *leaf) {
    bool is_leaf = strcmp(leaf->op, "count") == 0 || strcmp(leaf->op, "sum") == 0;
    return is_leaf && leaf->index < query->n_moments ? query->moments[leaf->index]->other : "";
}

/* Aggregates in the result columns, HAVING and ORDER BY; columns in WHERE. */
static pl_status use_expr(plan_t *plan, const query_t *query, const Parley__V1__Expr *expr) {
    static const struct {
        const char *op, *shown;
        Parley__V1__Right right;
    } OPS[] = {{"count", "COUNT", PARLEY__V1__RIGHT__RIGHT_AGGREGATE},
               {"sum", "SUM", PARLEY__V1__RIGHT__RIGHT_AGGREGATE},
               {"avg", "AVG", PARLEY__V1__RIGHT__RIGHT_AGGREGATE},
               {"min", "MIN", PARLEY__V1__RIGHT__RIGHT_EXTREME},
               {"max", "MAX", PARLEY__V1__RIGHT__RIGHT_EXTREME}};
    if (expr == NULL)
        return PL_OK;
    for (size_t i = 0; i < sizeof OPS / sizeof OPS[0]; i++)
        if (strcmp(expr->op, OPS[i].op) == 0)
            PL_TRY(use(plan, query, expr->text[0] ? expr->text : "*", OPS[i].right, OPS[i].shown));
    if (second_column(query, expr)[0])
        PL_TRY(use(plan, query, second_column(query, expr), PARLEY__V1__RIGHT__RIGHT_AGGREGATE,
                   "SUM"));
    if (strcmp(expr->op, "column") == 0)
        PL_TRY(use(plan, query, expr->text, PARLEY__V1__RIGHT__RIGHT_FILTER, "WHERE"));
    for (size_t i = 0; i < expr->n_args; i++)
        PL_TRY(use_expr(plan, query, expr->args[i]));
    return PL_OK;
}

static pl_status add_flows(plan_t *plan, const query_t *query) {
    /* Moment 0 is opened in every query: it tells empty groups from others. */
    PL_TRY(use(plan, query, "*", PARLEY__V1__RIGHT__RIGHT_AGGREGATE, "COUNT"));
    for (size_t i = 0; i < query->n_outputs; i++)
        PL_TRY(use_expr(plan, query, query->outputs[i]->expr));
    PL_TRY(use_expr(plan, query, query->having));
    for (size_t i = 0; i < query->n_order; i++)
        PL_TRY(use_expr(plan, query, query->order[i]->expr));
    for (size_t i = 0; i < query->n_keys; i++)
        PL_TRY(use(plan, query, query->keys[i]->column, PARLEY__V1__RIGHT__RIGHT_GROUP_KEY,
                   "GROUP BY"));
    PL_TRY(use_expr(plan, query, query->where));
    return pl_plan_add_compute_flows(plan);
}

/* ---- openings and cost ---- */

static pl_status add_openings(plan_t *plan, const query_t *query) {
    if (query->cohort > 0)
        PL_TRY(pl_plan_add_opening(plan, "ok bit per cell", query->n_cells));
    for (size_t i = 0; i < query->n_moments; i++) {
        pl_buf what = {0};
        pl_moment_print(query->moments[i], &what);
        pl_buf_printf(&what, " per cell");
        pl_bytes text = {0};
        PL_TRY(pl_buf_take(&what, &text));
        pl_status status = pl_plan_add_opening(plan, (const char *)text.data, query->n_cells);
        pl_bytes_done(&text);
        PL_TRY(status);
    }
    return PL_OK;
}

/* Where org stands in the list; PL_COST_OUTSIDE: nowhere. */
static size_t index_in(char *const *list, size_t n, const char *org) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], org) == 0)
            return i;
    return PL_COST_OUTSIDE;
}

/* Follows query_run.c step by step. */
static pl_cost protocol_cost(const plan_t *plan, const query_t *query, size_t n64, size_t n128,
                             size_t n_counts) {
    const pl_net net = PL_NET_DEFAULT;
    size_t cells = query->n_cells, outside = 0;
    unsigned inside = 0;
    pl_cost cost = pl_cost_setup();
    for (size_t i = 0; i < query->n_inputs; i++) {
        size_t owner = index_in(plan->compute, plan->n_compute, query->inputs[i]->org);
        cost = pl_cost_add(cost, pl_cost_input(PL_ARITH_64, n64 * cells, owner));
        if (n128 > 0)
            cost = pl_cost_add(cost, pl_cost_input(PL_ARITH_128, n128 * cells, owner));
    }
    for (size_t i = 0; i < plan->n_recipients; i++) {
        size_t at = index_in(plan->compute, plan->n_compute, plan->recipients[i]);
        if (at == PL_COST_OUTSIDE)
            outside++;
        else
            inside |= 1u << at;
    }
    size_t n_extremes = 0;
    for (size_t i = 0; i < query->n_moments; i++)
        n_extremes += pl_moment_is_extreme(query->moments[i]);
    if (n_extremes > 0)
        cost = pl_cost_add(cost, pl_max_cost(n_extremes * cells, query->n_inputs, &net));
    bool has_rule = query->cohort > 0;
    if (has_rule) {
        cost = pl_cost_add(cost, pl_cohort_cost(n_counts, query->n_inputs, cells, &net));
        cost = pl_cost_add(cost, pl_cost_bit_to_arith(PL_ARITH_64, cells, &net));
        cost = pl_cost_add(cost, pl_cost_mul(PL_ARITH_64, n64 * cells));
        if (n128 > 0) {
            cost = pl_cost_add(cost, pl_cost_bit_to_arith(PL_ARITH_128, cells, &net));
            cost = pl_cost_add(cost, pl_cost_mul(PL_ARITH_128, n128 * cells));
        }
    }
    cost = pl_cost_add(cost, pl_cost_open(PL_ARITH_64, (n64 + has_rule) * cells, inside, outside));
    if (n128 > 0)
        cost = pl_cost_add(cost, pl_cost_open(PL_ARITH_128, n128 * cells, inside, outside));
    return cost;
}

static pl_status add_cost(plan_t *plan, const query_t *query) {
    size_t index[PL_SQL_MOMENTS_MAX];
    PL_ASSERT(query->n_moments <= sizeof index / sizeof index[0]);
    size_t n64 = pl_ring_moments(query, 64, index);
    size_t n128 = pl_ring_moments(query, 128, index);
    size_t n_counts = pl_count_moments(query, index);
    pl_cost cost = protocol_cost(plan, query, n64, n128, n_counts);
    PL_TRY(pl_alloc(1, sizeof *plan->cost, &plan->cost));
    parley__v1__cost__init(plan->cost);
    plan->cost->rounds = cost.rounds;
    plan->cost->bytes_per_link_max = pl_cost_bytes_max(cost);
    /* Two components of every owner's vectors and of the comparison's operands and temporaries. */
    uint64_t values = query->n_cells * (query->n_inputs + 4) * (n64 * 8 + n128 * 16) * 2;
    uint64_t compared = 2 * n_counts * (query->n_inputs + 1) * query->n_cells;
    plan->cost->memory_bytes = values + (query->cohort ? compared * 8 * 2 * 8 : 0);
    return PL_OK;
}

/* ---- the whole ---- */

static pl_status set_summary(plan_t *plan, const query_t *query) {
    pl_buf text = {0};
    for (size_t i = 0; i < query->n_moments; i++) {
        pl_buf_printf(&text, "%s", i ? ", " : "");
        pl_moment_print(query->moments[i], &text);
    }
    for (size_t i = 0; i < query->n_keys; i++)
        pl_buf_printf(&text, "%s%s", i ? ", " : " by ", query->keys[i]->column);
    pl_buf_printf(&text, " over ");
    for (size_t i = 0; i < query->n_inputs; i++)
        pl_buf_printf(&text, "%s%s.%s", i ? ", " : "", query->inputs[i]->org,
                      query->inputs[i]->dataset);
    pl_buf_printf(&text, "; %" PRIu64 " cell%s to ", query->n_cells,
                  query->n_cells == 1 ? "" : "s");
    for (size_t i = 0; i < plan->n_recipients; i++)
        pl_buf_printf(&text, "%s%s", i ? ", " : "", plan->recipients[i]);
    pl_buf_printf(&text, "; cohort %u", query->cohort);
    pl_bytes bytes = {0};
    PL_TRY(pl_buf_take(&text, &bytes));
    plan->summary = (char *)bytes.data;
    return PL_OK;
}

static pl_status set_body(plan_t *plan, const query_t *query) {
    size_t len = parley__v1__query_plan__get_packed_size(query);
    PL_TRY(pl_alloc(len, 1, &plan->body.data));
    plan->body.len = parley__v1__query_plan__pack(query, plan->body.data);
    return PL_OK;
}

/* The strictest owner decides for all. */
static uint32_t cohort_of(const pl_plan_context *context, const query_t *query) {
    uint32_t k = 0;
    for (size_t i = 0; i < query->n_inputs; i++)
        for (size_t d = 0; d < context->n_datasets; d++)
            if (strcmp(context->datasets[d]->org, query->inputs[i]->org) == 0 &&
                strcmp(context->datasets[d]->name, query->inputs[i]->dataset) == 0 &&
                context->datasets[d]->min_cohort > k)
                k = context->datasets[d]->min_cohort;
    return k;
}

static pl_status fill(const pl_plan_context *context, const Parley__V1__Task *task, query_t *query,
                      plan_t *plan) {
    PL_TRY(pl_strdup("query", &plan->kind));
    plan->planner_version = PL_PLANNER_VERSION;
    plan->cohort = query->cohort = cohort_of(context, query);
    for (size_t i = 0; i < query->n_inputs; i++) /* sorted already */
        PL_TRY(pl_strings_add(&plan->owners, &plan->n_owners, query->inputs[i]->org));
    PL_TRY(pl_roles_fill(context, task, plan));
    PL_TRY(add_flows(plan, query));
    PL_TRY(add_openings(plan, query));
    PL_TRY(add_cost(plan, query));
    PL_TRY(set_summary(plan, query));
    return set_body(plan, query);
}

pl_status pl_query_plan(const pl_plan_context *context, const Parley__V1__Task *task,
                        Parley__V1__Plan **out) {
    query_t *query;
    plan_t *plan;
    PL_TRY(pl_sql_plan(task->text, context->datasets, context->n_datasets, &query));
    pl_status status = pl_alloc(1, sizeof *plan, &plan);
    if (pl_is_ok(status)) {
        parley__v1__plan__init(plan);
        status = fill(context, task, query, plan);
        if (pl_is_ok(status))
            *out = plan;
        else
            parley__v1__plan__free_unpacked(plan, NULL);
    }
    parley__v1__query_plan__free_unpacked(query, NULL);
    return status;
}
