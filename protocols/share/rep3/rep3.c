#include "protocols/share/rep3/rep3.h"

#include "protocols/base/secret.h"
#include "protocols/share/digest.h"

#include <stdlib.h>
#include <string.h>

/* Nonces: a stream of a pair's key has its number + 1, the one of all three this. */
#define NONCE_OPEN 1

size_t pl_rep3_prev(const pl_party *p) {
    return p->compute[(p->index + 2) % 3];
}

size_t pl_rep3_next(const pl_party *p) {
    return p->compute[(p->index + 1) % 3];
}

pl_status pl_rep3_fill(pl_party *p, pl_rep3_stream stream, size_t slot, void *out, size_t len) {
    pl_rep3 *rep3 = p->state;
    return pl_prg_fill(rep3->stream[stream][slot], out, len);
}

pl_status pl_rep3_masks(pl_party *p, size_t bytes) {
    pl_rep3 *rep3 = p->state;
    PL_ASSERT(bytes <= PL_TILE_WORDS * 8);
    PL_TRY(pl_rep3_fill(p, PL_STREAM_MASK, 0, rep3->tile[0], bytes));
    return pl_rep3_fill(p, PL_STREAM_MASK, 1, rep3->tile[1], bytes);
}

/* What each party adds to the keys: one secret per peer, and one for all. A key is good if one
 * contribution is. */
typedef struct contribution {
    uint8_t pair[32], common[32];
} contribution;

typedef struct key_exchange {
    contribution sent[3], received[3]; /* by index of the peer */
} key_exchange;

static pl_status exchange_contributions(pl_party *p, const uint8_t seed[32], key_exchange *x) {
    for (size_t i = 0; i < 3; i++) {
        PL_TRY(pl_derive("parley rep3 pair contribution v1", seed, i, x->sent[i].pair));
        PL_TRY(pl_derive("parley rep3 common contribution v1", seed, 0, x->sent[i].common));
    }
    for (size_t i = 0; i < 3; i++) {
        if (i == p->index)
            continue;
        PL_TRY(pl_mesh_recv(p->mesh, p->compute[i], &x->received[i], sizeof x->received[i]));
        PL_TRY(pl_mesh_send(p->mesh, p->compute[i], &x->sent[i], sizeof x->sent[i]));
    }
    return pl_mesh_finish(p->mesh);
}

/* The key that this party shares with the compute party `peer`: both order the contributions by
 * index. */
static pl_status pair_streams(pl_party *p, const key_exchange *x, size_t peer, size_t slot) {
    pl_rep3 *rep3 = p->state;
    uint8_t both[64], key[PL_DIGEST_BYTES];
    bool first = p->index < peer;
    memcpy(both, first ? x->sent[peer].pair : x->received[peer].pair, 32);
    memcpy(both + 32, first ? x->received[peer].pair : x->sent[peer].pair, 32);
    pl_status status = pl_share_digest("parley rep3 pair key v1", both, sizeof both, key);
    for (uint64_t i = 0; i < PL_STREAM_COUNT && pl_is_ok(status); i++)
        status = pl_prg_new(key, i + 1, &rep3->stream[i][slot]);
    pl_wipe(both, sizeof both);
    pl_wipe(key, sizeof key);
    return status;
}

static pl_status common_stream(pl_party *p, const key_exchange *x) {
    pl_rep3 *rep3 = p->state;
    uint8_t all[96], key[PL_DIGEST_BYTES];
    for (size_t i = 0; i < 3; i++)
        memcpy(all + 32 * i, i == p->index ? x->sent[i].common : x->received[i].common, 32);
    pl_status status = pl_share_digest("parley rep3 common key v1", all, sizeof all, key);
    if (pl_is_ok(status))
        status = pl_prg_new(key, NONCE_OPEN, &rep3->open);
    pl_wipe(all, sizeof all);
    pl_wipe(key, sizeof key);
    return status;
}

static pl_status setup(pl_party *p, const uint8_t seed[32]) {
    pl_rep3 *rep3;
    PL_TRY(pl_alloc(1, sizeof *rep3, &rep3));
    p->state = rep3;
    for (size_t i = 0; i < 2; i++) {
        PL_TRY(pl_secret_alloc(PL_REP3_CHUNK_BYTES, &rep3->scratch[i]));
        PL_TRY(pl_secret_alloc(PL_TILE_WORDS * 8, &rep3->tile[i]));
    }
    key_exchange *x;
    PL_TRY(pl_secret_alloc(sizeof *x, &x));
    pl_status status;
    PL_CHECK(status, exchange_contributions(p, seed, x));
    PL_CHECK(status, pair_streams(p, x, (p->index + 2) % 3, 0));
    PL_CHECK(status, pair_streams(p, x, (p->index + 1) % 3, 1));
    PL_CHECK(status, common_stream(p, x));
out:
    /* The mesh borrows x until it is told that the session is dead. */
    status = pl_party_settle(p, status);
    pl_secret_free(x, sizeof *x);
    return status;
}

static void teardown(pl_party *p) {
    pl_rep3 *rep3 = p->state;
    pl_flow_drop(p);
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < PL_STREAM_COUNT; k++)
            pl_prg_free(rep3->stream[k][i]);
        pl_secret_free(rep3->scratch[i], PL_REP3_CHUNK_BYTES);
        pl_secret_free(rep3->tile[i], PL_TILE_WORDS * 8);
    }
    pl_prg_free(rep3->open);
    free(rep3);
    p->state = NULL;
}

/* A public element goes into x_0, which P_0 holds first and P_2 holds second. */
static void add_public(pl_party *p, pl_svec *x, const void *constants) {
    if (p->index == 0)
        pl_ring_add(x->kind, x->component[0], x->component[0], constants, x->n);
    if (p->index == 2)
        pl_ring_add(x->kind, x->component[1], x->component[1], constants, x->n);
}

const pl_scheme pl_scheme_rep3 = {
    .name = "rep3",
    .n_compute = 3,
    .n_components = 2,
    .setup = setup,
    .teardown = teardown,
    .input = pl_rep3_input,
    .add_public = add_public,
    .mul = pl_rep3_mul,
    .mul_fixed = pl_rep3_mul_fixed,
    .truncate = pl_rep3_truncate,
    .mul_fixed_probabilistic = pl_rep3_mul_fixed_probabilistic,
    .truncate_probabilistic = pl_rep3_truncate_probabilistic,
    .matmul = pl_rep3_matmul,
    .sign = pl_rep3_sign,
    .zero = pl_rep3_zero,
    .words = pl_rep3_words,
    .number = pl_rep3_number,
    .bit_to_arith = pl_rep3_bit_to_arith,
    .less_rows = pl_rep3_less_rows,
    .shuffle = pl_rep3_shuffle,
    .finish_step = pl_flow_finish,
    .drop_step = pl_flow_drop,
    .open = pl_rep3_open,
};
