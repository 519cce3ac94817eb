/* The operations that a scheme provides: arguments are checked, then the scheme runs, on one lane
 * or on several. */
#include "protocols/share/lanes.h"
#include "protocols/share/scheme.h"

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
    bool fills;    /* every element of the result is written, whatever stood there */
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
static pl_status run_mul_near(pl_party *p, const operands *o) {
    return p->scheme->mul_fixed_probabilistic(p, o->x, o->y, o->bits, o->out);
}
static pl_status run_truncate_near(pl_party *p, const operands *o) {
    return p->scheme->truncate_probabilistic(p, o->x, o->bits, o->out);
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

/* Some elements of a vector, in place. A range ends at the vector's end or where 512 bytes do,
 * so that the padding which belongs to the view (svec.h) is not another lane's. */
static pl_svec view(const pl_svec *x, pl_range range) {
    pl_svec part = {.kind = x->kind, .n = range.n, .n_components = x->n_components};
    for (size_t c = 0; c < x->n_components; c++)
        part.component[c] = (uint8_t *)x->component[c] + pl_kind_bytes(x->kind, range.begin);
    return part;
}

static pl_row_pairs view_pairs(const pl_row_pairs *pairs, pl_range range) {
    pl_row_pairs part = *pairs;
    part.left_begin += range.begin;
    if (part.left != NULL)
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

/* Rows of a matrix are cut where both 64 rows and PL_LANE_ELEMENTS elements of the product end.
 */
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

/* All that the operation reads, and where its result goes, are asked for by the step. */
static pl_status admit(pl_party *p, const operands *o, const pl_svec *out) {
    const pl_svec *all[PL_OPERANDS_MAX] = {o->x, o->y};
    for (size_t c = 0; o->pairs != NULL && c < o->pairs->n_columns; c++) {
        all[2 * c] = o->pairs->columns[c];
        all[2 * c + 1] = o->pairs->right_columns != NULL ? o->pairs->right_columns[c] : NULL;
    }
    return pl_step_admit(p, all, out);
}

/* Fresh memory costs as much as an operation: a live result of the right shape is written over. */
static bool is_reusable(const pl_party *p, const operands *o, size_t n, const pl_svec *out) {
    return o->fills && out->kind == o->kind && out->n == n &&
           out->n_components == p->scheme->n_components && !pl_svec_overlaps(out, o->x) &&
           (o->y == NULL || !pl_svec_overlaps(out, o->y));
}

/* The result goes over what stands in out. */
static pl_status run_over(pl_party *p, operation run, operands o, pl_svec *out) {
    o.out = out;
    pl_step_note(p, out);
    pl_status status = run_on_lanes(p, run, &o);
    if (!pl_is_ok(status))
        pl_step_break(p);
    return status;
}

/* An operation with a result of its own: n elements of o.kind. */
static pl_status with_result(pl_party *p, operation run, operands o, size_t n, pl_svec *out) {
    pl_svec result = {0};
    PL_TRY(admit(p, &o, out));
    if (is_reusable(p, &o, n, out))
        return run_over(p, run, o, out);
    pl_status status =
        pl_party_settle(p, pl_svec_init(&result, o.kind, n, p->scheme->n_components));
    o.out = &result;
    if (pl_is_ok(status))
        status = run_on_lanes(p, run, &o); /* after it no mesh has the buffers */
    if (pl_is_ok(status)) {
        pl_step_note(p, &result);
        pl_svec_take(out, &result);
    } else {
        pl_step_break(p);
    }
    pl_svec_done(&result);
    return status;
}

/* ---- the operations that lanes share ---- */

pl_status pl_mul(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    PL_TRY(check_factors(p, x, y));
    operands o = {.x = x, .y = y, .kind = x->kind, .out = out};
    /* Fresh memory costs as much as the multiplication: a live result of the right shape is
     * written over, and a factor that is the result too. */
    if (!pl_svec_is_like(out, x))
        return with_result(p, run_mul, o, x->n, out);
    PL_TRY(admit(p, &o, out));
    return run_over(p, run_mul, o, out);
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

static pl_status check_fixed(const pl_party *p, const pl_svec *x, const pl_svec *y,
                             unsigned frac_bits) {
    PL_TRY(check_factors(p, x, y));
    PL_TRY(check_kind(x, PL_ARITH_64, "multiply fixed-point"));
    return check_frac_bits(frac_bits);
}

static pl_status check_truncated(const pl_party *p, const pl_svec *x, unsigned frac_bits) {
    PL_TRY(check_sharing(p, x));
    PL_TRY(check_kind(x, PL_ARITH_64, "truncate"));
    return check_frac_bits(frac_bits);
}

pl_status pl_mul_fixed(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned frac_bits,
                       pl_svec *out) {
    PL_TRY(check_fixed(p, x, y, frac_bits));
    if (p->scheme->mul_fixed == NULL)
        return lacks(p, "multiply fixed-point numbers");
    operands o = {.x = x, .y = y, .bits = frac_bits, .kind = PL_ARITH_64, .fills = true};
    return with_result(p, run_mul_fixed, o, x->n, out);
}

pl_status pl_truncate(pl_party *p, const pl_svec *x, unsigned frac_bits, pl_svec *out) {
    PL_TRY(check_truncated(p, x, frac_bits));
    if (p->scheme->truncate == NULL)
        return lacks(p, "truncate");
    operands o = {.x = x, .bits = frac_bits, .kind = PL_ARITH_64, .fills = true};
    return with_result(p, run_truncate, o, x->n, out);
}

pl_status pl_mul_fixed_probabilistic(pl_party *p, const pl_svec *x, const pl_svec *y,
                                     unsigned frac_bits, pl_svec *out) {
    PL_TRY(check_fixed(p, x, y, frac_bits));
    if (p->scheme->mul_fixed_probabilistic == NULL)
        return lacks(p, "multiply fixed-point numbers with a truncation at random");
    operands o = {.x = x, .y = y, .bits = frac_bits, .kind = PL_ARITH_64, .fills = true};
    return with_result(p, run_mul_near, o, x->n, out);
}

pl_status pl_truncate_probabilistic(pl_party *p, const pl_svec *x, unsigned frac_bits,
                                    pl_svec *out) {
    PL_TRY(check_truncated(p, x, frac_bits));
    if (p->scheme->truncate_probabilistic == NULL)
        return lacks(p, "truncate at random");
    operands o = {.x = x, .bits = frac_bits, .kind = PL_ARITH_64, .fills = true};
    return with_result(p, run_truncate_near, o, x->n, out);
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
    if (pl_kind_is_bool(x->kind))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot compare elements of %s: it takes numbers",
                       pl_kind_name(x->kind));
    if (bits < 1 || bits > 8 * pl_kind_bytes(x->kind, 1))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot compare elements of %s with %u bits",
                       pl_kind_name(x->kind), bits);
    if (p->scheme->sign == NULL)
        return lacks(p, "compare");
    operands o = {.x = x, .y = y, .bits = bits, .kind = PL_BIT};
    return with_result(p, run_sign, o, x->n, out);
}

pl_status pl_zero(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    PL_TRY(check_compared(p, x, y));
    if (x->kind != PL_ARITH_128)
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
    operands o = {.x = x, .bits = bits, .kind = PL_BOOL_64, .fills = true};
    return with_result(p, run_words, o, x->n, out);
}

pl_status pl_number(pl_party *p, const pl_svec *x, pl_svec *out) {
    PL_TRY(check_sharing(p, x));
    PL_TRY(check_kind(x, PL_BOOL_64, "make numbers of"));
    if (p->scheme->number == NULL)
        return lacks(p, "turn words into numbers");
    operands o = {.x = x, .kind = PL_ARITH_64, .fills = true};
    return with_result(p, run_number, o, x->n, out);
}

pl_status pl_bit_to_arith(pl_party *p, const pl_svec *bits, pl_kind kind, pl_svec *out) {
    PL_TRY(check_sharing(p, bits));
    if (bits->kind != PL_BIT || !pl_kind_is_valid(kind) || pl_kind_is_bool(kind))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot turn elements of %s into %s: it turns bits",
                       pl_kind_name(bits->kind), pl_kind_name(kind));
    if (p->scheme->bit_to_arith == NULL)
        return lacks(p, "turn bits into numbers");
    operands o = {.x = bits, .kind = kind, .fills = kind == PL_ARITH_64};
    return with_result(p, run_bit_to_arith, o, bits->n, out);
}

static pl_status check_row_column(const pl_party *p, const pl_svec *const *columns, size_t c) {
    PL_TRY(check_sharing(p, columns[c]));
    PL_TRY(check_kind(columns[c], PL_BOOL_64, "compare rows of"));
    if (columns[c]->n == columns[0]->n)
        return PL_OK;
    return pl_fail(PL_INVALID_ARGUMENT, "cannot compare rows: columns differ in length");
}

static pl_status check_row(size_t row, size_t n_rows) {
    return row < n_rows
               ? PL_OK
               : pl_fail(PL_INVALID_ARGUMENT, "cannot compare row %zu: there are %zu", row, n_rows);
}

static pl_status check_rows(const pl_party *p, const pl_row_pairs *pairs) {
    const pl_svec *const *right =
        pairs->right_columns != NULL ? pairs->right_columns : pairs->columns;
    if (pairs->n_columns < 1 || pairs->n_columns > PL_ROW_COLUMNS_MAX ||
        pairs->bits <= 64 * (pairs->n_columns - 1) || pairs->bits > 64 * pairs->n_columns)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot compare rows of %zu columns and %u bits",
                       pairs->n_columns, pairs->bits);
    for (size_t c = 0; c < pairs->n_columns; c++) {
        PL_TRY(check_row_column(p, pairs->columns, c));
        PL_TRY(check_row_column(p, right, c));
    }
    size_t n_left = pairs->columns[0]->n;
    if (pairs->left == NULL && (pairs->n > n_left || pairs->left_begin > n_left - pairs->n))
        return pl_fail(PL_INVALID_ARGUMENT,
                       "cannot compare %zu rows from row %zu on: there are %zu", pairs->n,
                       pairs->left_begin, n_left);
    for (size_t i = 0; i < pairs->n; i++) {
        if (pairs->left != NULL && pairs->left[i] >= n_left)
            return check_row(pairs->left[i], n_left);
        if (pairs->right[i] >= right[0]->n)
            return check_row(pairs->right[i], right[0]->n);
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
