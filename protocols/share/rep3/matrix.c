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

static pl_status reshare(pl_party *p, pl_svec *out) {
    return pl_mesh_exchange(p->mesh, pl_rep3_prev(p), out->component[0], pl_svec_bytes(out),
                            pl_rep3_next(p), out->component[1], pl_svec_bytes(out));
}

static pl_status product(pl_party *p, const pl_svec *x, const pl_svec *y, const pl_matmul_shape *s,
                         uint64_t *z, pl_svec *out) {
    PL_TRY(multiply(x, y, s, z));
    PL_TRY(mask(p, z, out->n));
    return s->frac_bits == 0 ? reshare(p, out) : pl_rep3_truncate_local(p, z, s->frac_bits, out);
}

pl_status pl_rep3_matmul(pl_party *p, const pl_svec *x, const pl_svec *y, const pl_matmul_shape *s,
                         pl_svec *out) {
    size_t bytes = 8 * 64 * pl_bit_words(out->n);
    uint64_t *z = out->component[0];
    if (s->frac_bits != 0)
        PL_TRY(pl_secret_alloc(bytes, &z));
    pl_status status = pl_party_settle(p, product(p, x, y, s, z, out));
    if (s->frac_bits != 0)
        pl_secret_free(z, bytes);
    return status;
}
