#include "protocols/base/secret.h"
#include "protocols/share/digest.h"
#include "protocols/share/rep3/rep3.h"

/* ---- an owner that computes ---- */

/* With the dealer P_d: x_d comes from the stream of k_d, which P_{d-1} has too; x_{d+1} = x - x_d
 * is sent to P_{d+1}; x_{d+2} = 0. P_{d+1} sees x minus a mask it does not know, P_{d+2} sees the
 * mask. */
pl_status pl_rep3_deal_begin(pl_party *p, size_t dealer, const void *values, pl_svec *out) {
    size_t bytes = pl_svec_bytes(out);
    if (p->index == dealer) {
        PL_TRY(pl_rep3_fill(p, PL_STREAM_INPUT, 0, out->component[0], bytes));
        pl_ring_sub(out->kind, out->component[1], values, out->component[0], out->n);
        pl_ring_clear_padding(out->kind, out->component[1], out->n);
        PL_TRY(pl_mesh_send(p->mesh, pl_rep3_next(p), out->component[1], bytes));
    } else if (p->index == (dealer + 1) % 3) {
        PL_TRY(pl_mesh_recv(p->mesh, pl_rep3_prev(p), out->component[0], bytes));
    } else {
        PL_TRY(pl_rep3_fill(p, PL_STREAM_INPUT, 1, out->component[1], bytes));
    }
    return PL_OK;
}

pl_status pl_rep3_deal(pl_party *p, size_t dealer, const void *values, pl_svec *out) {
    PL_TRY(pl_rep3_deal_begin(p, dealer, values, out));
    return pl_mesh_finish(p->mesh);
}

/* ---- an owner that does not compute ----
 *
 * It draws two seeds. x_0 and x_1 are their streams, x_2 = x - x_0 - x_1 is a vector. The source of
 * x_i goes to P_i and P_{i-1}; the vector goes to P_1 only, which forwards it to P_2; P_2 gets its
 * digest from the owner. So P_0: seed 0, seed 1        P_1: seed 1, vector        P_2: digest of
 * the vector, seed 0 Then each pair compares digests of the source it has in common. */

#define SEED_BYTES PL_PRG_KEY_BYTES

static pl_status digest_seed(const uint8_t *seed, uint8_t *out) {
    return pl_share_digest("parley rep3 input seed v1", seed, SEED_BYTES, out);
}

static pl_status digest_vector(const void *data, size_t len, uint8_t *out) {
    return pl_share_digest("parley rep3 input vector v1", data, len, out);
}

/* data := the stream of seed. */
static pl_status expand_seed(const uint8_t *seed, void *data, size_t len) {
    pl_prg *prg;
    PL_TRY(pl_prg_new(seed, 0, &prg));
    pl_status status = pl_prg_fill(prg, data, len);
    pl_prg_free(prg);
    return status;
}

typedef struct package {
    uint8_t seeds[2][SEED_BYTES];    /* for P_0, in order; for P_1 the second, for P_2 the first */
    uint8_t digest[PL_DIGEST_BYTES]; /* of the vector */
    uint8_t *stream, *vector;        /* [bytes] */
} package;

static pl_status make_package(pl_party *p, const void *values, pl_kind kind, size_t n,
                              package *pack) {
    size_t bytes = pl_kind_bytes(kind, n);
    PL_TRY(pl_secret_alloc(bytes, &pack->stream));
    PL_TRY(pl_secret_alloc(bytes, &pack->vector));
    PL_TRY(pl_prg_fill(p->own, pack->seeds, sizeof pack->seeds));
    PL_TRY(expand_seed(pack->seeds[0], pack->stream, bytes));
    pl_ring_sub(kind, pack->vector, values, pack->stream, n);
    PL_TRY(expand_seed(pack->seeds[1], pack->stream, bytes));
    pl_ring_sub(kind, pack->vector, pack->vector, pack->stream, n);
    pl_ring_clear_padding(kind, pack->vector, n);
    return digest_vector(pack->vector, bytes, pack->digest);
}

static pl_status send_package(pl_party *p, const package *pack, size_t bytes) {
    PL_TRY(pl_mesh_send(p->mesh, p->compute[0], pack->seeds, sizeof pack->seeds));
    PL_TRY(pl_mesh_send(p->mesh, p->compute[1], pack->seeds[1], SEED_BYTES));
    PL_TRY(pl_mesh_send(p->mesh, p->compute[1], pack->vector, bytes));
    PL_TRY(pl_mesh_send(p->mesh, p->compute[2], pack->seeds[0], SEED_BYTES));
    PL_TRY(pl_mesh_send(p->mesh, p->compute[2], pack->digest, PL_DIGEST_BYTES));
    return pl_mesh_finish(p->mesh);
}

static pl_status give_input(pl_party *p, const void *values, pl_kind kind, size_t n) {
    size_t bytes = pl_kind_bytes(kind, n);
    package *pack;
    PL_TRY(pl_secret_alloc(sizeof *pack, &pack));
    pl_status status = make_package(p, values, kind, n, pack);
    if (pl_is_ok(status))
        status = send_package(p, pack, bytes);
    status = pl_party_settle(p, status); /* the mesh lets go of the buffers */
    pl_secret_free(pack->stream, bytes);
    pl_secret_free(pack->vector, bytes);
    pl_secret_free(pack, sizeof *pack);
    return status;
}

/* What a compute party received, and what it knows of the sources of its two components. */
typedef struct receipt {
    uint8_t seeds[2][SEED_BYTES];
    uint8_t own[2][PL_DIGEST_BYTES];    /* of the sources of component[0] and component[1] */
    uint8_t peer[2][PL_DIGEST_BYTES];   /* the same sources, as the previous and the next party have
                                           them */
    uint8_t forwarded[PL_DIGEST_BYTES]; /* P_2: of the vector that P_1 forwarded */
} receipt;

static pl_status receive_package(pl_party *p, size_t owner, pl_svec *out, receipt *r) {
    size_t bytes = pl_svec_bytes(out);
    if (p->index == 0) {
        PL_TRY(pl_mesh_recv(p->mesh, owner, r->seeds, sizeof r->seeds));
        PL_TRY(pl_mesh_finish(p->mesh));
        PL_TRY(digest_seed(r->seeds[0], r->own[0]));
        PL_TRY(digest_seed(r->seeds[1], r->own[1]));
        PL_TRY(expand_seed(r->seeds[0], out->component[0], bytes));
        return expand_seed(r->seeds[1], out->component[1], bytes);
    }
    if (p->index == 1) {
        PL_TRY(pl_mesh_recv(p->mesh, owner, r->seeds[1], SEED_BYTES));
        PL_TRY(pl_mesh_recv(p->mesh, owner, out->component[1], bytes));
        PL_TRY(pl_mesh_finish(p->mesh));
        PL_TRY(digest_seed(r->seeds[1], r->own[0]));
        PL_TRY(digest_vector(out->component[1], bytes, r->own[1]));
        return expand_seed(r->seeds[1], out->component[0], bytes);
    }
    PL_TRY(pl_mesh_recv(p->mesh, owner, r->seeds[0], SEED_BYTES));
    PL_TRY(pl_mesh_recv(p->mesh, owner, r->own[0], PL_DIGEST_BYTES));
    PL_TRY(pl_mesh_finish(p->mesh));
    PL_TRY(digest_seed(r->seeds[0], r->own[1]));
    return expand_seed(r->seeds[0], out->component[1], bytes);
}

/* Digests go both ways round; the vector goes from P_1 to P_2 behind P_1's digest of it. */
static pl_status exchange_digests(pl_party *p, pl_svec *out, receipt *r) {
    size_t prev = pl_rep3_prev(p), next = pl_rep3_next(p), bytes = pl_svec_bytes(out);
    PL_TRY(pl_mesh_recv(p->mesh, prev, r->peer[0], PL_DIGEST_BYTES));
    PL_TRY(pl_mesh_recv(p->mesh, next, r->peer[1], PL_DIGEST_BYTES));
    PL_TRY(pl_mesh_send(p->mesh, prev, r->own[0], PL_DIGEST_BYTES));
    PL_TRY(pl_mesh_send(p->mesh, next, r->own[1], PL_DIGEST_BYTES));
    if (p->index == 1)
        PL_TRY(pl_mesh_send(p->mesh, next, out->component[1], bytes));
    if (p->index == 2)
        PL_TRY(pl_mesh_recv(p->mesh, prev, out->component[0], bytes));
    PL_TRY(pl_mesh_finish(p->mesh));
    if (p->index == 2)
        PL_TRY(digest_vector(out->component[0], bytes, r->forwarded));
    return PL_OK;
}

static pl_status compare_digests(const pl_party *p, size_t owner, const receipt *r) {
    const size_t peers[2] = {pl_rep3_prev(p), pl_rep3_next(p)};
    for (size_t c = 0; c < 2; c++) {
        if (!pl_secret_equal(r->own[c], r->peer[c], PL_DIGEST_BYTES))
            return pl_fail(PL_PROTOCOL,
                           "rank %zu gave ranks %zu and %zu different copies of component %zu: the "
                           "session ends and nothing was opened",
                           owner, p->rank, peers[c], (p->index + c) % 3);
    }
    if (p->index == 2 && !pl_secret_equal(r->own[0], r->forwarded, PL_DIGEST_BYTES))
        return pl_fail(PL_PROTOCOL,
                       "the input of rank %zu was altered on its way through rank %zu: the session "
                       "ends and nothing was opened",
                       owner, peers[0]);
    return PL_OK;
}

static pl_status take_input(pl_party *p, size_t owner, pl_svec *out) {
    receipt *r;
    PL_TRY(pl_secret_alloc(sizeof *r, &r));
    pl_status status = receive_package(p, owner, out, r);
    if (pl_is_ok(status))
        status = exchange_digests(p, out, r);
    if (pl_is_ok(status))
        status = compare_digests(p, owner, r);
    status = pl_party_settle(p, status); /* the mesh lets go of the receipt */
    pl_secret_free(r, sizeof *r);
    return status;
}

pl_status pl_rep3_input(pl_party *p, size_t owner_rank, const void *values, pl_kind kind, size_t n,
                        pl_svec *out) {
    size_t owner_index = pl_party_index_of(p, owner_rank);
    if (owner_index != PL_NO_INDEX)
        return pl_rep3_deal(p, owner_index, values, out);
    if (p->rank == owner_rank)
        return give_input(p, values, kind, n);
    return take_input(p, owner_rank, out);
}
