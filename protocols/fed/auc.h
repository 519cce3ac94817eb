/* Area under the ROC curve over several owners: histograms of scores are shared, and only U (twice)
 * and the number of ties are opened, by the caller.
 *
 * Source: Hanley and McNeil 1982, "The Meaning and Use of the Area under a ROC Curve" (U as the
 * Mann-Whitney statistic, ties counted half). */
#ifndef PL_FED_AUC_H
#define PL_FED_AUC_H

#include "protocols/mpc/mpc.h"

#define PL_AUC_BINS ((size_t)4096)
#define PL_AUC_VALUES (3 * PL_AUC_BINS)
#define PL_AUC_ROWS_MAX (UINT64_C(1) << 30) /* 2U stays below 2^61 */

/* pl_auc_bin puts a logit into its bin: 1/128 wide, from -16 to 16, what lies beyond into the last
 * one. Monotonic. */
size_t pl_auc_bin(double logit);

/* pl_auc_values lays out an owner's histogram for pl_auc.
 * Shape:   positive, negative [PL_AUC_BINS]: rows per bin; out [PL_AUC_VALUES]. In the clear. */
void pl_auc_values(const uint64_t *positive, const uint64_t *negative, uint64_t *out);

/* pl_auc computes on the sum of the owners' values.
 * Shape:   values PL_ARITH_64 [PL_AUC_VALUES]; out PL_ARITH_64 [2]: 2U and the ties.
 * Cost:    pl_auc_cost: one multiplication of 2 * PL_AUC_BINS elements. Secret: values, out.
 * Collective among compute parties. Errors: those of pl_mul. */
PL_STATUS pl_auc(pl_party *p, const pl_svec *values, pl_svec *out);
pl_cost pl_auc_cost(void);

#endif
