/* Table: what FROM names: one dataset, or the union of all members' datasets of that name, as one
 * list of columns.
 *
 * In a union the types must agree; ranges, declared values and nullability are united, row bounds
 * added up. */
#ifndef PL_SQL_TABLE_H
#define PL_SQL_TABLE_H

#include "node/sql/datum.h"
#include "node/sql/parse.h"

typedef struct pl_table {
    const Parley__V1__Dataset **inputs; /* borrowed datasets, sorted by organisation */
    size_t n_inputs;
    const char *org, *name, *alias; /* as FROM has them; org NULL: the union; alias NULL: none */
    uint64_t rows_max;              /* over all inputs */
} pl_table;

/* One column of the table, united over its inputs. */
typedef struct pl_table_column {
    const char *name; /* borrowed */
    pl_type type;
    Parley__V1__ColumnType column_type;
    uint32_t precision, scale;
    bool nullable, has_range;
    pl_numeric
        magnitude; /* largest absolute value by range, or by type when no range is declared */
} pl_table_column;

/* pl_table_open finds the datasets. Errors: NOT_FOUND (with what there is), UNSUPPORTED (joins,
 * subqueries ...). */
PL_STATUS pl_table_open(const pl_sql *sql, const Parley__V1__Dataset *const *datasets,
                        size_t n_datasets, pl_table *out);
void pl_table_done(pl_table *table);

/* pl_table_find unites one column. NOT_FOUND; INVALID_ARGUMENT when two organisations disagree
 * (both named). */
PL_STATUS pl_table_find(const pl_table *table, const char *name, pl_table_column *out);
void pl_table_column_done(pl_table_column *column);

/* pl_table_values unites the declared values of a column: the first input's in its order, then what
 * the others add. The texts are borrowed, the caller frees the list. */
PL_STATUS pl_table_values(const pl_table *table, const char *name, const char ***out_values,
                          size_t *out_n);

#endif
