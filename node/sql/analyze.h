/* Analyze: one expression of PostgreSQL's parse tree to a typed expression of a plan.
 *
 * A scope says what a name means: over rows (WHERE, at the owner) a name is a column; over cells
 * (everything else) it is a group key, and aggregates are registered as moments of the plan. */
#ifndef PL_SQL_ANALYZE_H
#define PL_SQL_ANALYZE_H

#include "node/sql/expr.h"
#include "node/sql/plan.h"
#include "node/sql/table.h"

#define PL_SQL_NODES_MAX                                                                           \
    4096 /* of all expressions of one query together, after IN and BETWEEN are written out */

typedef struct pl_scope {
    const pl_sql *sql;
    const pl_table *table;
    Parley__V1__QueryPlan *plan;
    const char *clause; /* "WHERE", for errors */
    bool over_rows;
    unsigned depth, n_nodes;
} pl_scope;

/* Errors carry their place: UNSUPPORTED (construct named), NOT_FOUND, INVALID_ARGUMENT, LIMIT,
 * OUT_OF_RANGE. */
PL_STATUS pl_analyze(pl_scope *scope, const PgQuery__Node *node, pl_expr **out);

/* pl_analyze_call is the part of pl_analyze for functions (call.c). */
PL_STATUS pl_analyze_call(pl_scope *scope, const PgQuery__FuncCall *call, pl_expr **out);

/* pl_analyze_bool also demands a boolean. */
PL_STATUS pl_analyze_bool(pl_scope *scope, const PgQuery__Node *node, pl_expr **out);

/* pl_analyze_column gives the name of the table's column that a column reference names; qualifiers
 * are checked. */
PL_STATUS pl_analyze_column(const pl_scope *scope, const PgQuery__ColumnRef *ref, const char **out);

/* pl_analyze_statistic is the part of pl_analyze_call for variances, covariances and regression
 * (statistic.c); *out stays NULL when name is none of them. */
PL_STATUS pl_analyze_statistic(pl_scope *scope, const PgQuery__FuncCall *call, const char *name,
                               pl_expr **out);
PL_STATUS pl_analyze_check_call(const pl_scope *scope, const PgQuery__FuncCall *call,
                                const char *name);

/* pl_moment_find gives the index of a moment, which is added when the plan lacks it. column may be
 * NULL for COUNT(*); other is the second factor of a product, or narrows a count or sum to rows in
 * which it is not NULL either (NULL: none). Here the ring of a sum is chosen from the declared
 * ranges. OUT_OF_RANGE: the sum might not fit 128 bits. */
PL_STATUS pl_moment_find(Parley__V1__QueryPlan *plan, const pl_table *table,
                         Parley__V1__MomentKind kind, const pl_table_column *column,
                         const pl_table_column *other, uint32_t *out_index);

int pl_node_location(const PgQuery__Node *node); /* byte offset, -1: none */

#endif
