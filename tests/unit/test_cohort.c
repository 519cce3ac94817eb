/* The cohort rule on shares equals the rule as written in cohort.h, computed in the clear on every
 * case of a grid around its edges and on random counts (printed seed, PARLEY_SEED repeats it), for
 * owners inside and outside the compute set. It could be wrong for counts of 2^62 and more, which
 * the rule excludes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "protocols/net/memory.h"
#include "protocols/rel/cohort.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N_PARTIES 5
#define CELLS_MAX 4096

typedef struct grid {
    size_t n_counts, n_owners, n_cells;
    uint64_t k;
    uint64_t counts[3][N_PARTIES][CELLS_MAX];
    uint64_t bits[CELLS_MAX]; /* opened to the last rank, which does not compute */
    uint64_t rounds[N_PARTIES];
} grid;

static bool is_fit(const grid *g, size_t cell) {
    for (size_t a = 0; a < g->n_counts; a++) {
        uint64_t total = 0;
        for (size_t j = 0; j < g->n_owners; j++)
            total += g->counts[a][j][cell];
        if ((a == 0 && total == 0) || (total != 0 && total < g->k))
            return false;
        for (size_t j = 0; j < g->n_owners; j++) {
            uint64_t rest = total - g->counts[a][j][cell];
            if (rest != 0 && rest < g->k)
                return false;
        }
    }
    return true;
}

static pl_status with_party(grid *g, size_t rank, pl_party *p) {
    pl_svec shared[3 * N_PARTIES] = {{0}}, ok = {0};
    pl_status status;
    for (size_t a = 0; a < g->n_counts; a++)
        for (size_t j = 0; j < g->n_owners; j++)
            PL_CHECK(status,
                     pl_input(p, j, PL_ARITH_64, g->n_cells, j == rank ? g->counts[a][j] : NULL,
                              &shared[a * g->n_owners + j]));
    if (pl_party_computes(p)) {
        const pl_cohort_params params = {.n_counts = g->n_counts,
                                         .n_owners = g->n_owners,
                                         .n_cells = g->n_cells,
                                         .counts = shared,
                                         .k = g->k};
        uint64_t before = pl_mesh_counters(pl_party_mesh(p)).rounds;
        PL_CHECK(status, pl_cohort_ok(p, &params, &ok));
        g->rounds[rank] = pl_mesh_counters(pl_party_mesh(p)).rounds - before;
    }
    PL_CHECK(status, pl_open(p, pl_party_computes(p) ? &ok : NULL, PL_BIT, g->n_cells,
                             1u << (N_PARTIES - 1), "test", g->bits));
out:
    for (size_t i = 0; i < 3 * N_PARTIES; i++)
        pl_svec_done(&shared[i]);
    pl_svec_done(&ok);
    return status;
}

static pl_status run_party(size_t rank, pl_mesh *mesh, void *ctx) {
    static const size_t COMPUTE[] = {0, 2, 1};
    pl_party_params params = {.mesh = mesh, .scheme = "rep3", .compute = COMPUTE, .n_compute = 3};
    params.seed[0] = (uint8_t)(rank + 1);
    pl_party *p;
    PL_TRY(pl_party_new(&params, &p));
    pl_status status = with_party(ctx, rank, p);
    pl_party_free(p);
    return status;
}

/* Returns how many cells were fit: a test in which all or none are shows little. */
static size_t check(grid *g) {
    pl_status status = pl_parties_run(N_PARTIES, 20000, run_party, g);
    if (!pl_is_ok(status))
        fail_msg("%s", pl_status_message(status));
    size_t n_fit = 0;
    for (size_t c = 0; c < g->n_cells; c++) {
        if ((g->bits[c / 64] >> c % 64 & 1) != (uint64_t)is_fit(g, c))
            fail_msg("k %llu, cell %zu: the bit is %llu", (unsigned long long)g->k, c,
                     (unsigned long long)(g->bits[c / 64] >> c % 64 & 1));
        n_fit += is_fit(g, c);
    }
    uint64_t most = 0; /* not every party waits in every round */
    for (size_t i = 0; i < N_PARTIES; i++)
        most = g->rounds[i] > most ? g->rounds[i] : most;
    assert_int_equal(
        most, pl_cohort_cost(g->n_counts, g->n_owners, g->n_cells, &(pl_net){60, 5e8}).rounds);
    return n_fit;
}

/* Three owners, each with 0, 1, k-1, k, k+1 and 2k rows, in all combinations. */
static void test_edges(void **state) {
    (void)state;
    static const uint64_t KS[] = {1, 2, 3, 10, UINT64_C(1) << 31};
    static grid g;
    for (size_t i = 0; i < sizeof KS / sizeof KS[0]; i++) {
        const uint64_t k = KS[i], steps[6] = {0, 1, k - 1, k, k + 1, 2 * k};
        g = (grid){.n_counts = 1, .n_owners = 3, .n_cells = 216, .k = k};
        for (size_t c = 0; c < 216; c++) {
            g.counts[0][0][c] = steps[c % 6];
            g.counts[0][1][c] = steps[c / 6 % 6];
            g.counts[0][2][c] = steps[c / 36];
        }
        size_t n_fit = check(&g);
        assert_true(n_fit > 0 && n_fit < 216);
    }
}

static void test_random(void **state) {
    (void)state;
    const char *given = getenv("PARLEY_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    static grid g;
    for (size_t round = 0; round < 8; round++) {
        g = (grid){.n_counts = 1 + round % 3,
                   .n_owners = 1 + (size_t)rand() % 5,
                   .n_cells = 200,
                   .k = 1 + (uint64_t)rand() % 12};
        for (size_t a = 0; a < g.n_counts; a++)
            for (size_t j = 0; j < g.n_owners; j++)
                for (size_t c = 0; c < g.n_cells; c++)
                    g.counts[a][j][c] = rand() % 2 ? (uint64_t)rand() % 25 : 0;
        (void)check(&g);
    }
}

static pl_status refuse_party(size_t rank, pl_mesh *mesh, void *ctx) {
    (void)rank;
    (void)ctx;
    static const size_t COMPUTE[] = {0, 1, 2};
    pl_party_params params = {.mesh = mesh, .scheme = "rep3", .compute = COMPUTE, .n_compute = 3};
    pl_party *p;
    PL_TRY(pl_party_new(&params, &p));
    pl_svec counts = {0}, ok = {0};
    pl_status status = pl_svec_init(&counts, PL_ARITH_64, 4, 2);
    const uint64_t bad[] = {0, (UINT64_C(1) << 31) + 1};
    for (size_t i = 0; i < 2 && pl_is_ok(status); i++) {
        pl_cohort_params wrong = {
            .n_counts = 1, .n_owners = 1, .n_cells = 4, .counts = &counts, .k = bad[i]};
        pl_status refused = pl_cohort_ok(p, &wrong, &ok);
        if (pl_status_code(refused) != PL_INVALID_ARGUMENT)
            status = pl_fail(PL_INTERNAL, "a wrong k was taken");
        pl_status_done(&refused);
    }
    pl_cohort_params wrong = {
        .n_counts = 1, .n_owners = 1, .n_cells = 5, .counts = &counts, .k = 3};
    pl_status refused = pl_cohort_ok(p, &wrong, &ok);
    if (pl_is_ok(status) && pl_status_code(refused) != PL_INVALID_ARGUMENT)
        status = pl_fail(PL_INTERNAL, "a wrong shape was taken");
    pl_status_done(&refused);
    pl_svec_done(&counts);
    pl_party_free(p);
    return status;
}

static void test_refused(void **state) {
    (void)state;
    pl_status status = pl_parties_run(3, 20000, refuse_party, NULL);
    assert_true(pl_is_ok(status));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_edges), cmocka_unit_test(test_random),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
