/* rep3: replicated sharing among three parties, one of which may be curious. Private to the folder.
 *
 * x = x_0 + x_1 + x_2 in the ring of the kind. P_i holds component[0] = x_i and component[1] =
 * x_{i+1}; so x_i is held by P_i and P_{i-1}. The key k_i is shared by the same two: P_i holds k_i
 * and k_{i+1}. Indices are modulo 3.
 *
 * Source: Araki, Furukawa, Lindell, Nof, Ohara 2016, "High-Throughput Semi-Honest Secure
 * Three-Party Computation". */
#ifndef PL_SHARE_REP3_REP3_H
#define PL_SHARE_REP3_REP3_H

#include "protocols/share/scheme.h"

/* Work is cut in chunks that stay in cache; so many bytes may wait for the network before a chunk
 * is made. */
#define PL_REP3_CHUNK_BYTES ((size_t)128 * 1024)
#define PL_REP3_BACKLOG_BYTES (8 * PL_REP3_CHUNK_BYTES)

/* One stream per key and purpose; both holders of a key read each stream in step. */
typedef struct pl_rep3 {
    pl_prg *mask[2];  /* of k_i and k_{i+1}: zero sharings */
    pl_prg *input[2]; /* of k_i and k_{i+1}: components of inputs that nobody has to send */
    pl_prg *open;     /* of the key of all three: fresh sharings of what is opened */
    void *scratch[2]; /* one chunk each */
} pl_rep3;

/* The ranks of the party before and after this one. */
size_t pl_rep3_prev(const pl_party *p);
size_t pl_rep3_next(const pl_party *p);

pl_status pl_rep3_input(pl_party *p, size_t owner_rank, const void *values, pl_kind kind, size_t n,
                        pl_svec *out);
pl_status pl_rep3_mul(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out);
pl_status pl_rep3_split_sum(pl_party *p, const pl_svec *x, pl_svec *u, pl_svec *v);
pl_status pl_rep3_split_xor(pl_party *p, const pl_svec *bits, pl_svec *u, pl_svec *v);
pl_status pl_rep3_open(pl_party *p, const pl_svec *x, pl_kind kind, size_t n, uint64_t recipients,
                       void *out_values);

/* pl_rep3_deal shares values that the compute party `dealer` (an index) knows; NULL at the others.
 * Cost: 1 round, one element an element, from the dealer to the party after it. */
PL_STATUS pl_rep3_deal(pl_party *p, size_t dealer, const void *values, pl_svec *out);

#endif
