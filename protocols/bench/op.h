/* Op: the operations that can be measured, on public test data. Inputs are shared by two parties in
 * pieces, so that nothing but the operation's own vectors takes memory; every element of a result
 * can be compared with what it should be. */
#ifndef PL_BENCH_OP_H
#define PL_BENCH_OP_H

#include "protocols/mpc/mpc.h"

#define PL_TRIAL_VECTORS 3

typedef struct pl_op pl_op;

/* One measurement at one party. */
typedef struct pl_trial {
    const pl_op *op;
    pl_party *p;
    size_t rank, owners[2]; /* ranks that bring the inputs */
    size_t n;               /* elements; of a matrix product: rows, columns and inner length */
    unsigned bits;          /* 32 or 64 */
    size_t n_lanes;         /* of the party whose cost is predicted; 0: 1 */
    size_t n_done;          /* how often the operation has run */
    pl_svec v[PL_TRIAL_VECTORS];
    uint64_t *reference; /* what results are looked up in, where it is needed */
} pl_trial;

struct pl_op {
    const char *name, *what;
    size_t n_suite;                    /* the n that is taken when none is said */
    size_t n_max;                      /* larger ones are refused */
    size_t n_plot;                     /* the largest that a plot takes; 0: not plotted */
    bool has_32;                       /* bits 32 too */
    bool is_twice;                     /* a suite shows both */
    bool sends_only;                   /* nothing is computed: there is no result */
    pl_status (*prepare)(pl_trial *b); /* all parties */
    pl_status (*run)(pl_trial *b);     /* compute parties; this is what is timed */

    /* The results: v[result], or two from there on; of length(b) elements, or n. At most
     * n_checked_max of them are looked at (0: all). One of three says what is right: expected;
     * number, a fixed-point number with 16 places, within the stated error; fits, after refer has
     * prepared the reference. */
    size_t result, n_results;
    pl_kind (*result_kind)(const pl_trial *b);
    size_t (*length)(const pl_trial *b);
    size_t n_checked_max;
    uint64_t (*expected)(const pl_trial *b, size_t i);
    long double (*number)(const pl_trial *b, size_t i);
    pl_status (*refer)(pl_trial *b);
    bool (*fits)(const pl_trial *b, size_t which, size_t i, uint64_t value);

    double (*work)(const pl_trial *b); /* what `per second` counts; NULL: n */
    /* What one run should cost on one lane; NULL, or several lanes: what pl_cost_party_new counts
     * when it runs. */
    pl_cost (*cost)(const pl_trial *b, const pl_net *net);
};

extern const pl_op pl_ops[];
extern const size_t pl_n_ops;
const pl_op *pl_op_find(const char *name); /* NULL: none */

/* pl_op_predict gives the cost of one run; false: it cannot be told beforehand. */
bool pl_op_predict(const pl_trial *b, const pl_net *net, pl_cost *out);

/* pl_trial_check opens n_positions elements of every result (all of the same kind) to the
 * recipients (bit r: rank r), and a recipient compares. Opened: as the reason says. INTERNAL: one
 * is wrong. pl_trial_positions gives the positions that are looked at, at most n_max (0: as many as
 * the operation says) and spread over the result; free them. */
PL_STATUS pl_trial_positions(const pl_trial *b, size_t n_max, size_t **out, size_t *out_n);
PL_STATUS pl_trial_check(pl_trial *b, const size_t *positions, size_t n_positions,
                         uint64_t recipients, const char *reason);
size_t pl_trial_n_results(const pl_op *op);

void pl_trial_done(pl_trial *b);

/* pl_trial_stream sends bytes to the party before this one in the ring of the ranks (a mask, its
 * own among them), while as many come from the one after it: in `rounds` exchanges one after the
 * other, or all as one stream (0). */
PL_STATUS pl_trial_stream(pl_mesh *mesh, uint64_t ranks, uint64_t bytes, uint64_t rounds);

#endif
