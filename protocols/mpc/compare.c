#include "protocols/mpc/compare.h"

#include "protocols/mpc/convert.h"

#include <stdlib.h>

/* out = x - c for public c. */
static pl_status subtract_public(pl_party *p, const pl_svec *x, const uint64_t *c, pl_svec *out) {
    uint64_t *minus_c;
    PL_TRY(pl_alloc(x->n, sizeof *minus_c, &minus_c));
    pl_ring_neg(PL_ARITH_64, minus_c, c, x->n);
    pl_status status = pl_add_public(p, x, minus_c, out);
    free(minus_c);
    return status;
}

/* x < c exactly when the sign bit of x - c is 1, as long as the difference does not wrap. */
pl_status pl_less_than_public(pl_party *p, const pl_svec *x, const uint64_t *c, pl_kind out_kind,
                              pl_svec *out) {
    if (x->kind != PL_ARITH_64)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot compare elements of %s: it takes ring 2^64",
                       pl_kind_name(x->kind));
    if (!pl_kind_is_valid(out_kind))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot compare: there is no ring %d", (int)out_kind);
    pl_svec difference = {0}, bits = {0};
    pl_status status;
    PL_CHECK(status, subtract_public(p, x, c, &difference));
    PL_CHECK(status, pl_a2b(p, &difference, &bits));
    PL_CHECK(status, pl_shr(p, &bits, 63, &bits));
    if (out_kind == PL_BOOL_64)
        pl_svec_take(out, &bits);
    else
        status = pl_bit_to_arith(p, &bits, out_kind, out);
out:
    pl_svec_done(&difference);
    pl_svec_done(&bits);
    return status;
}

pl_status pl_select(pl_party *p, const pl_svec *bit, const pl_svec *x, pl_svec *out) {
    return pl_wrap(pl_mul(p, bit, x, out), "cannot select");
}
