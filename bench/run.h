/* Run: one measurement from end to end: parties as threads or processes, a checked result, and the
 * limit of the same run beside it. */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "protocols/bench/op.h"

typedef enum pl_bench_transport { PL_BENCH_MEMORY, PL_BENCH_TCP, PL_BENCH_TLS } pl_bench_transport;

#define PL_BENCH_RUNS_MAX 101

typedef struct pl_bench_setting {
    const pl_op *op;
    const char *scheme; /* "rep3" or "plain" */
    size_t n;
    unsigned bits;
    pl_bench_transport transport;
    bool has_net; /* a shim stands between the parties */
    pl_net net;   /* what the operations choose by, and the shim gives */
    const char *net_name;
    unsigned n_runs, deadline_s;
    size_t n_lanes; /* threads of a party, each with a link to every other; 1 to PL_LANES_MAX */
    uint64_t seed;  /* 0: fresh randomness; else the same shares in every run */
} pl_bench_setting;

typedef struct pl_bench_result {
    double seconds_min, seconds_median, per_second;
    double limit_seconds; /* 0: there is none */
    uint64_t rounds, bytes_sent[3], rounds_predicted, bytes_predicted[3];
    bool is_predicted;
    char transcript[3][65];  /* with a seed: a digest of what each party received, lane by lane */
    uint64_t peak_rss_bytes; /* of the largest party; of threads: of all together */
} pl_bench_result;

PL_STATUS pl_bench_run(const pl_bench_setting *setting, pl_bench_result *out);

#endif
