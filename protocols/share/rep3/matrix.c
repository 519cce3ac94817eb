/* Matrix product: every party multiplies locally, and only the result is reshared, or truncated. */
#include "protocols/base/secret.h"
#include "protocols/share/rep3/rep3.h"

/* z += X_i (Y_i + Y_{i+1}) + X_{i+1} Y_i. */
static pl_status multiply(const pl_svec *x, const pl_svec *y, const pl_matmul_shape *s,
                          uint64_t *z) {
    const pl_kernels *kernels = pl_kernels_here();
    size_t n = s->k * s->n;
    uint64_t *sum;
    PL_TRY(pl_secret_alloc(8 * n, &sum));
    pl_ring_add(PL_ARITH_64, sum, y->component[0], y->component[1], n);
    kernels->matmul(z, s->n, x->component[0], s->k, sum, s->n, s->m, s->k, s->n);
    kernels->matmul(z, s->n, x->component[1], s->k, y->component[0], s->n, s->m, s->k, s->n);
    pl_secret_free(sum, 8 * n);
    return PL_OK;
}

static pl_status mask(pl_party *p, uint64_t *z, size_t n) {
    const pl_rep3 *rep3 = p->state;
    for (size_t i = 0; i < n; i += PL_TILE_WORDS) {
        size_t now = n - i < PL_TILE_WORDS ? n - i : PL_TILE_WORDS;
        PL_TRY(pl_rep3_masks(p, 8 * now));
        pl_ring_add(PL_ARITH_64, z + i, z + i, rep3->tile[0], now);
        pl_ring_sub(PL_ARITH_64, z + i, z + i, rep3->tile[1], now);
    }
    return PL_OK;
}

/* ---- resharing, as a flow of one block ---- */

static pl_status reshare(pl_party *p, void *op, void *flight, size_t at, size_t n) {
    const pl_svec *out = op;
    pl_mark *received = flight;
    (void)at, (void)n;
    PL_TRY(pl_mesh_recv(p->mesh, pl_rep3_next(p), out->component[1], pl_svec_bytes(out)));
    PL_TRY(pl_mesh_send(p->mesh, pl_rep3_prev(p), out->component[0], pl_svec_bytes(out)));
    *received = pl_mesh_mark_received(p->mesh, pl_rep3_next(p));
    return pl_mesh_pump(p->mesh);
}

static pl_status submit_reshare(pl_party *p, const pl_svec *out) {
    static const pl_flow_ops ops = {
        .flight_bytes = sizeof(pl_mark), .start = reshare, .step = pl_rep3_mark_step};
    pl_flow flow = pl_flow_whole(out->n);
    pl_svec *op;
    PL_TRY(pl_alloc(1, sizeof *op, &op));
    *op = *out;
    return pl_flow_submit(p, &flow, &ops, op);
}

static pl_status product(pl_party *p, const pl_svec *x, const pl_svec *y, const pl_matmul_shape *s,
                         uint64_t *z) {
    PL_TRY(multiply(x, y, s, z));
    return mask(p, z, s->m * s->n);
}

/* The local part is made at once; what follows may be put off. */
pl_status pl_rep3_matmul(pl_party *p, const pl_svec *x, const pl_svec *y, const pl_matmul_shape *s,
                         pl_svec *out) {
    size_t bytes = 8 * 64 * pl_bit_words(out->n);
    uint64_t *z;
    if (s->frac_bits == 0) {
        PL_TRY(product(p, x, y, s, out->component[0]));
        return submit_reshare(p, out);
    }
    PL_TRY(pl_secret_alloc(bytes, &z));
    pl_status status = product(p, x, y, s, z);
    if (!pl_is_ok(status)) {
        pl_secret_free(z, bytes);
        return status;
    }
    return pl_rep3_truncate_local(p, z, s->frac_bits, out);
}
