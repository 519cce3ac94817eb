/* Scan: aggregates over segments of rows, where a segment begins at every row whose bit is 1 (and
 * at the first). Collective among compute parties; errors as in share/party.h.
 *
 * Shape:   x PL_ARITH_64 [n], first PL_BIT [n] -> out PL_ARITH_64 [n]: out[i] is the aggregate from
 * the begin of i's segment up to i, so that the last row of a segment has that of all of it; out
 * may be x. Cost:    log2(n) steps: bits to numbers and a multiplication; of min and max a
 * comparison, in the rounds of the former, and a selection more. Secret: x, first, out. Public: n.
 * Source: Hillis and Steele 1986, "Data Parallel Algorithms"; the operator on (flag, value) pairs
 * is that of Schwartz 1980. */
#ifndef PL_MPC_SCAN_H
#define PL_MPC_SCAN_H

#include "protocols/share/party.h"

typedef enum pl_scan { PL_SCAN_SUM, PL_SCAN_MIN, PL_SCAN_MAX } pl_scan;

/* Of min and max, |x[i] - x[j]| < 2^63 within a segment and between neighbouring ones. */
PL_STATUS pl_segmented_scan(pl_party *p, pl_scan what, const pl_svec *x, const pl_svec *first,
                            pl_svec *out);

#endif
