/* Foreign SQL, as the planning child gets it: parsed, planned, explained, and planned again to the
 * same bytes. */
#include "node/session/session.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static char *REGIONS[] = {"Tyrol", "Vienna", "Styria"};
#define N_COLUMNS 6
static Parley__V1__Column COLUMNS[N_COLUMNS], *LIST[N_COLUMNS];
static Parley__V1__Dataset NORTH, SOUTH, TAX;

static void column(int i, char *name, Parley__V1__ColumnType type, char *lowest, char *highest) {
    parley__v1__column__init(&COLUMNS[i]);
    COLUMNS[i].name = name;
    COLUMNS[i].type = type;
    COLUMNS[i].min = lowest;
    COLUMNS[i].max = highest;
    COLUMNS[i].nullable = i % 2;
    LIST[i] = &COLUMNS[i];
}

static void dataset(Parley__V1__Dataset *d, char *org, char *name, uint32_t k) {
    parley__v1__dataset__init(d);
    d->org = org;
    d->name = name;
    d->rows_max = 100000;
    d->min_cohort = k;
    d->columns = LIST;
    d->n_columns = N_COLUMNS;
}

static void describe(void) {
    column(0, "region", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_TEXT, "", "");
    column(1, "age", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER, "0", "130");
    column(2, "income", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL, "-100.00", "99999.99");
    column(3, "weight", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL, "0", "1000");
    column(4, "born", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DATE, "", "");
    column(5, "married", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL, "", "");
    COLUMNS[0].values = REGIONS;
    COLUMNS[0].n_values = 3;
    COLUMNS[2].precision = 7;
    COLUMNS[2].scale = 2;
    dataset(&NORTH, "north", "residents", 3);
    dataset(&SOUTH, "south", "residents", 10);
    dataset(&TAX, "tax", "income", 0);
}

static pl_status make(const pl_session_kind *kind, char *text, Parley__V1__Plan **out) {
    static const Parley__V1__Dataset *const datasets[] = {&NORTH, &SOUTH, &TAX};
    static const char *const members[] = {"north", "south", "tax"};
    const pl_plan_context context = {.datasets = datasets,
                                     .n_datasets = 3,
                                     .members = members,
                                     .n_members = 3,
                                     .proposer = "north"};
    Parley__V1__Task task = PARLEY__V1__TASK__INIT;
    task.kind = (char *)(uintptr_t)kind->name;
    task.text = text;
    return kind->plan(&context, &task, out);
}

static void same_again(const pl_session_kind *kind, char *text, const Parley__V1__Plan *first) {
    Parley__V1__Plan *second = NULL;
    size_t len = parley__v1__plan__get_packed_size(first);
    uint8_t *a = malloc(len + 1), *b = malloc(len + 1);
    pl_status status = make(kind, text, &second);
    if (a == NULL || b == NULL || !pl_is_ok(status) ||
        parley__v1__plan__get_packed_size(second) != len)
        abort();
    parley__v1__plan__pack(first, a);
    parley__v1__plan__pack(second, b);
    if (memcmp(a, b, len) != 0)
        abort();
    parley__v1__plan__free_unpacked(second, NULL);
    free(a);
    free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const pl_session_kind *kind = pl_session_kind_find("query");
    Parley__V1__Plan *plan = NULL;
    pl_buf explained = {0};
    if (size > 8192)
        return 0; /* refused before it comes here */
    if (LIST[0] == NULL)
        describe();
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    pl_status status = make(kind, text, &plan);
    if (pl_is_ok(status)) {
        same_again(kind, text, plan);
        status = kind->explain(plan, &explained);
        parley__v1__plan__free_unpacked(plan, NULL);
    }
    fuzz_settle(status);
    pl_buf_done(&explained);
    free(text);
    return 0;
}
