/* Plan: one SELECT and the catalogue to a QueryPlan. Pure: no clock, no randomness, no locale;
 * every node gets the same. */
#ifndef PL_SQL_PLAN_H
#define PL_SQL_PLAN_H

#include "node/sql/datum.h"
#include "proto/plan.pb-c.h"
#include "protocols/base/bytes.h"

#define PL_SQL_CELLS_MAX 65536
#define PL_SQL_KEYS_MAX 8
#define PL_SQL_OUTPUTS_MAX 64
#define PL_SQL_MOMENTS_MAX 64

/* pl_sql_plan parses and compiles; out->cohort is left 0, for the caller to set. The caller frees
 * *out. What a cell is: one combination of declared values of the GROUP BY columns, in the order
 * written, first slowest; NULL is the last value of a nullable column. Without GROUP BY there is
 * one cell. Errors begin with their place in the text: INVALID_ARGUMENT, UNSUPPORTED, NOT_FOUND,
 * LIMIT, OUT_OF_RANGE. */
PL_STATUS pl_sql_plan(const char *text, const Parley__V1__Dataset *const *datasets,
                      size_t n_datasets, Parley__V1__QueryPlan **out);

/* COUNT(*) and COUNT: what the cohort rule looks at. MIN and MAX are extremes, the rest are sums.
 */
bool pl_moment_is_count(const Parley__V1__Moment *moment);
bool pl_moment_is_extreme(const Parley__V1__Moment *moment);
/* The SQL type of a count or an extreme. */
pl_type pl_moment_type(const Parley__V1__Moment *moment);

/* pl_sql_plan_check validates a plan that came from elsewhere: indices, cells, rings, counts.
 * INVALID_ARGUMENT. */
PL_STATUS pl_sql_plan_check(const Parley__V1__QueryPlan *plan);

#endif
