/* Expr: building the typed expressions of a plan (parley.v1.Expr), with PostgreSQL's rules for
 * mixed types.
 *
 * Functions that take an Expr to build upon consume it, also when they fail. Operators:
 * node/sql/README.md. */
#ifndef PL_SQL_EXPR_H
#define PL_SQL_EXPR_H

#include "node/sql/datum.h"
#include "proto/plan.pb-c.h"

typedef Parley__V1__Expr pl_expr;

PL_STATUS pl_expr_new(const char *op, pl_type type, pl_expr **out);
void pl_expr_free(pl_expr *expr); /* NULL is fine */
PL_STATUS pl_expr_dup(const pl_expr *expr, pl_expr **out);
bool pl_expr_equal(const pl_expr *a, const pl_expr *b);
pl_type pl_expr_type(const pl_expr *expr);
bool pl_expr_is_literal(const pl_expr *expr); /* a literal or NULL */

PL_STATUS pl_expr_set_text(pl_expr *expr, const char *text);
/* pl_expr_leaf makes a column, key or aggregate leaf. */
PL_STATUS pl_expr_leaf(const char *op, const char *text, uint32_t index, pl_type type,
                       pl_expr **out);
/* pl_expr_literal checks text as a literal of the type and stores it in PostgreSQL's spelling. */
PL_STATUS pl_expr_literal(pl_type type, const char *text, pl_expr **out);

/* pl_expr_add appends an argument (consumed). */
PL_STATUS pl_expr_add(pl_expr *expr, pl_expr *arg);
PL_STATUS pl_expr_unary(const char *op, pl_type type, pl_expr *arg, pl_expr **out);

/* pl_expr_cast converts *expr, literals at once; typmod is "" or "p,s". *expr stays the
 * caller's, also on failure. */
PL_STATUS pl_expr_cast(pl_expr **expr, pl_type type);
PL_STATUS pl_expr_cast_typmod(pl_expr **expr, pl_type type, const char *typmod);

/* pl_expr_arith and pl_expr_compare join a and b under op after making their types one.
 * UNSUPPORTED "operator does not exist: text + bigint". */
PL_STATUS pl_expr_arith(const char *op, pl_expr *a, pl_expr *b, pl_expr **out);
PL_STATUS pl_expr_compare(const char *op, pl_expr *a, pl_expr *b, pl_expr **out);

/* pl_expr_want_bool makes *expr boolean (a quoted literal, NULL) or fails naming clause. */
PL_STATUS pl_expr_want_bool(pl_expr **expr, const char *clause);

/* pl_expr_print appends the expression as SQL, for people. */
void pl_expr_print(const pl_expr *expr, pl_buf *out);

#endif
