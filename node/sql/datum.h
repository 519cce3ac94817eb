/* Datum: one SQL value, with PostgreSQL's types, casts, comparison and arithmetic.
 *
 * A datum is valid after pl_datum_init. Text is borrowed: from a row, a plan or a literal that
 * outlives the datum; no operation makes new text. Errors never hold a value, except those of
 * pl_datum_parse, which is for literals of a query. */
#ifndef PL_SQL_DATUM_H
#define PL_SQL_DATUM_H

#include "node/sql/numeric.h"
#include "proto/catalog.pb-c.h"

typedef enum pl_type {
    PL_TYPE_UNKNOWN, /* a quoted literal, until its neighbour gives it a type */
    PL_TYPE_BOOL,
    PL_TYPE_INT4,
    PL_TYPE_INT8,
    PL_TYPE_NUMERIC,
    PL_TYPE_FLOAT8,
    PL_TYPE_DATE,
    PL_TYPE_TEXT,
} pl_type;

typedef struct pl_datum {
    pl_type type;
    bool is_null;
    int64_t integer; /* bool (0, 1), int4, int8, date (days since 2000-01-01) */
    double real;
    pl_view text;
    bool has_numeric;
    pl_numeric numeric; /* initialised when has_numeric */
} pl_datum;

const char *pl_type_name(pl_type type);      /* "bigint", "numeric", ... */
pl_type pl_type_from_name(const char *name); /* UNKNOWN: no such type */
pl_type pl_type_of_column(Parley__V1__ColumnType type);
bool pl_type_is_number(pl_type type);

void pl_datum_init(pl_datum *d); /* NULL of unknown type */
void pl_datum_done(pl_datum *d);
void pl_datum_copy(pl_datum *d, const pl_datum *from);
void pl_datum_set_null(pl_datum *d, pl_type type);
void pl_datum_set_bool(pl_datum *d, bool value);
void pl_datum_set_integer(pl_datum *d, pl_type type, int64_t value);
void pl_datum_set_real(pl_datum *d, double value);
void pl_datum_set_text(pl_datum *d, pl_view text);
/* pl_datum_numeric makes d a numeric and gives its number to write into. */
pl_numeric *pl_datum_numeric(pl_datum *d);

/* pl_datum_parse reads text as PostgreSQL reads a literal of the type; d borrows text when type is
 * text. Errors: INVALID_ARGUMENT ("invalid input syntax for type date: ..."), OUT_OF_RANGE. */
PL_STATUS pl_datum_parse(pl_type type, const char *text, pl_datum *d);
/* pl_datum_print gives PostgreSQL's text of a value that is not NULL (bool: t or f). */
PL_STATUS pl_datum_print(const pl_datum *d, char **out);

/* pl_datum_cast converts in place; NULL stays NULL. UNSUPPORTED for pairs that have no cast. */
PL_STATUS pl_datum_cast(pl_datum *d, pl_type type);

/* Both not NULL and of one type. Text compares by bytes (collation "C"). */
int pl_datum_compare(const pl_datum *a, const pl_datum *b);

/* op is one of + - * / %; a and b are numbers of one type; NULL gives NULL. out may not alias.
 * Errors: OUT_OF_RANGE with PostgreSQL's text ("bigint out of range", "division by zero"). */
PL_STATUS pl_datum_arith(char op, const pl_datum *a, const pl_datum *b, pl_datum *out);
PL_STATUS pl_datum_negate(pl_datum *d);

#endif
