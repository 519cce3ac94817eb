/* A CSV source becomes typed rows, and every kind of fault is named with file, line and column and
 * without the value. It could be wrong where a fault kind is missing from FAULTS; every message of
 * csv.c about rows has one there; the types are in test_value.c. The property test writes random
 * tables and reads them back: it fails if it ran no rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/source/csv.h"

#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET "8675309" /* stands in faulty fields and must stand in no message */

enum { INTEGER = 1, DECIMAL, REAL, BOOL, DATE, TEXT };

static void must(pl_status status) {
    if (!pl_is_ok(status))
        fail_msg("%s", pl_status_message(status));
}

static void must_fail(pl_status status, pl_code code, const char *text) {
    const char *message = pl_status_message(status);
    if (pl_status_code(status) != code || strstr(message, text) == NULL)
        fail_msg("got \"%s\" (%s), wanted \"%s\"", message,
                 pl_code_describe(pl_status_code(status))->name, text);
    if (strstr(message, SECRET) != NULL)
        fail_msg("a value stands in \"%s\"", message);
    pl_status_done(&status);
}

/* ---- a source in a temporary file ---- */

typedef struct column {
    const char *name, *source;
    int type;
    uint32_t precision, scale;
    bool nullable;
    const char *min, *max;
    char **values;
    size_t n_values;
} column;

typedef struct source {
    FILE *file;
    Parley__V1__Column columns[8];
    Parley__V1__SourceColumn sources[8], *list[8];
    size_t n;
    pl_csv *csv;
} source;

static char *text(const char *given) {
    return (char *)(uintptr_t)(given == NULL ? "" : given);
}

static void source_columns(source *s, const column *columns, size_t n) {
    *s = (source){.n = n};
    for (size_t i = 0; i < n; i++) {
        Parley__V1__Column *c = &s->columns[i];
        parley__v1__column__init(c);
        c->name = text(columns[i].name);
        c->type = (Parley__V1__ColumnType)columns[i].type;
        c->precision = columns[i].precision;
        c->scale = columns[i].scale;
        c->nullable = columns[i].nullable;
        c->min = text(columns[i].min);
        c->max = text(columns[i].max);
        c->values = columns[i].values;
        c->n_values = columns[i].n_values;
        parley__v1__source_column__init(&s->sources[i]);
        s->sources[i].column = c;
        s->sources[i].source_name =
            text(columns[i].source == NULL ? columns[i].name : columns[i].source);
        s->list[i] = &s->sources[i];
    }
}

static pl_status source_open(source *s, const void *data, size_t len, const char *encoding,
                             uint64_t rows_max) {
    s->file = tmpfile();
    assert_non_null(s->file);
    assert_int_equal(fwrite(data, 1, len, s->file), len);
    rewind(s->file);
    return pl_csv_open(fileno(s->file), "data/north.csv", encoding, s->list, s->n, rows_max,
                       &s->csv);
}

static void source_close(source *s) {
    pl_csv_free(s->csv);
    s->csv = NULL;
    if (s->file != NULL)
        assert_int_equal(fclose(s->file), 0);
    s->file = NULL;
}

static const column PLAIN[] = {{.name = "id", .type = INTEGER},
                               {.name = "name", .type = TEXT, .nullable = true}};

static bool next(source *s, pl_value *values) {
    bool has;
    must(pl_csv_next(s->csv, values, &has));
    return has;
}

static void expect_text(const pl_value *value, const char *wanted) {
    assert_false(value->is_null);
    assert_int_equal(value->text.len, strlen(wanted));
    assert_memory_equal(value->text.data, wanted, strlen(wanted));
}

/* ---- the format ---- */

static void test_rfc4180(void **state) {
    (void)state;
    static const char data[] = "\"id\",unused,name\r\n"
                               "1,x,plain\r\n"
                               "2,\"a,b\",\"with \"\"quotes\"\", a comma\"\r\n"
                               "3,,\"two\nlines\r\n\"\n"
                               "4,,\n"
                               "\"5\",,\"\"";
    source s;
    pl_value v[2];
    source_columns(&s, PLAIN, 2);
    must(source_open(&s, data, strlen(data), "utf-8", 5));
    assert_true(next(&s, v));
    assert_int_equal((int)v[0].integer, 1);
    expect_text(&v[1], "plain");
    assert_true(next(&s, v));
    expect_text(&v[1], "with \"quotes\", a comma");
    assert_true(next(&s, v));
    expect_text(&v[1], "two\nlines\r\n");
    assert_true(next(&s, v));
    assert_true(v[1].is_null);
    assert_true(next(&s, v));
    assert_int_equal((int)v[0].integer, 5);
    expect_text(&v[1], "");
    assert_false(next(&s, v));
    assert_false(next(&s, v));
    assert_int_equal(pl_csv_rows(s.csv), 5);
    uint8_t digest[32], wanted[32];
    SHA256((const unsigned char *)data, strlen(data), wanted);
    for (int twice = 0; twice < 2; twice++) {
        must(pl_csv_digest(s.csv, digest));
        assert_memory_equal(digest, wanted, 32);
    }
    source_close(&s);
}

static void test_digest_before_the_end(void **state) {
    (void)state;
    source s;
    uint8_t digest[32];
    source_columns(&s, PLAIN, 2);
    must(source_open(&s, "id,name\n1,x\n", 12, "utf-8", 5));
    must_fail(pl_csv_digest(s.csv, digest), PL_INTERNAL, "before its end");
    source_close(&s);
}

static void test_bom_and_order(void **state) {
    (void)state;
    static const char data[] = "\xef\xbb\xbfname,id\n北京,7\n";
    source s;
    pl_value v[2];
    source_columns(&s, PLAIN, 2);
    must(source_open(&s, data, strlen(data), "utf-8", 1));
    assert_true(next(&s, v));
    assert_int_equal((int)v[0].integer, 7);
    expect_text(&v[1], "北京");
    assert_false(next(&s, v));
    source_close(&s);
}

/* A pipe that gives one byte at a time ends in the same rows: BOM and characters are cut anywhere.
 */
static void test_short_reads(void **state) {
    (void)state;
    static const char data[] = "\xef\xbb\xbfid,name\n1,北京\n";
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (size_t i = 0; i < strlen(data); i++) {
            if (write(ends[1], data + i, 1) != 1)
                _exit(1);
        }
        _exit(0);
    }
    close(ends[1]);
    source s;
    pl_value v[2];
    source_columns(&s, PLAIN, 2);
    must(pl_csv_open(ends[0], "pipe", "utf-8", s.list, 2, 9, &s.csv));
    assert_true(next(&s, v));
    expect_text(&v[1], "北京");
    assert_false(next(&s, v));
    source_close(&s);
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* GB 18030: two-byte and four-byte characters, and a BOM; the header has Chinese names. */
static void test_gb18030(void **state) {
    (void)state;
    /* 编号,城市 LF 1,"北京" LF 2,𠀀 (U+20000: 95 32 82 36) LF */
    static const char data[] = "\xb1\xe0\xba\xc5,\xb3\xc7\xca\xd0\n1,\"\xb1\xb1\xbe\xa9\"\n"
                               "2,\x95\x32\x82\x36\n";
    static const char bom[] = "\x84\x31\x95\x33";
    static const column columns[] = {{.name = "编号", .type = INTEGER},
                                     {.name = "city", .source = "城市", .type = TEXT}};
    for (int with_bom = 0; with_bom < 2; with_bom++) {
        char whole[100];
        snprintf(whole, sizeof whole, "%s%s", with_bom ? bom : "", data);
        source s;
        pl_value v[2];
        source_columns(&s, columns, 2);
        must(source_open(&s, whole, strlen(whole), "gb18030", 10));
        assert_true(next(&s, v));
        expect_text(&v[1], "北京");
        assert_true(next(&s, v));
        expect_text(&v[1], "𠀀");
        assert_false(next(&s, v));
        source_close(&s);
    }
}

/* A file of many blocks: characters stand across every block's end, and nothing is lost. */
static void test_gb18030_long(void **state) {
    (void)state;
    enum { ROWS = 40000 };
    pl_buf buf = {0};
    pl_buf_printf(&buf, "id,name\n");
    for (int i = 0; i < ROWS; i++)
        pl_buf_printf(&buf, "%d,\x95\x32\x82\x36\xb1\xb1%.*s\n", i, i % 5, "abcde");
    pl_bytes data;
    must(pl_buf_take(&buf, &data));
    source s;
    pl_value v[2];
    source_columns(&s, PLAIN, 2);
    must(source_open(&s, data.data, data.len, "gb18030", ROWS));
    for (int i = 0; i < ROWS; i++) {
        char wanted[40];
        snprintf(wanted, sizeof wanted, "𠀀北%.*s", i % 5, "abcde");
        assert_true(next(&s, v));
        assert_int_equal((int)v[0].integer, i);
        expect_text(&v[1], wanted);
    }
    assert_false(next(&s, v));
    source_close(&s);
    pl_bytes_done(&data);
}

/* The line of a wrong character is exact, however far into a block it stands. */
static void test_gb18030_fault_line(void **state) {
    (void)state;
    pl_buf buf = {0};
    pl_buf_printf(&buf, "id,name\n");
    for (int i = 0; i < 1000; i++)
        pl_buf_printf(&buf, "%d,ok\n", i);
    pl_buf_printf(&buf, "1000," SECRET "\xff\xff\n");
    pl_bytes data;
    must(pl_buf_take(&buf, &data));
    source s;
    pl_value v[2];
    bool has;
    source_columns(&s, PLAIN, 2);
    must(source_open(&s, data.data, data.len, "gb18030", 2000));
    for (int i = 0; i < 1000; i++)
        assert_true(next(&s, v));
    must_fail(pl_csv_next(s.csv, v, &has), PL_INVALID_ARGUMENT,
              "data/north.csv:1002: column name: not valid GB 18030");
    must_fail(pl_csv_next(s.csv, v, &has), PL_FAILED_PRECONDITION, "could not be read before");
    source_close(&s);
    source_columns(&s, PLAIN, 2);
    must(source_open(&s, "id,name\n1,\xb1", 11, "gb18030", 9)); /* the file ends in a character */
    must_fail(pl_csv_next(s.csv, v, &has), PL_INVALID_ARGUMENT, ":2: column name: not valid GB");
    source_close(&s);
    source_columns(&s, PLAIN, 2);
    must_fail(source_open(&s, "id,\xff\xff\n", 6, "gb18030", 9), PL_INVALID_ARGUMENT,
              ":1: field 2: not valid GB 18030");
    source_close(&s);
    pl_bytes_done(&data);
}

/* ---- faults ---- */

static char *CITIES[] = {"Wien", "Graz"};
static const column CHECKED[] = {
    {.name = "income",
     .source = "py010n",
     .type = DECIMAL,
     .precision = 9,
     .scale = 2,
     .min = "0",
     .max = "1000"},
    {.name = "city", .type = TEXT, .nullable = true, .values = CITIES, .n_values = 2},
};

/* After a header and one good row (lines 1 and 2). */
static const struct {
    const char *rows;
    pl_code code;
    const char *message;
} FAULTS[] = {
    {"x" SECRET ",Wien\n", PL_INVALID_ARGUMENT, ":3: column income: not a decimal(9,2)"},
    {SECRET ".123,Wien\n", PL_INVALID_ARGUMENT,
     ":3: column income: too many digits after the point"},
    {SECRET "8675309,Wien\n", PL_INVALID_ARGUMENT, ":3: column income: too many digits for"},
    {SECRET ",Wien\n", PL_OUT_OF_RANGE, ":3: column income: outside the declared range"},
    {"-0.01,Wien\n", PL_OUT_OF_RANGE, ":3: column income: outside the declared range"},
    {",Wien\n", PL_OUT_OF_RANGE, ":3: column income: empty, but the column is not nullable"},
    {"\"\",Wien\n", PL_INVALID_ARGUMENT, ":3: column income: not a decimal(9,2)"},
    {"1," SECRET "\n", PL_OUT_OF_RANGE, ":3: column city: not a declared value"},
    {"1,wien\n", PL_OUT_OF_RANGE, ":3: column city: not a declared value"},
    {"1,\"\"\n", PL_OUT_OF_RANGE, ":3: column city: not a declared value"},
    {"1," SECRET "\xff\n", PL_INVALID_ARGUMENT, ":3: column city: not valid UTF-8"},
    {SECRET "\n", PL_INVALID_ARGUMENT, ":3: found 1 field(s), but the header has 2"},
    {"1,Wien," SECRET "\n", PL_INVALID_ARGUMENT, ":3: found 3 field(s), but the header has 2"},
    {"\n", PL_INVALID_ARGUMENT, ":3: an empty line"},
    {"1,\"" SECRET, PL_INVALID_ARGUMENT, ":3: a quoted field is not closed"},
    {"1,\"" SECRET "\n\n\n", PL_INVALID_ARGUMENT, ":3: a quoted field is not closed"},
    {"1,\"Wien\"" SECRET "\n", PL_INVALID_ARGUMENT, ":3: text stands after a closing quote"},
    {"1," SECRET "\"\n", PL_INVALID_ARGUMENT, ":3: a quote stands inside a field without quotes"},
    {"1,Wien\r" SECRET "\n", PL_INVALID_ARGUMENT, ":3: a carriage return stands without"},
    {"1,Wien\n1,\"Wi\nen\"\n", PL_OUT_OF_RANGE, ":4: column city: not a declared value"},
    {"1,Wien\n1,Graz\n1," SECRET "\n", PL_LIMIT, ":5: more rows than the declared rows_max of 3"},
};

static void test_faults(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++) {
        char data[400];
        source s;
        pl_value v[2];
        bool has = true;
        snprintf(data, sizeof data, "py010n,city\n10.50,Wien\n%s", FAULTS[i].rows);
        source_columns(&s, CHECKED, 2);
        must(source_open(&s, data, strlen(data), "utf-8", 3));
        pl_status status = PL_OK;
        while (pl_is_ok(status) && has)
            status = pl_csv_next(s.csv, v, &has);
        assert_non_null(strstr(pl_status_message(status), "data/north.csv:"));
        must_fail(status, FAULTS[i].code, FAULTS[i].message);
        source_close(&s);
    }
}

static void test_nul_byte(void **state) {
    (void)state;
    static const char data[] = "id,name\n1,a\0b\n";
    source s;
    pl_value v[2];
    bool has;
    source_columns(&s, PLAIN, 2);
    must(source_open(&s, data, sizeof data - 1, "utf-8", 3));
    must_fail(pl_csv_next(s.csv, v, &has), PL_INVALID_ARGUMENT, ":2: a NUL byte");
    source_close(&s);
}

static void test_header_faults(void **state) {
    (void)state;
    static const struct {
        const char *data, *encoding;
        pl_code code;
        const char *message;
    } cases[] = {
        {"", "utf-8", PL_INVALID_ARGUMENT, "data/north.csv:1: the file is empty"},
        {"id,other\n", "utf-8", PL_INVALID_ARGUMENT, ":1: the header has no column name"},
        {"id,name,name\n", "utf-8", PL_INVALID_ARGUMENT, "column name: the header names it twice"},
        {"id,name,\xff\n", "utf-8", PL_INVALID_ARGUMENT, ":1: the header is not valid UTF-8"},
        {"id,\"name\n", "utf-8", PL_INVALID_ARGUMENT, ":1: a quoted field is not closed"},
        {"id,name\n", "latin-1", PL_UNSUPPORTED, "encoding latin-1 is not known"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        source s;
        source_columns(&s, PLAIN, 2);
        must_fail(source_open(&s, cases[i].data, strlen(cases[i].data), cases[i].encoding, 1),
                  cases[i].code, cases[i].message);
        assert_null(s.csv);
        source_close(&s);
    }
}

static void test_read_error(void **state) {
    (void)state;
    source s;
    source_columns(&s, PLAIN, 2);
    must_fail(pl_csv_open(-1, "data/north.csv", "utf-8", s.list, 2, 1, &s.csv), PL_IO,
              "cannot read data/north.csv");
}

/* A wrong declaration is told when the source is opened. */
static void test_wrong_declarations(void **state) {
    (void)state;
    static char *twelve[] = {"12"}, *word[] = {"twelve"};
    static const struct {
        column column;
        const char *message;
    } cases[] = {
        {{.name = "id", .type = INTEGER, .min = "1"}, "needs both a smallest and a largest"},
        {{.name = "id", .type = INTEGER, .min = "1", .max = "x"}, "the largest value of its range"},
        {{.name = "id", .type = INTEGER, .min = "y", .max = "2"},
         "the smallest value of its range"},
        {{.name = "id", .type = INTEGER, .min = "3", .max = "2"}, "its range is empty"},
        {{.name = "id", .type = INTEGER, .values = word, .n_values = 1}, "a declared value"},
        {{.name = "id", .type = 0, .values = twelve, .n_values = 1}, "a declared value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        source s;
        source_columns(&s, &cases[i].column, 1);
        must_fail(source_open(&s, "id\n", 3, "utf-8", 1), PL_INVALID_ARGUMENT, cases[i].message);
        source_close(&s);
    }
}

static void test_limits(void **state) {
    (void)state;
    static const struct {
        size_t n;
        char fill;
        const char *message; /* NULL: it fits */
    } cases[] = {{PL_CSV_RECORD_BYTES_MAX - 1, 'x', NULL},
                 {PL_CSV_RECORD_BYTES_MAX, 'x', ":2: the record is longer than 1 MiB"},
                 {PL_CSV_FIELDS_MAX - 2, ',', ":2: found 4096 field(s)"},
                 {PL_CSV_FIELDS_MAX - 1, ',', ":2: the record has more than 4096 fields"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *data = malloc(cases[i].n + 20);
        assert_non_null(data);
        memcpy(data, "id,name\n1,", 10);
        memset(data + 10, cases[i].fill, cases[i].n);
        memcpy(data + 10 + cases[i].n, "\n", 1);
        source s;
        pl_value v[2];
        bool has;
        source_columns(&s, PLAIN, 2);
        must(source_open(&s, data, 11 + cases[i].n, "utf-8", 5));
        pl_status status = pl_csv_next(s.csv, v, &has);
        if (cases[i].message == NULL)
            must(status);
        else
            must_fail(status, cases[i].fill == ',' && i == 2 ? PL_INVALID_ARGUMENT : PL_LIMIT,
                      cases[i].message);
        source_close(&s);
        free(data);
    }
}

/* ---- round trip ---- */

static uint64_t rng;

static uint32_t draw(uint32_t below) {
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng >> 33) % below;
}

/* A random text of pieces that are hard to quote, or NULL. */
static bool random_text(char out[100]) {
    static const char *const pieces[] = {"a", "\"", ",", "\n", "\r\n", "北", "𠀀", " ", "\r", "'"};
    out[0] = 0;
    uint32_t n = draw(8);
    if (n == 7)
        return false;
    for (uint32_t i = 0; i < n; i++)
        strcat(out, pieces[draw(sizeof pieces / sizeof *pieces)]);
    return true;
}

static void write_field(pl_buf *buf, const char *field) {
    bool plain = strpbrk(field, "\",\r\n") == NULL && *field != 0 && draw(2) == 0;
    if (!plain)
        pl_buf_append(buf, "\"", 1);
    for (const char *at = field; *at != 0; at++)
        pl_buf_append(buf, *at == '"' && !plain ? "\"\"" : at, *at == '"' && !plain ? 2 : 1);
    if (!plain)
        pl_buf_append(buf, "\"", 1);
}

typedef struct random_row {
    int64_t id;
    bool has_name;
    char name[100];
} random_row;

static void round_trip(size_t n_rows) {
    random_row *rows = calloc(n_rows + 1, sizeof *rows);
    assert_non_null(rows);
    pl_buf buf = {0};
    const char *end = draw(2) ? "\r\n" : "\n";
    pl_buf_printf(&buf, "name,x,id%s", end);
    for (size_t i = 0; i < n_rows; i++) {
        rows[i].id = (int64_t)(((uint64_t)draw(1u << 31) << 33) | draw(1u << 31));
        rows[i].has_name = random_text(rows[i].name);
        if (rows[i].has_name)
            write_field(&buf, rows[i].name);
        pl_buf_printf(&buf, ",%u,%lld%s", draw(9), (long long)rows[i].id,
                      i + 1 == n_rows && draw(2) ? "" : end);
    }
    pl_bytes data;
    must(pl_buf_take(&buf, &data));
    source s;
    pl_value v[2];
    source_columns(&s, PLAIN, 2);
    must(source_open(&s, data.data, data.len, "utf-8", n_rows));
    for (size_t i = 0; i < n_rows; i++) {
        assert_true(next(&s, v));
        assert_true(v[0].integer == rows[i].id);
        assert_int_equal(v[1].is_null, !rows[i].has_name);
        if (rows[i].has_name)
            expect_text(&v[1], rows[i].name);
    }
    assert_false(next(&s, v));
    source_close(&s);
    pl_bytes_done(&data);
    free(rows);
}

static void test_round_trip(void **state) {
    (void)state;
    const char *given = getenv("PARLEY_TEST_SEED");
    rng = given != NULL ? strtoull(given, NULL, 10) : 20261123;
    print_message("seed %llu\n", (unsigned long long)rng);
    size_t n_total = 0;
    for (int i = 0; i < 300; i++) {
        size_t n = draw(60);
        round_trip(n);
        n_total += n;
    }
    assert_true(n_total > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc4180),
        cmocka_unit_test(test_digest_before_the_end),
        cmocka_unit_test(test_bom_and_order),
        cmocka_unit_test(test_short_reads),
        cmocka_unit_test(test_gb18030),
        cmocka_unit_test(test_gb18030_long),
        cmocka_unit_test(test_gb18030_fault_line),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_nul_byte),
        cmocka_unit_test(test_header_faults),
        cmocka_unit_test(test_read_error),
        cmocka_unit_test(test_wrong_declarations),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
