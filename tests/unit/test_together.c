/* Operations of one step: their values are those of the same operations one after the other, for
 * both schemes, whatever happens to the structs of the arguments meanwhile; what does not fit into
 * a step is refused before anything is sent, and the party goes on after it; an open step may be
 * left. Wrong if end ran nothing: results are compared with numbers written out here. */
#include "tests/unit/party_fixture.h"

#include <string.h>

#define N 300

static const fixture_set sets[] = {{"rep3", 3, {2, 0, 1}, 3, {0, 0}},
                                   {"rep3", 3, {0, 1, 2}, 3, {40000, 1.25e7}},
                                   {"plain", 1, {0}, 1, {0, 0}}};
#define N_SETS (sizeof sets / sizeof sets[0])

static uint64_t x_values[N], y_values[N];

typedef struct results {
    pl_svec less, equal, words, numbers, product, fixed, matrix, rows, wide;
} results;

typedef struct inputs {
    pl_svec x, y, bits, word;
} inputs;

static pl_status share(pl_party *p, inputs *in) {
    uint64_t packed[(N + 63) / 64] = {0};
    bool owner = pl_party_rank(p) == 0;
    for (size_t i = 0; i < N && owner; i++) { /* who compares, too */
        x_values[i] = i * 7919 % 1000;
        y_values[i] = i % 3 == 0 ? x_values[i] : i * 104729 % 1000;
        packed[i / 64] |= (uint64_t)(i % 5 == 0) << i % 64;
    }
    PL_TRY(pl_input(p, 0, PL_ARITH_64, N, owner ? x_values : NULL, &in->x));
    PL_TRY(pl_input(p, 0, PL_ARITH_64, N, owner ? y_values : NULL, &in->y));
    PL_TRY(pl_input(p, 0, PL_BIT, N, owner ? packed : NULL, &in->bits));
    return pl_input(p, 0, PL_BOOL_64, N, owner ? x_values : NULL, &in->word);
}

static void inputs_done(inputs *in) {
    pl_svec_done(&in->x);
    pl_svec_done(&in->y);
    pl_svec_done(&in->bits);
    pl_svec_done(&in->word);
}

static const uint32_t left[] = {0, 5, 9}, right[] = {7, 5, 0};

/* All of it, through structs that are gone when the step ends. */
static pl_status note_all(pl_party *p, const inputs *in, results *r) {
    pl_svec x = in->x, y = in->y, word = in->word;
    const pl_svec *const columns[] = {&word, &word};
    const pl_row_pairs pairs = {
        .columns = columns, .n_columns = 2, .bits = 100, .left = left, .right = right, .n = 3};
    PL_TRY(pl_sign(p, &x, &y, 20, &r->less));
    PL_TRY(pl_zero(p, &x, &y, &r->equal));
    PL_TRY(pl_words(p, &x, 10, &r->words));
    PL_TRY(pl_number(p, &word, &r->numbers));
    PL_TRY(pl_mul(p, &x, &y, &r->product));
    PL_TRY(pl_mul_fixed(p, &x, &y, 3, &r->fixed));
    PL_TRY(pl_matmul(p, &x, &y, &(pl_matmul_shape){1, N, 1, 4}, &r->matrix));
    PL_TRY(pl_less_rows(p, &pairs, &r->rows));
    PL_TRY(pl_bit_to_arith(p, &in->bits, PL_ARITH_128, &r->wide));
    memset(&x, 0, sizeof x);
    memset(&y, 0, sizeof y);
    memset(&word, 0, sizeof word);
    return PL_OK;
}

static pl_status opened(pl_party *p, const pl_svec *x, void *out) {
    return pl_open(p, x, x->kind, x->n, 1, "a test", out);
}

static bool bit(const uint64_t *bits, size_t i) {
    return (bits[i / 64] >> i % 64 & 1) != 0;
}

/* Rank 0 compares. */
static pl_status check_bits(pl_party *p, const results *r) {
    uint64_t less[N], equal[N], rows[1];
    PL_TRY(opened(p, &r->less, less));
    PL_TRY(opened(p, &r->equal, equal));
    PL_TRY(opened(p, &r->rows, rows));
    for (size_t i = 0; i < N && pl_party_rank(p) == 0; i++) {
        assert_true(bit(less, i) == (x_values[i] < y_values[i]));
        assert_true(bit(equal, i) == (x_values[i] == y_values[i]));
    }
    for (size_t i = 0; i < 3 && pl_party_rank(p) == 0; i++)
        assert_true(bit(rows, i) == (x_values[left[i]] < x_values[right[i]]));
    return PL_OK;
}

static pl_status check_numbers(pl_party *p, const results *r) {
    uint64_t words[N], numbers[N], product[N], fixed[N], matrix[1], sum = 0;
    pl_u128 wide[N];
    PL_TRY(opened(p, &r->words, words));
    PL_TRY(opened(p, &r->numbers, numbers));
    PL_TRY(opened(p, &r->product, product));
    PL_TRY(opened(p, &r->fixed, fixed));
    PL_TRY(opened(p, &r->matrix, matrix));
    PL_TRY(opened(p, &r->wide, wide));
    for (size_t i = 0; i < N && pl_party_rank(p) == 0; i++) {
        assert_int_equal(words[i], x_values[i]);
        assert_int_equal(numbers[i], x_values[i]);
        assert_int_equal(product[i], x_values[i] * y_values[i]);
        assert_int_equal(fixed[i], x_values[i] * y_values[i] / 8);
        assert_true(wide[i] == (i % 5 == 0));
        sum += x_values[i] * y_values[i];
    }
    if (pl_party_rank(p) == 0)
        assert_int_equal(matrix[0], sum / 16);
    return PL_OK;
}

static void results_done(results *r) {
    pl_svec *all[] = {&r->less,  &r->equal,  &r->words, &r->numbers, &r->product,
                      &r->fixed, &r->matrix, &r->rows,  &r->wide};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        pl_svec_done(all[i]);
}

static pl_status right_values(pl_party *p, void *ctx) {
    inputs in = {{0}, {0}, {0}, {0}};
    results r;
    (void)ctx;
    memset(&r, 0, sizeof r);
    pl_status status = share(p, &in);
    for (size_t i = 0; i < 2 && pl_is_ok(status); i++) { /* results are reused the second time */
        status = pl_together_begin(p);
        if (pl_is_ok(status))
            status = pl_together_end(p, note_all(p, &in, &r));
        if (pl_is_ok(status))
            status = check_bits(p, &r);
        if (pl_is_ok(status))
            status = check_numbers(p, &r);
    }
    results_done(&r);
    inputs_done(&in);
    return status;
}

static void values(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SETS; i++)
        fixture_ok(fixture_run(&sets[i], right_values, NULL));
}

/* ---- what is refused ---- */

typedef pl_status (*wrong)(pl_party *p, inputs *in, pl_svec *out);

static pl_status own_result(pl_party *p, inputs *in, pl_svec *out) {
    PL_TRY(pl_mul(p, &in->x, &in->y, out));
    pl_svec other = {0};
    pl_status status = pl_mul(p, out, &in->y, &other);
    pl_svec_done(&other);
    return status;
}

static pl_status in_place(pl_party *p, inputs *in, pl_svec *out) {
    (void)out;
    return pl_mul(p, &in->x, &in->y, &in->x);
}

static pl_status over_its_operand(pl_party *p, inputs *in, pl_svec *out) {
    (void)out;
    return pl_truncate(p, &in->x, 3, &in->x);
}

static pl_status over_anothers_operand(pl_party *p, inputs *in, pl_svec *out) {
    PL_TRY(pl_words(p, &in->x, 64, out));
    return pl_truncate(p, &in->y, 3, &in->x);
}

static pl_status result_twice(pl_party *p, inputs *in, pl_svec *out) {
    PL_TRY(pl_truncate(p, &in->x, 3, out));
    return pl_truncate(p, &in->y, 3, out);
}

static pl_status input(pl_party *p, inputs *in, pl_svec *out) {
    (void)in;
    return pl_input(p, 0, PL_ARITH_64, N, pl_party_rank(p) == 0 ? x_values : NULL, out);
}

static pl_status opening(pl_party *p, inputs *in, pl_svec *out) {
    uint64_t values_of_x[N];
    (void)out;
    return opened(p, &in->x, values_of_x);
}

static pl_status shuffle(pl_party *p, inputs *in, pl_svec *out) {
    (void)out;
    return pl_shuffle(p, (pl_svec *const[]){&in->x}, 1);
}

static pl_status local(pl_party *p, inputs *in, pl_svec *out) {
    return pl_add(p, &in->x, &in->y, out);
}

static pl_status begin_again(pl_party *p, inputs *in, pl_svec *out) {
    (void)in, (void)out;
    return pl_together_begin(p);
}

/* Those that are several operations give up before what they have noted loses its operands. */
static pl_status composed(pl_party *p, inputs *in, pl_svec *out) {
    return pl_less_than(p, &in->x, &in->y, 64, out);
}

static pl_status public_operand(pl_party *p, inputs *in, pl_svec *out) {
    return pl_less_than_public(p, &in->x, y_values, 20, out);
}

static pl_status largest(pl_party *p, inputs *in, pl_svec *out) {
    return pl_max(p, (const pl_svec *const[]){&in->x, &in->y}, 2, out);
}

static pl_status division(pl_party *p, inputs *in, pl_svec *out) {
    return pl_divide(p, &in->x, &in->y, 8, out);
}

static pl_status too_many(pl_party *p, inputs *in, pl_svec *out) {
    static _Thread_local pl_svec many[PL_TOGETHER_MAX];
    pl_status status = PL_OK;
    for (size_t i = 0; i < PL_TOGETHER_MAX && pl_is_ok(status); i++)
        status = pl_mul(p, &in->x, &in->y, &many[i]);
    if (pl_is_ok(status))
        status = pl_mul(p, &in->x, &in->y, out);
    for (size_t i = 0; i < PL_TOGETHER_MAX; i++)
        pl_svec_done(&many[i]);
    return status;
}

static const struct {
    const char *said;
    wrong run;
} wrongs[] = {
    {"not there yet", own_result},
    {"cannot be its operand", in_place},
    {"cannot be its operand", over_its_operand},
    {"that another one uses", over_anothers_operand},
    {"that another one uses", result_twice},
    {"take an input", input},
    {"open a vector", opening},
    {"shuffle a table", shuffle},
    {"compute locally", local},
    {"begin a step", begin_again},
    {"begin a step", composed},
    {"compute locally", public_operand},
    {"compute locally", largest},
    {"", division},
    {"no operation fits", too_many},
};

/* Refused in the step, and again at its end, should the first refusal be overheard; nothing was
 * sent, and the party goes on. */
static pl_status refuse_one(pl_party *p, inputs *in, size_t which, bool is_heard) {
    pl_svec out = {0};
    uint64_t sent = pl_mesh_counters(pl_party_mesh(p)).bytes_sent;
    PL_TRY(pl_together_begin(p));
    pl_status status = wrongs[which].run(p, in, &out);
    assert_true(pl_status_code(status) == PL_INVALID_ARGUMENT);
    assert_non_null(strstr(pl_status_message(status), wrongs[which].said));
    if (!is_heard)
        pl_status_done(&status);
    status = pl_together_end(p, is_heard ? status : PL_OK);
    assert_true(pl_status_code(status) == PL_INVALID_ARGUMENT);
    pl_status_done(&status);
    assert_int_equal(pl_mesh_counters(pl_party_mesh(p)).bytes_sent, sent);
    pl_svec_done(&out);
    status = pl_mul(p, &in->x, &in->y, &out);
    pl_svec_done(&out);
    return status;
}

static pl_status refuse(pl_party *p, void *ctx) {
    inputs in = {{0}, {0}, {0}, {0}};
    (void)ctx;
    pl_status status = share(p, &in);
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0] && pl_is_ok(status); i++) {
        status = refuse_one(p, &in, i, true);
        if (pl_is_ok(status))
            status = refuse_one(p, &in, i, false);
    }
    fixture_fails(pl_together_end(p, PL_OK), PL_INVALID_ARGUMENT, "none was begun");
    inputs_done(&in);
    return status;
}

static void refusals(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SETS; i++)
        fixture_ok(fixture_run(&sets[i], refuse, NULL));
}

/* ---- left open ---- */

static pl_status leave(pl_party *p, void *ctx) {
    inputs in = {{0}, {0}, {0}, {0}};
    results r;
    (void)ctx;
    memset(&r, 0, sizeof r);
    pl_status status = share(p, &in);
    if (pl_is_ok(status))
        status = pl_together_begin(p);
    if (pl_is_ok(status))
        status = note_all(p, &in, &r);
    results_done(&r);
    inputs_done(&in);
    return status;
}

static void open_step(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SETS; i++)
        fixture_ok(fixture_run(&sets[i], leave, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(values), cmocka_unit_test(refusals),
                                       cmocka_unit_test(open_step)};
    return cmocka_run_group_tests_name("together", tests, NULL, NULL);
}
