#include "tests/unit/party_fixture.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t seed;

static void make_seed(void) {
    const char *given = getenv("PARLEY_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    seed = given != NULL ? strtoull(given, NULL, 10)
                         : (uint64_t)now.tv_sec * 1000003u + (uint64_t)now.tv_nsec;
    printf("PARLEY_SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
}

uint64_t fixture_seed(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_seed);
    return seed;
}

void fixture_ok(pl_status status) {
    if (!pl_is_ok(status))
        fail_msg("%s: %s", pl_code_describe(pl_status_code(status))->name,
                 pl_status_message(status));
}

void fixture_fails(pl_status status, pl_code code, const char *part_of_message) {
    if (pl_status_code(status) != code ||
        strstr(pl_status_message(status), part_of_message) == NULL)
        fail_msg("expected %s with '%s', got %s: %s", pl_code_describe(code)->name, part_of_message,
                 pl_code_describe(pl_status_code(status))->name, pl_status_message(status));
    pl_status_done(&status);
}

static uint64_t edge(uint64_t choice) {
    static const uint64_t edges[] = {
        0, 1, UINT64_MAX, UINT64_C(1) << 62, 0 - (UINT64_C(1) << 62), UINT64_C(1) << 63};
    return edges[choice % (sizeof edges / sizeof edges[0])];
}

void fixture_values(pl_kind kind, uint64_t stream, void *out, size_t n) {
    uint8_t key[PL_PRG_KEY_BYTES] = {0};
    pl_put_u64(key, fixture_seed());
    pl_prg *prg;
    fixture_ok(pl_prg_new(key, stream, &prg));
    fixture_ok(pl_prg_fill(prg, out, pl_kind_bytes(kind, n)));
    pl_ring_clear_padding(kind, out, n);
    for (size_t i = 0; i < n && kind != PL_BIT; i++) {
        uint64_t choice[2];
        fixture_ok(pl_prg_fill(prg, choice, sizeof choice));
        if (choice[0] % 4 != 0)
            continue;
        if (kind == PL_ARITH_128) /* sign-extended, or as the upper half */
            ((pl_u128 *)out)[i] =
                choice[0] & 16 ? (pl_u128)edge(choice[1]) << 64 : 0 - (pl_u128)edge(choice[1]);
        else if (kind == PL_ARITH_32) /* the same at half the width */
            ((uint32_t *)out)[i] = (uint32_t)(edge(choice[1]) >> (choice[0] & 16 ? 32 : 0));
        else
            ((uint64_t *)out)[i] = edge(choice[1]);
    }
    pl_prg_free(prg);
}

pl_status fixture_party_of(const fixture_set *set, size_t rank, pl_mesh *const *meshes,
                           size_t n_lanes, pl_party **out) {
    pl_party_params params = {.mesh = meshes[0],
                              .lanes = meshes + 1,
                              .n_lanes = n_lanes,
                              .scheme = set->scheme,
                              .compute = set->compute,
                              .n_compute = set->n_compute,
                              .net = set->net};
    memset(params.seed, (int)rank + 1, sizeof params.seed);
    pl_put_u64(params.seed, fixture_seed());
    return pl_party_new(&params, out);
}

pl_status fixture_party(const fixture_set *set, size_t rank, pl_mesh *mesh, pl_party **out) {
    return fixture_party_of(set, rank, &mesh, 1, out);
}

#define RANKS_MAX 8

typedef struct run {
    const fixture_set *set;
    fixture_program program;
    void *ctx;
    size_t n_lanes;
    pl_mesh *lanes[PL_LANES_MAX][RANKS_MAX]; /* but for the first */
} run;

static pl_status run_one(size_t rank, pl_mesh *mesh, void *ctx) {
    const run *r = ctx;
    pl_mesh *meshes[PL_LANES_MAX] = {mesh};
    pl_party *p = NULL;
    for (size_t lane = 1; lane < r->n_lanes; lane++)
        meshes[lane] = r->lanes[lane][rank];
    pl_status status = fixture_party_of(r->set, rank, meshes, r->n_lanes, &p);
    if (pl_is_ok(status))
        status = r->program(p, r->ctx);
    pl_party_free(p);
    for (size_t lane = 1; lane < r->n_lanes; lane++)
        pl_mesh_free(meshes[lane]);
    return status;
}

pl_status fixture_run_lanes(const fixture_set *set, size_t n_lanes, fixture_program program,
                            void *ctx) {
    run r = {.set = set, .program = program, .ctx = ctx, .n_lanes = n_lanes};
    fixture_seed();
    assert_true(n_lanes <= PL_LANES_MAX && set->n_parties <= RANKS_MAX);
    for (size_t lane = 1; lane < n_lanes; lane++)
        fixture_ok(pl_memory_meshes(set->n_parties, FIXTURE_TIMEOUT_MS, r.lanes[lane]));
    return pl_parties_run(set->n_parties, FIXTURE_TIMEOUT_MS, run_one, &r);
}

pl_status fixture_run(const fixture_set *set, fixture_program program, void *ctx) {
    return fixture_run_lanes(set, 1, program, ctx);
}
