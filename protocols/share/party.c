#include "protocols/share/party.h"

#include "protocols/base/secret.h"
#include "protocols/net/abort.h"
#include "protocols/share/digest.h"
#include "protocols/share/scheme.h"

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

static pl_status check_lanes(const pl_party_params *params) {
    if (params->n_lanes > PL_LANES_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "a party has at most %d lanes, not %zu", PL_LANES_MAX,
                       params->n_lanes);
    for (size_t i = 1; i < params->n_lanes; i++) {
        const pl_mesh *mesh = params->lanes == NULL ? NULL : params->lanes[i - 1];
        if (mesh == NULL || pl_mesh_rank(mesh) != pl_mesh_rank(params->mesh) ||
            pl_mesh_n_parties(mesh) != pl_mesh_n_parties(params->mesh))
            return pl_fail(PL_INVALID_ARGUMENT,
                           "lane %zu needs a mesh of its own, of the party's rank and peers", i);
    }
    return PL_OK;
}

/* A party without keys over one of its meshes. */
static pl_status lane_new(const pl_party_params *params, const pl_scheme *scheme, pl_mesh *mesh,
                          pl_party **out) {
    pl_party *p;
    PL_TRY(pl_alloc(1, sizeof *p, &p));
    p->mesh = mesh;
    p->scheme = scheme;
    p->rank = pl_mesh_rank(mesh);
    p->n_parties = pl_mesh_n_parties(mesh);
    p->n_compute = params->n_compute;
    p->net = params->net.bytes_per_second > 0 ? params->net : PL_NET_DEFAULT;
    memcpy(p->compute, params->compute, params->n_compute * sizeof p->compute[0]);
    p->index = pl_party_index_of(p, p->rank);
    *out = p;
    return PL_OK;
}

static pl_status add_lanes(pl_party *p, const pl_party_params *params) {
    for (size_t i = 1; i < params->n_lanes && pl_party_computes(p); i++) {
        pl_party *lane;
        PL_TRY(lane_new(params, p->scheme, params->lanes[i - 1], &lane));
        PL_TRY(pl_lanes_add(p, lane, true, params->threads));
    }
    return PL_OK;
}

/* The keys of a lane. Lane 0 takes the seed as it is. */
static pl_status set_up(pl_party *lane, size_t number, void *ctx) {
    const pl_party_params *params = *(const pl_party_params *const *)ctx;
    uint8_t seed[PL_DIGEST_BYTES];
    pl_status status = PL_OK;
    memcpy(seed, params->seed, sizeof seed);
    if (number > 0)
        status = pl_derive("parley party lane v1", params->seed, number, seed);
    if (pl_is_ok(status))
        status = start_own_stream(lane, seed);
    if (pl_is_ok(status) && pl_party_computes(lane))
        status = lane->scheme->setup(lane, seed);
    pl_wipe(seed, sizeof seed);
    return status;
}

pl_status pl_party_new(const pl_party_params *params, pl_party **out) {
    const pl_scheme *scheme = pl_scheme_find(params->scheme);
    if (scheme == NULL)
        return pl_fail(PL_UNSUPPORTED, "no sharing scheme is called %s: use rep3", params->scheme);
    PL_TRY(check_compute_set(params, scheme));
    PL_TRY(check_lanes(params));
    pl_party *p;
    PL_TRY(lane_new(params, scheme, params->mesh, &p));
    pl_status status = pl_party_settle(p, add_lanes(p, params));
    if (pl_is_ok(status))
        status = pl_party_each_lane(p, set_up, &params);
    status = pl_wrap(status, "cannot set up scheme %s", scheme->name);
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
    pl_step_drop(p);
    pl_lanes_free(p->lanes);
    if (p->state != NULL)
        p->scheme->teardown(p);
    pl_prg_free(p->own);
    free(p);
}

/* ---- what a party is ---- */

bool pl_party_computes(const pl_party *p) {
    return p->index != PL_NO_INDEX;
}

bool pl_party_counts(const pl_party *p) {
    return p->scheme->n_components == 0;
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

const char *pl_party_scheme_name(const pl_party *p) {
    return p->scheme->name;
}

uint64_t pl_party_compute_mask(const pl_party *p) {
    uint64_t mask = 0;
    for (size_t i = 0; i < p->n_compute; i++)
        mask |= UINT64_C(1) << p->compute[i];
    return mask;
}

pl_net pl_party_net(const pl_party *p) {
    return p->net;
}

size_t pl_party_n_components(const pl_party *p) {
    return p->scheme->n_components;
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
    if (pl_is_ok(status) || p->mesh == NULL) /* none: pl_cost_party_new */
        return status;
    pl_mesh_abort(p->mesh, status);
    for (size_t i = 1; i < pl_party_n_lanes(p) && !pl_lanes_are_at_work(p); i++)
        pl_mesh_abort(pl_lanes_other(p, i)->mesh, status);
    return status;
}

pl_status pl_party_conclude(pl_party *p, pl_status status) {
    return pl_status_code(status) == PL_INVALID_ARGUMENT ? status : pl_party_settle(p, status);
}

/* ---- inputs ---- */

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
    PL_TRY(pl_step_refuse(p, "take an input"));
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
