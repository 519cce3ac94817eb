#include "node/sql/plan.h"

#include "node/sql/analyze.h"
#include "node/sql/eval.h"

#include <stdlib.h>
#include <string.h>

typedef struct planner {
    pl_sql sql;
    pl_table table;
    pl_scope scope;
    Parley__V1__QueryPlan *plan;
} planner;

/* ---- clauses that do not exist here ---- */

static pl_status refuse(const planner *p, const PgQuery__Node *where, const char *what) {
    return pl_sql_fail(&p->sql, where ? pl_node_location(where) : 0, PL_UNSUPPORTED, "%s", what);
}

static const PgQuery__Node *first(size_t n, PgQuery__Node *const *nodes) {
    return n > 0 ? nodes[0] : NULL;
}

static pl_status check_clauses(const planner *p) {
    const PgQuery__SelectStmt *s = p->sql.select;
    if (s->op != PG_QUERY__SET_OPERATION__SETOP_NONE)
        return refuse(p, NULL, "UNION, INTERSECT and EXCEPT are not supported: send one SELECT");
    if (s->with_clause != NULL)
        return pl_sql_fail(&p->sql, s->with_clause->location, PL_UNSUPPORTED,
                           "WITH is not supported: write one SELECT over one table");
    if (s->n_values_lists > 0)
        return refuse(p, NULL, "VALUES is not supported: name a table");
    if (s->into_clause != NULL)
        return refuse(p, NULL, "SELECT INTO is not supported: save the result at the client");
    if (s->n_distinct_clause > 0)
        return refuse(p, first(s->n_target_list, s->target_list),
                      "SELECT DISTINCT is not supported: use GROUP BY");
    if (s->n_window_clause > 0)
        return refuse(p, NULL, "WINDOW is not supported: use GROUP BY");
    if (s->limit_count != NULL)
        return refuse(
            p, s->limit_count,
            "LIMIT is not supported: every cell is opened anyway; cut the result at the client");
    if (s->limit_offset != NULL)
        return refuse(
            p, s->limit_offset,
            "OFFSET is not supported: every cell is opened anyway; cut the result at the client");
    if (s->n_locking_clause > 0)
        return refuse(p, NULL, "FOR UPDATE and the like are not supported: nothing is written");
    if (s->group_distinct)
        return refuse(p, first(s->n_group_clause, s->group_clause),
                      "GROUP BY DISTINCT is not supported: use GROUP BY");
    return PL_OK;
}

/* ---- inputs ---- */

static pl_status add_input(const Parley__V1__Dataset *dataset, Parley__V1__QueryPlan *plan) {
    Parley__V1__QueryInput *input;
    PL_TRY(pl_alloc(1, sizeof *input, &input));
    parley__v1__query_input__init(input);
    plan->inputs[plan->n_inputs++] = input;
    input->schema_version = dataset->schema_version;
    PL_TRY(pl_strdup(dataset->org, &input->org));
    return pl_strdup(dataset->name, &input->dataset);
}

static pl_status add_inputs(planner *p) {
    PL_TRY(pl_alloc(p->table.n_inputs, sizeof(void *), &p->plan->inputs));
    for (size_t i = 0; i < p->table.n_inputs; i++)
        PL_TRY(add_input(p->table.inputs[i], p->plan));
    return PL_OK;
}

/* ---- GROUP BY ---- */

static bool is_ordinal(const PgQuery__Node *node) {
    return node->node_case == PG_QUERY__NODE__NODE_A_CONST &&
           node->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL;
}

/* Follows "GROUP BY 2" or "ORDER BY 2" to the target it counts. */
static pl_status target_at(const planner *p, const PgQuery__Node *node, const char *clause,
                           size_t *out) {
    int position = node->a_const->ival->ival;
    if (position < 1 || (size_t)position > p->sql.select->n_target_list)
        return pl_sql_fail(&p->sql, node->a_const->location, PL_INVALID_ARGUMENT,
                           "%s position %d is not in select list", clause, position);
    *out = (size_t)position - 1;
    return PL_OK;
}

static const PgQuery__ResTarget *target(const planner *p, size_t i) {
    return p->sql.select->target_list[i]->res_target;
}

/* The single unqualified name that node is, or NULL. */
static const char *bare_name(const PgQuery__Node *node) {
    if (node->node_case != PG_QUERY__NODE__NODE_COLUMN_REF || node->column_ref->n_fields != 1 ||
        node->column_ref->fields[0]->node_case != PG_QUERY__NODE__NODE_STRING)
        return NULL;
    return node->column_ref->fields[0]->string->sval;
}

static bool has_column(const planner *p, const char *name) {
    const Parley__V1__Dataset *dataset = p->table.inputs[0];
    for (size_t i = 0; i < dataset->n_columns; i++)
        if (strcmp(dataset->columns[i]->name, name) == 0)
            return true;
    return false;
}

/* The column a GROUP BY item means: by ordinal, by name of a column of the table, then by alias of
 * a target. */
static pl_status group_column(const planner *p, const PgQuery__Node *node, const char **out,
                              int *out_location) {
    *out_location = pl_node_location(node);
    const PgQuery__Node *meant = node;
    const char *name = bare_name(node);
    size_t at = 0;
    if (is_ordinal(node)) {
        PL_TRY(target_at(p, node, "GROUP BY", &at));
        meant = target(p, at)->val;
    } else if (name != NULL && !has_column(p, name)) {
        for (at = 0; at < p->sql.select->n_target_list; at++)
            if (strcmp(target(p, at)->name, name) == 0)
                meant = target(p, at)->val;
    }
    if (meant->node_case == PG_QUERY__NODE__NODE_GROUPING_SET)
        return pl_sql_fail(
            &p->sql, meant->grouping_set->location, PL_UNSUPPORTED,
            "ROLLUP, CUBE, GROUPING SETS and GROUP BY () are not supported: group by columns");
    if (meant->node_case != PG_QUERY__NODE__NODE_COLUMN_REF)
        return pl_sql_fail(
            &p->sql, *out_location, PL_UNSUPPORTED,
            "GROUP BY an expression is not supported: group by columns with declared values");
    return pl_analyze_column(&p->scope, meant->column_ref, out);
}

static pl_status add_value(Parley__V1__GroupKey *key, pl_type type, const char *text) {
    pl_datum d;
    pl_datum_init(&d);
    pl_status status;
    PL_CHECK(status,
             pl_wrap(pl_datum_parse(type, text, &d), "declared value of column %s", key->column));
    PL_CHECK(status, pl_datum_print(&d, &key->values[key->n_values]));
    key->n_values++;
out:
    pl_datum_done(&d);
    return status;
}

static pl_status add_values(const pl_table_column *column, const char *const *values, size_t n,
                            Parley__V1__GroupKey *key) {
    if (n == 0)
        return pl_fail(PL_FAILED_PRECONDITION,
                       "column %s has no declared values: its owner must declare them before it "
                       "can be grouped by",
                       column->name);
    if (n > PL_SQL_CELLS_MAX)
        return pl_fail(PL_LIMIT, "column %s has more than %d declared values", column->name,
                       PL_SQL_CELLS_MAX);
    PL_TRY(pl_alloc(n, sizeof(char *), &key->values));
    for (size_t i = 0; i < n; i++)
        PL_TRY(add_value(key, column->type, values[i]));
    return PL_OK;
}

/* The values of a boolean need no declaration. */
static pl_status fill_values(const planner *p, const pl_table_column *column,
                             Parley__V1__GroupKey *key) {
    static const char *const BOOLS[] = {"f", "t"};
    if (column->type == PL_TYPE_BOOL)
        return add_values(column, BOOLS, 2, key);
    const char **values;
    size_t n;
    PL_TRY(pl_table_values(&p->table, column->name, &values, &n));
    pl_status status = add_values(column, values, n, key);
    free(values);
    return status;
}

static pl_status add_key(planner *p, const pl_table_column *column) {
    Parley__V1__QueryPlan *plan = p->plan;
    for (size_t i = 0; i < plan->n_keys; i++)
        if (strcmp(plan->keys[i]->column, column->name) == 0)
            return PL_OK;
    if (plan->n_keys == PL_SQL_KEYS_MAX)
        return pl_fail(PL_LIMIT, "more than %d columns in GROUP BY", PL_SQL_KEYS_MAX);
    Parley__V1__GroupKey *key;
    PL_TRY(pl_alloc(1, sizeof *key, &key));
    parley__v1__group_key__init(key);
    plan->keys[plan->n_keys++] = key;
    key->type = column->column_type;
    key->nullable = column->nullable;
    key->scale = column->scale;
    PL_TRY(pl_strdup(column->name, &key->column));
    PL_TRY(fill_values(p, column, key));
    plan->n_cells *= key->n_values +
                     (key->nullable != 0); /* both factors are at most 65,536 here: no overflow */
    if (plan->n_cells > PL_SQL_CELLS_MAX)
        return pl_fail(PL_LIMIT, "GROUP BY makes more than %d cells: group by fewer columns",
                       PL_SQL_CELLS_MAX);
    return PL_OK;
}

static pl_status add_group(planner *p, const PgQuery__Node *node) {
    const char *name;
    int location;
    PL_TRY(group_column(p, node, &name, &location));
    pl_table_column column;
    PL_TRY(pl_sql_wrap(&p->sql, location, pl_table_find(&p->table, name, &column)));
    pl_status status = pl_sql_wrap(&p->sql, location, add_key(p, &column));
    pl_table_column_done(&column);
    return status;
}

static pl_status plan_groups(planner *p) {
    const PgQuery__SelectStmt *s = p->sql.select;
    p->plan->n_cells = 1;
    p->plan->grouped = s->n_group_clause > 0;
    PL_TRY(pl_alloc(PL_SQL_KEYS_MAX, sizeof(void *), &p->plan->keys));
    p->scope.clause = "GROUP BY";
    for (size_t i = 0; i < s->n_group_clause; i++)
        PL_TRY(add_group(p, s->group_clause[i]));
    return PL_OK;
}

/* ---- SELECT list ---- */

/* The name that PostgreSQL gives an unnamed result column. */
static const char *figure_name(const PgQuery__Node *node) {
    const char *name;
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF:
        return node->column_ref->fields[node->column_ref->n_fields - 1]->string->sval;
    case PG_QUERY__NODE__NODE_FUNC_CALL:
        return node->func_call->funcname[node->func_call->n_funcname - 1]->string->sval;
    case PG_QUERY__NODE__NODE_TYPE_CAST:
        name = figure_name(node->type_cast->arg);
        return strcmp(name, "?column?") != 0
                   ? name
                   : node->type_cast->type_name->names[node->type_cast->type_name->n_names - 1]
                         ->string->sval;
    default:
        return "?column?";
    }
}

static pl_status add_output(planner *p, const PgQuery__ResTarget *item) {
    if (item->n_indirection > 0)
        return pl_sql_fail(&p->sql, item->location, PL_UNSUPPORTED, "a subscript is not supported");
    Parley__V1__OutputColumn *output;
    PL_TRY(pl_alloc(1, sizeof *output, &output));
    parley__v1__output_column__init(output);
    p->plan->outputs[p->plan->n_outputs++] = output;
    PL_TRY(pl_analyze(&p->scope, item->val, &output->expr));
    if (pl_expr_type(output->expr) == PL_TYPE_UNKNOWN)
        PL_TRY(pl_expr_cast(&output->expr, PL_TYPE_TEXT));
    return pl_strdup(item->name[0] != '\0' ? item->name : figure_name(item->val), &output->name);
}

static pl_status plan_outputs(planner *p) {
    const PgQuery__SelectStmt *s = p->sql.select;
    if (s->n_target_list == 0)
        return refuse(p, NULL, "an empty SELECT list is not supported: ask for COUNT, SUM or AVG");
    if (s->n_target_list > PL_SQL_OUTPUTS_MAX)
        return pl_fail(PL_LIMIT, "the SELECT list has more than %d columns", PL_SQL_OUTPUTS_MAX);
    PL_TRY(pl_alloc(s->n_target_list, sizeof(void *), &p->plan->outputs));
    p->scope.clause = "the SELECT list";
    for (size_t i = 0; i < s->n_target_list; i++)
        PL_TRY(add_output(p, target(p, i)));
    return PL_OK;
}

/* ---- ORDER BY ---- */

/* A name in ORDER BY is a result column first. */
static pl_status order_expr(planner *p, const PgQuery__Node *node, pl_expr **out) {
    const char *name = bare_name(node);
    size_t at = p->plan->n_outputs;
    if (is_ordinal(node)) {
        PL_TRY(target_at(p, node, "ORDER BY", &at));
    } else if (node->node_case == PG_QUERY__NODE__NODE_A_CONST) {
        return pl_sql_fail(&p->sql, node->a_const->location, PL_INVALID_ARGUMENT,
                           "non-integer constant in ORDER BY");
    } else if (name != NULL) {
        for (size_t i = 0; i < p->plan->n_outputs; i++) {
            if (strcmp(p->plan->outputs[i]->name, name) != 0)
                continue;
            if (at < p->plan->n_outputs &&
                !pl_expr_equal(p->plan->outputs[at]->expr, p->plan->outputs[i]->expr))
                return pl_sql_fail(&p->sql, node->column_ref->location, PL_INVALID_ARGUMENT,
                                   "ORDER BY \"%s\" is ambiguous", name);
            at = i;
        }
    }
    if (at < p->plan->n_outputs)
        return pl_expr_dup(p->plan->outputs[at]->expr, out);
    return pl_analyze(&p->scope, node, out);
}

static pl_status add_order(planner *p, const PgQuery__SortBy *item) {
    if (item->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_USING)
        return pl_sql_fail(&p->sql, item->location, PL_UNSUPPORTED,
                           "ORDER BY ... USING is not supported: use ASC or DESC");
    Parley__V1__OrderKey *key;
    PL_TRY(pl_alloc(1, sizeof *key, &key));
    parley__v1__order_key__init(key);
    p->plan->order[p->plan->n_order++] = key;
    key->descending = item->sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_DESC;
    key->nulls_first =
        item->sortby_nulls == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_FIRST ||
        (key->descending && item->sortby_nulls != PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_LAST);
    return order_expr(p, item->node, &key->expr);
}

static pl_status plan_order(planner *p) {
    const PgQuery__SelectStmt *s = p->sql.select;
    PL_TRY(pl_alloc(s->n_sort_clause, sizeof(void *), &p->plan->order));
    p->scope.clause = "ORDER BY";
    for (size_t i = 0; i < s->n_sort_clause; i++)
        PL_TRY(add_order(p, s->sort_clause[i]->sort_by));
    return PL_OK;
}

/* ---- the whole ---- */

static bool has_aggregate(const pl_expr *expr) {
    if (strcmp(expr->op, "count") == 0 || strcmp(expr->op, "sum") == 0 ||
        strcmp(expr->op, "avg") == 0 || strcmp(expr->op, "min") == 0 ||
        strcmp(expr->op, "max") == 0)
        return true;
    for (size_t i = 0; i < expr->n_args; i++)
        if (has_aggregate(expr->args[i]))
            return true;
    return false;
}

/* Without GROUP BY, HAVING and aggregates a query would give one row out per row in. */
static pl_status check_aggregated(const planner *p) {
    if (p->plan->grouped || p->plan->having != NULL)
        return PL_OK;
    for (size_t i = 0; i < p->plan->n_outputs; i++)
        if (has_aggregate(p->plan->outputs[i]->expr))
            return PL_OK;
    return refuse(
        p, first(p->sql.select->n_target_list, p->sql.select->target_list),
        "a query for rows is not supported: rows are never given out; ask for COUNT, SUM or AVG");
}

static pl_status plan_where(planner *p) {
    if (p->sql.select->where_clause == NULL)
        return PL_OK;
    p->scope.over_rows = true;
    p->scope.clause = "WHERE";
    pl_status status = pl_analyze_bool(&p->scope, p->sql.select->where_clause, &p->plan->where);
    p->scope.over_rows = false;
    return status;
}

static pl_status plan_having(planner *p) {
    if (p->sql.select->having_clause == NULL)
        return PL_OK;
    p->scope.clause = "HAVING";
    return pl_analyze_bool(&p->scope, p->sql.select->having_clause, &p->plan->having);
}

static pl_status compile(planner *p) {
    uint32_t star;
    PL_TRY(check_clauses(p));
    PL_TRY(add_inputs(p));
    PL_TRY(pl_moment_find(p->plan, &p->table, PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT_STAR, NULL,
                          NULL, &star));
    PL_TRY(plan_where(p));
    PL_TRY(plan_groups(p));
    PL_TRY(plan_outputs(p));
    PL_TRY(plan_having(p));
    PL_TRY(plan_order(p));
    return check_aggregated(p);
}

pl_status pl_sql_plan(const char *text, const Parley__V1__Dataset *const *datasets,
                      size_t n_datasets, Parley__V1__QueryPlan **out) {
    planner p = {0};
    pl_status status;
    PL_CHECK(status, pl_sql_parse(text, &p.sql));
    PL_CHECK(status, check_clauses(&p));
    PL_CHECK(status, pl_table_open(&p.sql, datasets, n_datasets, &p.table));
    PL_CHECK(status, pl_alloc(1, sizeof *p.plan, &p.plan));
    parley__v1__query_plan__init(p.plan);
    p.scope = (pl_scope){.sql = &p.sql, .table = &p.table, .plan = p.plan};
    PL_CHECK(status, compile(&p));
    *out = p.plan;
    p.plan = NULL;
out:
    if (p.plan != NULL)
        parley__v1__query_plan__free_unpacked(p.plan, NULL);
    pl_table_done(&p.table);
    pl_sql_done(&p.sql);
    return status;
}

/* ---- checking a plan from elsewhere ---- */

static pl_status malformed(const char *what) {
    return pl_fail(PL_INVALID_ARGUMENT, "malformed plan: %s", what);
}

bool pl_moment_is_count(const Parley__V1__Moment *moment) {
    return moment->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT_STAR ||
           moment->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT;
}

bool pl_moment_is_extreme(const Parley__V1__Moment *moment) {
    return moment->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_MIN ||
           moment->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_MAX;
}

pl_type pl_moment_type(const Parley__V1__Moment *moment) {
    return pl_moment_is_count(moment) ? PL_TYPE_INT8 : pl_type_of_column(moment->type);
}

static bool is_known(const Parley__V1__Moment *m) {
    return m->kind >= PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT_STAR &&
           m->kind <= PARLEY__V1__MOMENT_KIND__MOMENT_KIND_MAX;
}

static bool type_fits(const Parley__V1__Moment *m) {
    switch (m->type) {
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER:
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL:
        return true;
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL: /* products of reals have no stated error */
        return m->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM;
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DATE:
        return pl_moment_is_extreme(m);
    default:
        return false;
    }
}

static pl_status check_moment(const Parley__V1__QueryPlan *plan, size_t i) {
    const Parley__V1__Moment *m = plan->moments[i];
    bool is_count = pl_moment_is_count(m);
    bool is_product = m->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM_PRODUCT;
    bool is_star = m->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT_STAR;
    if (!is_known(m))
        return malformed("a moment of unknown kind");
    if ((i == 0) != is_star)
        return malformed("moment 0, and no other, must be COUNT(*)");
    if (is_star != (m->column[0] == '\0') || (is_product && m->other[0] == '\0') ||
        (is_star && m->other[0] != '\0'))
        return malformed("a moment of no column");
    if (!is_count && !type_fits(m))
        return malformed("a moment of a column type that has none");
    if (m->ring_bits != 64 && (m->ring_bits != 128 || is_count || pl_moment_is_extreme(m)))
        return malformed("a moment in an unknown ring");
    if (m->counted_by >= plan->n_moments || m->scale > 127 || (is_count && m->counted_by != i) ||
        !pl_moment_is_count(plan->moments[m->counted_by]))
        return malformed("a moment that nothing counts");
    return PL_OK;
}

pl_status pl_sql_plan_check(const Parley__V1__QueryPlan *plan) {
    if (plan->n_inputs == 0 || plan->n_moments == 0 || plan->n_moments > PL_SQL_MOMENTS_MAX ||
        plan->n_outputs == 0 || plan->n_outputs > PL_SQL_OUTPUTS_MAX ||
        plan->n_keys > PL_SQL_KEYS_MAX)
        return malformed("a part is missing or too large");
    for (size_t i = 0; i < plan->n_moments; i++)
        PL_TRY(check_moment(plan, i));
    for (size_t i = 0; i < plan->n_outputs; i++)
        if (plan->outputs[i]->expr == NULL)
            return malformed("a result column without an expression");
    for (size_t i = 0; i < plan->n_order; i++)
        if (plan->order[i]->expr == NULL)
            return malformed("a sort key without an expression");
    uint64_t n_cells = 1;
    for (size_t i = 0; i < plan->n_keys; i++) {
        if (plan->keys[i]->n_values > PL_SQL_CELLS_MAX || plan->keys[i]->n_values == 0)
            return malformed("a key without values");
        n_cells *= plan->keys[i]->n_values + (plan->keys[i]->nullable != 0);
        if (n_cells > PL_SQL_CELLS_MAX)
            return malformed("too many cells");
    }
    return n_cells == plan->n_cells ? PL_OK : malformed("the number of cells is wrong");
}
