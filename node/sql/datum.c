#include "node/sql/datum.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    pl_type type;
    const char *name, *alias;
} TYPES[] = {
    {PL_TYPE_UNKNOWN, "unknown", "unknown"}, {PL_TYPE_BOOL, "boolean", "bool"},
    {PL_TYPE_INT4, "integer", "int4"},       {PL_TYPE_INT8, "bigint", "int8"},
    {PL_TYPE_NUMERIC, "numeric", "decimal"}, {PL_TYPE_FLOAT8, "double precision", "float8"},
    {PL_TYPE_DATE, "date", "date"},          {PL_TYPE_TEXT, "text", "text"},
};
#define N_TYPES (sizeof TYPES / sizeof TYPES[0])

const char *pl_type_name(pl_type type) {
    for (size_t i = 0; i < N_TYPES; i++)
        if (TYPES[i].type == type)
            return TYPES[i].name;
    return "unknown";
}

pl_type pl_type_from_name(const char *name) {
    for (size_t i = 0; i < N_TYPES; i++)
        if (strcmp(TYPES[i].name, name) == 0 || strcmp(TYPES[i].alias, name) == 0)
            return TYPES[i].type;
    return PL_TYPE_UNKNOWN;
}

pl_type pl_type_of_column(Parley__V1__ColumnType type) {
    switch (type) {
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER:
        return PL_TYPE_INT8;
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL:
        return PL_TYPE_NUMERIC;
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL:
        return PL_TYPE_FLOAT8;
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL:
        return PL_TYPE_BOOL;
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DATE:
        return PL_TYPE_DATE;
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_TEXT:
        return PL_TYPE_TEXT;
    default:
        return PL_TYPE_UNKNOWN;
    }
}

bool pl_type_is_number(pl_type type) {
    return type == PL_TYPE_INT4 || type == PL_TYPE_INT8 || type == PL_TYPE_NUMERIC ||
           type == PL_TYPE_FLOAT8;
}

/* ---- making and setting ---- */

void pl_datum_init(pl_datum *d) {
    *d = (pl_datum){.is_null = true};
}

void pl_datum_done(pl_datum *d) {
    if (d->has_numeric)
        pl_numeric_done(&d->numeric);
    pl_datum_init(d);
}

static void set_type(pl_datum *d, pl_type type, bool is_null) {
    d->type = type;
    d->is_null = is_null;
}

void pl_datum_set_null(pl_datum *d, pl_type type) {
    set_type(d, type, true);
}

void pl_datum_set_integer(pl_datum *d, pl_type type, int64_t value) {
    set_type(d, type, false);
    d->integer = value;
}

void pl_datum_set_bool(pl_datum *d, bool value) {
    pl_datum_set_integer(d, PL_TYPE_BOOL, value);
}

void pl_datum_set_real(pl_datum *d, double value) {
    set_type(d, PL_TYPE_FLOAT8, false);
    d->real = value;
}

void pl_datum_set_text(pl_datum *d, pl_view text) {
    set_type(d, PL_TYPE_TEXT, false);
    d->text = text;
}

pl_numeric *pl_datum_numeric(pl_datum *d) {
    set_type(d, PL_TYPE_NUMERIC, false);
    if (!d->has_numeric)
        pl_numeric_init(&d->numeric);
    d->has_numeric = true;
    return &d->numeric;
}

void pl_datum_copy(pl_datum *d, const pl_datum *from) {
    set_type(d, from->type, from->is_null);
    d->integer = from->integer;
    d->real = from->real;
    d->text = from->text;
    if (from->type == PL_TYPE_NUMERIC && !from->is_null)
        pl_numeric_set(pl_datum_numeric(d), &from->numeric);
}

/* ---- dates: proleptic Gregorian, days since 2000-01-01 ---- */

static int64_t date_days(int64_t year, int64_t month, int64_t day) {
    /* Months counted from March, so that the leap day is the last of its year. */
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;
    int64_t days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
    return days - 730425; /* 2000-01-01 counted the same way */
}

static void date_parts(int64_t days, int *year, int *month, int *day) {
    int64_t left = days + 730425;
    int64_t era = left / 146097;
    int64_t in_era = left % 146097;
    int64_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * in_year + 2) / 153;
    *day = (int)(in_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(era * 400 + y + (*month <= 2));
}

static bool parse_date(const char *text, int64_t *out_days) {
    int year, month, day, end = 0;
    if (strlen(text) != 10 || text[4] != '-' || text[7] != '-' ||
        strspn(text, "0123456789-") != 10 ||
        sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &end) != 3 || end != 10 || year < 1)
        return false;
    if (month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    *out_days = date_days(year, month, day);
    int y, m, d;
    date_parts(*out_days, &y, &m, &d);
    return y == year && m == month && d == day;
}

/* ---- text in and out ---- */

static pl_status bad_syntax(pl_type type, const char *text) {
    return pl_fail(PL_INVALID_ARGUMENT, "invalid input syntax for type %s: \"%.40s\"",
                   pl_type_name(type), text);
}

static pl_status too_large(pl_type type) {
    return pl_fail(PL_OUT_OF_RANGE, "%s out of range", pl_type_name(type));
}

static pl_status parse_integer(pl_type type, const char *text, pl_datum *d) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || end[strspn(end, " \t\n\v\f\r")] != '\0')
        return bad_syntax(type, text);
    if (errno == ERANGE || (type == PL_TYPE_INT4 && (value > INT32_MAX || value < INT32_MIN)))
        return too_large(type);
    pl_datum_set_integer(d, type, value);
    return PL_OK;
}

static pl_status parse_bool(const char *text, pl_datum *d) {
    static const char *const YES[] = {"t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"};
    static const char *const NO[] = {"f", "fa", "fal", "fals", "false",
                                     "n", "no", "of",  "off",  "0"};
    for (size_t i = 0; i < sizeof YES / sizeof YES[0]; i++)
        if (strcasecmp(text, YES[i]) == 0) {
            pl_datum_set_bool(d, true);
            return PL_OK;
        }
    for (size_t i = 0; i < sizeof NO / sizeof NO[0]; i++)
        if (strcasecmp(text, NO[i]) == 0) {
            pl_datum_set_bool(d, false);
            return PL_OK;
        }
    return bad_syntax(PL_TYPE_BOOL, text);
}

static pl_status parse_real(const char *text, pl_datum *d) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || end[strspn(end, " \t\n\v\f\r")] != '\0')
        return bad_syntax(PL_TYPE_FLOAT8, text);
    if (!isfinite(value))
        return too_large(PL_TYPE_FLOAT8);
    pl_datum_set_real(d, value);
    return PL_OK;
}

pl_status pl_datum_parse(pl_type type, const char *text, pl_datum *d) {
    int64_t days;
    switch (type) {
    case PL_TYPE_INT4:
    case PL_TYPE_INT8:
        return parse_integer(type, text, d);
    case PL_TYPE_NUMERIC:
        return pl_wrap(pl_numeric_parse(text, pl_datum_numeric(d)), "\"%.40s\"", text);
    case PL_TYPE_FLOAT8:
        return parse_real(text, d);
    case PL_TYPE_BOOL:
        return parse_bool(text, d);
    case PL_TYPE_DATE:
        if (!parse_date(text, &days))
            return pl_wrap(bad_syntax(type, text), "dates are written YYYY-MM-DD");
        pl_datum_set_integer(d, type, days);
        return PL_OK;
    case PL_TYPE_UNKNOWN:
    case PL_TYPE_TEXT:
        pl_datum_set_text(d, pl_view_text(text));
        d->type = type;
        return PL_OK;
    }
    return pl_fail(PL_INTERNAL, "a literal has no type");
}

/* The shortest digits that read back as value, laid out as PostgreSQL does (exponent from 1e15 and
 * below 1e-4). */
static void print_real(double value, pl_buf *out) {
    char digits[40];
    int precision = 0;
    for (; precision < 17; precision++) {
        snprintf(digits, sizeof digits, "%.*e", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    int exponent = atoi(strchr(digits, 'e') + 1);
    if (value == 0) {
        pl_buf_printf(out, "%s", signbit(value) ? "-0" : "0");
    } else if (exponent < -4 || exponent >= 15) {
        *strchr(digits, 'e') = '\0';
        pl_buf_printf(out, "%se%c%02d", digits, exponent < 0 ? '-' : '+', abs(exponent));
    } else {
        pl_buf_printf(out, "%.*f", precision > exponent ? precision - exponent : 0, value);
    }
}

pl_status pl_datum_print(const pl_datum *d, char **out) {
    PL_ASSERT(!d->is_null);
    pl_buf text = {0};
    int year, month, day;
    switch (d->type) {
    case PL_TYPE_NUMERIC:
        return pl_numeric_print(&d->numeric, out);
    case PL_TYPE_INT4:
    case PL_TYPE_INT8:
        pl_buf_printf(&text, "%" PRId64, d->integer);
        break;
    case PL_TYPE_FLOAT8:
        print_real(d->real, &text);
        break;
    case PL_TYPE_BOOL:
        pl_buf_append(&text, d->integer ? "t" : "f", 1);
        break;
    case PL_TYPE_DATE:
        date_parts(d->integer, &year, &month, &day);
        pl_buf_printf(&text, "%04d-%02d-%02d", year, month, day);
        break;
    case PL_TYPE_UNKNOWN:
    case PL_TYPE_TEXT:
        pl_buf_append(&text, d->text.data, d->text.len);
        break;
    }
    pl_bytes bytes = {0};
    PL_TRY(pl_buf_take(&text, &bytes));
    *out = (char *)bytes.data;
    return PL_OK;
}

/* ---- casts ---- */

static pl_status to_integer(pl_datum *d, pl_type type) {
    int64_t value = d->integer;
    if (d->type == PL_TYPE_NUMERIC) {
        PL_TRY(pl_numeric_to_i64(&d->numeric, &value));
    } else if (d->type == PL_TYPE_FLOAT8) {
        double whole = rint(d->real);
        if (!(whole >= -0x1p63 && whole < 0x1p63))
            return too_large(type);
        value = (int64_t)whole;
    }
    if (type == PL_TYPE_INT4 && (value > INT32_MAX || value < INT32_MIN))
        return too_large(type);
    pl_datum_set_integer(d, type, value);
    return PL_OK;
}

static pl_status to_real(pl_datum *d) {
    double value = (double)d->integer;
    if (d->type == PL_TYPE_NUMERIC)
        PL_TRY(pl_numeric_to_double(&d->numeric, &value));
    pl_datum_set_real(d, value);
    return PL_OK;
}

static pl_status to_numeric(pl_datum *d) {
    if (d->type == PL_TYPE_FLOAT8)
        return pl_numeric_set_double(pl_datum_numeric(d), d->real);
    pl_numeric_set_i64(pl_datum_numeric(d), d->integer);
    return PL_OK;
}

pl_status pl_datum_cast(pl_datum *d, pl_type type) {
    if (d->type == type)
        return PL_OK;
    if (d->is_null) {
        d->type = type;
        return PL_OK;
    }
    if (!pl_type_is_number(d->type) || !pl_type_is_number(type))
        return pl_fail(PL_UNSUPPORTED, "a cast from %s to %s is not supported",
                       pl_type_name(d->type), pl_type_name(type));
    if (type == PL_TYPE_NUMERIC)
        return to_numeric(d);
    if (type == PL_TYPE_FLOAT8)
        return to_real(d);
    return to_integer(d, type);
}

/* ---- comparison and arithmetic ---- */

int pl_datum_compare(const pl_datum *a, const pl_datum *b) {
    PL_ASSERT(a->type == b->type && !a->is_null && !b->is_null);
    if (a->type == PL_TYPE_NUMERIC)
        return pl_numeric_cmp(&a->numeric, &b->numeric);
    if (a->type == PL_TYPE_FLOAT8)
        return (a->real > b->real) - (a->real < b->real);
    if (a->type == PL_TYPE_TEXT || a->type == PL_TYPE_UNKNOWN) {
        size_t shared = a->text.len < b->text.len ? a->text.len : b->text.len;
        int order = shared == 0 ? 0 : memcmp(a->text.data, b->text.data, shared);
        return order != 0 ? order : (a->text.len > b->text.len) - (a->text.len < b->text.len);
    }
    return (a->integer > b->integer) - (a->integer < b->integer);
}

static pl_status zero_divisor(void) {
    return pl_fail(PL_OUT_OF_RANGE, "division by zero");
}

static pl_status arith_integer(char op, const pl_datum *a, const pl_datum *b, pl_datum *out) {
    int64_t x = a->integer, y = b->integer, z = 0;
    bool overflow = false;
    if ((op == '/' || op == '%') && y == 0)
        return zero_divisor();
    if (op == '+')
        overflow = __builtin_add_overflow(x, y, &z);
    else if (op == '-')
        overflow = __builtin_sub_overflow(x, y, &z);
    else if (op == '*')
        overflow = __builtin_mul_overflow(x, y, &z);
    else if (y == -1) /* the one quotient that can leave the range */
        overflow = op == '/' && __builtin_sub_overflow((int64_t)0, x, &z);
    else
        z = op == '/' ? x / y : x % y;
    if (overflow || (a->type == PL_TYPE_INT4 && (z > INT32_MAX || z < INT32_MIN)))
        return too_large(a->type);
    pl_datum_set_integer(out, a->type, z);
    return PL_OK;
}

static pl_status arith_real(char op, double x, double y, pl_datum *out) {
    if (op == '/' && y == 0)
        return zero_divisor();
    double z = op == '+' ? x + y : op == '-' ? x - y : op == '*' ? x * y : x / y;
    if (!isfinite(z))
        return pl_fail(PL_OUT_OF_RANGE, "value out of range: overflow");
    if (z == 0 && x != 0 && (op == '/' || (op == '*' && y != 0)))
        return pl_fail(PL_OUT_OF_RANGE, "value out of range: underflow");
    pl_datum_set_real(out, z);
    return PL_OK;
}

static pl_status arith_numeric(char op, const pl_numeric *x, const pl_numeric *y, pl_numeric *z) {
    switch (op) {
    case '+':
        pl_numeric_add(x, y, z);
        return PL_OK;
    case '-':
        pl_numeric_sub(x, y, z);
        return PL_OK;
    case '*':
        return pl_numeric_mul(x, y, z);
    case '/':
        return pl_numeric_div(x, y, z);
    default:
        return pl_numeric_mod(x, y, z);
    }
}

pl_status pl_datum_arith(char op, const pl_datum *a, const pl_datum *b, pl_datum *out) {
    PL_ASSERT(a->type == b->type && pl_type_is_number(a->type));
    if (a->is_null || b->is_null) {
        pl_datum_set_null(out, a->type);
        return PL_OK;
    }
    if (a->type == PL_TYPE_NUMERIC)
        return arith_numeric(op, &a->numeric, &b->numeric, pl_datum_numeric(out));
    if (a->type == PL_TYPE_FLOAT8)
        return arith_real(op, a->real, b->real, out);
    return arith_integer(op, a, b, out);
}

pl_status pl_datum_negate(pl_datum *d) {
    if (d->is_null)
        return PL_OK;
    if (d->type == PL_TYPE_NUMERIC) {
        pl_numeric_neg(&d->numeric);
    } else if (d->type == PL_TYPE_FLOAT8) {
        d->real = -d->real;
    } else {
        if (d->integer == (d->type == PL_TYPE_INT4 ? INT32_MIN : INT64_MIN))
            return too_large(d->type);
        d->integer = -d->integer;
    }
    return PL_OK;
}
