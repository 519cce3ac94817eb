/* Op: what parley-bench can measure. Inputs are public test data, shared by two of the parties in
 * pieces, so that nothing but the operation's own vectors takes memory; results are opened in
 * pieces to party 0, which compares every element with what it should be. */
#ifndef BENCH_OP_H
#define BENCH_OP_H

#include "protocols/mpc/mpc.h"

#define PL_BENCH_VECTORS 6

typedef struct pl_bench_op pl_bench_op;

typedef struct pl_bench {
    const pl_bench_op *op;
    pl_party *p;
    size_t rank;
    size_t n;      /* elements; of a matrix product: rows, columns and inner length */
    unsigned bits; /* 32 or 64 */
    size_t n_done; /* how often the operation has run */
    pl_svec v[PL_BENCH_VECTORS];
} pl_bench;

struct pl_bench_op {
    const char *name, *what;
    size_t n_suite; /* the n that `suite` takes, and `run` without --n */
    size_t n_max;   /* larger ones are refused; grows quadratically: matrices */
    size_t n_plot;  /* the largest that `plot` takes; 0: not plotted */
    bool has_32;    /* --bits 32 too */
    bool is_twice;  /* `suite` shows both */
    pl_status (*prepare)(pl_bench *b);
    pl_status (*run)(pl_bench *b); /* timed */
    pl_status (*check)(pl_bench *b);
    /* Elements that one run works on: what `per second` counts. NULL: n. */
    double (*work)(const pl_bench *b);
    /* What one run should cost; NULL: what pl_cost_party_new counts when it runs, unless it
     * is_random. */
    pl_cost (*cost)(const pl_bench *b, const pl_net *net);
    bool is_random;
};

extern const pl_bench_op pl_bench_ops[];
extern const size_t pl_n_bench_ops;
const pl_bench_op *pl_bench_find(const char *name); /* NULL: none */

/* pl_bench_predict gives the cost of one run; false: it cannot be told beforehand. */
bool pl_bench_predict(const pl_bench *b, const pl_net *net, pl_cost *out);

/* pl_bench_stream sends as many bytes as the party that sends most does, to the previous party,
 * while as many come from the next: in `rounds` exchanges one after the other, or all as one stream
 * (0). */
PL_STATUS pl_bench_stream(pl_mesh *mesh, uint64_t bytes, uint64_t rounds);

#endif
