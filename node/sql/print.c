/* Expressions as SQL, for people who approve a plan. */
#include "node/sql/expr.h"
#include "node/sql/statistic.h"

#include <ctype.h>
#include <string.h>

static void print_literal(const pl_expr *expr, pl_buf *out) {
    pl_type type = pl_expr_type(expr);
    if (pl_type_is_number(type)) {
        pl_buf_printf(out, "%s", expr->text);
    } else if (type == PL_TYPE_BOOL) {
        pl_buf_printf(out, "%s", expr->text[0] == 't' ? "true" : "false");
    } else {
        pl_buf_append(out, "'", 1);
        for (const char *at = expr->text; *at != '\0'; at++)
            pl_buf_append(out, *at == '\'' ? "''" : at, *at == '\'' ? 2 : 1);
        pl_buf_append(out, "'", 1);
    }
}

static void print_upper(const char *name, pl_buf *out) {
    for (const char *at = name; *at != '\0'; at++) {
        char upper = (char)toupper((unsigned char)*at);
        pl_buf_append(out, &upper, 1);
    }
}

static void print_call(const pl_expr *expr, pl_buf *out) {
    print_upper(expr->op, out);
    pl_buf_append(out, "(", 1);
    if (expr->n_args == 0)
        pl_buf_printf(out, "%s", expr->text[0] ? expr->text : "*");
    for (size_t i = 0; i < expr->n_args; i++) {
        pl_buf_printf(out, "%s", i ? ", " : "");
        pl_expr_print(expr->args[i], out);
    }
    pl_buf_append(out, ")", 1);
}

static void print_joined(const pl_expr *expr, const char *op, pl_buf *out) {
    for (size_t i = 0; i < expr->n_args; i++) {
        const pl_expr *arg = expr->args[i];
        bool is_leaf =
            arg->n_args == 0 || strcmp(arg->op, "cast") == 0 || strcmp(arg->op, "round") == 0;
        if (i > 0)
            pl_buf_printf(out, " %s ", op);
        pl_buf_printf(out, "%s", is_leaf ? "" : "(");
        pl_expr_print(arg, out);
        pl_buf_printf(out, "%s", is_leaf ? "" : ")");
    }
}

/* Operators written around or after their argument. */
static bool print_wrapped(const pl_expr *expr, pl_buf *out) {
    static const char *const FORMS[][3] = {
        {"not", "NOT (", ")"},           {"negate", "-(", ")"},
        {"is_null", "(", ") IS NULL"},   {"is_not_null", "(", ") IS NOT NULL"},
        {"is_true", "(", ") IS TRUE"},   {"is_not_true", "(", ") IS NOT TRUE"},
        {"is_false", "(", ") IS FALSE"}, {"is_not_false", "(", ") IS NOT FALSE"},
    };
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++)
        if (strcmp(expr->op, FORMS[i][0]) == 0 && expr->n_args == 1) {
            bool is_plain = FORMS[i][1][0] == '(' && expr->args[0]->n_args == 0;
            pl_buf_printf(out, "%s", FORMS[i][1] + is_plain);
            pl_expr_print(expr->args[0], out);
            pl_buf_printf(out, "%s", FORMS[i][2] + is_plain);
            return true;
        }
    return false;
}

/* A statistic is shown with its columns, not with the sums that it is made of. */
static bool print_statistic(const pl_expr *expr, pl_buf *out) {
    size_t statistic = 0;
    pl_status found = pl_statistic_find(expr->op, &statistic);
    bool is_statistic = pl_is_ok(found) && expr->n_args == pl_statistic_n_args(statistic);
    pl_status_done(&found); /* no statistic, then */
    if (!is_statistic)
        return false;
    print_upper(expr->op, out);
    bool is_of_two = expr->n_args == 6; /* REGR_SLOPE(Y, X) is made of SUM(X), SUM(Y), ... */
    pl_buf_printf(out, "(%s%s%s)", is_of_two ? expr->args[2]->text : "", is_of_two ? ", " : "",
                  expr->args[1]->text);
    return true;
}

void pl_expr_print(const pl_expr *expr, pl_buf *out) {
    if (strcmp(expr->op, "literal") == 0) {
        print_literal(expr, out);
    } else if (strcmp(expr->op, "null") == 0) {
        pl_buf_printf(out, "NULL");
    } else if (strcmp(expr->op, "column") == 0 || strcmp(expr->op, "key") == 0) {
        pl_buf_printf(out, "%s", expr->text);
    } else if (strcmp(expr->op, "cast") == 0 && expr->n_args == 1) {
        pl_buf_printf(out, "CAST(");
        pl_expr_print(expr->args[0], out);
        pl_buf_printf(out, " AS %s%s%s%s)", expr->type_name, expr->text[0] ? "(" : "", expr->text,
                      expr->text[0] ? ")" : "");
    } else if (strcmp(expr->op, "and") == 0 || strcmp(expr->op, "or") == 0) {
        print_joined(expr, expr->op[0] == 'a' ? "AND" : "OR", out);
    } else if (!print_statistic(expr, out) && !print_wrapped(expr, out)) {
        if (isalpha((unsigned char)expr->op[0]))
            print_call(expr, out);
        else
            print_joined(expr, expr->op, out);
    }
}
