/* The cost model against the mesh's counters, operation by operation. Wrong if a counter is wrong
 * in the same way; the mesh has tests of its own. */
#include "tests/unit/party_fixture.h"

#include <string.h>

typedef enum what {
    SETUP,
    INPUT_INSIDE,
    INPUT_OUTSIDE,
    MUL,
    A2B,
    TO_ARITH,
    LESS,
    LARGEST,
    OPEN
} what;

typedef struct measured {
    what op;
    pl_kind kind;
    size_t n, n_vectors;
    uint64_t recipients;
    pl_counters used[5]; /* per rank */
} measured;

#define N_MAX 20000
static pl_u128 zeros[N_MAX], sink[5][N_MAX];

static pl_counters since(pl_counters begin, pl_counters end) {
    return (pl_counters){end.bytes_sent - begin.bytes_sent,
                         end.bytes_received - begin.bytes_received, end.rounds - begin.rounds};
}

static pl_status run_op(pl_party *p, const measured *m, pl_svec *x, pl_svec *y) {
    size_t rank = pl_party_rank(p), owner = m->op == INPUT_OUTSIDE ? 4 : 1;
    bool computes = pl_party_computes(p);
    switch (m->op) {
    case INPUT_INSIDE:
    case INPUT_OUTSIDE:
        return pl_input(p, owner, m->kind, m->n, rank == owner ? zeros : NULL, y);
    case MUL:
        return computes ? pl_mul(p, x, x, y) : PL_OK;
    case A2B:
        return computes ? pl_a2b(p, x, y) : PL_OK;
    case TO_ARITH:
        return computes ? pl_bit_to_arith(p, x, m->kind, y) : PL_OK;
    case LESS:
        return computes ? pl_less_than_public(p, x, (const uint64_t *)zeros, m->kind, y) : PL_OK;
    case LARGEST:
        return computes ? pl_max(p, (const pl_svec *const[]){x, x, x, x, x}, m->n_vectors, y)
                        : PL_OK;
    case OPEN:
        return pl_open(p, x, m->kind, m->n, m->recipients, "a test", sink[rank]);
    case SETUP:
        break;
    }
    return PL_OK;
}

static pl_kind input_kind(const measured *m) {
    return m->op == A2B || m->op == LESS || m->op == LARGEST ? PL_ARITH_64
           : m->op == TO_ARITH                               ? PL_BOOL_64
                                                             : m->kind;
}

static pl_status measure(pl_party *p, void *ctx) {
    measured *m = ctx;
    size_t rank = pl_party_rank(p);
    pl_mesh *mesh = pl_party_mesh(p);
    pl_svec x = {0}, y = {0};
    pl_status status = PL_OK;
    pl_counters begin = {0};
    if (m->op != SETUP) {
        PL_CHECK(status, pl_input(p, 0, input_kind(m), m->n, rank == 0 ? zeros : NULL, &x));
        begin = pl_mesh_counters(mesh);
    }
    PL_CHECK(status, run_op(p, m, &x, &y));
    m->used[rank] = since(begin, pl_mesh_counters(mesh));
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    return status;
}

static const fixture_set set = {"rep3", 5, {2, 0, 1}, 3};

static void check(measured m, pl_cost cost) {
    fixture_ok(fixture_run(&set, measure, &m));
    pl_cost used = {0};
    for (size_t r = 0; r < 5; r++) {
        if (m.used[r].rounds > used.rounds)
            used.rounds = m.used[r].rounds;
        if (r < 3 && m.used[r].bytes_sent > used.bytes_sent_max)
            used.bytes_sent_max = m.used[r].bytes_sent;
    }
    if (used.rounds != cost.rounds || used.bytes_sent_max != cost.bytes_sent_max)
        fail_msg("operation %d of %zu %s: %zu rounds, %zu bytes; the model says %zu, %zu",
                 (int)m.op, m.n, pl_kind_name(m.kind), (size_t)used.rounds,
                 (size_t)used.bytes_sent_max, (size_t)cost.rounds, (size_t)cost.bytes_sent_max);
}

static void setup_and_inputs(void **state) {
    (void)state;
    check((measured){.op = SETUP}, pl_cost_setup());
    static const size_t lengths[] = {0, 1, 1000, N_MAX};
    for (size_t l = 0; l < 4; l++) {
        size_t n = lengths[l];
        for (pl_kind kind = 0; kind < PL_KIND_COUNT; kind++) {
            check((measured){.op = INPUT_INSIDE, .kind = kind, .n = n},
                  pl_cost_input(kind, n, true));
            check((measured){.op = INPUT_OUTSIDE, .kind = kind, .n = n},
                  pl_cost_input(kind, n, false));
        }
    }
}

static void operations(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 1000, N_MAX};
    for (size_t l = 0; l < 4; l++) {
        size_t n = lengths[l];
        check((measured){.op = A2B, .n = n}, pl_cost_a2b(n));
        for (size_t n_vectors = 1; n_vectors <= 5; n_vectors++)
            check((measured){.op = LARGEST, .n = n, .n_vectors = n_vectors},
                  pl_max_cost(n, n_vectors));
        for (pl_kind kind = 0; kind < PL_KIND_COUNT; kind++) {
            check((measured){.op = MUL, .kind = kind, .n = n}, pl_cost_mul(kind, n));
            check((measured){.op = LESS, .kind = kind, .n = n}, pl_cost_less_than_public(kind, n));
            if (kind != PL_BOOL_64)
                check((measured){.op = TO_ARITH, .kind = kind, .n = n},
                      pl_cost_bit_to_arith(kind, n));
        }
    }
}

/* Compute parties are ranks 0, 1, 2. */
static void openings(void **state) {
    (void)state;
    for (uint64_t recipients = 1; recipients < 32; recipients++) {
        size_t inside = (size_t)__builtin_popcountll(recipients & 7);
        size_t outside = (size_t)__builtin_popcountll(recipients >> 3);
        for (size_t n = 0; n < 40; n += 13)
            check((measured){.op = OPEN, .kind = PL_ARITH_128, .n = n, .recipients = recipients},
                  pl_cost_open(PL_ARITH_128, n, inside, outside));
    }
}

static void costs_add(void **state) {
    (void)state;
    pl_cost sum = pl_cost_add(pl_cost_mul(PL_ARITH_64, 10), pl_cost_mul(PL_ARITH_128, 3));
    assert_int_equal(sum.rounds, 2);
    assert_int_equal(sum.bytes_sent_max, 80 + 48);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setup_and_inputs),
        cmocka_unit_test(operations),
        cmocka_unit_test(openings),
        cmocka_unit_test(costs_add),
    };
    return cmocka_run_group_tests_name("cost", tests, NULL, NULL);
}
