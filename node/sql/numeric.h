/* Numeric: PostgreSQL's numeric type on GMP, exact to the last digit and trailing zero.
 *
 * A number is value / 10^dscale; dscale, the display scale, is how many digits are shown after the
 * point. The rules for the scale of a result are PostgreSQL's (src/backend/utils/adt/numeric.c,
 * version 15): addition keeps the larger scale, multiplication adds them, division shows at least
 * 16 significant digits, counted in groups of four. NaN and infinity cannot arise here. Valid after
 * pl_numeric_init only; GMP allocates and aborts when memory ends, as it always does. */
#ifndef PL_SQL_NUMERIC_H
#define PL_SQL_NUMERIC_H

#include "protocols/base/bytes.h"

#include <gmp.h>

__extension__ typedef __int128 pl_i128;

#define PL_NUMERIC_DSCALE_MAX 16383
#define PL_NUMERIC_DIGITS_MAX 131072 /* before the point */

typedef struct pl_numeric {
    mpz_t value;
    int dscale;
} pl_numeric;

void pl_numeric_init(pl_numeric *x); /* 0 with scale 0 */
void pl_numeric_done(pl_numeric *x);
void pl_numeric_set(pl_numeric *x, const pl_numeric *from);
void pl_numeric_set_i64(pl_numeric *x, int64_t value);
void pl_numeric_set_i128(pl_numeric *x, pl_i128 value, int dscale);

/* pl_numeric_parse reads "-12.50" or "1.5e3" (blanks around allowed). INVALID_ARGUMENT, LIMIT (too
 * many digits). */
PL_STATUS pl_numeric_parse(const char *text, pl_numeric *out);
/* pl_numeric_print gives PostgreSQL's text. */
PL_STATUS pl_numeric_print(const pl_numeric *x, char **out);

/* out may alias x or y in all of these. OUT_OF_RANGE: more digits than PostgreSQL's numeric holds.
 */
void pl_numeric_neg(pl_numeric *x);
void pl_numeric_add(const pl_numeric *x, const pl_numeric *y, pl_numeric *out);
void pl_numeric_sub(const pl_numeric *x, const pl_numeric *y, pl_numeric *out);
PL_STATUS pl_numeric_mul(const pl_numeric *x, const pl_numeric *y, pl_numeric *out);
/* OUT_OF_RANGE "division by zero". Rounds half away from zero at PostgreSQL's scale for a quotient.
 */
PL_STATUS pl_numeric_div(const pl_numeric *x, const pl_numeric *y, pl_numeric *out);
PL_STATUS pl_numeric_mod(const pl_numeric *x, const pl_numeric *y, pl_numeric *out);
int pl_numeric_cmp(const pl_numeric *x, const pl_numeric *y);

/* pl_numeric_round rounds half away from zero to digits after the point (negative: before it). */
void pl_numeric_round(pl_numeric *x, int digits);

/* pl_numeric_to_i64 rounds half away from zero; OUT_OF_RANGE when the result does not fit ("bigint
 * out of range"). */
PL_STATUS pl_numeric_to_i64(const pl_numeric *x, int64_t *out);
PL_STATUS pl_numeric_to_double(const pl_numeric *x, double *out);
/* pl_numeric_set_double keeps 15 significant digits, as PostgreSQL's cast does. OUT_OF_RANGE unless
 * finite. */
PL_STATUS pl_numeric_set_double(pl_numeric *x, double value);

#endif
