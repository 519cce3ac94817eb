#include "node/source/value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECIMAL_DIGITS_MAX 38

bool pl_utf8_is_valid(pl_view text) {
    for (size_t i = 0; i < text.len;) {
        uint8_t c = text.data[i];
        size_t more = c < 0x80                 ? 0
                      : c >= 0xc2 && c <= 0xdf ? 1
                      : (c & 0xf0) == 0xe0     ? 2
                      : c >= 0xf0 && c <= 0xf4 ? 3
                                               : 4;
        if (more == 4 || text.len - i <= more)
            return false;
        for (size_t k = 1; k <= more; k++) {
            if ((text.data[i + k] & 0xc0) != 0x80)
                return false;
        }
        uint8_t d = more > 0 ? text.data[i + 1] : 0;
        bool overlong = (c == 0xe0 && d < 0xa0) || (c == 0xf0 && d < 0x90);
        bool outside = (c == 0xed && d > 0x9f) || (c == 0xf4 && d > 0x8f);
        if (overlong || outside)
            return false;
        i += more + 1;
    }
    return true;
}

/* ---- numbers ---- */

/* Digits with an optional sign and point, scaled by 10^scale. Zeros beyond the scale are fine,
 * other digits are not. */
static const char *parse_scaled(pl_view text, unsigned digits_max, unsigned scale, pl_int128 *out) {
    size_t i = 0;
    bool negative = false, seen_point = false;
    unsigned n_digits = 0, n_fraction = 0, n_any = 0;
    pl_int128 value = 0;
    if (i < text.len && (text.data[i] == '-' || text.data[i] == '+'))
        negative = text.data[i++] == '-';
    for (; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '.' && !seen_point) {
            seen_point = true;
            continue;
        }
        if (c < '0' || c > '9')
            return "not";
        n_any++;
        if (seen_point && n_fraction == scale) {
            if (c != '0')
                return "too many digits after the point for";
            continue;
        }
        n_fraction += seen_point;
        n_digits += n_digits > 0 || c != '0';
        if (n_digits > digits_max)
            return "too many digits for";
        value = value * 10 + (c - '0');
    }
    if (n_any == 0)
        return "not";
    for (; n_fraction < scale; n_fraction++) {
        n_digits += n_digits > 0;
        if (n_digits > digits_max)
            return "too many digits for";
        value *= 10;
    }
    *out = negative ? -value : value;
    return NULL;
}

static bool parse_integer(pl_view text, pl_value *out) {
    if (memchr(text.data, '.', text.len) != NULL ||
        parse_scaled(text, 19, 0, &out->integer) != NULL)
        return false;
    return out->integer >= INT64_MIN && out->integer <= INT64_MAX;
}

static bool parse_real(pl_view text, pl_value *out) {
    char copy[64];
    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    if (strspn(copy, "0123456789+-.eE") < text.len)
        return false;
    char *end;
    out->real = strtod(copy, &end);
    return *end == 0 && isfinite(out->real);
}

/* ---- bool, date ---- */

static bool parse_bool(pl_view text, pl_value *out) {
    static const struct {
        const char *text;
        int value;
    } words[] = {{"true", 1}, {"false", 0}, {"t", 1}, {"f", 0}, {"1", 1}, {"0", 0}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (pl_view_equal(text, pl_view_text(words[i].text))) {
            out->integer = words[i].value;
            return true;
        }
    }
    return false;
}

/* Days since 2000-01-01 in the proleptic Gregorian calendar: years from March, in eras of 400
 * years. */
static int64_t days_from_date(int year, int month, int day) {
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 730425; /* 0000-03-01 to 2000-01-01 */
}

static bool parse_date(pl_view text, pl_value *out) {
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (text.len != 10 || text.data[4] != '-' || text.data[7] != '-')
        return false;
    int number[3] = {0, 0, 0}, part = 0;
    for (size_t i = 0; i < 10; i++) {
        if (i == 4 || i == 7) {
            part++;
            continue;
        }
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number[part] = number[part] * 10 + (text.data[i] - '0');
    }
    int year = number[0], month = number[1], day = number[2];
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year < 1 || month < 1 || month > 12 || day < 1 ||
        day > month_days[month - 1] + (month == 2 && leap))
        return false;
    out->integer = days_from_date(year, month, day);
    return true;
}

/* ---- by type ---- */

static void type_name(const Parley__V1__Column *column, char out[40]) {
    static const char *const names[] = {"?", "integer", "decimal", "real", "bool", "date", "text"};
    if (column->type == PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL)
        snprintf(out, 40, "decimal(%u,%u)", column->precision, column->scale);
    else
        snprintf(out, 40, "%s", names[(unsigned)column->type <= 6 ? (unsigned)column->type : 0]);
}

bool pl_value_parse(const Parley__V1__Column *column, pl_view text, pl_value *out, char fault[80]) {
    char name[40];
    const char *why = "not";
    bool ok = false;
    *out = (pl_value){.type = column->type, .text = text};
    switch (column->type) {
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER:
        ok = parse_integer(text, out);
        break;
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL:
        why = parse_scaled(text, column->precision, column->scale, &out->integer);
        ok = why == NULL;
        break;
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL:
        ok = parse_real(text, out);
        break;
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL:
        ok = parse_bool(text, out);
        break;
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DATE:
        ok = parse_date(text, out);
        break;
    case PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_TEXT:
        ok = pl_utf8_is_valid(text) && memchr(text.data, 0, text.len) == NULL;
        why = "not valid UTF-8 for";
        break;
    default:
        break;
    }
    type_name(column, name);
    if (!ok)
        snprintf(fault, 80, "%s %s%s", why,
                 strcmp(why, "not") == 0 ? (*name == 'i' ? "an " : "a ") : "", name);
    return ok;
}

int pl_value_compare(const pl_value *a, const pl_value *b) {
    if (a->type == PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL)
        return (a->real > b->real) - (a->real < b->real);
    if (a->type != PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_TEXT)
        return (a->integer > b->integer) - (a->integer < b->integer);
    size_t len = a->text.len < b->text.len ? a->text.len : b->text.len;
    int order = len == 0 ? 0 : memcmp(a->text.data, b->text.data, len);
    return order != 0 ? order : (a->text.len > b->text.len) - (a->text.len < b->text.len);
}

/* ---- rules ---- */

static pl_status parse_declared(const Parley__V1__Column *column, const char *part,
                                const char *text, pl_value *out) {
    char fault[80];
    if (!pl_value_parse(column, pl_view_text(text), out, fault))
        return pl_fail(PL_INVALID_ARGUMENT, "column %s: %s is %s", column->name, part, fault);
    return PL_OK;
}

pl_status pl_value_rule_init(const Parley__V1__Column *column, pl_value_rule *out) {
    pl_value_rule rule = {.column = column};
    if ((*column->min == 0) != (*column->max == 0))
        return pl_fail(PL_INVALID_ARGUMENT,
                       "column %s: a range needs both a smallest and a largest value",
                       column->name);
    if (*column->min != 0) {
        rule.has_range = true;
        PL_TRY(parse_declared(column, "the smallest value of its range", column->min, &rule.min));
        PL_TRY(parse_declared(column, "the largest value of its range", column->max, &rule.max));
        if (pl_value_compare(&rule.min, &rule.max) > 0)
            return pl_fail(PL_INVALID_ARGUMENT, "column %s: its range is empty", column->name);
    }
    PL_TRY(pl_alloc(column->n_values, sizeof *rule.values, &rule.values));
    for (; rule.n_values < column->n_values; rule.n_values++) {
        pl_status status = parse_declared(column, "a declared value", column->values[rule.n_values],
                                          &rule.values[rule.n_values]);
        if (!pl_is_ok(status)) {
            pl_value_rule_done(&rule);
            return status;
        }
    }
    *out = rule;
    return PL_OK;
}

void pl_value_rule_done(pl_value_rule *rule) {
    free(rule->values);
    *rule = (pl_value_rule){0};
}

bool pl_value_check(const pl_value_rule *rule, const pl_value *value, char fault[80]) {
    const char *why = NULL;
    if (value->is_null) {
        why = rule->column->nullable ? NULL : "empty, but the column is not nullable";
    } else if (rule->has_range && (pl_value_compare(value, &rule->min) < 0 ||
                                   pl_value_compare(value, &rule->max) > 0)) {
        why = "outside the declared range";
    } else if (rule->n_values > 0) {
        why = "not a declared value";
        for (size_t i = 0; i < rule->n_values && why != NULL; i++) {
            if (pl_value_compare(value, &rule->values[i]) == 0)
                why = NULL;
        }
    }
    if (why != NULL)
        snprintf(fault, 80, "%s", why);
    return why == NULL;
}
