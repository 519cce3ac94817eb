/* plain: one compute party that holds the values themselves. No secrecy: the reference that tests
 * compare with. */
#include "protocols/share/scheme.h"

#include <string.h>

static pl_status setup(pl_party *p, const uint8_t seed[32]) {
    (void)p;
    (void)seed;
    return PL_OK;
}

static void teardown(pl_party *p) {
    (void)p;
}

static pl_status input(pl_party *p, size_t owner_rank, const void *values, pl_kind kind, size_t n,
                       pl_svec *out) {
    size_t bytes = n * pl_kind_bytes(kind);
    if (out == NULL)
        PL_TRY(pl_mesh_send(p->mesh, p->compute[0], values, bytes));
    else if (p->rank != owner_rank)
        PL_TRY(pl_mesh_recv(p->mesh, owner_rank, out->component[0], bytes));
    else if (bytes != 0)
        memcpy(out->component[0], values, bytes);
    return pl_mesh_finish(p->mesh);
}

static void add_public(pl_party *p, pl_svec *x, const void *constants) {
    (void)p;
    pl_ring_add(x->kind, x->component[0], x->component[0], constants, x->n);
}

static pl_status mul(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    (void)p;
    pl_ring_mul(x->kind, out->component[0], x->component[0], y->component[0], x->n);
    return PL_OK;
}

/* v stays zero in both splits. */
static pl_status split_sum(pl_party *p, const pl_svec *x, pl_svec *u, pl_svec *v) {
    (void)p;
    (void)v;
    memcpy(u->component[0], x->component[0], pl_svec_bytes(x));
    return PL_OK;
}

static pl_status split_xor(pl_party *p, const pl_svec *bits, pl_svec *u, pl_svec *v) {
    (void)p;
    (void)v;
    pl_ring_low_bits(u->kind, u->component[0], bits->component[0], bits->n);
    return PL_OK;
}

static pl_status open_values(pl_party *p, const pl_svec *x, pl_kind kind, size_t n,
                             uint64_t recipients, void *out_values) {
    size_t bytes = n * pl_kind_bytes(kind);
    if (!pl_party_computes(p)) {
        PL_TRY(pl_mesh_recv(p->mesh, p->compute[0], out_values, bytes));
        return pl_mesh_finish(p->mesh);
    }
    for (size_t rank = 0; rank < p->n_parties; rank++) {
        if (pl_recipients_has(recipients, rank) && rank != p->rank)
            PL_TRY(pl_mesh_send(p->mesh, rank, x->component[0], bytes));
    }
    if (out_values != NULL && bytes != 0)
        memcpy(out_values, x->component[0], bytes);
    return pl_mesh_finish(p->mesh);
}

const pl_scheme pl_scheme_plain = {
    .name = "plain",
    .n_compute = 1,
    .n_components = 1,
    .setup = setup,
    .teardown = teardown,
    .input = input,
    .add_public = add_public,
    .mul = mul,
    .split_sum = split_sum,
    .split_xor = split_xor,
    .open = open_values,
};
