/* numeric equals PostgreSQL's, digit by digit, on a table that PostgreSQL made; and its errors are
 * PostgreSQL's. It could be wrong where the table has no row of that kind: very long numbers beyond
 * 131,072 digits are not in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/sql/datum.h"
#include "node/sql/numeric.h"
#include "tests/unit/numeric_cases.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define N_CASES (sizeof NUMERIC_CASES / sizeof NUMERIC_CASES[0])

static void must(pl_status status) {
    if (!pl_is_ok(status))
        fail_msg("%s", pl_status_message(status));
}

static void must_fail(pl_status status, pl_code code, const char *text) {
    assert_int_equal(pl_status_code(status), code);
    assert_non_null(strstr(pl_status_message(status), text));
    pl_status_done(&status);
}

/* Computes one row of the table into a datum. */
static void compute(const char *const *row, pl_datum *x, pl_datum *y, pl_datum *out) {
    must(pl_datum_parse(PL_TYPE_NUMERIC, row[1], x));
    if (strcmp(row[0], "round") == 0) {
        pl_datum_copy(out, x);
        pl_numeric_round(&out->numeric, atoi(row[2]));
    } else if (strcmp(row[0], "float8") == 0 || strcmp(row[0], "bigint") == 0) {
        pl_datum_copy(out, x);
        must(pl_datum_cast(out, pl_type_from_name(row[0])));
    } else {
        must(pl_datum_parse(PL_TYPE_NUMERIC, row[2], y));
        must(pl_datum_arith(row[0][0], x, y, out));
    }
}

static void test_equals_postgresql(void **state) {
    (void)state;
    assert_true(N_CASES >= 200);
    for (size_t i = 0; i < N_CASES; i++) {
        pl_datum x, y, z;
        pl_datum_init(&x);
        pl_datum_init(&y);
        pl_datum_init(&z);
        compute(NUMERIC_CASES[i], &x, &y, &z);
        char *text;
        must(pl_datum_print(&z, &text));
        if (strcmp(text, NUMERIC_CASES[i][3]) != 0)
            fail_msg("%s %s %s: got %s, PostgreSQL says %s", NUMERIC_CASES[i][1],
                     NUMERIC_CASES[i][0], NUMERIC_CASES[i][2], text, NUMERIC_CASES[i][3]);
        free(text);
        pl_datum_done(&x);
        pl_datum_done(&y);
        pl_datum_done(&z);
    }
}

static void test_errors(void **state) {
    (void)state;
    pl_numeric x, zero;
    pl_numeric_init(&x);
    pl_numeric_init(&zero);
    static const char *const BAD[] = {"",     "-",   ".",   "1e",  "1e+",
                                      "0x10", "1 2", "NaN", "--1", "1.2.3"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        must_fail(pl_numeric_parse(BAD[i], &x), PL_INVALID_ARGUMENT, "invalid input syntax");
    must_fail(pl_numeric_parse("1e200000", &x), PL_LIMIT, "too many digits");
    must(pl_numeric_parse(" 12.50 ", &x));
    must_fail(pl_numeric_div(&x, &zero, &x), PL_OUT_OF_RANGE, "division by zero");
    must_fail(pl_numeric_mod(&x, &zero, &x), PL_OUT_OF_RANGE, "division by zero");
    int64_t whole;
    must(pl_numeric_parse("9223372036854775807.5", &x));
    must_fail(pl_numeric_to_i64(&x, &whole), PL_OUT_OF_RANGE, "bigint out of range");
    must(pl_numeric_parse("1e100000", &x));
    must_fail(pl_numeric_mul(&x, &x, &zero), PL_OUT_OF_RANGE, "overflows");
    pl_numeric_done(&x);
    pl_numeric_done(&zero);
}

static void test_compare_ignores_scale(void **state) {
    (void)state;
    pl_numeric x, y;
    pl_numeric_init(&x);
    pl_numeric_init(&y);
    must(pl_numeric_parse("1.50", &x));
    must(pl_numeric_parse("1.5000", &y));
    assert_int_equal(pl_numeric_cmp(&x, &y), 0);
    must(pl_numeric_parse("1.5001", &y));
    assert_true(pl_numeric_cmp(&x, &y) < 0);
    must(pl_numeric_parse("-1.5001", &y));
    assert_true(pl_numeric_cmp(&x, &y) > 0);
    pl_numeric_done(&x);
    pl_numeric_done(&y);
}

static void check_arith(pl_type type, const char *a, char op, const char *b, const char *want) {
    pl_datum x, y, z;
    pl_datum_init(&x);
    pl_datum_init(&y);
    pl_datum_init(&z);
    must(pl_datum_parse(type, a, &x));
    must(pl_datum_parse(type, b, &y));
    pl_status status = pl_datum_arith(op, &x, &y, &z);
    if (!pl_is_ok(status)) {
        assert_string_equal(pl_status_message(status), want);
        pl_status_done(&status);
    } else {
        char *text;
        must(pl_datum_print(&z, &text));
        assert_string_equal(text, want);
        free(text);
    }
    pl_datum_done(&z);
}

static void test_integers_and_reals(void **state) {
    (void)state;
    check_arith(PL_TYPE_INT8, "7", '/', "-2", "-3");
    check_arith(PL_TYPE_INT8, "-7", '%', "2", "-1");
    check_arith(PL_TYPE_INT8, "9223372036854775807", '+', "1", "bigint out of range");
    check_arith(PL_TYPE_INT8, "-9223372036854775808", '/', "-1", "bigint out of range");
    check_arith(PL_TYPE_INT8, "-9223372036854775808", '%', "-1", "0");
    check_arith(PL_TYPE_INT4, "2147483647", '+', "1", "integer out of range");
    check_arith(PL_TYPE_INT8, "1", '/', "0", "division by zero");
    check_arith(PL_TYPE_FLOAT8, "1", '/', "3", "0.3333333333333333");
    check_arith(PL_TYPE_FLOAT8, "0.1", '+', "0.2", "0.30000000000000004");
    check_arith(PL_TYPE_FLOAT8, "1e300", '*', "1e300", "value out of range: overflow");
    check_arith(PL_TYPE_FLOAT8, "1e-300", '*', "1e-300", "value out of range: underflow");
    check_arith(PL_TYPE_FLOAT8, "1e15", '*', "1", "1e+15");
    check_arith(PL_TYPE_FLOAT8, "123456", '/', "1e10", "1.23456e-05");
    check_arith(PL_TYPE_FLOAT8, "0.0001", '*', "1", "0.0001");
}

static void test_dates(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t days;
    } DATES[] = {{"2000-01-01", 0},       {"1999-12-31", -1},     {"2000-02-29", 59},
                 {"2000-03-01", 60},      {"1970-01-01", -10957}, {"2024-12-31", 9131},
                 {"0001-01-01", -730119}, {"9999-12-31", 2921939}};
    for (size_t i = 0; i < sizeof DATES / sizeof DATES[0]; i++) {
        pl_datum d;
        pl_datum_init(&d);
        must(pl_datum_parse(PL_TYPE_DATE, DATES[i].text, &d));
        assert_int_equal(d.integer, DATES[i].days);
        char *text;
        must(pl_datum_print(&d, &text));
        assert_string_equal(text, DATES[i].text);
        free(text);
        pl_datum_done(&d);
    }
    static const char *const BAD[] = {"2023-02-29", "2023-13-01", "2023-00-10", "2023-1-01",
                                      "2023-01-1x", "1900-02-29", "0000-01-01", "20230101"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        pl_datum d;
        pl_datum_init(&d);
        must_fail(pl_datum_parse(PL_TYPE_DATE, BAD[i], &d), PL_INVALID_ARGUMENT, "date");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_postgresql),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_compare_ignores_scale),
        cmocka_unit_test(test_integers_and_reals),
        cmocka_unit_test(test_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
