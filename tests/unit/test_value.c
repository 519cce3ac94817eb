/* Typed values from text against a table: what is accepted, as which number, and what each refusal
 * says. It could be wrong where a
 * kind of text is missing from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/source/value.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { INTEGER = 1, DECIMAL, REAL, BOOL, DATE, TEXT };

typedef struct column_case {
    const char *name;
    int type;
    uint32_t precision, scale;
} column_case;

static Parley__V1__Column column_of(const column_case *c) {
    Parley__V1__Column column = PARLEY__V1__COLUMN__INIT;
    column.name = (char *)(uintptr_t)c->name;
    column.type = (Parley__V1__ColumnType)c->type;
    column.precision = c->precision;
    column.scale = c->scale;
    return column;
}

typedef struct value_case {
    column_case column;
    const char *text;
    bool ok;
    int64_t integer; /* or */
    double real;
    const char *fault;
} value_case;

#define INT_C                                                                                      \
    { .name = "c", .type = INTEGER }
#define DEC_C(p, s)                                                                                \
    { .name = "c", .type = DECIMAL, .precision = p, .scale = s }
#define TYPE_C(t)                                                                                  \
    { .name = "c", .type = t }

static const value_case VALUES[] = {
    {INT_C, "0", true, 0, 0, NULL},
    {INT_C, "-7", true, -7, 0, NULL},
    {INT_C, "+7", true, 7, 0, NULL},
    {INT_C, "007", true, 7, 0, NULL},
    {INT_C, "00000000000000000000000000000007", true, 7, 0, NULL},
    {INT_C, "9223372036854775807", true, INT64_MAX, 0, NULL},
    {INT_C, "-9223372036854775808", true, INT64_MIN, 0, NULL},
    {INT_C, "9223372036854775808", false, 0, 0, "not an integer"},
    {INT_C, "-9223372036854775809", false, 0, 0, "not an integer"},
    {INT_C, "99999999999999999999", false, 0, 0, "not an integer"},
    {INT_C, "1.0", false, 0, 0, "not an integer"},
    {INT_C, "1e3", false, 0, 0, "not an integer"},
    {INT_C, " 1", false, 0, 0, "not an integer"},
    {INT_C, "-", false, 0, 0, "not an integer"},
    {INT_C, "", false, 0, 0, "not an integer"},
    {DEC_C(9, 2), "12.34", true, 1234, 0, NULL},
    {DEC_C(9, 2), "-12.3", true, -1230, 0, NULL},
    {DEC_C(9, 2), "12", true, 1200, 0, NULL},
    {DEC_C(9, 2), ".5", true, 50, 0, NULL},
    {DEC_C(9, 2), "5.", true, 500, 0, NULL},
    {DEC_C(9, 2), "-0.00", true, 0, 0, NULL},
    {DEC_C(9, 2), "12.3400000", true, 1234, 0, NULL},
    {DEC_C(9, 2), "9999999.99", true, 999999999, 0, NULL},
    {DEC_C(9, 2), "0000000009999999.99", true, 999999999, 0, NULL},
    {DEC_C(9, 2), "10000000.00", false, 0, 0, "too many digits for decimal(9,2)"},
    {DEC_C(9, 2), "10000000", false, 0, 0, "too many digits for decimal(9,2)"},
    {DEC_C(9, 2), "1.234", false, 0, 0, "too many digits after the point for decimal(9,2)"},
    {DEC_C(9, 2), "1.2.3", false, 0, 0, "not a decimal(9,2)"},
    {DEC_C(9, 2), "1,2", false, 0, 0, "not a decimal(9,2)"},
    {DEC_C(9, 2), "NaN", false, 0, 0, "not a decimal(9,2)"},
    {DEC_C(9, 2), ".", false, 0, 0, "not a decimal(9,2)"},
    {DEC_C(3, 3), "0.123", true, 123, 0, NULL},
    {DEC_C(3, 3), "1.000", false, 0, 0, "too many digits for decimal(3,3)"},
    {TYPE_C(REAL), "1.5e3", true, 0, 1500, NULL},
    {TYPE_C(REAL), "-0.25", true, 0, -0.25, NULL},
    {TYPE_C(REAL), "1e999", false, 0, 0, "not a real"},
    {TYPE_C(REAL), "inf", false, 0, 0, "not a real"},
    {TYPE_C(REAL), "nan", false, 0, 0, "not a real"},
    {TYPE_C(REAL), "0x10", false, 0, 0, "not a real"},
    {TYPE_C(REAL), "1e", false, 0, 0, "not a real"},
    {TYPE_C(REAL), " 1", false, 0, 0, "not a real"},
    {TYPE_C(BOOL), "true", true, 1, 0, NULL},
    {TYPE_C(BOOL), "t", true, 1, 0, NULL},
    {TYPE_C(BOOL), "1", true, 1, 0, NULL},
    {TYPE_C(BOOL), "false", true, 0, 0, NULL},
    {TYPE_C(BOOL), "f", true, 0, 0, NULL},
    {TYPE_C(BOOL), "0", true, 0, 0, NULL},
    {TYPE_C(BOOL), "yes", false, 0, 0, "not a bool"},
    {TYPE_C(BOOL), "2", false, 0, 0, "not a bool"},
    {TYPE_C(DATE), "2000-01-01", true, 0, 0, NULL},
    {TYPE_C(DATE), "1999-12-31", true, -1, 0, NULL},
    {TYPE_C(DATE), "1970-01-01", true, -10957, 0, NULL},
    {TYPE_C(DATE), "2000-02-29", true, 59, 0, NULL},
    {TYPE_C(DATE), "2026-11-23", true, 9823, 0, NULL},
    {TYPE_C(DATE), "0001-01-01", true, -730119, 0, NULL},
    {TYPE_C(DATE), "9999-12-31", true, 2921939, 0, NULL},
    {TYPE_C(DATE), "1900-02-29", false, 0, 0, "not a date"},
    {TYPE_C(DATE), "2001-02-29", false, 0, 0, "not a date"},
    {TYPE_C(DATE), "2001-04-31", false, 0, 0, "not a date"},
    {TYPE_C(DATE), "2001-13-01", false, 0, 0, "not a date"},
    {TYPE_C(DATE), "2001-00-10", false, 0, 0, "not a date"},
    {TYPE_C(DATE), "0000-01-01", false, 0, 0, "not a date"},
    {TYPE_C(DATE), "2001-1-01", false, 0, 0, "not a date"},
    {TYPE_C(DATE), "01.01.2001", false, 0, 0, "not a date"},
    {TYPE_C(TEXT), "北京", true, 0, 0, NULL},
    {TYPE_C(TEXT), "\xc0\xaf", false, 0, 0, "not valid UTF-8"},
};

static void test_values(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++) {
        const value_case *c = &VALUES[i];
        Parley__V1__Column column;
        pl_value v;
        char fault[80] = "";
        column = column_of(&c->column);
        /* The view ends where the text ends: what follows must not be read. */
        char *copy = malloc(strlen(c->text) + 1);
        assert_non_null(copy);
        memcpy(copy, c->text, strlen(c->text));
        copy[strlen(c->text)] = '5';
        bool ok = pl_value_parse(&column, pl_view_of(copy, strlen(c->text)), &v, fault);
        if (ok != c->ok)
            fail_msg("%s: %s", c->text, ok ? "accepted" : fault);
        if (!ok && strstr(fault, c->fault) == NULL)
            fail_msg("%s: %s", c->text, fault);
        if (ok && c->column.type == REAL)
            assert_true(v.real == c->real);
        else if (ok && c->column.type != TEXT)
            assert_true(v.integer == c->integer);
        free(copy);
    }
}

/* 38 digits, the largest decimal, keep every digit. */
static void test_wide_decimal(void **state) {
    (void)state;
    static const column_case wide = DEC_C(38, 0);
    Parley__V1__Column column;
    pl_value v;
    char fault[80];
    column = column_of(&wide);
    assert_true(pl_value_parse(&column, pl_view_text("-99999999999999999999999999999999999999"), &v,
                               fault));
    pl_int128 wanted = 1;
    for (int i = 0; i < 38; i++)
        wanted *= 10;
    assert_true(v.integer == 1 - wanted);
    assert_false(pl_value_parse(&column, pl_view_text("100000000000000000000000000000000000000"),
                                &v, fault));
    assert_string_equal(fault, "too many digits for decimal(38,0)");
}

static void test_utf8(void **state) {
    (void)state;
    static const char *const good[] = {
        "", "a", "é", "北", "𠀀", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc3",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xe5\x8c",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf0\x9f\x98",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80",
                                      "\xff",
                                      "a\xe5\x8c"
                                      "a"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(pl_utf8_is_valid(pl_view_text(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(pl_utf8_is_valid(pl_view_text(bad[i])));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_wide_decimal),
        cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
