/* Statistic: variance, covariance and regression from sums: what PostgreSQL calculates from the
 * same sums. Of one column exact, with PostgreSQL's numeric rules; of two exact rationals, rounded
 * once to double precision. */
#ifndef PL_SQL_STATISTIC_H
#define PL_SQL_STATISTIC_H

#include "node/sql/datum.h"

/* Which statistic: position in the table of names. */
PL_STATUS pl_statistic_find(const char *name, size_t *out); /* NOT_FOUND */
size_t pl_statistic_n_args(size_t statistic);               /* 3 or 6 */
pl_type pl_statistic_type(size_t statistic);

/* args: COUNT, SUM(x), SUM(x*x); of two columns COUNT, SUM(x), SUM(y), SUM(x*x), SUM(y*y),
 * SUM(x*y), over rows in which both are there. Sums are numeric, NULL when nothing was summed.
 * Errors: OUT_OF_RANGE.
 * Source: PostgreSQL 15, src/backend/utils/adt/numeric.c (numeric_stddev_internal) and float.c
 * (float8_regr_*, float8_covar_*, float8_corr). */
PL_STATUS pl_statistic_run(size_t statistic, const pl_datum *args, pl_datum *out);

#endif
