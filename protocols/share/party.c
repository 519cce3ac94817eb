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
    p->net = params->net.bytes_per_second > 0 ? params->net : PL_NET_DEFAULT;
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
    pl_step_drop(p);
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
    if (!pl_is_ok(status) && p->mesh != NULL) /* none: pl_cost_party_new */
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

static pl_status check_sharing(const pl_party *p, const pl_svec *x) {
    PL_TRY(pl_party_require_compute(p));
    if (x->n_components != p->scheme->n_components)
        return pl_fail(PL_INVALID_ARGUMENT, "the vector is not a sharing of scheme %s",
                       p->scheme->name);
    return PL_OK;
}

static pl_status check_factors(const pl_party *p, const pl_svec *x, const pl_svec *y) {
    PL_TRY(check_sharing(p, x));
    if (!pl_svec_is_like(x, y))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot multiply %zu elements of %s by %zu of %s", x->n,
                       pl_kind_name(x->kind), y->n, pl_kind_name(y->kind));
    return PL_OK;
}

static pl_status check_kind(const pl_svec *x, pl_kind kind, const char *what) {
    if (x->kind == kind)
        return PL_OK;
    return pl_fail(PL_INVALID_ARGUMENT, "cannot %s elements of %s: it takes %s", what,
                   pl_kind_name(x->kind), pl_kind_name(kind));
}

static pl_status lacks(const pl_party *p, const char *what) {
    return pl_fail(PL_UNSUPPORTED, "scheme %s cannot %s", p->scheme->name, what);
}

#define OPERANDS(...) ((const pl_svec *const[PL_OPERANDS_MAX]){__VA_ARGS__})

/* What all operations with a result of their own do around the scheme's part. The mesh lets go of
 * the result before its memory is freed. */
#define WITH_RESULT(kind, n, operands, call)                                                       \
    do {                                                                                           \
        pl_svec result = {0};                                                                      \
        PL_TRY(pl_step_admit(p, operands, out));                                                   \
        pl_status status = pl_svec_init(&result, (kind), (n), p->scheme->n_components);            \
        if (pl_is_ok(status))                                                                      \
            status = (call);                                                                       \
        status = pl_party_settle(p, status);                                                       \
        if (pl_is_ok(status)) {                                                                    \
            pl_step_note(p, &result);                                                              \
            pl_svec_take(out, &result);                                                            \
        }                                                                                          \
        pl_svec_done(&result);                                                                     \
        return status;                                                                             \
    } while (0)

pl_status pl_mul(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    PL_TRY(check_factors(p, x, y));
    /* Fresh memory costs as much as the multiplication: a live result of the right shape is written
     * over, and a factor that is the result too. */
    if (!pl_svec_is_like(out, x))
        WITH_RESULT(x->kind, x->n, OPERANDS(x, y), p->scheme->mul(p, x, y, &result));
    PL_TRY(pl_step_admit(p, OPERANDS(x, y), out));
    pl_step_note(p, out);
    return pl_party_settle(p, p->scheme->mul(p, x, y, out));
}

pl_status pl_and(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    if (!pl_kind_is_bool(x->kind))
        return pl_fail(PL_INVALID_ARGUMENT,
                       "cannot and elements of %s: it takes bits or 64-bit words",
                       pl_kind_name(x->kind));
    return pl_mul(p, x, y, out);
}

static pl_status check_frac_bits(unsigned frac_bits) {
    if (frac_bits >= 1 && frac_bits <= 32)
        return PL_OK;
    return pl_fail(PL_INVALID_ARGUMENT, "cannot truncate by %u bits: 1 to 32 are possible",
                   frac_bits);
}

static pl_status check_truncated(const pl_party *p, const pl_svec *x, unsigned frac_bits) {
    PL_TRY(check_sharing(p, x));
    PL_TRY(check_kind(x, PL_ARITH_64, "truncate"));
    return check_frac_bits(frac_bits);
}

static pl_status check_fixed(const pl_party *p, const pl_svec *x, const pl_svec *y,
                             unsigned frac_bits) {
    PL_TRY(check_factors(p, x, y));
    PL_TRY(check_kind(x, PL_ARITH_64, "multiply fixed-point"));
    return check_frac_bits(frac_bits);
}

pl_status pl_mul_fixed(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned frac_bits,
                       pl_svec *out) {
    PL_TRY(check_fixed(p, x, y, frac_bits));
    if (p->scheme->mul_fixed == NULL)
        return lacks(p, "multiply fixed-point numbers");
    WITH_RESULT(PL_ARITH_64, x->n, OPERANDS(x, y),
                p->scheme->mul_fixed(p, x, y, frac_bits, &result));
}

pl_status pl_truncate(pl_party *p, const pl_svec *x, unsigned frac_bits, pl_svec *out) {
    PL_TRY(check_truncated(p, x, frac_bits));
    if (p->scheme->truncate == NULL)
        return lacks(p, "truncate");
    WITH_RESULT(PL_ARITH_64, x->n, OPERANDS(x), p->scheme->truncate(p, x, frac_bits, &result));
}

pl_status pl_mul_fixed_probabilistic(pl_party *p, const pl_svec *x, const pl_svec *y,
                                     unsigned frac_bits, pl_svec *out) {
    PL_TRY(check_fixed(p, x, y, frac_bits));
    if (p->scheme->mul_fixed_probabilistic == NULL)
        return lacks(p, "multiply fixed-point numbers with a truncation at random");
    WITH_RESULT(PL_ARITH_64, x->n, OPERANDS(x, y),
                p->scheme->mul_fixed_probabilistic(p, x, y, frac_bits, &result));
}

pl_status pl_truncate_probabilistic(pl_party *p, const pl_svec *x, unsigned frac_bits,
                                    pl_svec *out) {
    PL_TRY(check_truncated(p, x, frac_bits));
    if (p->scheme->truncate_probabilistic == NULL)
        return lacks(p, "truncate at random");
    WITH_RESULT(PL_ARITH_64, x->n, OPERANDS(x),
                p->scheme->truncate_probabilistic(p, x, frac_bits, &result));
}

pl_status pl_matmul(pl_party *p, const pl_svec *x, const pl_svec *y, const pl_matmul_shape *shape,
                    pl_svec *out) {
    const size_t max = (size_t)1 << 31;
    PL_TRY(check_sharing(p, x));
    PL_TRY(check_sharing(p, y));
    PL_TRY(check_kind(x, PL_ARITH_64, "multiply matrices with"));
    PL_TRY(check_kind(y, PL_ARITH_64, "multiply matrices with"));
    if (shape->m > max || shape->k > max || shape->n > max || x->n != shape->m * shape->k ||
        y->n != shape->k * shape->n)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "%zu and %zu elements are not matrices of %zu x %zu and %zu x %zu", x->n,
                       y->n, shape->m, shape->k, shape->k, shape->n);
    if (shape->frac_bits != 0)
        PL_TRY(check_frac_bits(shape->frac_bits));
    if (p->scheme->matmul == NULL)
        return lacks(p, "multiply matrices");
    WITH_RESULT(PL_ARITH_64, shape->m * shape->n, OPERANDS(x, y),
                p->scheme->matmul(p, x, y, shape, &result));
}

static pl_status check_compared(const pl_party *p, const pl_svec *x, const pl_svec *y) {
    PL_TRY(check_sharing(p, x));
    if (y != NULL && !pl_svec_is_like(x, y))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot compare %zu elements of %s with %zu of %s",
                       x->n, pl_kind_name(x->kind), y->n, pl_kind_name(y->kind));
    return PL_OK;
}

pl_status pl_sign(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned bits, pl_svec *out) {
    PL_TRY(check_compared(p, x, y));
    if (pl_kind_is_bool(x->kind))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot compare elements of %s: it takes numbers",
                       pl_kind_name(x->kind));
    if (bits < 1 || bits > 8 * pl_kind_bytes(x->kind, 1))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot compare elements of %s with %u bits",
                       pl_kind_name(x->kind), bits);
    if (p->scheme->sign == NULL)
        return lacks(p, "compare");
    WITH_RESULT(PL_BIT, x->n, OPERANDS(x, y), p->scheme->sign(p, x, y, bits, &result));
}

pl_status pl_zero(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    PL_TRY(check_compared(p, x, y));
    if (x->kind != PL_ARITH_128)
        PL_TRY(check_kind(x, PL_ARITH_64, "compare"));
    if (p->scheme->zero == NULL)
        return lacks(p, "compare");
    WITH_RESULT(PL_BIT, x->n, OPERANDS(x, y), p->scheme->zero(p, x, y, &result));
}

pl_status pl_words(pl_party *p, const pl_svec *x, unsigned bits, pl_svec *out) {
    PL_TRY(check_sharing(p, x));
    PL_TRY(check_kind(x, PL_ARITH_64, "take the bits of"));
    if (bits < 1 || bits > 64)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot take %u bits of 64", bits);
    if (p->scheme->words == NULL)
        return lacks(p, "take numbers apart");
    WITH_RESULT(PL_BOOL_64, x->n, OPERANDS(x), p->scheme->words(p, x, bits, &result));
}

pl_status pl_number(pl_party *p, const pl_svec *x, pl_svec *out) {
    PL_TRY(check_sharing(p, x));
    PL_TRY(check_kind(x, PL_BOOL_64, "make numbers of"));
    if (p->scheme->number == NULL)
        return lacks(p, "turn words into numbers");
    WITH_RESULT(PL_ARITH_64, x->n, OPERANDS(x), p->scheme->number(p, x, &result));
}

pl_status pl_bit_to_arith(pl_party *p, const pl_svec *bits, pl_kind kind, pl_svec *out) {
    PL_TRY(check_sharing(p, bits));
    if (bits->kind != PL_BIT || !pl_kind_is_valid(kind) || pl_kind_is_bool(kind))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot turn elements of %s into %s: it turns bits",
                       pl_kind_name(bits->kind), pl_kind_name(kind));
    if (p->scheme->bit_to_arith == NULL)
        return lacks(p, "turn bits into numbers");
    WITH_RESULT(kind, bits->n, OPERANDS(bits), p->scheme->bit_to_arith(p, bits, kind, &result));
}

static pl_status check_rows(const pl_party *p, const pl_row_pairs *pairs) {
    if (pairs->n_columns < 1 || pairs->n_columns > PL_ROW_COLUMNS_MAX ||
        pairs->bits <= 64 * (pairs->n_columns - 1) || pairs->bits > 64 * pairs->n_columns)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot compare rows of %zu columns and %u bits",
                       pairs->n_columns, pairs->bits);
    for (size_t c = 0; c < pairs->n_columns; c++) {
        PL_TRY(check_sharing(p, pairs->columns[c]));
        PL_TRY(check_kind(pairs->columns[c], PL_BOOL_64, "compare rows of"));
        if (pairs->columns[c]->n != pairs->columns[0]->n)
            return pl_fail(PL_INVALID_ARGUMENT, "cannot compare rows: columns differ in length");
    }
    for (size_t i = 0; i < pairs->n; i++) {
        if (pairs->left[i] >= pairs->columns[0]->n || pairs->right[i] >= pairs->columns[0]->n)
            return pl_fail(PL_INVALID_ARGUMENT, "cannot compare rows %u and %u of %zu",
                           (unsigned)pairs->left[i], (unsigned)pairs->right[i],
                           pairs->columns[0]->n);
    }
    return PL_OK;
}

pl_status pl_less_rows(pl_party *p, const pl_row_pairs *pairs, pl_svec *out) {
    PL_TRY(check_rows(p, pairs));
    if (p->scheme->less_rows == NULL)
        return lacks(p, "compare rows");
    const pl_svec *columns[PL_OPERANDS_MAX] = {NULL};
    for (size_t c = 0; c < pairs->n_columns; c++)
        columns[c] = pairs->columns[c];
    WITH_RESULT(PL_BIT, pairs->n, columns, p->scheme->less_rows(p, pairs, &result));
}

pl_status pl_shuffle(pl_party *p, pl_svec *const *columns, size_t n_columns) {
    PL_TRY(pl_step_refuse(p, "shuffle a table"));
    if (n_columns == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot shuffle a table without columns");
    for (size_t c = 0; c < n_columns; c++) {
        PL_TRY(check_sharing(p, columns[c]));
        if (columns[c]->kind == PL_BIT)
            return pl_fail(PL_INVALID_ARGUMENT, "cannot shuffle packed bits: widen them to words");
        if (columns[c]->n != columns[0]->n || columns[c]->n > UINT32_MAX)
            return pl_fail(PL_INVALID_ARGUMENT,
                           "cannot shuffle: columns differ in length, or are too long");
    }
    if (p->scheme->shuffle == NULL)
        return lacks(p, "shuffle");
    return pl_party_settle(p, p->scheme->shuffle(p, columns, n_columns));
}
