#include "protocols/fed/auc.h"

#include <math.h>

#define LOGIT_MAX 16.0
#define BINS_PER_LOGIT 128.0

size_t pl_auc_bin(double logit) {
    double place = floor((logit + LOGIT_MAX) * BINS_PER_LOGIT);
    if (!(place > 0))
        return 0;
    return place < (double)PL_AUC_BINS ? (size_t)place : PL_AUC_BINS - 1;
}

void pl_auc_values(const uint64_t *positive, const uint64_t *negative, uint64_t *out) {
    uint64_t below = 0;
    for (size_t b = 0; b < PL_AUC_BINS; b++) {
        out[b] = positive[b];
        out[PL_AUC_BINS + b] = 2 * below + negative[b];
        out[2 * PL_AUC_BINS + b] = negative[b];
        below += negative[b];
    }
}

static pl_status totals(pl_party *p, const pl_svec *products, pl_svec *out) {
    pl_svec half = {0}, u = {0}, ties = {0};
    pl_status status;
    PL_CHECK(status, pl_slice(products, 0, PL_AUC_BINS, &half));
    PL_CHECK(status, pl_total(p, &half, &u));
    PL_CHECK(status, pl_slice(products, PL_AUC_BINS, PL_AUC_BINS, &half));
    PL_CHECK(status, pl_total(p, &half, &ties));
    PL_CHECK(status, pl_concat((const pl_svec *const[]){&u, &ties}, 2, out));
out:
    pl_svec_done(&half);
    pl_svec_done(&u);
    pl_svec_done(&ties);
    return status;
}

pl_status pl_auc(pl_party *p, const pl_svec *values, pl_svec *out) {
    pl_svec positive = {0}, twice = {0}, negative = {0}, products = {0};
    pl_status status;
    PL_CHECK(status, pl_slice(values, 0, PL_AUC_BINS, &positive));
    PL_CHECK(status, pl_concat((const pl_svec *const[]){&positive, &positive}, 2, &twice));
    PL_CHECK(status, pl_slice(values, PL_AUC_BINS, 2 * PL_AUC_BINS, &negative));
    PL_CHECK(status, pl_mul(p, &twice, &negative, &products));
    PL_CHECK(status, totals(p, &products, out));
out:
    pl_svec_done(&positive);
    pl_svec_done(&twice);
    pl_svec_done(&negative);
    pl_svec_done(&products);
    return pl_party_conclude(p, status);
}

pl_cost pl_auc_cost(void) {
    return pl_cost_mul(PL_ARITH_64, 2 * PL_AUC_BINS);
}
