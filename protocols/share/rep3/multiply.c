#include "protocols/base/secret.h"
#include "protocols/share/rep3/rep3.h"

#include <string.h>

/* z_i = x_i y_i + x_i y_{i+1} + x_{i+1} y_i + F(k_i) - F(k_{i+1}), tile by tile. */
pl_status pl_rep3_cross(pl_party *p, const pl_svec *x, const pl_svec *y, size_t at, size_t n,
                        void *z) {
    pl_rep3 *rep3 = p->state;
    pl_kind kind = pl_kind_unit(x->kind);
    size_t width = pl_kind_bytes(kind, 1), tile = PL_TILE_WORDS * 8 / width;
    const void *masks[2] = {rep3->tile[0], rep3->tile[1]};
    for (size_t i = 0; i < n; i += tile) {
        size_t now = n - i < tile ? n - i : tile;
        const void *x_at[2], *y_at[2];
        for (size_t c = 0; c < 2; c++) {
            x_at[c] = (const uint8_t *)x->component[c] + (at + i) * width;
            y_at[c] = (const uint8_t *)y->component[c] + (at + i) * width;
        }
        PL_TRY(pl_rep3_masks(p, now * width));
        pl_ring_cross(kind, (uint8_t *)z + i * width, x_at, y_at, masks, now);
    }
    return PL_OK;
}

/* P_i makes z_i, its first component, chunk by chunk, and sends each chunk to P_{i-1} while it
 * works on the next; z_{i+1} comes from P_{i+1} meanwhile, into memory that has been worked on: so
 * out may be x or y. The masks add up to zero over the parties, and z_i is uniform to P_{i-1},
 * which does not know k_{i+1}. (Araki et al. 2016, section 2.2.) */
pl_status pl_rep3_mul_begin(pl_party *p, const pl_svec *x, const pl_svec *y, size_t at, size_t n,
                            pl_svec *out) {
    size_t width = pl_kind_bytes(pl_kind_unit(x->kind), 1), chunk = PL_REP3_CHUNK_BYTES / width;
    size_t prev = pl_rep3_prev(p), next = pl_rep3_next(p);
    for (size_t end = at + n; at < end; at += chunk) {
        size_t now = end - at < chunk ? end - at : chunk;
        uint8_t *z = (uint8_t *)out->component[0] + at * width;
        PL_TRY(pl_rep3_cross(p, x, y, at, now, z));
        PL_TRY(pl_mesh_send(p->mesh, prev, z, now * width));
        PL_TRY(pl_mesh_recv(p->mesh, next, (uint8_t *)out->component[1] + at * width, now * width));
        PL_TRY(pl_mesh_drain(p->mesh, prev, PL_REP3_BACKLOG_BYTES));
    }
    return PL_OK;
}

/* ---- as a flow of one block ---- */

typedef struct product {
    pl_svec x, y, out;
} product;

static pl_status start(pl_party *p, void *op, void *flight, size_t at, size_t n_units) {
    product *m = op;
    pl_mark *received = flight;
    PL_TRY(pl_rep3_mul_begin(p, &m->x, &m->y, at, n_units, &m->out));
    *received = pl_mesh_mark_received(p->mesh, pl_rep3_next(p));
    return PL_OK;
}

pl_status pl_rep3_mark_step(pl_party *p, void *op, void *flight, bool *out_done) {
    const pl_mark *received = flight;
    (void)op;
    *out_done = true;
    return pl_mesh_wait_received(p->mesh, *received);
}

pl_status pl_rep3_mul(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    static const pl_flow_ops ops = {
        .flight_bytes = sizeof(pl_mark), .start = start, .step = pl_rep3_mark_step};
    pl_flow flow = pl_flow_whole(pl_kind_units(x->kind, x->n));
    product *m;
    PL_TRY(pl_alloc(1, sizeof *m, &m));
    *m = (product){*x, *y, *out};
    return pl_flow_submit(p, &flow, &ops, m);
}
