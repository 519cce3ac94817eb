/* Sort: rows of a table by secret keys. Collective among compute parties; errors as in
 * share/party.h.
 */
#ifndef PL_MPC_SORT_H
#define PL_MPC_SORT_H

#include "protocols/share/party.h"

typedef struct pl_sort_key {
    const pl_svec *column; /* PL_ARITH_64 [n] */
    unsigned bits;         /* the width of its signed values, 1 to 64 */
    bool is_descending;
} pl_sort_key;

/* pl_sort orders the rows of a table by keys, the first key first; rows with equal keys stay in the
 * order they were in.
 * Shape:   keys [n] each, with all bits and those of a row's number at most 192; columns [n], of
 * any kind but PL_BIT, in place: name the keys among them if they shall move too. n < 2^32.
 * Cost:    the bits of the keys (pl_cost_words), one shuffle of keys and columns, and on near links
 * about log2(n) comparisons of rows an element, one bit of which is opened each; on long links more
 * of them in fewer batches. Known beforehand (pl_cost_party_new): batches are of public sizes, but
 * that once in 2^40 sorts another one is added.
 * Secret:  the values. Public: n, the widths. Opened: which of two shuffled rows is the smaller;
 * since rows are distinct (their number is part of them) and in random order, that is independent
 * of the values. Errors:  PROTOCOL (what was opened is no order).
 * Source:  Hamada, Kikuchi, Ikarashi, Chida, Takahashi 2012, "Practically Efficient Multi-party
 * Sorting Protocols from Comparison Sort Algorithms", with samples and searches in place of
 * pivots: Frazer and McKellar 1970, "Samplesort". */
PL_STATUS pl_sort(pl_party *p, const pl_sort_key *keys, size_t n_keys, pl_svec *const *columns,
                  size_t n_columns);

/* pl_top_k keeps the k first rows in the order of the key: sorted, and cut. Shape: columns [n]
 * become [k], or stay [n] if k > n. */
PL_STATUS pl_top_k(pl_party *p, const pl_sort_key *key, size_t k, pl_svec *const *columns,
                   size_t n_columns);

/* pl_quantile gives, for every public fraction q[j] from 0 to 1, the smallest element that at least
 * q n elements are not above (q = 0: the smallest): percentile_disc of SQL. Shape:   x PL_ARITH_64
 * [n], n >= 1, of `bits` bits -> out [n_q]. */
PL_STATUS pl_quantile(pl_party *p, const pl_svec *x, unsigned bits, const double *q, size_t n_q,
                      pl_svec *out);

#endif
