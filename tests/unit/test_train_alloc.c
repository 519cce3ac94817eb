/* Memory that ends in a training: every allocation of planning, explaining, keeping, serving and of
 * the result fails once, in turn; each time the answer is a LIMIT error, what was there before
 * still works or is let go, and nothing is leaked (the sanitizer looks). protobuf-c's own
 * allocations are not in this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/session/train.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t n_calls, fail_at; /* 0: never */

pl_status __real_pl_alloc(size_t n, size_t size, void *out_ptr);
pl_status __wrap_pl_alloc(size_t n, size_t size, void *out_ptr);
pl_status __real_pl_secret_alloc(size_t len, void *out_ptr);
pl_status __wrap_pl_secret_alloc(size_t len, void *out_ptr);
pl_status __real_pl_strdup(const char *text, char **out);
pl_status __wrap_pl_strdup(const char *text, char **out);

static bool is_to_fail(void) {
    return ++n_calls == fail_at;
}

pl_status __wrap_pl_alloc(size_t n, size_t size, void *out_ptr) {
    return is_to_fail() ? pl_fail(PL_LIMIT, "out of memory on purpose")
                        : __real_pl_alloc(n, size, out_ptr);
}

pl_status __wrap_pl_secret_alloc(size_t len, void *out_ptr) {
    return is_to_fail() ? pl_fail(PL_LIMIT, "out of memory on purpose")
                        : __real_pl_secret_alloc(len, out_ptr);
}

pl_status __wrap_pl_strdup(const char *text, char **out) {
    return is_to_fail() ? pl_fail(PL_LIMIT, "out of memory on purpose")
                        : __real_pl_strdup(text, out);
}

#define BASE .base = PROTOBUF_C_MESSAGE_INIT(&parley__v1__column__descriptor)
#define TYPE(name) PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_##name
static char EMPTY[] = "";
static Parley__V1__Column ID = {BASE, .name = "id", .type = TYPE(INTEGER), .min = EMPTY,
                                .max = EMPTY};
static Parley__V1__Column X = {BASE, .name = "x", .type = TYPE(REAL), .min = "0", .max = "9"};
static Parley__V1__Column Y = {BASE, .name = "y", .type = TYPE(BOOL), .min = EMPTY, .max = EMPTY};
static Parley__V1__Column *COLUMNS[] = {&ID, &X, &Y};

typedef pl_status (*attempt)(void *ctx);

/* Runs until nothing fails any more; returns how often something did. */
static size_t sweep(attempt run, void *ctx) {
    size_t n_failures = 0;
    for (fail_at = 1;; fail_at++) {
        n_calls = 0;
        pl_status status = run(ctx);
        if (pl_is_ok(status))
            break;
        assert_int_equal(pl_status_code(status), PL_LIMIT);
        pl_status_done(&status);
        n_failures++;
    }
    fail_at = 0;
    return n_failures;
}

static pl_status make_plan(Parley__V1__Plan **out) {
    Parley__V1__Dataset data = PARLEY__V1__DATASET__INIT;
    data.org = (char[]){"north"};
    data.name = (char[]){"t"};
    data.rows_max = 1000;
    data.min_cohort = 2;
    data.columns = COLUMNS;
    data.n_columns = 3;
    const Parley__V1__Dataset *const datasets[] = {&data};
    static const char *const MEMBERS[] = {"north", "south", "east"};
    const pl_plan_context context = {.datasets = datasets,
                                     .n_datasets = 1,
                                     .members = MEMBERS,
                                     .n_members = 3,
                                     .proposer = "south"};
    Parley__V1__Task task = PARLEY__V1__TASK__INIT;
    task.purpose = (char[]){"p"};
    task.text = (char[]){"dataset: t\nlabel: y\nfeatures: [x]\npurpose: p\nrounds: 2\n"
                         "split: {key: id, salt: s, holdout: 0.3}\n"};
    return pl_session_kind_find("train")->plan(&context, &task, out);
}

static pl_status plan_and_explain(void *ctx) {
    (void)ctx;
    Parley__V1__Plan *plan = NULL;
    pl_buf text = {0};
    PL_TRY(make_plan(&plan));
    pl_status status = pl_train_explain(plan, &text);
    pl_buf_done(&text);
    parley__v1__plan__free_unpacked(plan, NULL);
    return status;
}

static void test_planning(void **state) {
    (void)state;
    assert_true(sweep(plan_and_explain, NULL) > 50);
}

/* ---- the trainer ---- */

static pl_status keep(const Parley__V1__Plan *plan, pl_kept **out) {
    Parley__V1__SourceColumn columns[3], *list[3];
    for (size_t i = 0; i < 3; i++) {
        parley__v1__source_column__init(&columns[i]);
        columns[i].column = COLUMNS[i];
        columns[i].source_name = COLUMNS[i]->name;
        list[i] = &columns[i];
    }
    Parley__V1__SourceRequest request = PARLEY__V1__SOURCE_REQUEST__INIT;
    request.plan = (Parley__V1__Plan *)plan;
    request.columns = list;
    request.n_columns = 3;
    request.encoding = (char[]){"utf-8"};
    request.rows_max = 1000;
    Parley__V1__SourceReply reply = PARLEY__V1__SOURCE_REPLY__INIT;
    FILE *file = tmpfile();
    assert_non_null(file);
    fputs("id,x,y\n", file);
    for (int i = 0; i < 600; i++) /* more than fit at first */
        fprintf(file, "%d,%d.5,%s\n", i, i % 9, i % 3 ? "true" : "false");
    rewind(file);
    pl_status status = pl_train_keep(&request, fileno(file), &reply, out);
    free(reply.version.data);
    fclose(file);
    return status;
}

static pl_status ask(pl_kept *kept, Parley__V1__TrainRequest *request) {
    uint8_t packed[100];
    pl_bytes body = {0};
    size_t len = parley__v1__train_request__pack(request, packed);
    pl_status status = pl_train_serve(kept, pl_view_of(packed, len), &body);
    pl_bytes_done(&body);
    return status;
}

static pl_status serve_all(pl_kept *kept) {
    double numbers[] = {4.5, 2}, model_numbers[] = {1, -1};
    Parley__V1__TrainScale scale = PARLEY__V1__TRAIN_SCALE__INIT;
    Parley__V1__TrainModel model = PARLEY__V1__TRAIN_MODEL__INIT;
    Parley__V1__TrainRequest request = PARLEY__V1__TRAIN_REQUEST__INIT;
    scale.mean = &numbers[0];
    scale.deviation = &numbers[1];
    scale.n_mean = scale.n_deviation = 1;
    model.weights = model_numbers;
    model.n_weights = 2;
    request.kind_case = PARLEY__V1__TRAIN_REQUEST__KIND_MOMENTS;
    request.moments = 1;
    PL_TRY(ask(kept, &request));
    request.kind_case = PARLEY__V1__TRAIN_REQUEST__KIND_SCALE;
    request.scale = &scale;
    PL_TRY(ask(kept, &request));
    request.kind_case = PARLEY__V1__TRAIN_REQUEST__KIND_STEP;
    request.step = &model;
    PL_TRY(ask(kept, &request));
    request.kind_case = PARLEY__V1__TRAIN_REQUEST__KIND_EVALUATE;
    request.evaluate = &model;
    return ask(kept, &request);
}

static pl_status keep_and_serve(void *ctx) {
    pl_kept *kept = NULL;
    PL_TRY(keep(ctx, &kept));
    pl_status status = serve_all(kept);
    pl_train_let_go(kept);
    return status;
}

static void test_trainer(void **state) {
    (void)state;
    Parley__V1__Plan *plan = NULL;
    assert_true(pl_is_ok(make_plan(&plan)));
    assert_true(sweep(keep_and_serve, plan) > 15);
    parley__v1__plan__free_unpacked(plan, NULL);
}

/* ---- the result ---- */

static pl_status finish(void *ctx) {
    double mean = 4.5, deviation = 2, model[] = {1, -1}, loss[] = {1, 2, 3}, accuracy[] = {0, 1, 1};
    const pl_train_state trained = {.body = ctx,
                                    .d = 1,
                                    .counts = {10, 5, 5, 2, 2},
                                    .mean = &mean,
                                    .deviation = &deviation,
                                    .model = model,
                                    .loss = loss,
                                    .accuracy = accuracy,
                                    .norm = 1,
                                    .finals = {1, 2, 3, 4, 6, 2}};
    Parley__V1__ResultTable *table = NULL;
    PL_TRY(pl_train_result(&trained, &table));
    assert_int_equal(table->n_rows, 2);
    assert_true(table->train->auc == 0.75 && table->train->auc_error == 0.25);
    parley__v1__result_table__free_unpacked(table, NULL);
    return PL_OK;
}

static void test_result(void **state) {
    (void)state;
    Parley__V1__Plan *plan = NULL;
    Parley__V1__TrainPlan *body = NULL;
    assert_true(pl_is_ok(make_plan(&plan)) && pl_is_ok(pl_train_body(plan, &body)));
    assert_true(sweep(finish, body) > 30);
    parley__v1__train_plan__free_unpacked(body, NULL);
    parley__v1__plan__free_unpacked(plan, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_planning),
                                       cmocka_unit_test(test_trainer),
                                       cmocka_unit_test(test_result)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
