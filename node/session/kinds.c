#include "node/session/bench.h"
#include "node/session/query.h"

#include <string.h>

static const pl_session_kind KINDS[] = {
    {"query", pl_query_plan, pl_query_explain, pl_query_load, pl_query_run},
    {"bench", pl_bench_plan, pl_bench_explain, pl_bench_load, pl_bench_run},
};

const pl_session_kind *pl_session_kind_find(const char *name) {
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (strcmp(KINDS[i].name, name) == 0)
            return &KINDS[i];
    return NULL;
}
