#include "node/session/bench.h"
#include "node/session/query.h"
#include "node/session/train.h"

#include <string.h>

static const pl_session_kind KINDS[] = {
    {"query", pl_query_plan, pl_query_explain, pl_query_load, pl_query_run, NULL, NULL, NULL},
    {"bench", pl_bench_plan, pl_bench_explain, pl_bench_load, pl_bench_run, NULL, NULL, NULL},
    {"train", pl_train_plan, pl_train_explain, NULL, pl_train_run, pl_train_keep, pl_train_serve,
     pl_train_let_go},
};

const pl_session_kind *pl_session_kind_find(const char *name) {
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (strcmp(KINDS[i].name, name) == 0)
            return &KINDS[i];
    return NULL;
}
