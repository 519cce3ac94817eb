/* What a session's worker may ask the child that keeps the rows: any bytes, in any order. The input
 * is a row of requests, each after one byte of length. */
#include "node/session/train.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char ROWS[] = "id,x,y\n1,0.5,true\n2,2.5,false\n3,1,true\n4,0,false\n5,2,true\n";

static Parley__V1__Column ID, X, Y, *LIST[] = {&ID, &X, &Y};
static Parley__V1__Plan *PLAN;

static void column(Parley__V1__Column *c, char *name, Parley__V1__ColumnType type, char *highest) {
    parley__v1__column__init(c);
    c->name = name;
    c->type = type;
    c->min = *highest != 0 ? "0" : "";
    c->max = highest;
}

static void describe(void) {
    static const char *const members[] = {"north", "south", "tax"};
    Parley__V1__Dataset north = PARLEY__V1__DATASET__INIT;
    column(&ID, "id", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER, "");
    column(&X, "x", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL, "3");
    column(&Y, "y", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL, "");
    north.org = "north";
    north.name = "t";
    north.rows_max = 100;
    north.columns = LIST;
    north.n_columns = 3;
    const Parley__V1__Dataset *const datasets[] = {&north};
    const pl_plan_context context = {.datasets = datasets,
                                     .n_datasets = 1,
                                     .members = members,
                                     .n_members = 3,
                                     .proposer = "south"};
    Parley__V1__Task task = PARLEY__V1__TASK__INIT;
    task.purpose = "p";
    task.text = "dataset: t\nlabel: y\nfeatures: [x]\npurpose: p\nsplit: {key: id}\n";
    pl_status status = pl_train_plan(&context, &task, &PLAN);
    if (!pl_is_ok(status))
        abort();
}

static pl_kept *keep(void) {
    Parley__V1__SourceColumn columns[3], *list[3];
    Parley__V1__SourceRequest request = PARLEY__V1__SOURCE_REQUEST__INIT;
    Parley__V1__SourceReply reply = PARLEY__V1__SOURCE_REPLY__INIT;
    pl_kept *kept = NULL;
    for (size_t i = 0; i < 3; i++) {
        parley__v1__source_column__init(&columns[i]);
        columns[i].column = LIST[i];
        columns[i].source_name = LIST[i]->name;
        list[i] = &columns[i];
    }
    request.plan = PLAN;
    request.columns = list;
    request.n_columns = 3;
    request.encoding = "utf-8";
    request.rows_max = 100;
    int fd = fuzz_file((const uint8_t *)ROWS, sizeof ROWS - 1);
    pl_status status = pl_train_keep(&request, fd, &reply, &kept);
    close(fd);
    free(reply.version.data);
    if (!pl_is_ok(status))
        abort();
    return kept;
}

/* PROTOCOL is how the trainer calls what is out of turn; no other error is the asker's fault. */
static void settle(pl_status status) {
    if (pl_status_code(status) == PL_PROTOCOL)
        pl_status_done(&status);
    else
        fuzz_settle(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (PLAN == NULL)
        describe();
    pl_kept *kept = keep();
    for (size_t at = 0; at < size;) {
        size_t len = data[at] < size - at - 1 ? data[at] : size - at - 1;
        pl_bytes body = {0};
        settle(pl_train_serve(kept, pl_view_of(data + at + 1, len), &body));
        pl_bytes_done(&body);
        at += 1 + len;
    }
    pl_train_let_go(kept);
    return 0;
}
