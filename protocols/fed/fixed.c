#include "protocols/fed/fixed.h"

#include <math.h>

pl_status pl_fixed_bits(double bound, unsigned *out_bits) {
    unsigned bits = PL_FIXED_BITS_MAX;
    if (!isfinite(bound) || bound < 0)
        return pl_fail(PL_OUT_OF_RANGE, "a sum has no bound");
    while (bits >= PL_FIXED_BITS_MIN && !(ldexp(bound, (int)bits) < 0x1p62))
        bits--;
    if (bits < PL_FIXED_BITS_MIN)
        return pl_fail(
            PL_OUT_OF_RANGE,
            "a sum of up to %.3g leaves fewer than %u bits for the fraction in ring 2^64", bound,
            PL_FIXED_BITS_MIN);
    *out_bits = bits;
    return PL_OK;
}

pl_status pl_fixed_encode(const double *x, size_t n, unsigned bits, double bound, uint64_t *out) {
    for (size_t i = 0; i < n; i++) {
        if (!(fabs(x[i]) <= bound) || !(ldexp(bound, (int)bits) < 0x1p62))
            return pl_fail(PL_OUT_OF_RANGE,
                           "a sum leaves the range that the plan promised: nothing was shared");
        out[i] = (uint64_t)(int64_t)rint(ldexp(x[i], (int)bits));
    }
    return PL_OK;
}

void pl_fixed_decode(const uint64_t *x, size_t n, unsigned bits, double *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = ldexp((double)(int64_t)x[i], -(int)bits);
}
