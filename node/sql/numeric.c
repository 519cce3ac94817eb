#include "node/sql/numeric.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIV_SIGNIFICANT_DIGITS 16 /* PostgreSQL: NUMERIC_MIN_SIG_DIGITS */
#define DIV_DSCALE_MAX 1000       /* PostgreSQL: NUMERIC_MAX_DISPLAY_SCALE */
#define ROUND_DIGITS_MAX 2000     /* PostgreSQL: NUMERIC_MAX_RESULT_SCALE */
#define GROUP_DIGITS 4            /* PostgreSQL counts digits in base 10,000 */

__extension__ typedef unsigned __int128 u128;

void pl_numeric_init(pl_numeric *x) {
    mpz_init(x->value);
    x->dscale = 0;
}

void pl_numeric_done(pl_numeric *x) {
    mpz_clear(x->value);
}

void pl_numeric_set(pl_numeric *x, const pl_numeric *from) {
    mpz_set(x->value, from->value);
    x->dscale = from->dscale;
}

void pl_numeric_set_i128(pl_numeric *x, pl_i128 value, int dscale) {
    u128 magnitude = value < 0 ? -(u128)value : (u128)value;
    uint64_t words[2] = {(uint64_t)magnitude, (uint64_t)(magnitude >> 64)};
    mpz_import(x->value, 2, -1, sizeof words[0], 0, 0, words);
    if (value < 0)
        mpz_neg(x->value, x->value);
    x->dscale = dscale;
}

void pl_numeric_set_i64(pl_numeric *x, int64_t value) {
    pl_numeric_set_i128(x, value, 0);
}

static void scale_up(mpz_t value, unsigned digits) {
    if (digits == 0)
        return;
    mpz_t power;
    mpz_init(power);
    mpz_ui_pow_ui(power, 10, digits);
    mpz_mul(value, value, power);
    mpz_clear(power);
}

/* value = value / divisor, rounded half away from zero; divisor > 0. */
static void divide_rounded(mpz_t value, const mpz_t divisor) {
    int sign = mpz_sgn(value);
    mpz_abs(value, value);
    mpz_mul_2exp(value, value, 1);
    mpz_add(value, value, divisor);
    mpz_t twice;
    mpz_init(twice);
    mpz_mul_2exp(twice, divisor, 1);
    mpz_fdiv_q(value, value, twice);
    mpz_clear(twice);
    if (sign < 0)
        mpz_neg(value, value);
}

static void scale_down(mpz_t value, unsigned digits) {
    mpz_t power;
    mpz_init(power);
    mpz_ui_pow_ui(power, 10, digits);
    divide_rounded(value, power);
    mpz_clear(power);
}

static void rescale(pl_numeric *x, int dscale) {
    if (dscale >= x->dscale)
        scale_up(x->value, (unsigned)(dscale - x->dscale));
    else
        scale_down(x->value, (unsigned)(x->dscale - dscale));
    x->dscale = dscale;
}

/* Number of decimal digits of |value|; 0 for 0. */
static long decimal_digits(const mpz_t value) {
    if (mpz_sgn(value) == 0)
        return 0;
    long digits = (long)mpz_sizeinbase(value, 10); /* exact or one too big */
    mpz_t power;
    mpz_init(power);
    mpz_ui_pow_ui(power, 10, (unsigned long)(digits - 1));
    if (mpz_cmpabs(value, power) < 0)
        digits--;
    mpz_clear(power);
    return digits;
}

static pl_status check_size(const pl_numeric *x) {
    if ((long)mpz_sizeinbase(x->value, 10) - x->dscale > PL_NUMERIC_DIGITS_MAX)
        return pl_fail(PL_OUT_OF_RANGE, "value overflows numeric format");
    return PL_OK;
}

static const char *skip_digits(const char *at) {
    while (*at >= '0' && *at <= '9')
        at++;
    return at;
}

static const char *skip_blanks(const char *at) {
    while (*at == ' ' || (*at >= '\t' && *at <= '\r'))
        at++;
    return at;
}

/* Reads "e+12" at `at` into *out_exponent and returns its end; NULL when it is malformed. */
static const char *parse_exponent(const char *at, long *out_exponent) {
    if (*at != 'e' && *at != 'E')
        return at;
    const char *digits = at + 1 + (at[1] == '+' || at[1] == '-');
    const char *end = skip_digits(digits);
    if (end == digits || end - digits > 6)
        return NULL;
    *out_exponent = strtol(at + 1, NULL, 10);
    return end;
}

static pl_status invalid(void) {
    return pl_fail(PL_INVALID_ARGUMENT, "invalid input syntax for type numeric");
}

static pl_status parse_parts(const char *first, const char *point, const char *end, long exponent,
                             bool negative, pl_numeric *out) {
    size_t n = (size_t)(end - first);
    if (n > PL_NUMERIC_DIGITS_MAX || exponent > PL_NUMERIC_DIGITS_MAX ||
        exponent < -PL_NUMERIC_DSCALE_MAX)
        return pl_fail(PL_LIMIT, "a number has too many digits");
    char *digits;
    PL_TRY(pl_alloc(n + 1, 1, &digits));
    size_t len = 0;
    for (const char *at = first; at < end; at++)
        if (*at != '.')
            digits[len++] = *at;
    int failed = mpz_set_str(out->value, digits, 10);
    free(digits);
    if (failed)
        return invalid();
    long dscale = (point ? end - point - 1 : 0) - exponent;
    if (dscale > PL_NUMERIC_DSCALE_MAX)
        return pl_fail(PL_LIMIT, "a number has too many digits");
    if (dscale < 0)
        scale_up(out->value, (unsigned)-dscale);
    out->dscale = dscale < 0 ? 0 : (int)dscale;
    if (negative)
        mpz_neg(out->value, out->value);
    return check_size(out);
}

pl_status pl_numeric_parse(const char *text, pl_numeric *out) {
    const char *at = skip_blanks(text);
    bool negative = *at == '-';
    at += *at == '-' || *at == '+';
    const char *first = at;
    const char *point = NULL;
    at = skip_digits(at);
    if (*at == '.') {
        point = at;
        at = skip_digits(at + 1);
    }
    if (at - first - (point != NULL) < 1)
        return invalid();
    long exponent = 0;
    const char *end = parse_exponent(at, &exponent);
    if (end == NULL || *skip_blanks(end) != '\0')
        return invalid();
    return parse_parts(first, point, at, exponent, negative, out);
}

pl_status pl_numeric_print(const pl_numeric *x, char **out) {
    size_t scale = (size_t)x->dscale;
    size_t room = mpz_sizeinbase(x->value, 10) + 1;
    char *digits;
    PL_TRY(pl_alloc(room + 1, 1, &digits));
    mpz_get_str(digits, 10, x->value);
    const char *magnitude = digits + (digits[0] == '-');
    size_t len = strlen(magnitude);
    size_t whole = len > scale ? len - scale : 0;
    pl_buf text = {0};
    if (digits[0] == '-')
        pl_buf_append(&text, "-", 1);
    if (whole == 0)
        pl_buf_append(&text, "0", 1);
    pl_buf_append(&text, magnitude, whole);
    if (scale > 0)
        pl_buf_append(&text, ".", 1);
    for (size_t i = len - whole; i < scale; i++)
        pl_buf_append(&text, "0", 1);
    pl_buf_append(&text, magnitude + whole, len - whole);
    free(digits);
    pl_bytes bytes = {0};
    PL_TRY(pl_buf_take(&text, &bytes));
    *out = (char *)bytes.data;
    return PL_OK;
}

void pl_numeric_neg(pl_numeric *x) {
    mpz_neg(x->value, x->value);
}

/* Gives copies of x and y at their larger scale. */
static void align(const pl_numeric *x, const pl_numeric *y, pl_numeric *out_x, pl_numeric *out_y) {
    int dscale = x->dscale > y->dscale ? x->dscale : y->dscale;
    pl_numeric_init(out_x);
    pl_numeric_init(out_y);
    pl_numeric_set(out_x, x);
    pl_numeric_set(out_y, y);
    rescale(out_x, dscale);
    rescale(out_y, dscale);
}

void pl_numeric_add(const pl_numeric *x, const pl_numeric *y, pl_numeric *out) {
    pl_numeric a, b;
    align(x, y, &a, &b);
    mpz_add(out->value, a.value, b.value);
    out->dscale = a.dscale;
    pl_numeric_done(&a);
    pl_numeric_done(&b);
}

void pl_numeric_sub(const pl_numeric *x, const pl_numeric *y, pl_numeric *out) {
    pl_numeric a, b;
    align(x, y, &a, &b);
    mpz_sub(out->value, a.value, b.value);
    out->dscale = a.dscale;
    pl_numeric_done(&a);
    pl_numeric_done(&b);
}

pl_status pl_numeric_mul(const pl_numeric *x, const pl_numeric *y, pl_numeric *out) {
    int dscale = x->dscale + y->dscale;
    mpz_mul(out->value, x->value, y->value);
    out->dscale = dscale;
    if (dscale > PL_NUMERIC_DSCALE_MAX)
        rescale(out, PL_NUMERIC_DSCALE_MAX);
    return check_size(out);
}

/* PostgreSQL's normalised form: value = lead * 10000^weight * (1 + less), 1 <= lead < 10000; zero
 * gives 0 and 0. */
static void lead_group(const pl_numeric *x, long *out_weight, long *out_lead) {
    long digits = decimal_digits(x->value);
    *out_weight = *out_lead = 0;
    if (digits == 0)
        return;
    long exponent = digits - 1 - x->dscale;
    long weight = exponent >= 0 ? exponent / GROUP_DIGITS : -((-exponent - 1) / GROUP_DIGITS) - 1;
    long drop =
        weight * GROUP_DIGITS + x->dscale; /* digits of the integer below the leading group */
    mpz_t lead;
    mpz_init(lead);
    mpz_abs(lead, x->value);
    if (drop > 0) {
        mpz_t power;
        mpz_init(power);
        mpz_ui_pow_ui(power, 10, (unsigned long)drop);
        mpz_fdiv_q(lead, lead, power);
        mpz_clear(power);
    } else {
        scale_up(lead, (unsigned)-drop);
    }
    *out_weight = weight;
    *out_lead = mpz_get_si(lead);
    mpz_clear(lead);
}

/* The scale of a quotient: at least 16 significant digits by a guess from the leading groups, no
 * less than either operand shows, at most 1000. PostgreSQL: select_div_scale. */
static int div_dscale(const pl_numeric *x, const pl_numeric *y) {
    long weight_x, weight_y, lead_x, lead_y;
    lead_group(x, &weight_x, &lead_x);
    lead_group(y, &weight_y, &lead_y);
    long quotient_weight = weight_x - weight_y - (lead_x <= lead_y);
    long dscale = DIV_SIGNIFICANT_DIGITS - quotient_weight * GROUP_DIGITS;
    if (dscale < x->dscale)
        dscale = x->dscale;
    if (dscale < y->dscale)
        dscale = y->dscale;
    return (int)(dscale > DIV_DSCALE_MAX ? DIV_DSCALE_MAX : dscale);
}

static pl_status zero_divisor(void) {
    return pl_fail(PL_OUT_OF_RANGE, "division by zero");
}

pl_status pl_numeric_div(const pl_numeric *x, const pl_numeric *y, pl_numeric *out) {
    if (mpz_sgn(y->value) == 0)
        return zero_divisor();
    int dscale = div_dscale(x, y);
    pl_numeric a, b;
    align(x, y, &a, &b);
    scale_up(a.value, (unsigned)dscale);
    if (mpz_sgn(b.value) < 0) {
        mpz_neg(a.value, a.value);
        mpz_neg(b.value, b.value);
    }
    divide_rounded(a.value, b.value);
    mpz_swap(out->value, a.value);
    out->dscale = dscale;
    pl_numeric_done(&a);
    pl_numeric_done(&b);
    return PL_OK;
}

pl_status pl_numeric_mod(const pl_numeric *x, const pl_numeric *y, pl_numeric *out) {
    if (mpz_sgn(y->value) == 0)
        return zero_divisor();
    pl_numeric a, b;
    align(x, y, &a, &b);
    mpz_tdiv_r(out->value, a.value, b.value); /* the sign of x, as PostgreSQL has it */
    out->dscale = a.dscale;
    pl_numeric_done(&a);
    pl_numeric_done(&b);
    return PL_OK;
}

int pl_numeric_cmp(const pl_numeric *x, const pl_numeric *y) {
    if (x->dscale == y->dscale)
        return mpz_cmp(x->value, y->value);
    pl_numeric a, b;
    align(x, y, &a, &b);
    int order = mpz_cmp(a.value, b.value);
    pl_numeric_done(&a);
    pl_numeric_done(&b);
    return order;
}

void pl_numeric_round(pl_numeric *x, int digits) {
    if (digits > ROUND_DIGITS_MAX)
        digits = ROUND_DIGITS_MAX;
    if (digits < -ROUND_DIGITS_MAX)
        digits = -ROUND_DIGITS_MAX;
    if (digits >= 0) {
        rescale(x, digits);
        return;
    }
    scale_down(x->value, (unsigned)(x->dscale - digits));
    scale_up(x->value, (unsigned)-digits);
    x->dscale = 0;
}

pl_status pl_numeric_to_i64(const pl_numeric *x, int64_t *out) {
    pl_numeric whole;
    pl_numeric_init(&whole);
    pl_numeric_set(&whole, x);
    rescale(&whole, 0);
    bool fits = mpz_fits_slong_p(whole.value) != 0;
    int64_t value = fits ? mpz_get_si(whole.value) : 0;
    pl_numeric_done(&whole);
    if (!fits)
        return pl_fail(PL_OUT_OF_RANGE, "bigint out of range");
    *out = value;
    return PL_OK;
}

pl_status pl_numeric_to_double(const pl_numeric *x, double *out) {
    char *text;
    PL_TRY(pl_numeric_print(x, &text));
    double value = strtod(text, NULL);
    free(text);
    if (!isfinite(value))
        return pl_fail(PL_OUT_OF_RANGE, "a number is out of range for type double precision");
    *out = value;
    return PL_OK;
}

pl_status pl_numeric_set_double(pl_numeric *x, double value) {
    if (!isfinite(value))
        return pl_fail(PL_OUT_OF_RANGE, "cannot convert infinity or NaN to numeric");
    char text[64];
    snprintf(text, sizeof text, "%.*g", DBL_DIG, value);
    return pl_numeric_parse(text, x);
}
