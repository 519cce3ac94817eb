/* Every operation over shares, by number: for tests that do something to all of them (a peer that
 * misbehaves, secrets that valgrind watches). */
#ifndef TESTS_UNIT_EVERY_OP_H
#define TESTS_UNIT_EVERY_OP_H

#include "protocols/mpc/mpc.h"

#define EVERY_OP_N 70 /* elements: more than a word of bits, and not a multiple */

typedef struct every_op {
    const char *name;
    pl_status (*run)(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out);
} every_op;

extern const every_op every_ops[];
extern const size_t n_every_ops;

const every_op *every_op_find(const char *name);

/* x and y: positive numbers below 2^14; of rank 0 and 1. EVERY_OP_N of them, or n: operations take
 * any number, but matmul, which takes tens from 70 on. */
PL_STATUS every_op_inputs(pl_party *p, pl_svec *x, pl_svec *y);
PL_STATUS every_op_inputs_of(pl_party *p, size_t n, pl_svec *x, pl_svec *y);

#endif
