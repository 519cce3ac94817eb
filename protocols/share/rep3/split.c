/* The two splits: P_0 knows x_0 and x_1, so it deals what they make together; x_2 is a sharing of
 * itself as it stands, with two components zero. (Mohassel and Rindal 2018, "ABY3", section 5.3.)
 */
#include "protocols/base/secret.h"
#include "protocols/share/rep3/rep3.h"

#include <string.h>

/* Which component of this party is x_2; P_0 has none. */
static size_t slot_of_2(const pl_party *p) {
    PL_ASSERT(p->index != 0);
    return p->index == 1 ? 1 : 0;
}

/* Deals x_0 + x_1 in the ring of x (for words: x_0 XOR x_1); as_bits keeps bit 0 of each only. */
static pl_status deal_first_two(pl_party *p, const pl_svec *x, bool as_bits, pl_svec *u) {
    if (p->index != 0)
        return pl_rep3_deal(p, 0, NULL, u);
    size_t bytes = pl_svec_bytes(x), u_bytes = pl_svec_bytes(u);
    uint64_t *both;
    void *values = NULL;
    PL_TRY(pl_secret_alloc(bytes, &both));
    pl_ring_add(x->kind, both, x->component[0], x->component[1], x->n);
    pl_status status = PL_OK;
    if (as_bits) {
        status = pl_secret_alloc(u_bytes, &values);
        if (pl_is_ok(status))
            pl_ring_low_bits(u->kind, values, both, x->n);
    }
    if (pl_is_ok(status))
        status = pl_rep3_deal(p, 0, as_bits ? values : both, u);
    pl_secret_free(values, u_bytes);
    pl_secret_free(both, bytes);
    return status;
}

pl_status pl_rep3_split_sum(pl_party *p, const pl_svec *x, pl_svec *u, pl_svec *v) {
    if (p->index != 0)
        memcpy(v->component[slot_of_2(p)], x->component[slot_of_2(p)], pl_svec_bytes(x));
    return deal_first_two(p, x, false, u);
}

pl_status pl_rep3_split_xor(pl_party *p, const pl_svec *bits, pl_svec *u, pl_svec *v) {
    if (p->index != 0)
        pl_ring_low_bits(v->kind, v->component[slot_of_2(p)], bits->component[slot_of_2(p)],
                         bits->n);
    return deal_first_two(p, bits, true, u);
}
