#include "node/sql/expr.h"

#include <stdlib.h>
#include <string.h>

static pl_status replace_text(char **field, const char *text) {
    char *copy;
    PL_TRY(pl_strdup(text, &copy));
    if (*field != protobuf_c_empty_string)
        free(*field);
    *field = copy;
    return PL_OK;
}

void pl_expr_free(pl_expr *expr) {
    if (expr != NULL)
        parley__v1__expr__free_unpacked(expr, NULL);
}

static Parley__V1__ColumnType column_type_of(pl_type type) {
    switch (type) {
    case PL_TYPE_INT4:
    case PL_TYPE_INT8:
        return PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER;
    case PL_TYPE_NUMERIC:
        return PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL;
    case PL_TYPE_FLOAT8:
        return PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL;
    case PL_TYPE_BOOL:
        return PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL;
    case PL_TYPE_DATE:
        return PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DATE;
    case PL_TYPE_TEXT:
        return PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_TEXT;
    case PL_TYPE_UNKNOWN:
        break;
    }
    return PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_UNSPECIFIED;
}

static pl_status set_type(pl_expr *expr, pl_type type) {
    expr->type = column_type_of(type);
    return replace_text(&expr->type_name, pl_type_name(type));
}

pl_status pl_expr_new(const char *op, pl_type type, pl_expr **out) {
    pl_expr *expr;
    PL_TRY(pl_alloc(1, sizeof *expr, &expr));
    parley__v1__expr__init(expr);
    pl_status status;
    PL_CHECK(status, replace_text(&expr->op, op));
    PL_CHECK(status, set_type(expr, type));
    *out = expr;
    return PL_OK;
out:
    pl_expr_free(expr);
    return status;
}

pl_status pl_expr_dup(const pl_expr *expr, pl_expr **out) {
    size_t len = parley__v1__expr__get_packed_size(expr);
    uint8_t *packed;
    PL_TRY(pl_alloc(len, 1, &packed));
    parley__v1__expr__pack(expr, packed);
    *out = parley__v1__expr__unpack(NULL, len, packed);
    free(packed);
    return *out ? PL_OK : pl_fail(PL_LIMIT, "there is no memory for an expression");
}

bool pl_expr_equal(const pl_expr *a, const pl_expr *b) {
    if (strcmp(a->op, b->op) != 0 || strcmp(a->text, b->text) != 0 ||
        strcmp(a->type_name, b->type_name) != 0 || a->index != b->index || a->n_args != b->n_args)
        return false;
    for (size_t i = 0; i < a->n_args; i++)
        if (!pl_expr_equal(a->args[i], b->args[i]))
            return false;
    return true;
}

pl_type pl_expr_type(const pl_expr *expr) {
    return pl_type_from_name(expr->type_name);
}

bool pl_expr_is_literal(const pl_expr *expr) {
    return strcmp(expr->op, "literal") == 0 || strcmp(expr->op, "null") == 0;
}

pl_status pl_expr_set_text(pl_expr *expr, const char *text) {
    return replace_text(&expr->text, text);
}

pl_status pl_expr_leaf(const char *op, const char *text, uint32_t index, pl_type type,
                       pl_expr **out) {
    pl_expr *expr;
    PL_TRY(pl_expr_new(op, type, &expr));
    expr->index = index;
    pl_status status = pl_expr_set_text(expr, text);
    if (pl_is_ok(status))
        *out = expr;
    else
        pl_expr_free(expr);
    return status;
}

/* Stores the value d in expr, in PostgreSQL's spelling. */
static pl_status store_literal(pl_expr *expr, const pl_datum *d) {
    char *text;
    PL_TRY(pl_datum_print(d, &text));
    pl_status status = pl_expr_set_text(expr, text);
    free(text);
    PL_TRY(status);
    return set_type(expr, d->type);
}

pl_status pl_expr_literal(pl_type type, const char *text, pl_expr **out) {
    pl_datum d;
    pl_datum_init(&d);
    pl_expr *expr = NULL;
    pl_status status;
    PL_CHECK(status, pl_datum_parse(type, text, &d));
    PL_CHECK(status, pl_expr_new("literal", type, &expr));
    PL_CHECK(status, store_literal(expr, &d));
    *out = expr;
    expr = NULL;
out:
    pl_expr_free(expr);
    pl_datum_done(&d);
    return status;
}

pl_status pl_expr_add(pl_expr *expr, pl_expr *arg) {
    pl_expr **args = realloc(expr->args, (expr->n_args + 1) * sizeof *args);
    if (args == NULL) {
        pl_expr_free(arg);
        return pl_fail(PL_LIMIT, "there is no memory for an expression");
    }
    expr->args = args;
    args[expr->n_args++] = arg;
    return PL_OK;
}

pl_status pl_expr_unary(const char *op, pl_type type, pl_expr *arg, pl_expr **out) {
    pl_expr *expr;
    pl_status status = pl_expr_new(op, type, &expr);
    if (!pl_is_ok(status)) {
        pl_expr_free(arg);
        return status;
    }
    status = pl_expr_add(expr, arg);
    if (pl_is_ok(status))
        *out = expr;
    else
        pl_expr_free(expr);
    return status;
}

/* ---- casts ---- */

/* A quoted literal takes the type by being read as one, a typed literal by conversion. */
static pl_status cast_literal(pl_expr *expr, pl_type type) {
    if (strcmp(expr->op, "null") == 0)
        return set_type(expr, type);
    pl_datum d;
    pl_datum_init(&d);
    pl_status status;
    pl_type own = pl_expr_type(expr);
    PL_CHECK(status, pl_datum_parse(own == PL_TYPE_UNKNOWN ? type : own, expr->text, &d));
    PL_CHECK(status, pl_datum_cast(&d, type));
    PL_CHECK(status, store_literal(expr, &d));
out:
    pl_datum_done(&d);
    return status;
}

pl_status pl_expr_cast_typmod(pl_expr **expr, pl_type type, const char *typmod) {
    pl_type own = pl_expr_type(*expr);
    bool has_typmod = typmod[0] != '\0';
    if (own == type && !has_typmod)
        return PL_OK;
    if (pl_expr_is_literal(*expr)) {
        PL_TRY(cast_literal(*expr, type));
        if (!has_typmod)
            return PL_OK;
    } else if (own != type && !(pl_type_is_number(own) && pl_type_is_number(type))) {
        return pl_fail(PL_UNSUPPORTED, "a cast from %s to %s is not supported", pl_type_name(own),
                       pl_type_name(type));
    }
    pl_expr *arg = *expr;
    *expr = NULL;
    PL_TRY(pl_expr_unary("cast", type, arg, expr));
    return pl_expr_set_text(*expr, typmod);
}

pl_status pl_expr_cast(pl_expr **expr, pl_type type) {
    return pl_expr_cast_typmod(expr, type, "");
}

/* ---- operators ---- */

static pl_status no_operator(const char *op, const pl_expr *a, const pl_expr *b) {
    return pl_fail(PL_UNSUPPORTED, "operator does not exist: %s %s %s", a->type_name, op,
                   b->type_name);
}

/* Makes one of two number types: the order of pl_type is PostgreSQL's order of preference. */
static pl_status unify_numbers(pl_expr **a, pl_expr **b) {
    pl_type x = pl_expr_type(*a), y = pl_expr_type(*b);
    PL_TRY(pl_expr_cast(a, x > y ? x : y));
    return pl_expr_cast(b, x > y ? x : y);
}

/* Gives a quoted literal or NULL the type of the other side. */
static pl_status settle_unknown(pl_expr **a, pl_expr **b) {
    pl_type x = pl_expr_type(*a), y = pl_expr_type(*b);
    if (x == PL_TYPE_UNKNOWN && y == PL_TYPE_UNKNOWN) {
        PL_TRY(pl_expr_cast(a, PL_TYPE_TEXT));
        return pl_expr_cast(b, PL_TYPE_TEXT);
    }
    if (x == PL_TYPE_UNKNOWN)
        return pl_expr_cast(a, y);
    return y == PL_TYPE_UNKNOWN ? pl_expr_cast(b, x) : PL_OK;
}

static pl_status join(const char *op, pl_type type, pl_expr *a, pl_expr *b, pl_expr **out) {
    pl_expr *expr = NULL;
    pl_status status = pl_expr_unary(op, type, a, &expr);
    if (!pl_is_ok(status)) {
        pl_expr_free(b);
        return status;
    }
    status = pl_expr_add(expr, b);
    if (pl_is_ok(status))
        *out = expr;
    else
        pl_expr_free(expr);
    return status;
}

pl_status pl_expr_arith(const char *op, pl_expr *a, pl_expr *b, pl_expr **out) {
    pl_status status;
    PL_CHECK(status, settle_unknown(&a, &b));
    if (!pl_type_is_number(pl_expr_type(a)) || !pl_type_is_number(pl_expr_type(b)))
        PL_CHECK(status, no_operator(op, a, b));
    PL_CHECK(status, unify_numbers(&a, &b));
    pl_type type = pl_expr_type(a);
    if (op[0] == '%' && type == PL_TYPE_FLOAT8)
        PL_CHECK(status, no_operator(op, a, b));
    return join(op, type, a, b, out);
out:
    pl_expr_free(a);
    pl_expr_free(b);
    return status;
}

pl_status pl_expr_compare(const char *op, pl_expr *a, pl_expr *b, pl_expr **out) {
    pl_status status;
    PL_CHECK(status, settle_unknown(&a, &b));
    pl_type x = pl_expr_type(a), y = pl_expr_type(b);
    if (pl_type_is_number(x) && pl_type_is_number(y))
        PL_CHECK(status, unify_numbers(&a, &b));
    else if (x != y)
        PL_CHECK(status, no_operator(op, a, b));
    return join(op, PL_TYPE_BOOL, a, b, out);
out:
    pl_expr_free(a);
    pl_expr_free(b);
    return status;
}

pl_status pl_expr_want_bool(pl_expr **expr, const char *clause) {
    pl_type type = pl_expr_type(*expr);
    if (type == PL_TYPE_UNKNOWN)
        return pl_expr_cast(expr, PL_TYPE_BOOL);
    if (type != PL_TYPE_BOOL)
        return pl_fail(PL_INVALID_ARGUMENT, "argument of %s must be type boolean, not type %s",
                       clause, pl_type_name(type));
    return PL_OK;
}
