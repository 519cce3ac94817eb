/* Cost: what operations of the scheme rep3 send, before they run. Equal to the mesh's counters
 * (tested). plain costs less. */
#ifndef PL_SHARE_COST_H
#define PL_SHARE_COST_H

#include "protocols/ring/ring.h"

typedef struct pl_cost {
    uint64_t rounds;
    uint64_t bytes_sent_max; /* by the compute party that sends most; of a sum: an upper bound */
} pl_cost;

pl_cost pl_cost_add(pl_cost a, pl_cost b); /* one after the other */

pl_cost pl_cost_setup(void);
/* An owner inside the compute set sends n elements; one outside sends n to one compute party, which
 * forwards them. */
pl_cost pl_cost_input(pl_kind kind, size_t n, bool owner_computes);
pl_cost pl_cost_mul(pl_kind kind, size_t n);
pl_cost pl_cost_a2b(size_t n);
pl_cost pl_cost_bit_to_arith(pl_kind kind, size_t n);
pl_cost pl_cost_less_than_public(pl_kind out_kind, size_t n);
pl_cost pl_cost_open(pl_kind kind, size_t n, size_t n_recipients_inside,
                     size_t n_recipients_outside);

#endif
