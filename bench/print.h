/* Print: results as a table for people, or as JSON or CSV for programs. */
#ifndef BENCH_PRINT_H
#define BENCH_PRINT_H

#include "bench/run.h"

typedef enum pl_bench_format { PL_BENCH_TABLE, PL_BENCH_JSON, PL_BENCH_CSV } pl_bench_format;

/* pl_bench_print writes one result to stdout, the first one under a line of names if the format has
 * one. Errors: IO. */
PL_STATUS pl_bench_print(pl_bench_format format, const pl_bench_setting *setting,
                         const pl_bench_result *result);

/* pl_bench_output_check: whether all that was printed so far has been written. Errors: IO. */
PL_STATUS pl_bench_output_check(void);

/* What is being measured, on stderr if that is a terminal, until waiting is over. */
void pl_bench_wait_begin(const pl_bench_setting *setting);
void pl_bench_wait_end(void);

const char *pl_bench_transport_name(pl_bench_transport transport);

#endif
