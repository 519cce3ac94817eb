/* Opening in rep3.
 *
 * A recipient gets each component it does not hold in full from one holder, and a digest of every
 * component from the other; it compares, then adds up.
 *
 * Why this reveals the values and nothing else. Take any one compute party P_i, together with any
 * number of owners and recipients: P_i holds x_i and x_{i+1}, so the third component is x - x_i -
 * x_{i+1}, which it could have computed itself from its view and the value. Nothing new, whatever
 * the opened vectors have in common. Now take owners and recipients without a compute party. They
 * hold no component, but they know their own inputs, and opened vectors may share components: with
 * a dealt by P_0, b by P_1, c by P_2, the components of a + c and b + c give a away, though the two
 * sums do not. So what leaves the compute set is shared afresh: alpha_0 + alpha_1 + alpha_2 = 0 is
 * added, drawn from the stream of the key that the three compute parties have in common. Then the
 * components are uniform among those that add up to x, and independent of everything opened before.
 * Recipients inside the compute set alone need no fresh sharing, by the first case. A digest is a
 * function of a component that its reader gets or has. */
#include "protocols/base/secret.h"
#include "protocols/share/digest.h"
#include "protocols/share/rep3/rep3.h"

static pl_status digest_component(const void *data, size_t len, uint8_t *out) {
    return pl_share_digest("parley rep3 opened component v1", data, len, out);
}

static bool any_outside(const pl_party *p, uint64_t recipients) {
    for (size_t i = 0; i < p->n_compute; i++)
        recipients &= ~(UINT64_C(1) << p->compute[i]);
    return recipients != 0;
}

/* Adds alpha_j to one chunk of x_j: alpha_0 and alpha_1 are the scratch chunks, alpha_2 is minus
 * their sum. */
static void add_alpha(const pl_rep3 *rep3, pl_kind kind, size_t j, void *chunk, size_t n) {
    if (j < 2) {
        pl_ring_add(kind, chunk, chunk, rep3->scratch[j], n);
        return;
    }
    pl_ring_sub(kind, chunk, chunk, rep3->scratch[0], n);
    pl_ring_sub(kind, chunk, chunk, rep3->scratch[1], n);
}

static bool has_padding(pl_kind kind, size_t n) {
    return kind == PL_BIT && n % 64 != 0;
}

static pl_status share_afresh(pl_party *p, pl_svec *x) {
    pl_rep3 *rep3 = p->state;
    pl_kind kind = pl_kind_unit(x->kind);
    size_t width = pl_kind_bytes(kind, 1), chunk = PL_REP3_CHUNK_BYTES / width;
    size_t n_units = pl_kind_units(x->kind, x->n);
    for (size_t at = 0; at < n_units; at += chunk) {
        size_t n = n_units - at < chunk ? n_units - at : chunk;
        for (size_t j = 0; j < 2; j++)
            PL_TRY(pl_prg_fill(rep3->open, rep3->scratch[j], n * width));
        for (size_t c = 0; c < 2; c++)
            add_alpha(rep3, kind, (p->index + c) % 3, (uint8_t *)x->component[c] + at * width, n);
    }
    return PL_OK;
}

/* One opening at one party. */
typedef struct opening {
    uint8_t own[2][PL_DIGEST_BYTES];     /* compute party: of its components */
    uint8_t claimed[3][PL_DIGEST_BYTES]; /* recipient: of each component, from its other holder */
    void *received[3];                   /* recipient: what came in full, in memory of its own */
    const void *component[3];            /* recipient: received, or its own */
    size_t bytes;                        /* of a component */
} opening;

/* To a recipient outside, or the next party, goes the first component and the digest of the second;
 * the previous party holds the first already: two digests. */
static pl_status send_components(pl_party *p, const pl_svec *x, uint64_t recipients, opening *o) {
    for (size_t c = 0; c < 2; c++)
        PL_TRY(digest_component(x->component[c], o->bytes, o->own[c]));
    for (size_t rank = 0; rank < p->n_parties; rank++) {
        if (!pl_recipients_has(recipients, rank) || rank == p->rank)
            continue;
        if (rank == pl_rep3_prev(p))
            PL_TRY(pl_mesh_send(p->mesh, rank, o->own[0], PL_DIGEST_BYTES));
        else
            PL_TRY(pl_mesh_send(p->mesh, rank, x->component[0], o->bytes));
        PL_TRY(pl_mesh_send(p->mesh, rank, o->own[1], PL_DIGEST_BYTES));
    }
    return PL_OK;
}

/* Queues the receipt of component j in full from P_j, which also says what the digest of the next
 * one is. */
static pl_status receive_full(pl_party *p, size_t j, opening *o) {
    PL_TRY(pl_secret_alloc(o->bytes, &o->received[j]));
    o->component[j] = o->received[j];
    PL_TRY(pl_mesh_recv(p->mesh, p->compute[j], o->received[j], o->bytes));
    return pl_mesh_recv(p->mesh, p->compute[j], o->claimed[(j + 1) % 3], PL_DIGEST_BYTES);
}

static pl_status receive_components(pl_party *p, const pl_svec *x, opening *o) {
    if (!pl_party_computes(p)) {
        for (size_t j = 0; j < 3; j++)
            PL_TRY(receive_full(p, j, o));
        return PL_OK;
    }
    size_t i = p->index;
    for (size_t c = 0; c < 2; c++)
        o->component[(i + c) % 3] = x->component[c];
    PL_TRY(receive_full(p, (i + 2) % 3, o));
    for (size_t c = 1; c < 3; c++)
        PL_TRY(pl_mesh_recv(p->mesh, pl_rep3_next(p), o->claimed[(i + c) % 3], PL_DIGEST_BYTES));
    return PL_OK;
}

static pl_status compare_and_add(const pl_party *p, const opening *o, pl_kind kind, size_t n,
                                 void *out_values) {
    for (size_t j = 0; j < 3; j++) {
        uint8_t digest[PL_DIGEST_BYTES];
        PL_TRY(digest_component(o->component[j], o->bytes, digest));
        if (!pl_secret_equal(digest, o->claimed[j], PL_DIGEST_BYTES))
            return pl_fail(PL_PROTOCOL,
                           "ranks %zu and %zu hold different copies of component %zu: the value is "
                           "not to be trusted, and the session ends",
                           p->compute[j], p->compute[(j + 2) % 3], j);
    }
    pl_ring_add(kind, out_values, o->component[0], o->component[1], n);
    pl_ring_add(kind, out_values, out_values, o->component[2], n);
    pl_ring_clear_padding(kind, out_values, n);
    return PL_OK;
}

static pl_status exchange(pl_party *p, const pl_svec *x, pl_kind kind, uint64_t recipients,
                          opening *o, size_t n, void *out_values) {
    bool receives = pl_recipients_has(recipients, p->rank);
    if (receives)
        PL_TRY(receive_components(p, x, o));
    if (pl_party_computes(p))
        PL_TRY(send_components(p, x, recipients, o));
    PL_TRY(pl_mesh_finish(p->mesh));
    return receives ? compare_and_add(p, o, kind, n, out_values) : PL_OK;
}

pl_status pl_rep3_open(pl_party *p, const pl_svec *x, pl_kind kind, size_t n, uint64_t recipients,
                       void *out_values) {
    pl_svec fresh = {0};
    opening o = {.bytes = pl_kind_bytes(kind, n)};
    pl_status status = PL_OK;
    if (pl_party_computes(p) && (any_outside(p, recipients) || has_padding(kind, n))) {
        PL_CHECK(status, pl_svec_dup(x, &fresh));
        if (any_outside(p, recipients))
            PL_CHECK(status, share_afresh(p, &fresh));
        for (size_t c = 0; c < 2; c++) /* nobody needs to see what stands there */
            pl_ring_clear_padding(kind, fresh.component[c], n);
        x = &fresh;
    }
    PL_CHECK(status, exchange(p, x, kind, recipients, &o, n, out_values));
out:
    status = pl_party_settle(p, status); /* the mesh lets go of the buffers */
    for (size_t j = 0; j < 3; j++)
        pl_secret_free(o.received[j], o.bytes);
    pl_svec_done(&fresh);
    return status;
}
