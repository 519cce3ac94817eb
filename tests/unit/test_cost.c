/* The cost model against the mesh's counters, operation by operation. Wrong if a counter is wrong
 * in the same way; the mesh has tests of its own. */
#include "tests/unit/every_op.h"
#include "tests/unit/party_fixture.h"

#include <string.h>

typedef enum what {
    SETUP,
    INPUT_INSIDE,
    INPUT_OUTSIDE,
    MUL,
    SIGN,
    ZERO,
    WORDS,
    NUMBER,
    TO_ARITH,
    MUL_FIXED,
    TRUNCATE,
    MUL_NEAR,
    TRUNCATE_NEAR,
    MATMUL,
    LESS_ROWS,
    SHUFFLE,
    LARGEST,
    OPEN
} what;

typedef struct measured {
    what op;
    pl_kind kind;
    size_t n, n_vectors;
    unsigned bits;
    uint64_t recipients;
    pl_counters used[5]; /* per rank */
} measured;

#define N_MAX 20000
static pl_u128 zeros[N_MAX], sink[5][N_MAX];

static pl_counters since(pl_counters begin, pl_counters end) {
    return (pl_counters){end.bytes_sent - begin.bytes_sent,
                         end.bytes_received - begin.bytes_received, end.rounds - begin.rounds};
}

static pl_status less_rows(pl_party *p, const measured *m, const pl_svec *x, pl_svec *y) {
    static uint32_t positions[N_MAX];
    const pl_svec *const columns[] = {x, x, x};
    return pl_less_rows(p,
                        &(pl_row_pairs){.columns = columns,
                                        .n_columns = (m->bits + 63) / 64,
                                        .bits = m->bits,
                                        .left = positions,
                                        .right = positions,
                                        .n = m->n},
                        y);
}

static pl_matmul_shape shape_of(const measured *m) {
    return (pl_matmul_shape){m->n, 1, 1, m->bits};
}

/* What an operation works on: one: a single element, for matrices. */
typedef struct vectors {
    pl_svec x, one, y;
} vectors;

static void vectors_done(vectors *v) {
    pl_svec_done(&v->x);
    pl_svec_done(&v->one);
    pl_svec_done(&v->y);
}

static pl_status compute(pl_party *p, const measured *m, vectors *v) {
    pl_svec *x = &v->x, *y = &v->y;
    pl_matmul_shape shape = shape_of(m);
    switch (m->op) {
    case MUL:
        return pl_mul(p, x, x, y);
    case SIGN:
        return pl_sign(p, x, x, m->bits, y);
    case ZERO:
        return pl_zero(p, x, NULL, y);
    case WORDS:
        return pl_words(p, x, m->bits, y);
    case NUMBER:
        return pl_number(p, x, y);
    case TO_ARITH:
        return pl_bit_to_arith(p, x, m->kind, y);
    case MUL_FIXED:
        return pl_mul_fixed(p, x, x, m->bits, y);
    case TRUNCATE:
        return pl_truncate(p, x, m->bits, y);
    case MUL_NEAR:
        return pl_mul_fixed_probabilistic(p, x, x, m->bits, y);
    case TRUNCATE_NEAR:
        return pl_truncate_probabilistic(p, x, m->bits, y);
    case MATMUL:
        return pl_matmul(p, x, &v->one, &shape, y);
    case LESS_ROWS:
        return less_rows(p, m, x, y);
    case SHUFFLE:
        return pl_shuffle(p, (pl_svec *const[]){x, x}, 2);
    case LARGEST:
        return pl_max(p, (const pl_svec *const[]){x, x, x, x, x}, m->n_vectors, y);
    default:
        return PL_OK;
    }
}

static pl_status run_op(pl_party *p, const measured *m, vectors *v) {
    size_t rank = pl_party_rank(p), owner = m->op == INPUT_OUTSIDE ? 4 : 1;
    if (m->op == INPUT_INSIDE || m->op == INPUT_OUTSIDE)
        return pl_input(p, owner, m->kind, m->n, rank == owner ? zeros : NULL, &v->y);
    if (m->op == OPEN)
        return pl_open(p, &v->x, m->kind, m->n, m->recipients, "a test", sink[rank]);
    return pl_party_computes(p) ? compute(p, m, v) : PL_OK;
}

static pl_kind input_kind(const measured *m) {
    switch (m->op) {
    case MUL:
    case SIGN:
    case ZERO:
    case OPEN:
    case SHUFFLE:
    case INPUT_INSIDE:
    case INPUT_OUTSIDE:
        return m->kind;
    case TO_ARITH:
        return PL_BIT;
    case NUMBER:
    case LESS_ROWS:
        return PL_BOOL_64;
    default:
        return PL_ARITH_64;
    }
}

static pl_status prepare(pl_party *p, const measured *m, vectors *v) {
    const void *values = pl_party_rank(p) == 0 ? zeros : NULL;
    PL_TRY(pl_input(p, 0, input_kind(m), m->n, values, &v->x));
    return pl_input(p, 0, PL_ARITH_64, 1, values, &v->one);
}

static pl_status measure(pl_party *p, void *ctx) {
    measured *m = ctx;
    size_t rank = pl_party_rank(p);
    pl_mesh *mesh = pl_party_mesh(p);
    vectors v = {0};
    pl_status status = PL_OK;
    pl_counters begin = {0};
    if (m->op != SETUP) {
        PL_CHECK(status, prepare(p, m, &v));
        begin = pl_mesh_counters(mesh);
    }
    PL_CHECK(status, run_op(p, m, &v));
    m->used[rank] = since(begin, pl_mesh_counters(mesh));
out:
    vectors_done(&v);
    return status;
}

#define N_NETS 4
static const pl_net nets[N_NETS] = {{60, 5e8}, {40000, 1.25e7}, {300, 1e8}, {1e-3, 1e3}};
static size_t n_cases;

/* Compute parties are not in the order of their ranks: index 0 is rank 2. */
static void check(measured m, const pl_net *net, pl_cost cost) {
    fixture_set set = {"rep3", 5, {2, 0, 1}, 3, {0, 0}};
    set.net = *net;
    fixture_ok(fixture_run(&set, measure, &m));
    for (size_t i = 0; i < 3; i++) {
        pl_counters used = m.used[set.compute[i]];
        if (used.bytes_sent != cost.bytes_sent[i] || used.rounds > cost.rounds)
            fail_msg("operation %d of %zu %s, %u bits: party %zu: %zu rounds, %zu bytes; the model "
                     "says %zu, %zu",
                     (int)m.op, m.n, pl_kind_name(m.kind), m.bits, i, (size_t)used.rounds,
                     (size_t)used.bytes_sent, (size_t)cost.rounds, (size_t)cost.bytes_sent[i]);
    }
    uint64_t rounds = 0;
    for (size_t r = 0; r < 5; r++)
        rounds = m.used[r].rounds > rounds ? m.used[r].rounds : rounds;
    if (rounds != cost.rounds)
        fail_msg("operation %d of %zu %s, %u bits: %zu rounds; the model says %zu", (int)m.op, m.n,
                 pl_kind_name(m.kind), m.bits, (size_t)rounds, (size_t)cost.rounds);
    n_cases++;
}

static void setup_and_inputs(void **state) {
    (void)state;
    check((measured){.op = SETUP}, nets, pl_cost_setup());
    static const size_t lengths[] = {0, 1, 1000, N_MAX};
    for (size_t l = 0; l < 4; l++) {
        size_t n = lengths[l];
        for (pl_kind kind = 0; kind < PL_KIND_COUNT; kind++) { /* the owner is rank 1: index 2 */
            check((measured){.op = INPUT_INSIDE, .kind = kind, .n = n}, nets,
                  pl_cost_input(kind, n, 2));
            check((measured){.op = INPUT_OUTSIDE, .kind = kind, .n = n}, nets,
                  pl_cost_input(kind, n, PL_COST_OUTSIDE));
        }
    }
}

static void in_blocks(size_t n, unsigned bits, const pl_net *net) {
    check((measured){.op = SIGN, .n = n, .bits = bits}, net, pl_cost_sign(n, bits, net));
    check((measured){.op = WORDS, .n = n, .bits = bits}, net, pl_cost_words(n, bits, net));
    check((measured){.op = LESS_ROWS, .n = n, .bits = bits + 60}, net,
          pl_cost_less_rows(n, bits + 60, net));
    if (bits > 32)
        return;
    measured product = {.op = MATMUL, .n = n, .bits = bits};
    pl_matmul_shape shape = shape_of(&product);
    check(product, net, pl_cost_matmul(&shape, net));
    check((measured){.op = MUL_FIXED, .n = n, .bits = bits}, net, pl_cost_mul_fixed(n, bits, net));
    check((measured){.op = TRUNCATE, .n = n, .bits = bits}, net, pl_cost_mul_fixed(n, bits, net));
    pl_cost near = pl_cost_mul_fixed_probabilistic(n, net);
    check((measured){.op = MUL_NEAR, .n = n, .bits = bits}, net, near);
    check((measured){.op = TRUNCATE_NEAR, .n = n, .bits = bits}, net, near);
}

static void operations(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 64, 1000, 7000, N_MAX};
    static const unsigned widths[] = {1, 2, 20, 33, 64};
    for (size_t l = 0; l < 6; l++) {
        size_t n = lengths[l];
        for (size_t k = 0; k < N_NETS; k++) {
            const pl_net *net = &nets[k];
            for (size_t w = 0; w < 5; w++)
                in_blocks(n, widths[w], net);
            check((measured){.op = ZERO, .n = n}, net, pl_cost_zero(PL_ARITH_64, n, net));
            check((measured){.op = ZERO, .kind = PL_ARITH_128, .n = n}, net,
                  pl_cost_zero(PL_ARITH_128, n, net));
            static const unsigned wide[] = {3, 65, 100, 128};
            for (size_t w = 0; w < 4; w++)
                check((measured){.op = SIGN, .kind = PL_ARITH_128, .n = n, .bits = wide[w]}, net,
                      pl_cost_sign(n, wide[w], net));
            check((measured){.op = NUMBER, .n = n}, net, pl_cost_number(n, net));
            for (pl_kind kind = 0; kind < PL_KIND_COUNT; kind++) {
                if (!pl_kind_is_bool(kind))
                    check((measured){.op = TO_ARITH, .kind = kind, .n = n}, net,
                          pl_cost_bit_to_arith(kind, n, net));
            }
            for (size_t n_vectors = 1; n_vectors <= 5; n_vectors++)
                check((measured){.op = LARGEST, .n = n, .n_vectors = n_vectors}, net,
                      pl_max_cost(n, n_vectors, net));
        }
        for (pl_kind kind = 0; kind < PL_KIND_COUNT; kind++) {
            check((measured){.op = MUL, .kind = kind, .n = n}, nets, pl_cost_mul(kind, n));
            if (kind != PL_BIT)
                check((measured){.op = SHUFFLE, .kind = kind, .n = n}, nets,
                      pl_cost_shuffle((pl_kind[]){kind, kind}, 2, n));
        }
        pl_matmul_shape shape = {n, 1, 1, 0};
        check((measured){.op = MATMUL, .n = n}, nets, pl_cost_matmul(&shape, nets));
    }
}

/* ---- several in one step: bytes add up, rounds are those of the longest ---- */

#define SIDES_MAX 3

typedef struct abreast {
    measured m[SIDES_MAX];
    size_t n;
    pl_counters used[3];
} abreast;

static pl_status run_abreast(pl_party *p, const abreast *a, vectors v[SIDES_MAX]) {
    PL_TRY(pl_together_begin(p));
    pl_status status = PL_OK;
    for (size_t i = 0; i < a->n && pl_is_ok(status); i++)
        status = compute(p, &a->m[i], &v[i]);
    return pl_together_end(p, status);
}

static pl_status measure_abreast(pl_party *p, void *ctx) {
    abreast *a = ctx;
    vectors v[SIDES_MAX] = {{{0}, {0}, {0}}};
    pl_status status = PL_OK;
    for (size_t i = 0; i < a->n; i++)
        PL_CHECK(status, prepare(p, &a->m[i], &v[i]));
    pl_counters begin = pl_mesh_counters(pl_party_mesh(p));
    PL_CHECK(status, run_abreast(p, a, v));
    a->used[pl_party_rank(p)] = since(begin, pl_mesh_counters(pl_party_mesh(p)));
out:
    for (size_t i = 0; i < a->n; i++)
        vectors_done(&v[i]);
    return status;
}

/* The same at a party that only counts. */
static pl_status count_abreast(const abreast *a, const pl_net *net, pl_cost *out) {
    vectors v[SIDES_MAX] = {{{0}, {0}, {0}}};
    pl_party *p;
    pl_status status;
    PL_TRY(pl_cost_party_new(net, 1, &p));
    for (size_t i = 0; i < a->n; i++) {
        PL_CHECK(status, pl_constant(p, input_kind(&a->m[i]), a->m[i].n, zeros, &v[i].x));
        PL_CHECK(status, pl_constant(p, PL_ARITH_64, 1, zeros, &v[i].one));
    }
    PL_CHECK(status, run_abreast(p, a, v));
    *out = pl_cost_party_total(p);
out:
    for (size_t i = 0; i < a->n; i++)
        vectors_done(&v[i]);
    pl_party_free(p);
    return status;
}

static pl_cost cost_of(const measured *m, const pl_net *net) {
    pl_matmul_shape shape = shape_of(m);
    switch (m->op) {
    case SIGN:
        return pl_cost_sign(m->n, m->bits, net);
    case ZERO:
        return pl_cost_zero(m->kind, m->n, net);
    case WORDS:
        return pl_cost_words(m->n, m->bits, net);
    case NUMBER:
        return pl_cost_number(m->n, net);
    case TO_ARITH:
        return pl_cost_bit_to_arith(m->kind, m->n, net);
    case MUL_FIXED:
    case TRUNCATE:
        return pl_cost_mul_fixed(m->n, m->bits, net);
    case MUL_NEAR:
    case TRUNCATE_NEAR:
        return pl_cost_mul_fixed_probabilistic(m->n, net);
    case MATMUL:
        return pl_cost_matmul(&shape, net);
    case LESS_ROWS:
        return pl_cost_less_rows(m->n, m->bits, net);
    default:
        return pl_cost_mul(m->kind, m->n);
    }
}

static void check_abreast(abreast *a, const pl_net *net) {
    fixture_set set = {"rep3", 3, {0, 1, 2}, 3, {0, 0}};
    pl_cost cost = {0}, counted;
    uint64_t rounds = 0;
    set.net = *net;
    for (size_t i = 0; i < a->n; i++)
        cost = pl_cost_together(cost, cost_of(&a->m[i], net));
    fixture_ok(count_abreast(a, net, &counted));
    assert_memory_equal(&counted, &cost, sizeof cost);
    fixture_ok(fixture_run(&set, measure_abreast, a));
    for (size_t i = 0; i < 3; i++) {
        rounds = a->used[i].rounds > rounds ? a->used[i].rounds : rounds;
        assert_int_equal(a->used[i].bytes_sent, cost.bytes_sent[i]);
    }
    if (rounds != cost.rounds)
        fail_msg("operations %d of %zu, %d of %zu (%zu in all): %zu rounds; the model says %zu",
                 (int)a->m[0].op, a->m[0].n, (int)a->m[1].op, a->m[1].n, a->n, (size_t)rounds,
                 (size_t)cost.rounds);
    n_cases++;
}

static const measured sides[] = {
    {.op = SIGN, .bits = 20},
    {.op = SIGN, .bits = 64},
    {.op = ZERO},
    {.op = ZERO, .kind = PL_ARITH_128},
    {.op = SIGN, .kind = PL_ARITH_128, .bits = 100},
    {.op = WORDS, .bits = 33},
    {.op = NUMBER},
    {.op = TO_ARITH, .kind = PL_ARITH_64},
    {.op = TO_ARITH, .kind = PL_ARITH_128},
    {.op = MUL_FIXED, .bits = 20},
    {.op = TRUNCATE, .bits = 7},
    {.op = MUL_NEAR, .bits = 20},
    {.op = TRUNCATE_NEAR, .bits = 7},
    {.op = MATMUL, .bits = 0},
    {.op = MATMUL, .bits = 12},
    {.op = LESS_ROWS, .bits = 130},
    {.op = MUL, .kind = PL_ARITH_128},
    {.op = MUL, .kind = PL_BIT},
};
#define N_SIDES (sizeof sides / sizeof sides[0])

/* Which lengths meet goes round with the cases. */
static void sides_with(abreast *a, const size_t which[SIDES_MAX], size_t n) {
    static const size_t lengths[] = {N_MAX, 0, 1000, 64, 7000, 1};
    static size_t turn;
    a->n = n;
    for (size_t i = 0; i < n; i++) {
        a->m[i] = sides[which[i]];
        a->m[i].n = lengths[(turn + i * (turn / 6 + 1)) % 6];
    }
    turn++;
}

static void together(void **state) {
    (void)state;
    abreast a = {.n = 0};
    for (size_t k = 0; k < N_NETS; k++) {
        for (size_t i = 0; i < N_SIDES; i++) {
            for (size_t j = i; j < N_SIDES; j++) {
                sides_with(&a, (const size_t[]){i, j, 0}, 2);
                check_abreast(&a, &nets[k]);
                sides_with(&a, (const size_t[]){i, j, (i * j + k) % N_SIDES}, 3);
                check_abreast(&a, &nets[k]);
            }
        }
    }
}

/* ---- programs: what a party that only counts says, for every operation ---- */

typedef struct counted {
    const every_op *op; /* NULL: a scatter */
    pl_counters used[3];
} counted;

static pl_status run_counted(pl_party *p, void *ctx) {
    counted *c = ctx;
    pl_mesh *mesh = pl_party_mesh(p);
    pl_svec x = {0}, y = {0}, out = {0};
    uint64_t places[EVERY_OP_N];
    pl_status status;
    for (size_t i = 0; i < EVERY_OP_N; i++)
        places[i] = (i + 3) % EVERY_OP_N;
    PL_CHECK(status, every_op_inputs(p, &x, &y));
    PL_CHECK(status, pl_constant(p, PL_ARITH_64, EVERY_OP_N, places, &out));
    pl_counters begin = pl_mesh_counters(mesh);
    if (c->op != NULL)
        PL_CHECK(status, c->op->run(p, &x, &y, &out));
    else
        PL_CHECK(status, pl_scatter(p, &out, (pl_svec *const[]){&x, &y}, 2));
    c->used[pl_party_rank(p)] = since(begin, pl_mesh_counters(mesh));
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_svec_done(&out);
    return status;
}

static pl_status count(const every_op *op, const pl_net *net, pl_cost *out) {
    uint64_t none[EVERY_OP_N] = {0};
    pl_party *p;
    pl_svec x = {0}, y = {0}, result = {0};
    pl_status status;
    PL_TRY(pl_cost_party_new(net, 1, &p));
    PL_CHECK(status, pl_constant(p, PL_ARITH_64, EVERY_OP_N, none, &x));
    PL_CHECK(status, pl_constant(p, PL_ARITH_64, EVERY_OP_N, none, &y));
    PL_CHECK(status, op->run(p, &x, &y, &result));
    *out = pl_cost_party_total(p);
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_svec_done(&result);
    pl_party_free(p);
    return status;
}

static void compare_counted(counted *c, const char *name, const pl_net *net, pl_cost cost) {
    fixture_set set = {"rep3", 3, {0, 1, 2}, 3, {0, 0}};
    set.net = *net;
    fixture_ok(fixture_run(&set, run_counted, c));
    uint64_t rounds = 0; /* who only deals does not wait */
    for (size_t i = 0; i < 3; i++) {
        rounds = c->used[i].rounds > rounds ? c->used[i].rounds : rounds;
        if (c->used[i].bytes_sent != cost.bytes_sent[i])
            fail_msg("%s: party %zu: %zu bytes; counted: %zu", name, i,
                     (size_t)c->used[i].bytes_sent, (size_t)cost.bytes_sent[i]);
    }
    if (rounds != cost.rounds)
        fail_msg("%s: %zu rounds; counted: %zu", name, (size_t)rounds, (size_t)cost.rounds);
    n_cases++;
}

static void programs(void **state) {
    (void)state;
    for (size_t k = 0; k < N_NETS; k++) {
        for (size_t i = 0; i < n_every_ops; i++) {
            counted c = {.op = &every_ops[i]};
            pl_cost cost;
            fixture_ok(count(c.op, &nets[k], &cost));
            compare_counted(&c, c.op->name, &nets[k], cost);
        }
        counted scatter = {.op = NULL};
        compare_counted(&scatter, "scatter", &nets[k],
                        pl_scatter_cost((pl_kind[]){PL_ARITH_64, PL_ARITH_64}, 2, EVERY_OP_N));
    }
}

/* ---- sorts: whatever the order of the rows, and whatever was drawn ---- */

typedef struct sorted {
    size_t n, n_kept; /* n_kept: 0: a sort by two keys; else those that top-k keeps */
    unsigned bits;
    pl_counters used[3];
} sorted;

static pl_status run_sort(pl_party *p, const sorted *s, pl_svec *x, pl_svec *y) {
    const pl_sort_key keys[] = {{x, s->bits, false}, {y, s->bits / 2 + 1, true}};
    static const double middle[] = {0.5, 0.9};
    pl_svec quantiles = {0};
    if (s->n_kept != 0)
        return pl_top_k(p, keys, s->n_kept, (pl_svec *const[]){x, y}, 2);
    PL_TRY(pl_sort(p, keys, 2, (pl_svec *const[]){x, y}, 2));
    pl_status status = pl_quantile(p, x, s->bits, middle, 2, &quantiles);
    pl_svec_done(&quantiles);
    return status;
}

static pl_status measure_sort(pl_party *p, void *ctx) {
    sorted *s = ctx;
    size_t rank = pl_party_rank(p);
    static uint64_t values[N_MAX];
    pl_svec x = {0}, y = {0};
    pl_status status;
    if (rank == 0)
        fixture_values(PL_ARITH_64, s->n + s->bits, values, s->n);
    PL_CHECK(status, pl_input(p, 0, PL_ARITH_64, s->n, rank == 0 ? values : NULL, &x));
    PL_CHECK(status, pl_input(p, 0, PL_ARITH_64, s->n, rank == 0 ? values : NULL, &y));
    pl_counters begin = pl_mesh_counters(pl_party_mesh(p));
    PL_CHECK(status, run_sort(p, s, &x, &y));
    s->used[rank] = since(begin, pl_mesh_counters(pl_party_mesh(p)));
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    return status;
}

static pl_status count_sort(const sorted *s, const pl_net *net, pl_cost *out) {
    static const uint64_t none[N_MAX];
    pl_party *p;
    pl_svec x = {0}, y = {0};
    pl_status status;
    PL_TRY(pl_cost_party_new(net, 1, &p));
    PL_CHECK(status, pl_constant(p, PL_ARITH_64, s->n, none, &x));
    PL_CHECK(status, pl_constant(p, PL_ARITH_64, s->n, none, &y));
    PL_CHECK(status, run_sort(p, s, &x, &y));
    *out = pl_cost_party_total(p);
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_party_free(p);
    return status;
}

static void check_sort(sorted s, const pl_net *net) {
    fixture_set set = {"rep3", 3, {0, 1, 2}, 3, {0, 0}};
    pl_cost cost;
    set.net = *net;
    fixture_ok(count_sort(&s, net, &cost));
    fixture_ok(fixture_run(&set, measure_sort, &s));
    for (size_t i = 0; i < 3; i++) {
        if (s.used[i].bytes_sent != cost.bytes_sent[i] || s.used[i].rounds != cost.rounds)
            fail_msg("sort of %zu, %u bits, %zu kept: party %zu: %zu rounds, %zu bytes; counted: "
                     "%zu, %zu",
                     s.n, s.bits, s.n_kept, i, (size_t)s.used[i].rounds,
                     (size_t)s.used[i].bytes_sent, (size_t)cost.rounds, (size_t)cost.bytes_sent[i]);
    }
    n_cases++;
}

static void sorts(void **state) {
    (void)state;
    static const size_t lengths[] = {1, 2, 3, 63, 64, 65, 127, 128, 500, 2047, 2048, 6000, N_MAX};
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
        for (size_t k = 0; k < N_NETS; k++)
            check_sort((sorted){.n = lengths[l], .bits = k % 2 == 0 ? 64 : 21}, &nets[k]);
        check_sort((sorted){.n = lengths[l], .bits = 33, .n_kept = 5}, nets);
    }
}

static void openings(void **state) {
    (void)state;
    for (uint64_t recipients = 1; recipients < 32; recipients++) {
        unsigned inside = (unsigned)((recipients >> 2 & 1) | (recipients & 3) << 1);
        size_t outside = (size_t)__builtin_popcountll(recipients >> 3);
        for (size_t n = 0; n < 40; n += 13)
            check((measured){.op = OPEN, .kind = PL_ARITH_128, .n = n, .recipients = recipients},
                  nets, pl_cost_open(PL_ARITH_128, n, inside, outside));
    }
}

static void costs_add(void **state) {
    (void)state;
    pl_cost sum = pl_cost_add(pl_cost_mul(PL_ARITH_64, 10), pl_cost_mul(PL_ARITH_128, 3));
    assert_int_equal(sum.rounds, 2);
    assert_int_equal(pl_cost_bytes_max(sum), 80 + 48);
    assert_int_equal(pl_cost_times(sum, 3).rounds, 6);
    assert_int_equal(pl_cost_bytes_max(pl_cost_times(sum, 3)), 3 * (80 + 48));
}

/* What the choice is made for: few rounds far away, few bytes close by. */
static void forms_fit_the_net(void **state) {
    (void)state;
    const pl_net wan = {40000, 1.25e7};
    pl_cost far = pl_cost_sign(100000, 64, &wan);
    assert_true(far.rounds <= 10);
    assert_non_null(strstr(pl_cost_form(100000, 64, &wan, 1).text, "40 ms"));
    pl_cost close = pl_cost_sign(1000000, 64, &nets[0]);
    assert_true(pl_cost_bytes_max(close) <= 11000000);
    assert_non_null(strstr(pl_cost_form(1000000, 64, &nets[0], 1).text, "ripple"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setup_and_inputs),
        cmocka_unit_test(operations),
        cmocka_unit_test(together),
        cmocka_unit_test(programs),
        cmocka_unit_test(sorts),
        cmocka_unit_test(openings),
        cmocka_unit_test(costs_add),
        cmocka_unit_test(forms_fit_the_net),
    };
    return cmocka_run_group_tests_name("cost", tests, NULL, NULL);
}
