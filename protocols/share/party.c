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
        PL_TRY(pl_lanes_add(p, lane, true));
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

/* What an operation that goes element by element (of matrices: row by row) works on. */
typedef struct operands {
    const pl_svec *x, *y; /* NULL: there is none */
    const pl_row_pairs *pairs;
    const pl_matmul_shape *shape;
    unsigned bits; /* of a number, or binary places */
    pl_kind kind;  /* of the result */
    pl_svec *out;
} operands;

typedef pl_status (*operation)(pl_party *p, const operands *o);

static pl_status run_mul(pl_party *p, const operands *o) {
    return p->scheme->mul(p, o->x, o->y, o->out);
}
static pl_status run_mul_fixed(pl_party *p, const operands *o) {
    return p->scheme->mul_fixed(p, o->x, o->y, o->bits, o->out);
}
static pl_status run_truncate(pl_party *p, const operands *o) {
    return p->scheme->truncate(p, o->x, o->bits, o->out);
}
static pl_status run_matmul(pl_party *p, const operands *o) {
    return p->scheme->matmul(p, o->x, o->y, o->shape, o->out);
}
static pl_status run_sign(pl_party *p, const operands *o) {
    return p->scheme->sign(p, o->x, o->y, o->bits, o->out);
}
static pl_status run_zero(pl_party *p, const operands *o) {
    return p->scheme->zero(p, o->x, o->y, o->out);
}
static pl_status run_words(pl_party *p, const operands *o) {
    return p->scheme->words(p, o->x, o->bits, o->out);
}
static pl_status run_number(pl_party *p, const operands *o) {
    return p->scheme->number(p, o->x, o->out);
}
static pl_status run_bit_to_arith(pl_party *p, const operands *o) {
    return p->scheme->bit_to_arith(p, o->x, o->kind, o->out);
}
static pl_status run_less_rows(pl_party *p, const operands *o) {
    return p->scheme->less_rows(p, o->pairs, o->out);
}

/* ---- one operation on several lanes ---- */

/* Some elements of a vector, in place. A range ends at the vector's end or where 512 bytes do, so
 * that the padding which belongs to the view (svec.h) is not another lane's. */
static pl_svec view(const pl_svec *x, pl_range range) {
    pl_svec part = {.kind = x->kind, .n = range.n, .n_components = x->n_components};
    for (size_t c = 0; c < x->n_components; c++)
        part.component[c] = (uint8_t *)x->component[c] + pl_kind_bytes(x->kind, range.begin);
    return part;
}

static pl_row_pairs view_pairs(const pl_row_pairs *pairs, pl_range range) {
    pl_row_pairs part = *pairs;
    part.left += range.begin;
    part.right += range.begin;
    part.n = range.n;
    return part;
}

static pl_range wider(pl_range range, size_t width) {
    return (pl_range){range.begin * width, range.n * width};
}

typedef struct split {
    operation run;
    const operands *whole;
    size_t n_lanes, n, grain; /* n elements, or rows of a matrix */
} split;

static pl_status run_part(pl_party *lane, size_t number, void *ctx) {
    const split *s = ctx;
    operands part = *s->whole;
    const pl_matmul_shape *whole_shape = part.shape;
    pl_range range = pl_lanes_range(s->n_lanes, number, s->n, s->grain);
    pl_svec x, y, out = view(part.out, wider(range, whole_shape != NULL ? whole_shape->n : 1));
    pl_matmul_shape shape;
    pl_row_pairs pairs;
    part.out = &out;
    if (part.x != NULL) {
        x = view(part.x, wider(range, whole_shape != NULL ? whole_shape->k : 1));
        part.x = &x;
    }
    if (part.y != NULL && whole_shape == NULL) {
        y = view(part.y, range);
        part.y = &y;
    }
    if (whole_shape != NULL) {
        shape = *whole_shape;
        shape.m = range.n;
        part.shape = &shape;
    }
    if (part.pairs != NULL) {
        pairs = view_pairs(part.pairs, range);
        part.pairs = &pairs;
    }
    return s->run(lane, &part);
}

/* Rows of a matrix are cut where both 64 rows and PL_LANE_ELEMENTS elements of the product end. */
static size_t rows_grain(const pl_matmul_shape *shape) {
    size_t rows = shape->n == 0 ? PL_LANE_ELEMENTS : PL_LANE_ELEMENTS / shape->n;
    return rows < 64 ? 64 : (rows + 63) / 64 * 64;
}

static pl_status run_on_lanes(pl_party *p, operation run, const operands *o) {
    split s = {.run = run, .whole = o, .n = o->out->n, .grain = PL_LANE_ELEMENTS};
    if (o->shape != NULL) {
        s.n = o->shape->m;
        s.grain = rows_grain(o->shape);
    }
    s.n_lanes = pl_lanes_for(pl_party_n_lanes(p), s.n, s.grain);
    return s.n_lanes == 1 ? pl_party_settle(p, run(p, o))
                          : pl_lanes_run(p, s.n_lanes, run_part, &s);
}

/* An operation with a result of its own: n elements of o.kind. */
static pl_status with_result(pl_party *p, operation run, operands o, size_t n, pl_svec *out) {
    pl_svec result = {0};
    pl_status status =
        pl_party_settle(p, pl_svec_init(&result, o.kind, n, p->scheme->n_components));
    o.out = &result;
    if (pl_is_ok(status))
        status = run_on_lanes(p, run, &o); /* after it no mesh has the buffers */
    if (pl_is_ok(status))
        pl_svec_take(out, &result);
    pl_svec_done(&result);
    return status;
}

/* ---- the operations that lanes share ---- */

pl_status pl_mul(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    PL_TRY(check_factors(p, x, y));
    operands o = {.x = x, .y = y, .kind = x->kind, .out = out};
    /* Fresh memory costs as much as the multiplication: a live result of the right shape is written
     * over, and a factor that is the result too. */
    return pl_svec_is_like(out, x) ? run_on_lanes(p, run_mul, &o)
                                   : with_result(p, run_mul, o, x->n, out);
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

pl_status pl_mul_fixed(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned frac_bits,
                       pl_svec *out) {
    PL_TRY(check_factors(p, x, y));
    PL_TRY(check_kind(x, PL_ARITH_64, "multiply fixed-point"));
    PL_TRY(check_frac_bits(frac_bits));
    if (p->scheme->mul_fixed == NULL)
        return lacks(p, "multiply fixed-point numbers");
    operands o = {.x = x, .y = y, .bits = frac_bits, .kind = PL_ARITH_64};
    return with_result(p, run_mul_fixed, o, x->n, out);
}

pl_status pl_truncate(pl_party *p, const pl_svec *x, unsigned frac_bits, pl_svec *out) {
    PL_TRY(check_sharing(p, x));
    PL_TRY(check_kind(x, PL_ARITH_64, "truncate"));
    PL_TRY(check_frac_bits(frac_bits));
    if (p->scheme->truncate == NULL)
        return lacks(p, "truncate");
    operands o = {.x = x, .bits = frac_bits, .kind = PL_ARITH_64};
    return with_result(p, run_truncate, o, x->n, out);
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
    operands o = {.x = x, .y = y, .shape = shape, .kind = PL_ARITH_64};
    return with_result(p, run_matmul, o, shape->m * shape->n, out);
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
    if (x->kind != PL_ARITH_32)
        PL_TRY(check_kind(x, PL_ARITH_64, "compare"));
    if (bits < 1 || bits > (x->kind == PL_ARITH_32 ? 32u : 64u))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot compare elements of %s with %u bits",
                       pl_kind_name(x->kind), bits);
    if (p->scheme->sign == NULL)
        return lacks(p, "compare");
    operands o = {.x = x, .y = y, .bits = bits, .kind = PL_BIT};
    return with_result(p, run_sign, o, x->n, out);
}

pl_status pl_zero(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    PL_TRY(check_compared(p, x, y));
    PL_TRY(check_kind(x, PL_ARITH_64, "compare"));
    if (p->scheme->zero == NULL)
        return lacks(p, "compare");
    operands o = {.x = x, .y = y, .kind = PL_BIT};
    return with_result(p, run_zero, o, x->n, out);
}

pl_status pl_words(pl_party *p, const pl_svec *x, unsigned bits, pl_svec *out) {
    PL_TRY(check_sharing(p, x));
    PL_TRY(check_kind(x, PL_ARITH_64, "take the bits of"));
    if (bits < 1 || bits > 64)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot take %u bits of 64", bits);
    if (p->scheme->words == NULL)
        return lacks(p, "take numbers apart");
    operands o = {.x = x, .bits = bits, .kind = PL_BOOL_64};
    return with_result(p, run_words, o, x->n, out);
}

pl_status pl_number(pl_party *p, const pl_svec *x, pl_svec *out) {
    PL_TRY(check_sharing(p, x));
    PL_TRY(check_kind(x, PL_BOOL_64, "make numbers of"));
    if (p->scheme->number == NULL)
        return lacks(p, "turn words into numbers");
    operands o = {.x = x, .kind = PL_ARITH_64};
    return with_result(p, run_number, o, x->n, out);
}

pl_status pl_bit_to_arith(pl_party *p, const pl_svec *bits, pl_kind kind, pl_svec *out) {
    PL_TRY(check_sharing(p, bits));
    if (bits->kind != PL_BIT || !pl_kind_is_valid(kind) || pl_kind_is_bool(kind))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot turn elements of %s into %s: it turns bits",
                       pl_kind_name(bits->kind), pl_kind_name(kind));
    if (p->scheme->bit_to_arith == NULL)
        return lacks(p, "turn bits into numbers");
    operands o = {.x = bits, .kind = kind};
    return with_result(p, run_bit_to_arith, o, bits->n, out);
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
    operands o = {.pairs = pairs, .kind = PL_BIT};
    return with_result(p, run_less_rows, o, pairs->n, out);
}

pl_status pl_shuffle(pl_party *p, pl_svec *const *columns, size_t n_columns) {
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
