#include "protocols/share/party.h"

#include "protocols/base/secret.h"
#include "protocols/net/abort.h"
#include "protocols/share/digest.h"
#include "protocols/share/scheme.h"
#include "protocols/share/split.h"

#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

static pl_status check_compute_set(const pl_party_params *params, const pl_scheme *scheme) {
    size_t n_parties = pl_mesh_n_parties(params->mesh);
    if (n_parties > PL_PARTIES_MAX)
        return pl_fail(PL_LIMIT, "a session has at most %d parties, not %zu", PL_PARTIES_MAX,
                       n_parties);
    if (params->n_compute != scheme->n_compute)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "scheme %s needs %zu compute parties, not %zu: name as many", scheme->name,
                       scheme->n_compute, params->n_compute);
    for (size_t i = 0; i < params->n_compute; i++) {
        if (params->compute[i] >= n_parties)
            return pl_fail(PL_INVALID_ARGUMENT, "compute party %zu: the session has no rank %zu", i,
                           params->compute[i]);
        for (size_t j = 0; j < i; j++) {
            if (params->compute[i] == params->compute[j])
                return pl_fail(PL_INVALID_ARGUMENT, "rank %zu is named twice as compute party",
                               params->compute[i]);
        }
    }
    return PL_OK;
}

static pl_status start_own_stream(pl_party *p, const uint8_t seed[32]) {
    uint8_t key[PL_DIGEST_BYTES];
    pl_status status = pl_derive("parley party own stream v1", seed, 0, key);
    if (pl_is_ok(status))
        status = pl_prg_new(key, 0, &p->own);
    pl_wipe(key, sizeof key);
    return status;
}

pl_status pl_party_new(const pl_party_params *params, pl_party **out) {
    const pl_scheme *scheme = pl_scheme_find(params->scheme);
    if (scheme == NULL)
        return pl_fail(PL_UNSUPPORTED, "no sharing scheme is called %s: use rep3", params->scheme);
    PL_TRY(check_compute_set(params, scheme));
    pl_party *p;
    PL_TRY(pl_alloc(1, sizeof *p, &p));
    p->mesh = params->mesh;
    p->scheme = scheme;
    p->rank = pl_mesh_rank(params->mesh);
    p->n_parties = pl_mesh_n_parties(params->mesh);
    p->n_compute = params->n_compute;
    memcpy(p->compute, params->compute, params->n_compute * sizeof p->compute[0]);
    p->index = pl_party_index_of(p, p->rank);
    pl_status status = start_own_stream(p, params->seed);
    if (pl_is_ok(status) && pl_party_computes(p))
        status = scheme->setup(p, params->seed);
    status = pl_wrap(pl_party_settle(p, status), "cannot set up scheme %s", scheme->name);
    if (!pl_is_ok(status)) {
        pl_party_free(p);
        return status;
    }
    *out = p;
    return PL_OK;
}

void pl_party_free(pl_party *p) {
    if (p == NULL)
        return;
    if (p->state != NULL)
        p->scheme->teardown(p);
    pl_prg_free(p->own);
    free(p);
}

/* ---- what a party is ---- */

bool pl_party_computes(const pl_party *p) {
    return p->index != PL_NO_INDEX;
}

size_t pl_party_rank(const pl_party *p) {
    return p->rank;
}

size_t pl_party_n_parties(const pl_party *p) {
    return p->n_parties;
}

pl_mesh *pl_party_mesh(const pl_party *p) {
    return p->mesh;
}

const pl_scheme *pl_party_scheme(const pl_party *p) {
    return p->scheme;
}

size_t pl_party_index_of(const pl_party *p, size_t rank) {
    for (size_t i = 0; i < p->n_compute; i++) {
        if (p->compute[i] == rank)
            return i;
    }
    return PL_NO_INDEX;
}

pl_status pl_party_require_compute(const pl_party *p) {
    if (pl_party_computes(p))
        return PL_OK;
    return pl_fail(PL_INVALID_ARGUMENT,
                   "rank %zu is not a compute party: it takes part only in inputs "
                   "and openings",
                   p->rank);
}

pl_status pl_party_settle(pl_party *p, pl_status status) {
    if (!pl_is_ok(status))
        pl_mesh_abort(p->mesh, status);
    return status;
}

/* ---- operations ---- */

static pl_status check_input(const pl_party *p, size_t owner_rank, pl_kind kind, size_t n,
                             const void *values, const pl_svec *out) {
    if (owner_rank >= p->n_parties)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot take an input: the session has no rank %zu",
                       owner_rank);
    if (!pl_kind_is_valid(kind))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot take an input: there is no ring %d", (int)kind);
    if (n > PL_ELEMENTS_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot take an input: %zu elements are too many", n);
    if ((values != NULL) != (p->rank == owner_rank))
        return pl_fail(PL_INVALID_ARGUMENT,
                       "cannot take the input of rank %zu: the values are given "
                       "by the owner and by nobody else",
                       owner_rank);
    if (pl_party_computes(p) && out == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot take an input: a compute party needs a vector");
    return PL_OK;
}

pl_status pl_input(pl_party *p, size_t owner_rank, pl_kind kind, size_t n, const void *values,
                   pl_svec *out) {
    PL_TRY(check_input(p, owner_rank, kind, n, values, out));
    if (!pl_party_computes(p)) {
        if (p->rank != owner_rank)
            return PL_OK;
        return pl_party_settle(p, p->scheme->input(p, owner_rank, values, kind, n, NULL));
    }
    pl_svec result;
    pl_status status = pl_svec_init(&result, kind, n, p->scheme->n_components);
    if (pl_is_ok(status))
        status = p->scheme->input(p, owner_rank, values, kind, n, &result);
    if (pl_is_ok(status))
        pl_svec_take(out, &result);
    pl_svec_done(&result);
    return pl_party_settle(p, pl_wrap(status, "cannot take the input of rank %zu", owner_rank));
}

static pl_status check_factors(const pl_party *p, const pl_svec *x, const pl_svec *y) {
    PL_TRY(pl_party_require_compute(p));
    if (x->n_components != p->scheme->n_components)
        return pl_fail(PL_INVALID_ARGUMENT, "the vector is not a sharing of scheme %s",
                       p->scheme->name);
    if (!pl_svec_is_like(x, y))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot multiply %zu elements of %s by %zu of %s", x->n,
                       pl_kind_name(x->kind), y->n, pl_kind_name(y->kind));
    return PL_OK;
}

pl_status pl_mul(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    PL_TRY(check_factors(p, x, y));
    /* Fresh memory costs as much as the multiplication: a live result of the right shape is written
     * over. */
    if (out != x && out != y && pl_svec_is_like(out, x))
        return pl_party_settle(p, p->scheme->mul(p, x, y, out));
    pl_svec result;
    pl_status status = pl_svec_init(&result, x->kind, x->n, x->n_components);
    if (pl_is_ok(status))
        status = p->scheme->mul(p, x, y, &result);
    if (pl_is_ok(status))
        pl_svec_take(out, &result);
    pl_svec_done(&result);
    return pl_party_settle(p, status);
}

pl_status pl_and(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    if (x->kind != PL_BOOL_64)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot and elements of %s: it takes 64-bit words",
                       pl_kind_name(x->kind));
    return pl_mul(p, x, y, out);
}

/* Both splits: make two vectors, let the scheme fill them. */
static pl_status split(pl_party *p, const pl_svec *x, pl_kind kind,
                       pl_status (*fill)(pl_party *, const pl_svec *, pl_svec *, pl_svec *),
                       pl_svec *u, pl_svec *v) {
    pl_svec first = {0}, second = {0};
    pl_status status;
    PL_CHECK(status, pl_svec_init(&first, kind, x->n, x->n_components));
    PL_CHECK(status, pl_svec_init(&second, kind, x->n, x->n_components));
    PL_CHECK(status, fill(p, x, &first, &second));
    pl_svec_take(u, &first);
    pl_svec_take(v, &second);
out:
    pl_svec_done(&first);
    pl_svec_done(&second);
    return pl_party_settle(p, status);
}

pl_status pl_split_sum(pl_party *p, const pl_svec *x, pl_svec *u, pl_svec *v) {
    PL_TRY(check_factors(p, x, x));
    if (x->kind != PL_ARITH_64)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "cannot split elements of %s into bits: it takes ring 2^64",
                       pl_kind_name(x->kind));
    return split(p, x, PL_BOOL_64, p->scheme->split_sum, u, v);
}

pl_status pl_split_xor(pl_party *p, const pl_svec *bits, pl_kind kind, pl_svec *u, pl_svec *v) {
    PL_TRY(check_factors(p, bits, bits));
    if (bits->kind != PL_BOOL_64 || (kind != PL_ARITH_64 && kind != PL_ARITH_128))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot turn bits of %s into %s",
                       pl_kind_name(bits->kind), pl_kind_name(kind));
    return split(p, bits, kind, p->scheme->split_xor, u, v);
}
