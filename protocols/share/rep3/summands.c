/* What truncations begin with: the local parts z_0 + z_1 + z_2 of a product are not reshared; in
 * every third P_{d+1} gives z_{d+1} to the dealer and P_{d+2} gives z_{d+2} to P_{d+1}:
 *     u = z_d + z_{d+1}, known to the dealer       v = z_{d+2}, known to the two others
 * The parts are masked by a zero sharing, so that v is uniform whatever the product is. */
#include "protocols/base/secret.h"
#include "protocols/share/rep3/rep3.h"

#include <string.h>

pl_status pl_summands_init(pl_summands *s, size_t words) {
    *s = (pl_summands){.bytes = 8 * 64 * words};
    PL_TRY(pl_secret_alloc(s->bytes, &s->z));
    return pl_secret_alloc(s->bytes, &s->got);
}

void pl_summands_done(pl_summands *s) {
    pl_secret_free(s->z, s->bytes);
    pl_secret_free(s->got, s->bytes);
    *s = (pl_summands){0};
}

void pl_local_done(pl_local *local) {
    pl_secret_free(local->z, local->z_bytes);
    local->z = NULL;
}

size_t pl_summands_third(const pl_party *p, const pl_summands *s, size_t role, size_t *out_first) {
    size_t t = pl_rep3_third(p, role);
    *out_first = 64 * s->part[t];
    return 64 * (s->part[t + 1] - s->part[t]);
}

/* The first component of every party, with a fresh zero sharing on it. */
static pl_status mask_own(pl_party *p, const pl_svec *x, size_t at, size_t n, uint64_t *z) {
    const pl_rep3 *rep3 = p->state;
    for (size_t i = 0; i < n; i += PL_TILE_WORDS) {
        size_t now = n - i < PL_TILE_WORDS ? n - i : PL_TILE_WORDS;
        PL_TRY(pl_rep3_masks(p, 8 * now));
        pl_ring_add(PL_ARITH_64, z + i, (const uint64_t *)x->component[0] + at + i, rep3->tile[0],
                    now);
        pl_ring_sub(PL_ARITH_64, z + i, z + i, rep3->tile[1], now);
    }
    return PL_OK;
}

static pl_status make_local(pl_party *p, const pl_local *local, size_t at, size_t n, uint64_t *z) {
    if (local->z == NULL)
        return local->is_product ? pl_rep3_cross(p, &local->x, &local->y, at, n, z)
                                 : mask_own(p, &local->x, at, n, z);
    memcpy(z, local->z + at, 8 * n);
    return PL_OK;
}

pl_status pl_summands_begin(pl_party *p, pl_summands *s, const pl_local *local, size_t at,
                            size_t words) {
    size_t first, n, prev = pl_rep3_prev(p), next = pl_rep3_next(p);
    for (size_t t = 0; t <= 3; t++)
        s->part[t] = pl_third_begin(words, t);
    if (s->sent.bytes != 0) /* of the block before */
        PL_TRY(pl_mesh_wait_sent(p->mesh, s->sent));
    PL_TRY(make_local(p, local, 64 * at, 64 * words, s->z));
    for (size_t role = 0; role < 2; role++) {
        n = pl_summands_third(p, s, role, &first);
        PL_TRY(pl_mesh_recv(p->mesh, next, s->got + first, 8 * n));
        n = pl_summands_third(p, s, role + 1, &first);
        PL_TRY(pl_mesh_send(p->mesh, prev, s->z + first, 8 * n));
    }
    s->received = pl_mesh_mark_received(p->mesh, next);
    s->sent = pl_mesh_mark_sent(p->mesh, prev);
    return pl_mesh_pump(p->mesh);
}

/* What was sent may be written over afterwards. */
pl_status pl_summands_wait(pl_party *p, const pl_summands *s) {
    PL_TRY(pl_mesh_wait_received(p->mesh, s->received));
    return pl_mesh_wait_sent(p->mesh, s->sent);
}
