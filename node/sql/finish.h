/* Finish: at a recipient, opened moments become the rows of the result, with PostgreSQL's types and
 * scales. */
#ifndef PL_SQL_FINISH_H
#define PL_SQL_FINISH_H

#include "node/sql/numeric.h"
#include "proto/plan.pb-c.h"
#include "proto/session.pb-c.h"
#include "protocols/base/bytes.h"

typedef struct pl_opened {
    const uint64_t
        *ok; /* [n_cells], 0 or 1: the cohort rule's verdict; NULL when plan->cohort is 0 */
    const pl_i128 *moments; /* [n_moments * n_cells], moment-major; 0 where a cell is withheld */
} pl_opened;

/* pl_sql_finish drops what may not or need not be shown, applies HAVING, calculates the result
 * columns and sorts. Without ORDER BY rows come in the order of the cells; rows that ORDER BY finds
 * equal too. A cell without rows is dropped when the query is grouped. With a cohort, cells
 * withheld or empty are counted together: they cannot be told apart. Errors: OUT_OF_RANGE
 * (overflow, division by zero: as PostgreSQL), INVALID_ARGUMENT (malformed plan). */
PL_STATUS pl_sql_finish(const Parley__V1__QueryPlan *plan, const pl_opened *opened,
                        Parley__V1__ResultTable **out);

#endif
