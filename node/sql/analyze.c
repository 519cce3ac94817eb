#include "node/sql/analyze.h"

#include "node/sql/eval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CODE_HERE(scope, node, ...) pl_sql_fail((scope)->sql, pl_node_location(node), __VA_ARGS__)

int pl_node_location(const PgQuery__Node *node) {
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF:
        return node->column_ref->location;
    case PG_QUERY__NODE__NODE_A_CONST:
        return node->a_const->location;
    case PG_QUERY__NODE__NODE_A_EXPR:
        return node->a_expr->location;
    case PG_QUERY__NODE__NODE_FUNC_CALL:
        return node->func_call->location;
    case PG_QUERY__NODE__NODE_TYPE_CAST:
        return node->type_cast->location >= 0 ? node->type_cast->location
                                              : node->type_cast->type_name->location;
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
        return node->bool_expr->location;
    case PG_QUERY__NODE__NODE_NULL_TEST:
        return node->null_test->location;
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
        return node->boolean_test->location;
    case PG_QUERY__NODE__NODE_SUB_LINK:
        return node->sub_link->location;
    case PG_QUERY__NODE__NODE_CASE_EXPR:
        return node->case_expr->location;
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
        return node->coalesce_expr->location;
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
        return node->min_max_expr->location;
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
        return node->sqlvalue_function->location;
    case PG_QUERY__NODE__NODE_ROW_EXPR:
        return node->row_expr->location;
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
        return node->a_array_expr->location;
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
        return node->collate_clause->location;
    case PG_QUERY__NODE__NODE_GROUPING_FUNC:
        return node->grouping_func->location;
    case PG_QUERY__NODE__NODE_PARAM_REF:
        return node->param_ref->location;
    case PG_QUERY__NODE__NODE_RES_TARGET:
        return node->res_target->location;
    default:
        return -1;
    }
}

static const char *construct_name(const PgQuery__Node *node) {
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_SUB_LINK:
        return "a subquery is not supported: write two queries";
    case PG_QUERY__NODE__NODE_CASE_EXPR:
        return "CASE is not supported: filter with WHERE or group instead";
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
        return "COALESCE is not supported: filter with IS NOT NULL";
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
        return "GREATEST and LEAST are not supported";
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
        return "the current date, time or user is not supported: every party must plan alike; "
               "write a literal";
    case PG_QUERY__NODE__NODE_ROW_EXPR:
        return "a row constructor is not supported: compare column by column";
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
        return "ARRAY is not supported: use IN (...)";
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
        return "COLLATE is not supported: text compares by its bytes";
    case PG_QUERY__NODE__NODE_GROUPING_FUNC:
        return "GROUPING is not supported";
    case PG_QUERY__NODE__NODE_PARAM_REF:
        return "a parameter is not supported: write the value";
    default:
        return "this construct is not supported";
    }
}

/* ---- names ---- */

static bool qualifier_fits(const pl_table *table, const char *const *parts, size_t n) {
    if (n == 0)
        return true;
    const char *last = parts[n - 1];
    if (n == 1)
        return strcmp(last, table->alias ? table->alias : table->name) == 0;
    return n == 2 && table->alias == NULL && table->org != NULL &&
           strcmp(parts[0], table->org) == 0 && strcmp(last, table->name) == 0;
}

pl_status pl_analyze_column(const pl_scope *scope, const PgQuery__ColumnRef *ref,
                            const char **out) {
    const char *parts[4];
    for (size_t i = 0; i < ref->n_fields; i++) {
        if (ref->fields[i]->node_case == PG_QUERY__NODE__NODE_A_STAR)
            return pl_sql_fail(
                scope->sql, ref->location, PL_UNSUPPORTED,
                "* is not supported: rows are never given out; ask for COUNT, SUM or AVG");
        if (i >= 4 || ref->fields[i]->node_case != PG_QUERY__NODE__NODE_STRING)
            return pl_sql_fail(scope->sql, ref->location, PL_UNSUPPORTED,
                               "this name has too many parts");
        parts[i] = ref->fields[i]->string->sval;
    }
    if (ref->n_fields == 0)
        return pl_sql_fail(scope->sql, ref->location, PL_INVALID_ARGUMENT, "a name is empty");
    if (!qualifier_fits(scope->table, parts, ref->n_fields - 1))
        return pl_sql_fail(scope->sql, ref->location, PL_NOT_FOUND,
                           "missing FROM-clause entry for table \"%s\"", parts[ref->n_fields - 2]);
    *out = parts[ref->n_fields - 1];
    return PL_OK;
}

static pl_status key_leaf(pl_scope *scope, const char *name, pl_expr **out) {
    for (size_t i = 0; i < scope->plan->n_keys; i++) {
        const Parley__V1__GroupKey *key = scope->plan->keys[i];
        if (strcmp(key->column, name) != 0)
            continue;
        PL_TRY(pl_expr_leaf("key", name, (uint32_t)i, pl_type_of_column(key->type), out));
        (*out)->scale = key->scale;
        return PL_OK;
    }
    return pl_fail(
        PL_INVALID_ARGUMENT,
        "column \"%s\" must appear in the GROUP BY clause or be used in an aggregate function",
        name);
}

static pl_status analyze_column(pl_scope *scope, const PgQuery__ColumnRef *ref, pl_expr **out) {
    const char *name;
    PL_TRY(pl_analyze_column(scope, ref, &name));
    pl_table_column column;
    PL_TRY(pl_sql_wrap(scope->sql, ref->location, pl_table_find(scope->table, name, &column)));
    pl_status status;
    if (scope->over_rows) {
        status = pl_expr_leaf("column", name, 0, column.type, out);
        if (pl_is_ok(status))
            (*out)->scale = column.scale;
    } else {
        status = key_leaf(scope, name, out);
    }
    pl_table_column_done(&column);
    return pl_sql_wrap(scope->sql, ref->location, status);
}

/* ---- literals and casts ---- */

/* A whole number that does not fit an integer is a bigint; what fits neither, or has a point, is a
 * numeric. */
static pl_status number_literal(const char *text, pl_expr **out) {
    if (text[strspn(text, "-0123456789")] == '\0') {
        pl_status status = pl_expr_literal(PL_TYPE_INT8, text, out);
        if (pl_is_ok(status) || pl_status_code(status) != PL_OUT_OF_RANGE)
            return status;
        pl_status_done(&status); /* too large for a bigint: it is a numeric */
    }
    return pl_expr_literal(PL_TYPE_NUMERIC, text, out);
}

static pl_status analyze_const(pl_scope *scope, const PgQuery__AConst *constant, pl_expr **out) {
    char text[16];
    if (constant->isnull)
        return pl_expr_new("null", PL_TYPE_UNKNOWN, out);
    switch (constant->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
        snprintf(text, sizeof text, "%d", constant->ival->ival);
        return pl_expr_literal(PL_TYPE_INT4, text, out);
    case PG_QUERY__A__CONST__VAL_FVAL:
        return pl_sql_wrap(scope->sql, constant->location,
                           number_literal(constant->fval->fval, out));
    case PG_QUERY__A__CONST__VAL_SVAL:
        return pl_expr_literal(PL_TYPE_UNKNOWN, constant->sval->sval, out);
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
        return pl_expr_literal(PL_TYPE_BOOL, constant->boolval->boolval ? "t" : "f", out);
    default:
        return pl_sql_fail(scope->sql, constant->location, PL_UNSUPPORTED,
                           "a bit string is not supported: write a number");
    }
}

static pl_status read_typmods(const pl_scope *scope, const PgQuery__TypeName *name, pl_type type,
                              char *out, size_t room) {
    out[0] = '\0';
    if (name->n_typmods == 0)
        return PL_OK;
    int digits[2] = {0, 0};
    if (type != PL_TYPE_NUMERIC || name->n_typmods > 2)
        return pl_sql_fail(scope->sql, name->location, PL_UNSUPPORTED,
                           "a type modifier of %s is not supported", pl_type_name(type));
    for (size_t i = 0; i < name->n_typmods; i++) {
        const PgQuery__Node *node = name->typmods[i];
        if (node->node_case != PG_QUERY__NODE__NODE_A_CONST ||
            node->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL)
            return pl_sql_fail(scope->sql, name->location, PL_INVALID_ARGUMENT,
                               "precision and scale must be whole numbers");
        digits[i] = node->a_const->ival->ival;
    }
    if (digits[0] < 1 || digits[0] > 1000 || digits[1] < -1000 || digits[1] > 1000)
        return pl_sql_fail(scope->sql, name->location, PL_INVALID_ARGUMENT,
                           "NUMERIC precision and scale must be between 1 and 1000");
    snprintf(out, room, "%d,%d", digits[0], digits[1]);
    return PL_OK;
}

static pl_status analyze_cast(pl_scope *scope, const PgQuery__TypeCast *cast, pl_expr **out) {
    const PgQuery__TypeName *name = cast->type_name;
    const char *last = name->n_names > 0 && name->names[name->n_names - 1]->node_case ==
                                                PG_QUERY__NODE__NODE_STRING
                           ? name->names[name->n_names - 1]->string->sval
                           : "";
    pl_type type = pl_type_from_name(last);
    if (type == PL_TYPE_UNKNOWN || name->setof || name->n_array_bounds > 0)
        return pl_sql_fail(scope->sql, name->location, PL_UNSUPPORTED,
                           "type \"%.63s\" is not supported in a cast: use numeric, bigint, "
                           "integer, double precision, date, boolean or text",
                           last);
    char typmod[32];
    PL_TRY(read_typmods(scope, name, type, typmod, sizeof typmod));
    pl_expr *expr;
    PL_TRY(pl_analyze(scope, cast->arg, &expr));
    pl_status status =
        pl_sql_wrap(scope->sql, name->location, pl_expr_cast_typmod(&expr, type, typmod));
    if (!pl_is_ok(status)) {
        pl_expr_free(expr);
        return status;
    }
    *out = expr;
    return PL_OK;
}

/* ---- operators ---- */

static const char *operator_name(const PgQuery__AExpr *expr) {
    bool is_plain = expr->n_name == 1 && expr->name[0]->node_case == PG_QUERY__NODE__NODE_STRING;
    return is_plain ? expr->name[0]->string->sval : "";
}

static bool is_one_of(const char *name, const char *const *names) {
    for (; *names != NULL; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

static const char *const ARITHMETIC[] = {"+", "-", "*", "/", "%", NULL};
static const char *const COMPARISON[] = {"=", "<>", "<", "<=", ">", ">=", NULL};

static pl_status check_operator(const pl_scope *scope, const PgQuery__AExpr *expr, const char *op) {
    if (scope->over_rows && (strcmp(op, "/") == 0 || strcmp(op, "%") == 0))
        return pl_sql_fail(scope->sql, expr->location, PL_UNSUPPORTED,
                           "operator %s in WHERE is not supported: multiply the other side instead",
                           op);
    if (!is_one_of(op, ARITHMETIC) && !is_one_of(op, COMPARISON))
        return pl_sql_fail(scope->sql, expr->location, PL_UNSUPPORTED,
                           "operator %.20s is not supported: use + - * / %% = <> < <= > >=", op);
    return PL_OK;
}

/* Analyzes both sides and joins them under op; NULL left: a sign. */
static pl_status binary(pl_scope *scope, const char *op, int location, const PgQuery__Node *left,
                        const PgQuery__Node *right, pl_expr **out) {
    pl_expr *a = NULL, *b = NULL;
    PL_TRY(pl_analyze(scope, left, &a));
    pl_status status = pl_analyze(scope, right, &b);
    if (!pl_is_ok(status)) {
        pl_expr_free(a);
        return status;
    }
    status =
        is_one_of(op, ARITHMETIC) ? pl_expr_arith(op, a, b, out) : pl_expr_compare(op, a, b, out);
    return pl_sql_wrap(scope->sql, location, status);
}

static pl_status sign(pl_scope *scope, const PgQuery__AExpr *expr, const char *op, pl_expr **out) {
    pl_expr *arg;
    PL_TRY(pl_analyze(scope, expr->rexpr, &arg));
    pl_type type = pl_expr_type(arg);
    if (!pl_type_is_number(type) || (op[0] != '-' && op[0] != '+')) {
        pl_expr_free(arg);
        return pl_sql_fail(scope->sql, expr->location, PL_UNSUPPORTED,
                           "operator does not exist: %s %s", op, pl_type_name(type));
    }
    if (op[0] == '-')
        return pl_expr_unary("negate", type, arg, out);
    *out = arg;
    return PL_OK;
}

/* Appends one more comparison of left to a junction under construction. */
static pl_status add_compare(pl_scope *scope, pl_expr *junction, const char *op, int location,
                             const PgQuery__Node *left, const PgQuery__Node *right) {
    pl_expr *one;
    PL_TRY(binary(scope, op, location, left, right, &one));
    return pl_expr_add(junction, one);
}

/* x IN (a, b) is x = a OR x = b; x BETWEEN a AND b is x >= a AND x <= b; NOT IN and NOT BETWEEN are
 * their negations. */
static pl_status spread(pl_scope *scope, const PgQuery__AExpr *expr, pl_expr **out) {
    bool is_in = expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_IN;
    bool is_not = is_in ? strcmp(operator_name(expr), "<>") == 0
                        : expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN;
    if (expr->rexpr == NULL || expr->rexpr->node_case != PG_QUERY__NODE__NODE_LIST)
        return pl_sql_fail(scope->sql, expr->location, PL_UNSUPPORTED,
                           "this form of IN is not supported");
    const PgQuery__List *list = expr->rexpr->list;
    pl_expr *junction;
    PL_TRY(pl_expr_new(is_in ? "or" : "and", PL_TYPE_BOOL, &junction));
    pl_status status = PL_OK;
    for (size_t i = 0; pl_is_ok(status) && i < list->n_items; i++)
        status = add_compare(scope, junction,
                             is_in    ? "="
                             : i == 0 ? ">="
                                      : "<=",
                             expr->location, expr->lexpr, list->items[i]);
    if (!pl_is_ok(status)) {
        pl_expr_free(junction);
        return status;
    }
    if (is_not)
        return pl_expr_unary("not", PL_TYPE_BOOL, junction, out);
    *out = junction;
    return PL_OK;
}

static pl_status analyze_operator(pl_scope *scope, const PgQuery__AExpr *expr, pl_expr **out) {
    const char *op = operator_name(expr);
    switch (expr->kind) {
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP:
        PL_TRY(check_operator(scope, expr, op));
        if (expr->lexpr == NULL)
            return sign(scope, expr, op, out);
        return binary(scope, op, expr->location, expr->lexpr, expr->rexpr, out);
    case PG_QUERY__A__EXPR__KIND__AEXPR_IN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN:
        return spread(scope, expr, out);
    case PG_QUERY__A__EXPR__KIND__AEXPR_LIKE:
    case PG_QUERY__A__EXPR__KIND__AEXPR_ILIKE:
    case PG_QUERY__A__EXPR__KIND__AEXPR_SIMILAR:
        return pl_sql_fail(scope->sql, expr->location, PL_UNSUPPORTED,
                           "LIKE is not supported: use = or IN (...)");
    case PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT:
        return pl_sql_fail(scope->sql, expr->location, PL_UNSUPPORTED,
                           "IS DISTINCT FROM is not supported: use = and IS NULL");
    case PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF:
        return pl_sql_fail(scope->sql, expr->location, PL_UNSUPPORTED, "NULLIF is not supported");
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM:
        return pl_sql_fail(scope->sql, expr->location, PL_UNSUPPORTED,
                           "BETWEEN SYMMETRIC is not supported: put the smaller bound first");
    default:
        return pl_sql_fail(scope->sql, expr->location, PL_UNSUPPORTED,
                           "ANY and ALL are not supported: use IN (...)");
    }
}

static pl_status analyze_junction(pl_scope *scope, const PgQuery__BoolExpr *expr, pl_expr **out) {
    bool is_not = expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__NOT_EXPR;
    const char *op = is_not                                               ? "not"
                     : expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR ? "and"
                                                                          : "or";
    const char *name = is_not ? "NOT" : op[0] == 'a' ? "AND" : "OR";
    pl_expr *junction;
    PL_TRY(pl_expr_new(op, PL_TYPE_BOOL, &junction));
    pl_status status = PL_OK;
    const char *outer = scope->clause;
    scope->clause = name;
    for (size_t i = 0; pl_is_ok(status) && i < expr->n_args; i++) {
        pl_expr *arg;
        status = pl_analyze_bool(scope, expr->args[i], &arg);
        if (pl_is_ok(status))
            status = pl_expr_add(junction, arg);
    }
    scope->clause = outer;
    if (pl_is_ok(status))
        *out = junction;
    else
        pl_expr_free(junction);
    return status;
}

static pl_status analyze_null_test(pl_scope *scope, const PgQuery__NullTest *test, pl_expr **out) {
    pl_expr *arg;
    PL_TRY(pl_analyze(scope, test->arg, &arg));
    pl_status status =
        pl_expr_type(arg) == PL_TYPE_UNKNOWN ? pl_expr_cast(&arg, PL_TYPE_TEXT) : PL_OK;
    if (!pl_is_ok(status)) {
        pl_expr_free(arg);
        return status;
    }
    bool is_null = test->nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NULL;
    return pl_expr_unary(is_null ? "is_null" : "is_not_null", PL_TYPE_BOOL, arg, out);
}

static pl_status analyze_boolean_test(pl_scope *scope, const PgQuery__BooleanTest *test,
                                      pl_expr **out) {
    static const char *const OPS[] = {
        "", "is_true", "is_not_true", "is_false", "is_not_false", "is_null", "is_not_null"};
    if (test->booltesttype < 1 || test->booltesttype > 6)
        return pl_sql_fail(scope->sql, test->location, PL_UNSUPPORTED,
                           "this test is not supported");
    const char *outer = scope->clause;
    scope->clause = "IS TRUE and the like";
    pl_expr *arg;
    pl_status status = pl_analyze_bool(scope, test->arg, &arg);
    scope->clause = outer;
    PL_TRY(status);
    return pl_expr_unary(OPS[test->booltesttype], PL_TYPE_BOOL, arg, out);
}

/* ---- the walk ---- */

static pl_status dispatch(pl_scope *scope, const PgQuery__Node *node, pl_expr **out) {
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF:
        return analyze_column(scope, node->column_ref, out);
    case PG_QUERY__NODE__NODE_A_CONST:
        return analyze_const(scope, node->a_const, out);
    case PG_QUERY__NODE__NODE_TYPE_CAST:
        return analyze_cast(scope, node->type_cast, out);
    case PG_QUERY__NODE__NODE_A_EXPR:
        return analyze_operator(scope, node->a_expr, out);
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
        return analyze_junction(scope, node->bool_expr, out);
    case PG_QUERY__NODE__NODE_NULL_TEST:
        return analyze_null_test(scope, node->null_test, out);
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
        return analyze_boolean_test(scope, node->boolean_test, out);
    case PG_QUERY__NODE__NODE_FUNC_CALL:
        return pl_analyze_call(scope, node->func_call, out);
    default:
        return CODE_HERE(scope, node, PL_UNSUPPORTED, "%s", construct_name(node));
    }
}

pl_status pl_analyze(pl_scope *scope, const PgQuery__Node *node, pl_expr **out) {
    if (node == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "an expression in %s is empty", scope->clause);
    if (++scope->n_nodes > PL_SQL_NODES_MAX)
        return pl_fail(PL_LIMIT, "the query's expressions have more than %d parts: simplify it",
                       PL_SQL_NODES_MAX);
    if (scope->depth >= PL_EXPR_DEPTH_MAX / 4)
        return CODE_HERE(scope, node, PL_LIMIT,
                         "an expression is nested deeper than %d levels: write it flatter",
                         PL_EXPR_DEPTH_MAX / 4);
    scope->depth++;
    pl_status status = dispatch(scope, node, out);
    scope->depth--;
    return status;
}

pl_status pl_analyze_bool(pl_scope *scope, const PgQuery__Node *node, pl_expr **out) {
    pl_expr *expr;
    PL_TRY(pl_analyze(scope, node, &expr));
    pl_status status =
        pl_sql_wrap(scope->sql, pl_node_location(node), pl_expr_want_bool(&expr, scope->clause));
    if (pl_is_ok(status))
        *out = expr;
    else
        pl_expr_free(expr);
    return status;
}
