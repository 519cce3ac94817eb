/* A foreign TASK.yaml, as the planning child gets it: parsed, planned, explained, and planned again
 * to the same bytes; what comes out is a plan that the trainer and the worker accept. */
#include "node/session/train.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define N_COLUMNS 5
static char *WORDS[] = {"yes", "no"};
static Parley__V1__Column COLUMNS[N_COLUMNS], *LIST[N_COLUMNS];
static Parley__V1__Dataset NORTH, SOUTH;

static void column(int i, char *name, Parley__V1__ColumnType type, char *lowest, char *highest) {
    parley__v1__column__init(&COLUMNS[i]);
    COLUMNS[i].name = name;
    COLUMNS[i].type = type;
    COLUMNS[i].min = lowest;
    COLUMNS[i].max = highest;
    LIST[i] = &COLUMNS[i];
}

static void dataset(Parley__V1__Dataset *d, char *org, uint32_t k) {
    parley__v1__dataset__init(d);
    d->org = org;
    d->name = "t";
    d->rows_max = 100000;
    d->min_cohort = k;
    d->columns = LIST;
    d->n_columns = N_COLUMNS;
}

static void describe(void) {
    column(0, "id", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER, "", "");
    column(1, "a", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL, "-1", "2.5");
    column(2, "b", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL, "0.00", "99.99");
    column(3, "y", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL, "", "");
    column(4, "w", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_TEXT, "", "");
    COLUMNS[2].precision = 4;
    COLUMNS[2].scale = 2;
    COLUMNS[4].values = WORDS;
    COLUMNS[4].n_values = 2;
    dataset(&NORTH, "north", 3);
    dataset(&SOUTH, "south", 10);
}

static pl_status make(char *text, Parley__V1__Plan **out) {
    static const Parley__V1__Dataset *const datasets[] = {&NORTH, &SOUTH};
    static const char *const members[] = {"north", "south", "tax"};
    const pl_plan_context context = {.datasets = datasets,
                                     .n_datasets = 2,
                                     .members = members,
                                     .n_members = 3,
                                     .proposer = "north"};
    Parley__V1__Task task = PARLEY__V1__TASK__INIT;
    task.purpose = "p";
    task.text = text;
    return pl_train_plan(&context, &task, out);
}

static void check(char *text, const Parley__V1__Plan *first) {
    Parley__V1__Plan *second = NULL;
    Parley__V1__TrainPlan *body = NULL;
    size_t len = parley__v1__plan__get_packed_size(first);
    uint8_t *a = malloc(len + 1), *b = malloc(len + 1);
    pl_status status = make(text, &second);
    if (a == NULL || b == NULL || !pl_is_ok(status) ||
        parley__v1__plan__get_packed_size(second) != len)
        abort();
    parley__v1__plan__pack(first, a);
    parley__v1__plan__pack(second, b);
    status = pl_train_body(second, &body);
    if (memcmp(a, b, len) != 0 || !pl_is_ok(status))
        abort();
    parley__v1__train_plan__free_unpacked(body, NULL);
    parley__v1__plan__free_unpacked(second, NULL);
    free(a);
    free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Parley__V1__Plan *plan = NULL;
    pl_buf explained = {0};
    if (size > 8192)
        return 0; /* refused before it comes here */
    if (LIST[0] == NULL)
        describe();
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    pl_status status = make(text, &plan);
    if (pl_is_ok(status)) {
        check(text, plan);
        status = pl_train_explain(plan, &explained);
        parley__v1__plan__free_unpacked(plan, NULL);
    }
    fuzz_settle(status);
    pl_buf_done(&explained);
    free(text);
    return 0;
}
