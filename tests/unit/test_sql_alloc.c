/* Memory that ends: every allocation of planning, explaining and finishing fails once, in turn;
 * each time the answer is a LIMIT error and nothing is leaked (the sanitizer looks). GMP,
 * protobuf-c and libpg_query abort or fail by themselves and are not in this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/session/session.h"
#include "node/sql/finish.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t n_calls, fail_at; /* 0: never */

pl_status __real_pl_alloc(size_t n, size_t size, void *out_ptr);
pl_status __wrap_pl_alloc(size_t n, size_t size, void *out_ptr);
pl_status __real_pl_strdup(const char *text, char **out);
pl_status __wrap_pl_strdup(const char *text, char **out);

pl_status __wrap_pl_alloc(size_t n, size_t size, void *out_ptr) {
    if (++n_calls == fail_at)
        return pl_fail(PL_LIMIT, "out of memory on purpose");
    return __real_pl_alloc(n, size, out_ptr);
}

pl_status __wrap_pl_strdup(const char *text, char **out) {
    if (++n_calls == fail_at)
        return pl_fail(PL_LIMIT, "out of memory on purpose");
    return __real_pl_strdup(text, out);
}

#define BASE .base = PROTOBUF_C_MESSAGE_INIT(&parley__v1__column__descriptor)
static char *REGIONS[] = {"a", "b"};
static Parley__V1__Column REGION = {
    BASE,         .name = "region", .type = PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_TEXT,
    .min = "",    .max = "",        .values = REGIONS,
    .n_values = 2};
static Parley__V1__Column INCOME = {
    BASE,           .name = "income", .type = PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL,
    .precision = 9, .scale = 2,       .min = "",
    .max = "",      .nullable = 1};
static Parley__V1__Column *COLUMNS[] = {&REGION, &INCOME};

static pl_status plan(Parley__V1__Plan **out) {
    Parley__V1__Dataset data = PARLEY__V1__DATASET__INIT;
    data.org = (char[]){"north"};
    data.name = (char[]){"residents"};
    data.rows_max = 100;
    data.min_cohort = 2;
    data.columns = COLUMNS;
    data.n_columns = 2;
    const Parley__V1__Dataset *const datasets[] = {&data};
    static const char *const MEMBERS[] = {"north", "south", "east"};
    const pl_plan_context context = {.datasets = datasets,
                                     .n_datasets = 1,
                                     .members = MEMBERS,
                                     .n_members = 3,
                                     .proposer = "south"};
    Parley__V1__Task task = PARLEY__V1__TASK__INIT;
    task.text = (char[]){"SELECT region AS r, ROUND(AVG(income), 1) + 1.5, 'x' FROM residents "
                         "WHERE income IN (1, 2.5) AND NOT (region IS NULL OR region = 'q') GROUP "
                         "BY r HAVING SUM(income) BETWEEN 0 AND 9 ORDER BY -COUNT(*), 1"};
    return pl_session_kind_find("query")->plan(&context, &task, out);
}

static void test_planning(void **state) {
    (void)state;
    size_t n_failures = 0;
    for (fail_at = 1;; fail_at++) {
        n_calls = 0;
        Parley__V1__Plan *made = NULL;
        pl_status status = plan(&made);
        if (pl_is_ok(status)) {
            parley__v1__plan__free_unpacked(made, NULL);
            break;
        }
        assert_int_equal(pl_status_code(status), PL_LIMIT);
        pl_status_done(&status);
        n_failures++;
    }
    fail_at = 0;
    assert_true(n_failures > 100);
}

static void test_finishing(void **state) {
    (void)state;
    Parley__V1__Plan *made = NULL;
    fail_at = 0;
    assert_true(pl_is_ok(plan(&made)));
    Parley__V1__QueryPlan *query =
        parley__v1__query_plan__unpack(NULL, made->body.len, made->body.data);
    assert_int_equal(query->n_cells, 2);
    const uint64_t ok[] = {1, 1};
    pl_i128 moments[] = {3, 4, 3, 4, 500, 600};
    assert_int_equal(query->n_moments, 3);
    size_t n_failures = 0;
    for (fail_at = 1;; fail_at++) {
        n_calls = 0;
        Parley__V1__ResultTable *table = NULL;
        pl_status status = pl_sql_finish(query, &(pl_opened){ok, moments}, &table);
        if (pl_is_ok(status)) {
            assert_int_equal(table->n_rows, 2);
            assert_string_equal(table->rows[0]->cells[0]->text, "b");
            assert_string_equal(table->rows[0]->cells[1]->text, "3.0");
            parley__v1__result_table__free_unpacked(table, NULL);
            break;
        }
        assert_int_equal(pl_status_code(status), PL_LIMIT);
        pl_status_done(&status);
        n_failures++;
    }
    fail_at = 0;
    assert_true(n_failures > 30);
    parley__v1__query_plan__free_unpacked(query, NULL);
    parley__v1__plan__free_unpacked(made, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_planning),
                                       cmocka_unit_test(test_finishing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
