/* Eval: runs the typed expressions of a plan, over a row at its owner (WHERE) or over what was
 * opened at a recipient.
 *
 * Compiled once, run per row. The plan may come from elsewhere: compiling checks it (operators,
 * numbers of arguments, types, depth), running trusts it. Three-valued logic as in SQL. */
#ifndef PL_SQL_EVAL_H
#define PL_SQL_EVAL_H

#include "node/sql/datum.h"
#include "proto/plan.pb-c.h"

#define PL_EXPR_DEPTH_MAX                                                                          \
    512 /* planning stops at a quarter: one level of text makes at most four here */

typedef struct pl_eval pl_eval;

/* bind says which slot holds the value of a leaf (a column, key or aggregate) and its type; an
 * error refuses the plan. */
typedef pl_status (*pl_eval_bind)(void *ctx, const Parley__V1__Expr *leaf, size_t *out_slot,
                                  pl_type *out_type);

/* Errors: INVALID_ARGUMENT (malformed plan), LIMIT (depth), those of bind and of a literal. */
PL_STATUS pl_eval_compile(const Parley__V1__Expr *expr, pl_eval_bind bind, void *ctx,
                          pl_eval **out);
void pl_eval_free(pl_eval *eval);
pl_type pl_eval_type(const pl_eval *eval);

/* pl_eval_run computes the expression over slots. out was initialised; it borrows text from slots
 * and the expression. Errors: OUT_OF_RANGE (overflow, division by zero). */
PL_STATUS pl_eval_run(const pl_eval *eval, const pl_datum *slots, pl_datum *out);

/* pl_eval_is_true runs a boolean expression; NULL counts as false. A NULL eval (no clause) is true.
 */
PL_STATUS pl_eval_is_true(const pl_eval *eval, const pl_datum *slots, bool *out);

#endif
