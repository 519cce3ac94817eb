/* Print: results as a table for people, or as JSON or CSV for programs. */
#ifndef BENCH_PRINT_H
#define BENCH_PRINT_H

#include "bench/run.h"

typedef enum pl_bench_format { PL_BENCH_TABLE, PL_BENCH_JSON, PL_BENCH_CSV } pl_bench_format;

/* The line above the first result, if the format has one. */
void pl_bench_print_head(pl_bench_format format);
void pl_bench_print(pl_bench_format format, const pl_bench_setting *setting,
                    const pl_bench_result *result);
const char *pl_bench_transport_name(pl_bench_transport transport);

#endif
