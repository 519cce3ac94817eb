#include "protocols/share/rep3/rep3.h"

/* z_i for one chunk: x_i y_i + x_i y_{i+1} + x_{i+1} y_i + F(k_i) - F(k_{i+1}). */
static pl_status cross_chunk(pl_rep3 *rep3, const pl_svec *x, const pl_svec *y, size_t at, size_t n,
                             uint8_t *z) {
    size_t width = pl_kind_bytes(x->kind), offset = at * width;
    const void *x_at[2], *y_at[2];
    for (size_t c = 0; c < 2; c++) {
        PL_TRY(pl_prg_fill(rep3->mask[c], rep3->scratch[c], n * width));
        x_at[c] = (const uint8_t *)x->component[c] + offset;
        y_at[c] = (const uint8_t *)y->component[c] + offset;
    }
    const void *masks[2] = {rep3->scratch[0], rep3->scratch[1]};
    pl_ring_cross(x->kind, z, x_at, y_at, masks, n);
    return PL_OK;
}

/* P_i makes z_i, its first component, chunk by chunk, and sends each chunk to P_{i-1} while it
 * works on the next; z_{i+1} comes from P_{i+1} meanwhile. The masks add up to zero over the
 * parties, and z_i is uniform to P_{i-1}, which does not know k_{i+1}. (Araki et al. 2016,
 * section 2.2.) */
pl_status pl_rep3_mul(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    size_t width = pl_kind_bytes(x->kind), chunk = PL_REP3_CHUNK_BYTES / width;
    size_t prev = pl_rep3_prev(p);
    PL_TRY(pl_mesh_recv(p->mesh, pl_rep3_next(p), out->component[1], pl_svec_bytes(out)));
    for (size_t at = 0; at < x->n; at += chunk) {
        size_t n = x->n - at < chunk ? x->n - at : chunk;
        uint8_t *z = (uint8_t *)out->component[0] + at * width;
        PL_TRY(cross_chunk(p->state, x, y, at, n, z));
        PL_TRY(pl_mesh_send(p->mesh, prev, z, n * width));
        PL_TRY(pl_mesh_drain(p->mesh, prev, PL_REP3_BACKLOG_BYTES));
    }
    return pl_mesh_finish(p->mesh);
}
