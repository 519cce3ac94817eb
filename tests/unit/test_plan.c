/* The planner: every construct outside the language is refused by name and place; what is inside
 * becomes the right moments, rings, cells, flows and openings, the same bytes at every node. It
 * could be wrong where a construct of PostgreSQL that is not in the table below slips through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/session/session.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INTEGER PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER
#define DECIMAL PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL
#define REAL PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL
#define BOOL PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL
#define DATE PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DATE
#define TEXT PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_TEXT

static char *NORTH_REGIONS[] = {"Tyrol", "Vienna"};
static char *SOUTH_REGIONS[] = {"Vienna", "Styria"};
static char *SEXES[] = {"male", "female"};
static char *PRICES[] = {"1.5", "2.50"};

#define BASE .base = PROTOBUF_C_MESSAGE_INIT(&parley__v1__column__descriptor)
#define COLUMN(...)                                                                                \
    { BASE, .min = "", .max = "", __VA_ARGS__ }
#define RANGED(lowest, highest, ...)                                                               \
    { BASE, .min = lowest, .max = highest, __VA_ARGS__ }

static Parley__V1__Column NORTH[] = {
    COLUMN(.name = "region", .type = TEXT, .values = NORTH_REGIONS, .n_values = 2),
    COLUMN(.name = "sex", .type = TEXT, .values = SEXES, .n_values = 2, .nullable = 1),
    RANGED("0", "130", .name = "age", .type = INTEGER),
    COLUMN(.name = "id", .type = INTEGER),
    RANGED("-100.00", "9999999.99", .name = "income", .type = DECIMAL, .precision = 9, .scale = 2,
           .nullable = 1),
    RANGED("0", "1000", .name = "weight", .type = REAL),
    COLUMN(.name = "free", .type = REAL),
    COLUMN(.name = "huge", .type = DECIMAL, .precision = 38, .scale = 0),
    COLUMN(.name = "born", .type = DATE),
    COLUMN(.name = "married", .type = BOOL, .nullable = 1),
    COLUMN(.name = "price", .type = DECIMAL, .precision = 5, .scale = 2, .values = PRICES,
           .n_values = 2),
    RANGED("0", "10", .name = "收入", .type = INTEGER),
};
static Parley__V1__Column SOUTH_REGION =
    COLUMN(.name = "region", .type = TEXT, .values = SOUTH_REGIONS, .n_values = 2);
static Parley__V1__Column SOUTH_ID = COLUMN(.name = "id", .type = TEXT);
#define N_COLUMNS (sizeof NORTH / sizeof NORTH[0])

static Parley__V1__Column *NORTH_LIST[N_COLUMNS], *SOUTH_LIST[N_COLUMNS];
static Parley__V1__Dataset SOUTH_DATA, NORTH_DATA, TAX_DATA;
static const Parley__V1__Dataset *const DATASETS[] = {&SOUTH_DATA, &NORTH_DATA, &TAX_DATA};
static const char *const MEMBERS[] = {"south", "north", "tax", "east"};
static const pl_plan_context CONTEXT = {
    .datasets = DATASETS, .n_datasets = 3, .members = MEMBERS, .n_members = 4, .proposer = "tax"};

static void make_dataset(Parley__V1__Dataset *d, const char *org, const char *name, uint64_t rows,
                         uint32_t k, Parley__V1__Column **columns) {
    parley__v1__dataset__init(d);
    d->org = (char *)org;
    d->name = (char *)name;
    d->rows_max = rows;
    d->min_cohort = k;
    d->columns = columns;
    d->n_columns = N_COLUMNS;
}

static int setup(void **state) {
    (void)state;
    for (size_t i = 0; i < N_COLUMNS; i++)
        NORTH_LIST[i] = SOUTH_LIST[i] = &NORTH[i];
    SOUTH_LIST[0] = &SOUTH_REGION;
    SOUTH_LIST[3] = &SOUTH_ID;
    make_dataset(&NORTH_DATA, "north", "residents", 1000000, 3, NORTH_LIST);
    make_dataset(&SOUTH_DATA, "south", "residents", 1000000, 10, SOUTH_LIST);
    make_dataset(&TAX_DATA, "tax", "income", 1000, 0, NORTH_LIST);
    return 0;
}

static pl_status plan(const char *sql, Parley__V1__Plan **out) {
    Parley__V1__Task task = PARLEY__V1__TASK__INIT;
    task.kind = (char[]){"query"};
    task.text = (char *)sql;
    return pl_session_kind_find("query")->plan(&CONTEXT, &task, out);
}

static Parley__V1__Plan *must_plan(const char *sql) {
    Parley__V1__Plan *made = NULL;
    pl_status status = plan(sql, &made);
    if (!pl_is_ok(status))
        fail_msg("%s: %s", sql, pl_status_message(status));
    return made;
}

static Parley__V1__QueryPlan *body(const Parley__V1__Plan *made) {
    Parley__V1__QueryPlan *query =
        parley__v1__query_plan__unpack(NULL, made->body.len, made->body.data);
    assert_non_null(query);
    return query;
}

static void refused(const char *sql, const char *text) {
    Parley__V1__Plan *made = NULL;
    pl_status status = plan(sql, &made);
    if (pl_is_ok(status))
        fail_msg("%s was planned", sql);
    if (strstr(pl_status_message(status), text) == NULL)
        fail_msg("%s: \"%s\" lacks \"%s\"", sql, pl_status_message(status), text);
    pl_status_done(&status);
}

/* ---- what is refused, and with which words ---- */

static const char *const REFUSED[][2] = {
    {"", "empty"},
    {"SELECT COUNT(*) FRM residents", "line 1, column 21: syntax error at or near \"residents\""},
    {"SELECT COUNT(*)\nFROM residents\nWHERE 'ü' = 'ü' AND JOIN",
     "line 3, column 25: syntax error"},
    {"SELECT 'abc", "line 1, column 8: unterminated quoted string"},
    {"DELETE FROM residents", "only SELECT"},
    {"SELECT COUNT(*) FROM residents; SELECT 1", "second statement"},
    {"SELECT COUNT(*) FROM residents r JOIN tax.income t ON true",
     "line 1, column 22: JOIN is not supported"},
    {"SELECT COUNT(*) FROM residents, tax.income", "line 1, column 33: a second table"},
    {"SELECT COUNT(*) FROM (SELECT 1) x", "subquery in FROM"},
    {"SELECT COUNT(*) FROM generate_series(1,2)", "function in FROM"},
    {"SELECT COUNT(*)", "without FROM"},
    {"SELECT COUNT(*) FROM nothing",
     "line 1, column 22: there is no dataset nothing in the catalogue; there is: north.residents, "
     "south.residents, tax.income"},
    {"SELECT COUNT(*) FROM east.residents", "no dataset east.residents"},
    {"SELECT COUNT(*) FROM a.b.c", "three parts"},
    {"SELECT * FROM residents", "line 1, column 8: * is not supported"},
    {"SELECT region FROM residents", "must appear in the GROUP BY clause"},
    {"SELECT 1 FROM residents", "rows are never given out"},
    {"SELECT DISTINCT region FROM residents", "DISTINCT is not supported"},
    {"SELECT COUNT(DISTINCT region) FROM residents",
     "line 1, column 8: DISTINCT inside an aggregate is not supported"},
    {"SELECT COUNT(*) FILTER (WHERE age > 3) FROM residents", "FILTER is not supported"},
    {"SELECT SUM(age ORDER BY age) FROM residents", "ORDER BY inside an aggregate"},
    {"SELECT SUM(age) OVER () FROM residents", "window function"},
    {"SELECT SUM(age + 1) FROM residents",
     "line 1, column 8: an expression inside SUM is not supported"},
    {"SELECT MIN(region) FROM residents",
     "line 1, column 8: MIN of a column of type text is not supported"},
    {"SELECT MAX(weight) FROM residents", "MAX of a column of type double precision"},
    {"SELECT MAX(id) FROM north.residents", "column id may hold values of more than 60 bits"},
    {"SELECT MAX(age + 1) FROM residents", "an expression inside MAX"},
    {"SELECT COUNT(*) FROM residents WHERE age = MAX(age)",
     "aggregate functions are not allowed in WHERE"},
    {"SELECT mode(age) FROM residents", "function mode is not supported"},
    {"SELECT STDDEV(weight) FROM residents",
     "line 1, column 15: column weight is a real number: statistics of squares need integer"},
    {"SELECT VARIANCE(huge) FROM residents", "the sum of column huge may overflow"},
    {"SELECT VARIANCE(id) FROM north.residents", "column id times column id may overflow"},
    {"SELECT CORR(age, region) FROM residents", "column region is no number"},
    {"SELECT CORR(age) FROM residents", "corr takes two columns"},
    {"SELECT VARIANCE(age, age) FROM residents", "variance takes one column"},
    {"SELECT VARIANCE(age + 1) FROM residents", "an expression inside a statistic"},
    {"SELECT VARIANCE(DISTINCT age) FROM residents", "DISTINCT inside an aggregate"},
    {"SELECT COUNT(*) FROM residents WHERE VARIANCE(age) > 1",
     "aggregate functions are not allowed in WHERE"},
    {"SELECT SUM(region) FROM residents", "function sum(text) does not exist"},
    {"SELECT AVG(married) FROM residents", "function avg(boolean) does not exist"},
    {"SELECT COUNT(nothing) FROM residents",
     "line 1, column 14: column \"nothing\" does not exist"},
    {"SELECT COUNT(id) FROM residents", "column id is integer with 0 decimals at north but text"},
    {"SELECT SUM(huge) FROM residents", "the sum of column huge may overflow"},
    {"SELECT SUM(free) FROM residents", "without a declared range"},
    {"SELECT COUNT(*) FROM residents GROUP BY age", "column age has no declared values"},
    {"SELECT COUNT(*) FROM residents GROUP BY age + 1", "GROUP BY an expression"},
    {"SELECT COUNT(*) FROM residents GROUP BY ROLLUP (region)", "ROLLUP"},
    {"SELECT COUNT(*) FROM residents GROUP BY 2", "GROUP BY position 2 is not in select list"},
    {"SELECT COUNT(*) AS n FROM residents GROUP BY n", "GROUP BY an expression"},
    {"SELECT COUNT(*) FROM residents ORDER BY 2", "ORDER BY position 2"},
    {"SELECT COUNT(*) FROM residents ORDER BY 'x'", "non-integer constant in ORDER BY"},
    {"SELECT COUNT(*) AS a, AVG(age) AS a FROM residents ORDER BY a", "ambiguous"},
    {"SELECT COUNT(*) FROM residents ORDER BY age", "must appear in the GROUP BY"},
    {"SELECT COUNT(*) FROM residents LIMIT 1", "line 1, column 38: LIMIT is not supported"},
    {"SELECT COUNT(*) FROM residents OFFSET 1", "OFFSET is not supported"},
    {"SELECT COUNT(*) FROM residents FOR UPDATE", "FOR UPDATE"},
    {"SELECT COUNT(*) INTO x FROM residents", "INTO"},
    {"WITH x AS (SELECT 1) SELECT COUNT(*) FROM residents", "WITH is not supported"},
    {"SELECT COUNT(*) FROM residents UNION SELECT 1", "UNION"},
    {"VALUES (1)", "VALUES"},
    {"SELECT COUNT(*) FROM residents WHERE COUNT(*) > 1",
     "aggregate functions are not allowed in WHERE"},
    {"SELECT COUNT(*) FROM residents WHERE age",
     "line 1, column 38: argument of WHERE must be type boolean, not type bigint"},
    {"SELECT COUNT(*) FROM residents WHERE age = region", "operator does not exist: bigint = text"},
    {"SELECT COUNT(*) FROM residents WHERE age = 'abc'",
     "line 1, column 42: invalid input syntax for type bigint: \"abc\""},
    {"SELECT COUNT(*) FROM residents WHERE born > '2020-13-01'",
     "invalid input syntax for type date"},
    {"SELECT COUNT(*) FROM residents WHERE age / 2 = 1", "operator / in WHERE is not supported"},
    {"SELECT COUNT(*) FROM residents WHERE region LIKE 'T%'", "LIKE is not supported"},
    {"SELECT COUNT(*) FROM residents WHERE region || 'x' = 'y'", "operator || is not supported"},
    {"SELECT COUNT(*) FROM residents WHERE age IN (SELECT 1)", "subquery"},
    {"SELECT COUNT(*) FROM residents WHERE EXISTS (SELECT 1)", "subquery"},
    {"SELECT COUNT(*) FROM residents WHERE age = ANY (ARRAY[1])", "ANY and ALL"},
    {"SELECT COUNT(*) FROM residents WHERE age IS DISTINCT FROM 1", "IS DISTINCT FROM"},
    {"SELECT COUNT(*) FROM residents WHERE NULLIF(age, 1) = 1", "NULLIF"},
    {"SELECT COUNT(*) FROM residents WHERE born = CURRENT_DATE", "current date"},
    {"SELECT COUNT(*) FROM residents WHERE age = $1", "parameter"},
    {"SELECT CASE WHEN COUNT(*) > 1 THEN 1 END FROM residents",
     "line 1, column 8: CASE is not supported"},
    {"SELECT COALESCE(SUM(age), 0) FROM residents", "COALESCE is not supported"},
    {"SELECT GREATEST(1, 2) FROM residents GROUP BY region", "GREATEST"},
    {"SELECT region COLLATE \"C\" FROM residents GROUP BY region", "COLLATE"},
    {"SELECT COUNT(*)::money FROM residents", "type \"money\" is not supported"},
    {"SELECT region::bigint FROM residents GROUP BY region",
     "a cast from text to bigint is not supported"},
    {"SELECT x.region FROM residents GROUP BY 1", "missing FROM-clause entry for table \"x\""},
    {"SELECT COUNT(*) + 'x' FROM residents", "invalid input syntax for type bigint"},
    {"SELECT ROUND(weight, 2) FROM residents GROUP BY weight", "no declared values"},
    {"SELECT ROUND(AVG(weight), 2) FROM residents",
     "round(double precision, integer) does not exist"},
    {"SELECT COUNT(*) FROM residents WHERE 99999999999999999999 = 'a'",
     "invalid input syntax for type numeric"},
    {"SELECT SUM(aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg) FROM residents",
     "longer than 63 bytes"},
    {"SELECT COUNT(*) FROM residents WHERE region = '\xff'", "not valid UTF-8"},
};

static void test_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++)
        refused(REFUSED[i][0], REFUSED[i][1]);
}

static void repeat(char *out, const char *piece, size_t times) {
    for (size_t i = 0; i < times; i++)
        memcpy(out + i * strlen(piece), piece, strlen(piece));
    out[times * strlen(piece)] = '\0';
}

static void test_bounds(void **state) {
    (void)state;
    static char text[60000], part[20000], other[20000];
    repeat(part, "(", 10000);
    repeat(other, ")", 10000);
    snprintf(text, sizeof text, "SELECT %s1%s FROM residents", part, other);
    refused(text, "bytes; the limit is 8192");
    repeat(part, "(", 400);
    repeat(other, ")", 400);
    snprintf(text, sizeof text, "SELECT %s1%s FROM residents", part, other);
    refused(text, "line 1, column 72: brackets are nested deeper than 64 levels");
    repeat(part, "1+", 700);
    snprintf(text, sizeof text, "SELECT %s1 FROM residents", part);
    refused(text, "tokens; the limit is 1024");
    repeat(part, "1+", 300);
    snprintf(text, sizeof text, "SELECT %sCOUNT(*) FROM residents", part);
    refused(text, "nested deeper than 128 levels");
    repeat(part, "NOT ", 300);
    snprintf(text, sizeof text, "SELECT COUNT(*) FROM residents WHERE %strue", part);
    refused(text, "nested deeper than 128 levels");
    /* Every BETWEEN writes its left side twice: 20 of them would be a million. */
    repeat(part, "(", 20);
    repeat(other, ") BETWEEN false AND true", 20);
    snprintf(text, sizeof text, "SELECT COUNT(*) FROM residents WHERE %smarried%s", part, other);
    refused(text, "more than 4096 parts");
    /* What nests without brackets: chains of set operations, joins and signs. */
    repeat(part, " UNION SELECT 1", 330);
    snprintf(text, sizeof text, "SELECT 1%s", part);
    refused(text, "UNION");
    repeat(part, " JOIN a ON true", 200);
    snprintf(text, sizeof text, "SELECT COUNT(*) FROM a%s", part);
    refused(text, "JOIN is not supported");
    repeat(part, "- ", 900);
    snprintf(text, sizeof text, "SELECT %sCOUNT(*) FROM residents", part);
    refused(text, "nested deeper than 128 levels");
    repeat(part, "(", 60);
    repeat(other, " NOT IN (false))", 60);
    snprintf(text, sizeof text, "SELECT COUNT(*) FROM residents WHERE %smarried%s", part, other);
    Parley__V1__Plan *made = must_plan(text);
    pl_buf shown = {0};
    assert_true(pl_is_ok(pl_session_kind_find("query")->explain(made, &shown)));
    pl_buf_done(&shown);
    parley__v1__plan__free_unpacked(made, NULL);
    repeat(text, "x", 20000);
    refused(text, "bytes; the limit is 8192");
}

/* ---- what is planned ---- */

static void check_moment(const Parley__V1__QueryPlan *q, size_t i, Parley__V1__MomentKind kind,
                         const char *column, uint32_t ring, uint32_t scale, uint32_t counted_by) {
    assert_true(i < q->n_moments);
    assert_int_equal(q->moments[i]->kind, kind);
    assert_string_equal(q->moments[i]->column, column);
    assert_int_equal(q->moments[i]->ring_bits, ring);
    assert_int_equal(q->moments[i]->scale, scale);
    assert_int_equal(q->moments[i]->counted_by, counted_by);
}

static void test_moments_and_rings(void **state) {
    (void)state;
    Parley__V1__Plan *made =
        must_plan("SELECT AVG(income), SUM(age), COUNT(age), COUNT(income), SUM(weight), "
                  "SUM(income) + 1 FROM residents HAVING COUNT(*) > 0");
    Parley__V1__QueryPlan *q = body(made);
    const Parley__V1__MomentKind SUM = PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM;
    assert_int_equal(q->n_moments, 5);
    check_moment(q, 0, PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT_STAR, "", 64, 0, 0);
    check_moment(q, 1, PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT, "income", 64, 0, 1);
    check_moment(q, 2, SUM, "income", 64, 2, 1);
    check_moment(q, 3, SUM, "age", 64, 0, 0);
    /* 2,000,000 rows up to 1,000 take 31 bits: 80 of the 95 left are used. */
    check_moment(q, 4, SUM, "weight", 128, 80, 0);
    assert_int_equal(q->n_cells, 1);
    assert_false(q->grouped);
    parley__v1__query_plan__free_unpacked(q, NULL);
    parley__v1__plan__free_unpacked(made, NULL);
    made = must_plan("SELECT SUM(id) FROM north.residents");
    q = body(made);
    check_moment(q, 1, SUM, "id", 128, 0, 0); /* no range: the type's */
    parley__v1__query_plan__free_unpacked(q, NULL);
    parley__v1__plan__free_unpacked(made, NULL);
}

/* Sums over rows in which both columns are there; what cannot be NULL narrows nothing. */
static void test_moments_of_statistics(void **state) {
    (void)state;
    const Parley__V1__MomentKind COUNT = PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT,
                                 SUM = PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM,
                                 SQUARE = PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM_SQUARE,
                                 PRODUCT = PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM_PRODUCT;
    Parley__V1__Plan *made =
        must_plan("SELECT CORR(income, age), COVAR_POP(age, income), VARIANCE(age), "
                  "REGR_COUNT(age, income) FROM residents");
    Parley__V1__QueryPlan *q = body(made);
    assert_int_equal(q->n_moments, 9);
    check_moment(q, 1, COUNT, "income", 64, 0, 1);
    check_moment(q, 2, SUM, "age", 64, 0, 1); /* where income is there */
    assert_string_equal(q->moments[2]->other, "income");
    check_moment(q, 3, SUM, "income", 64, 2, 1);
    assert_string_equal(q->moments[3]->other, "");
    check_moment(q, 4, SQUARE, "age", 64, 0, 1);
    assert_string_equal(q->moments[4]->other, "income");
    check_moment(q, 5, SQUARE, "income", 128, 4, 1); /* 2 * 10^6 * 10^18 */
    check_moment(q, 6, PRODUCT, "age", 64, 2, 1);
    assert_string_equal(q->moments[6]->other, "income");
    check_moment(q, 7, SUM, "age", 64, 0, 0);
    check_moment(q, 8, SQUARE, "age", 64, 0, 0);
    pl_buf shown = {0};
    assert_true(pl_is_ok(pl_session_kind_find("query")->explain(made, &shown)));
    pl_bytes text = {0};
    assert_true(pl_is_ok(pl_buf_take(&shown, &text)));
    assert_non_null(strstr((const char *)text.data, "= CORR(income, age) (double precision)"));
    assert_non_null(strstr((const char *)text.data, "= VAR_SAMP(age) (numeric)"));
    pl_bytes_done(&text);
    parley__v1__query_plan__free_unpacked(q, NULL);
    parley__v1__plan__free_unpacked(made, NULL);
}

static bool has_flow(const Parley__V1__Plan *made, const char *owner, const char *column,
                     Parley__V1__Right right, const char *operation) {
    for (size_t i = 0; i < made->n_flows; i++) {
        const Parley__V1__Flow *f = made->flows[i];
        if (strcmp(f->owner, owner) == 0 && strcmp(f->column, column) == 0 && f->right == right &&
            (operation == NULL || strcmp(f->operation, operation) == 0))
            return f->n_recipients == 1 && strcmp(f->recipients[0], "tax") == 0;
    }
    return false;
}

static void test_moments_of_extremes(void **state) {
    (void)state;
    Parley__V1__Plan *made = must_plan("SELECT MIN(income), MAX(income), MAX(born) FROM residents");
    Parley__V1__QueryPlan *q = body(made);
    assert_true(has_flow(made, "north", "income", PARLEY__V1__RIGHT__RIGHT_EXTREME, "MIN"));
    assert_true(has_flow(made, "south", "born", PARLEY__V1__RIGHT__RIGHT_EXTREME, "MAX"));
    assert_false(has_flow(made, "south", "born", PARLEY__V1__RIGHT__RIGHT_AGGREGATE, NULL));
    assert_int_equal(q->n_moments, 5);
    check_moment(q, 1, PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT, "income", 64, 0, 1);
    check_moment(q, 2, PARLEY__V1__MOMENT_KIND__MOMENT_KIND_MIN, "income", 64, 2, 1);
    check_moment(q, 3, PARLEY__V1__MOMENT_KIND__MOMENT_KIND_MAX, "income", 64, 2, 1);
    check_moment(q, 4, PARLEY__V1__MOMENT_KIND__MOMENT_KIND_MAX, "born", 64, 0, 0);
    assert_int_equal(q->moments[4]->type, DATE);
    parley__v1__query_plan__free_unpacked(q, NULL);
    parley__v1__plan__free_unpacked(made, NULL);
}

static void test_union_of_values(void **state) {
    (void)state;
    Parley__V1__Plan *made = must_plan(
        "SELECT region, sex, married, COUNT(*) FROM residents GROUP BY 1, sex, married, region");
    Parley__V1__QueryPlan *q = body(made);
    assert_int_equal(q->n_inputs, 2);
    assert_string_equal(q->inputs[0]->org, "north");
    assert_int_equal(q->n_keys, 3);
    assert_int_equal(q->keys[0]->n_values, 3);
    assert_string_equal(q->keys[0]->values[2], "Styria");
    assert_false(q->keys[0]->nullable);
    assert_true(q->keys[1]->nullable);
    assert_int_equal(q->n_cells, 3 * 3 * 3);
    assert_int_equal(made->cohort, 10); /* the strictest owner */
    parley__v1__query_plan__free_unpacked(q, NULL);
    parley__v1__plan__free_unpacked(made, NULL);
    made = must_plan("SELECT price AS p, COUNT(*) FROM tax.income GROUP BY p");
    q = body(made);
    assert_string_equal(q->keys[0]->values[0], "1.5");
    assert_int_equal(made->cohort, 0);
    parley__v1__query_plan__free_unpacked(q, NULL);
    parley__v1__plan__free_unpacked(made, NULL);
}

static void test_flows(void **state) {
    (void)state;
    Parley__V1__Plan *made =
        must_plan("SELECT region, AVG(income) FROM residents WHERE age > 17 AND NOT married GROUP "
                  "BY region HAVING COUNT(age) > 3 ORDER BY SUM(weight)");
    for (size_t i = 0; i < 2; i++) {
        const char *owner = i ? "north" : "south";
        assert_true(has_flow(made, owner, "*", PARLEY__V1__RIGHT__RIGHT_AGGREGATE, "COUNT"));
        assert_true(has_flow(made, owner, "income", PARLEY__V1__RIGHT__RIGHT_AGGREGATE, "AVG"));
        assert_true(has_flow(made, owner, "age", PARLEY__V1__RIGHT__RIGHT_AGGREGATE, "COUNT"));
        assert_true(has_flow(made, owner, "weight", PARLEY__V1__RIGHT__RIGHT_AGGREGATE, "SUM"));
        assert_true(
            has_flow(made, owner, "region", PARLEY__V1__RIGHT__RIGHT_GROUP_KEY, "GROUP BY"));
        assert_true(has_flow(made, owner, "age", PARLEY__V1__RIGHT__RIGHT_FILTER, "WHERE"));
        assert_true(has_flow(made, owner, "married", PARLEY__V1__RIGHT__RIGHT_FILTER, "WHERE"));
    }
    assert_true(has_flow(made, "tax", "", PARLEY__V1__RIGHT__RIGHT_COMPUTE, NULL));
    assert_int_equal(made->n_flows, 7 * 2 + 3);
    assert_int_equal(made->n_compute, 3); /* the proposer, then the owners */
    assert_string_equal(made->compute[0], "tax");
    assert_string_equal(made->compute[1], "north");
    assert_string_equal(made->compute[2], "south");
    assert_int_equal(made->n_openings, 1 + 4);
    assert_string_equal(made->openings[0]->what, "ok bit per cell");
    assert_string_equal(made->openings[3]->what, "SUM(income) per cell");
    parley__v1__plan__free_unpacked(made, NULL);
}

static void test_roles(void **state) {
    (void)state;
    static const struct {
        const char *compute[3], *recipient, *protocol, *error;
    } CASES[] = {
        {{"east", "tax", "north"}, "south", "rep3", NULL},
        {{"east", "tax", NULL}, "south", "", "needs exactly 3 compute parties; there are 2"},
        {{"east", "tax", "tax"}, "south", "", "compute party tax is named twice"},
        {{"east", "tax", "nobody"}, "south", "", "compute party nobody is not a member"},
        {{"east", "tax", "north"}, "nobody", "", "recipient nobody is not a member"},
        {{"east", "tax", "north"}, "south", "plain", "protocol plain is not supported"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Parley__V1__Task task = PARLEY__V1__TASK__INIT;
        task.text = (char[]){"SELECT COUNT(*) FROM residents"};
        char *recipient = (char *)CASES[i].recipient;
        task.compute = (char **)CASES[i].compute;
        task.n_compute = CASES[i].compute[2] ? 3 : 2;
        task.recipients = &recipient;
        task.n_recipients = 1;
        task.protocol = (char *)CASES[i].protocol;
        Parley__V1__Plan *made = NULL;
        pl_status status = pl_session_kind_find("query")->plan(&CONTEXT, &task, &made);
        if (CASES[i].error == NULL) {
            assert_true(pl_is_ok(status));
            assert_string_equal(made->compute[0], "east"); /* the order is the task's */
            parley__v1__plan__free_unpacked(made, NULL);
        } else {
            assert_non_null(strstr(pl_status_message(status), CASES[i].error));
            pl_status_done(&status);
        }
    }
}

/* The order of datasets and members must not matter: every node has its own. */
static void test_same_bytes(void **state) {
    (void)state;
    static const Parley__V1__Dataset *const TURNED[] = {&TAX_DATA, &NORTH_DATA, &SOUTH_DATA};
    static const char *const TURNED_MEMBERS[] = {"east", "tax", "north", "south"};
    const pl_plan_context turned = {.datasets = TURNED,
                                    .n_datasets = 3,
                                    .members = TURNED_MEMBERS,
                                    .n_members = 4,
                                    .proposer = "tax"};
    const char *sql =
        "SELECT region, ROUND(AVG(income), 2) AS a FROM residents r WHERE r.age BETWEEN 3 AND 9.5 "
        "OR born >= DATE '2000-02-29' GROUP BY region ORDER BY a DESC NULLS LAST, 1";
    Parley__V1__Plan *a = must_plan(sql), *b = NULL;
    Parley__V1__Task task = PARLEY__V1__TASK__INIT;
    task.text = (char *)sql;
    assert_true(pl_is_ok(pl_session_kind_find("query")->plan(&turned, &task, &b)));
    size_t len = parley__v1__plan__get_packed_size(a);
    assert_int_equal(len, parley__v1__plan__get_packed_size(b));
    uint8_t *x = malloc(len), *y = malloc(len);
    parley__v1__plan__pack(a, x);
    parley__v1__plan__pack(b, y);
    assert_memory_equal(x, y, len);
    free(x);
    free(y);
    parley__v1__plan__free_unpacked(a, NULL);
    parley__v1__plan__free_unpacked(b, NULL);
}

static void test_output_types_and_names(void **state) {
    (void)state;
    static const char *const CASES[][3] = {
        {"COUNT(*)", "count", "bigint"},
        {"SUM(age)", "sum", "numeric"},
        {"AVG(weight)", "avg", "double precision"},
        {"COUNT(*) / 2", "?column?", "bigint"},
        {"COUNT(*) * 1.0", "?column?", "numeric"},
        {"1 + 2 * COUNT(*)::integer", "?column?", "integer"},
        {"AVG(age)::numeric(10,2)", "avg", "numeric"},
        {"CAST(COUNT(*) AS double precision)", "count", "double precision"},
        {"SUM(weight) * 1.5", "?column?", "double precision"},
        {"ROUND(COUNT(*))", "round", "double precision"},
        {"ROUND(AVG(age), 2)", "round", "numeric"},
        {"-SUM(age) AS \"Minus\"", "Minus", "numeric"},
        {"SUM(收入) AS 总和", "总和", "numeric"},
        {"COUNT(*) > 3", "?column?", "boolean"},
        {"NULL", "?column?", "text"},
        {"5::numeric + COUNT(*)", "?column?", "numeric"},
        {"9223372036854775808 + COUNT(*)", "?column?", "numeric"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "SELECT %s, COUNT(*) FROM residents", CASES[i][0]);
        Parley__V1__Plan *made = must_plan(sql);
        Parley__V1__QueryPlan *q = body(made);
        assert_string_equal(q->outputs[0]->name, CASES[i][1]);
        assert_string_equal(q->outputs[0]->expr->type_name, CASES[i][2]);
        parley__v1__query_plan__free_unpacked(q, NULL);
        parley__v1__plan__free_unpacked(made, NULL);
    }
}

static void test_explain(void **state) {
    (void)state;
    Parley__V1__Plan *made =
        must_plan("SELECT region, AVG(income) FROM residents WHERE age >= 18 AND married IS NOT "
                  "FALSE GROUP BY region HAVING COUNT(*) > 5 ORDER BY 2");
    pl_buf text = {0};
    assert_true(pl_is_ok(pl_session_kind_find("query")->explain(made, &text)));
    pl_bytes bytes = {0};
    assert_true(pl_is_ok(pl_buf_take(&text, &bytes)));
    const char *shown = (const char *)bytes.data;
    assert_non_null(strstr(shown, "(age >= 18) AND (married IS NOT FALSE)"));
    assert_non_null(strstr(shown, "any two of tax, north and south together learn every input"));
    assert_non_null(strstr(shown, "SUM(income) per cell"));
    assert_non_null(strstr(shown, "north.residents.income"));
    assert_non_null(strstr(shown, "k = 10"));
    assert_non_null(strstr(shown, "HAVING COUNT(*) > 5"));
    if (getenv("PARLEY_SHOW") != NULL)
        fputs(shown, stdout);
    pl_bytes_done(&bytes);
    parley__v1__plan__free_unpacked(made, NULL);
}

/* Words in random order: planned or refused with a reason, never worse. */
static void test_random_words(void **state) {
    (void)state;
    static const char *const WORDS[] = {
        "SELECT",
        "FROM",
        "residents",
        "WHERE",
        "GROUP BY",
        "HAVING",
        "ORDER BY",
        "COUNT(*)",
        "SUM(",
        "AVG(",
        "age",
        "income",
        "region",
        "(",
        ")",
        ",",
        "+",
        "-",
        "*",
        "/",
        "=",
        "<",
        "AND",
        "OR",
        "NOT",
        "IN",
        "BETWEEN",
        "IS NULL",
        "IS TRUE",
        "1",
        "2.50",
        "'x'",
        "NULL",
        "true",
        "::bigint",
        "CAST(",
        "AS numeric(5,2))",
        "ROUND(",
        "AS n",
        "n",
        "DESC",
        "NULLS FIRST",
        "CASE WHEN",
        "THEN",
        "END",
        "UNION",
        "LIMIT 1",
        ";",
        "--",
        "/*",
        "*/",
        "$$",
        "\"",
        "'",
        "tax.income",
        "r.",
        "DISTINCT",
        "[1]",
        "married",
        "weight",
    };
    const char *given = getenv("PARLEY_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    size_t n_planned = 0;
    for (size_t round = 0; round < 4000; round++) {
        char sql[1000] = "SELECT COUNT(*) ";
        if (round % 2)
            strcat(sql, "FROM residents WHERE ");
        for (int n = rand() % 12; n > 0; n--) {
            strcat(sql, WORDS[(size_t)rand() % (sizeof WORDS / sizeof WORDS[0])]);
            strcat(sql, " ");
        }
        Parley__V1__Plan *made = NULL;
        pl_status status = plan(sql, &made);
        if (pl_is_ok(status)) {
            n_planned++;
            parley__v1__plan__free_unpacked(made, NULL);
        }
        assert_true(strlen(pl_status_message(status)) > 0);
        assert_int_not_equal(pl_status_code(status), PL_INTERNAL);
        pl_status_done(&status);
    }
    assert_true(n_planned > 0);
}

static void test_bench_plan(void **state) {
    (void)state;
    static const char *const BAD[] = {
        "",       " mul",       "mul 0",  "mul 50000001",
        "mul -1", "mul 1x",     "add 5",  "mul 99999999999999999999",
        "mul 5 ", "lt 1000001", "mul  5", "averylongnameofanoperation 5"};
    const pl_session_kind *kind = pl_session_kind_find("bench");
    Parley__V1__Task task = PARLEY__V1__TASK__INIT;
    Parley__V1__Plan *made = NULL;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        task.text = (char *)BAD[i];
        pl_status status = kind->plan(&CONTEXT, &task, &made);
        assert_int_equal(pl_status_code(status), PL_INVALID_ARGUMENT);
        pl_status_done(&status);
    }
    task.text = (char[]){"mul 3000000"};
    assert_true(pl_is_ok(kind->plan(&CONTEXT, &task, &made)));
    assert_int_equal(made->n_owners, 0);
    assert_int_equal(made->n_flows, 3);
    assert_string_equal(made->recipients[0], "tax");
    parley__v1__plan__free_unpacked(made, NULL);
    assert_null(pl_session_kind_find("nothing"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_moments_and_rings),
        cmocka_unit_test(test_moments_of_statistics),
        cmocka_unit_test(test_moments_of_extremes),
        cmocka_unit_test(test_union_of_values),
        cmocka_unit_test(test_flows),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_output_types_and_names),
        cmocka_unit_test(test_explain),
        cmocka_unit_test(test_bench_plan),
        cmocka_unit_test(test_random_words),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
