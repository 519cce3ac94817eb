#include "protocols/share/linear.h"

#include "protocols/share/scheme.h"

#include <stdlib.h>
#include <string.h>

static pl_status require_like(const pl_svec *x, const pl_svec *y, const char *what) {
    if (pl_svec_is_like(x, y))
        return PL_OK;
    return pl_fail(PL_INVALID_ARGUMENT, "cannot %s %zu elements of %s and %zu of %s", what, x->n,
                   pl_kind_name(x->kind), y->n, pl_kind_name(y->kind));
}

static pl_status require_bool(const pl_svec *x, const char *what) {
    if (pl_kind_is_bool(x->kind))
        return PL_OK;
    return pl_fail(PL_INVALID_ARGUMENT, "cannot %s elements of %s: it takes bits or 64-bit words",
                   what, pl_kind_name(x->kind));
}

/* Results of an open step are not there yet, and its operands must not be freed. */
static pl_status require_ready(const pl_party *p) {
    PL_TRY(pl_party_require_compute(p));
    return pl_step_refuse(p, "compute locally");
}

/* Checks the party and x, and makes a result of x's shape. */
static pl_status begin(pl_party *p, const pl_svec *x, pl_svec *result) {
    PL_TRY(require_ready(p));
    if (x->n_components != p->scheme->n_components)
        return pl_fail(PL_INVALID_ARGUMENT, "the vector is not a sharing of scheme %s",
                       p->scheme->name);
    return pl_party_settle(p, pl_svec_init(result, x->kind, x->n, x->n_components));
}

typedef void (*binary_kernel)(pl_kind, void *, const void *, const void *, size_t);

static pl_status binary(pl_party *p, const pl_svec *x, const pl_svec *y, binary_kernel kernel,
                        const char *what, pl_svec *out) {
    PL_TRY(require_like(x, y, what));
    pl_svec result;
    PL_TRY(begin(p, x, &result));
    for (size_t c = 0; c < x->n_components; c++)
        kernel(x->kind, result.component[c], x->component[c], y->component[c], x->n);
    pl_svec_take(out, &result);
    return PL_OK;
}

pl_status pl_add(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    return binary(p, x, y, pl_ring_add, "add", out);
}

pl_status pl_sub(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    return binary(p, x, y, pl_ring_sub, "subtract", out);
}

pl_status pl_xor(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    PL_TRY(require_bool(x, "xor"));
    return binary(p, x, y, pl_ring_add, "xor", out);
}

pl_status pl_neg(pl_party *p, const pl_svec *x, pl_svec *out) {
    pl_svec result;
    PL_TRY(begin(p, x, &result));
    for (size_t c = 0; c < x->n_components; c++)
        pl_ring_neg(x->kind, result.component[c], x->component[c], x->n);
    pl_svec_take(out, &result);
    return PL_OK;
}

pl_status pl_add_public(pl_party *p, const pl_svec *x, const void *constants, pl_svec *out) {
    PL_TRY(require_ready(p));
    pl_svec result = {0};
    PL_TRY(pl_party_settle(p, pl_svec_dup(x, &result)));
    p->scheme->add_public(p, &result, constants);
    pl_svec_take(out, &result);
    return PL_OK;
}

pl_status pl_not(pl_party *p, const pl_svec *x, pl_svec *out) {
    PL_TRY(require_bool(x, "invert"));
    uint64_t *ones;
    size_t n_words = pl_kind_units(x->kind, x->n);
    PL_TRY(pl_alloc(n_words, sizeof *ones, &ones));
    if (n_words != 0)
        memset(ones, 0xff, n_words * sizeof *ones);
    pl_status status = pl_add_public(p, x, ones, out);
    free(ones);
    return status;
}

pl_status pl_mul_public(pl_party *p, const pl_svec *x, const void *constants, pl_svec *out) {
    pl_svec result;
    PL_TRY(begin(p, x, &result));
    for (size_t c = 0; c < x->n_components; c++)
        pl_ring_mul(x->kind, result.component[c], x->component[c], constants, x->n);
    pl_svec_take(out, &result);
    return PL_OK;
}

pl_status pl_constant(pl_party *p, pl_kind kind, size_t n, const void *constants, pl_svec *out) {
    PL_TRY(require_ready(p));
    pl_svec result;
    PL_TRY(pl_party_settle(p, pl_svec_init(&result, kind, n, p->scheme->n_components)));
    p->scheme->add_public(p, &result, constants);
    pl_svec_take(out, &result);
    return PL_OK;
}

pl_status pl_sum(pl_party *p, const pl_svec *const *xs, size_t n_xs, pl_svec *out) {
    if (n_xs == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot add up: no vector is given");
    for (size_t j = 1; j < n_xs; j++)
        PL_TRY(require_like(xs[0], xs[j], "add"));
    pl_svec result;
    PL_TRY(begin(p, xs[0], &result));
    for (size_t j = 0; j < n_xs; j++) {
        for (size_t c = 0; c < result.n_components; c++)
            pl_ring_add(result.kind, result.component[c], result.component[c], xs[j]->component[c],
                        result.n);
    }
    pl_svec_take(out, &result);
    return PL_OK;
}

pl_status pl_total(pl_party *p, const pl_svec *x, pl_svec *out) {
    PL_TRY(require_ready(p));
    pl_svec result;
    PL_TRY(pl_party_settle(p, pl_svec_init(&result, x->kind, 1, x->n_components)));
    for (size_t c = 0; c < x->n_components; c++)
        pl_ring_total(x->kind, result.component[c], x->component[c], x->n);
    pl_svec_take(out, &result);
    return PL_OK;
}

typedef void (*shift_kernel)(uint64_t *, const uint64_t *, unsigned, size_t);

static pl_status shift(pl_party *p, const pl_svec *x, unsigned distance, shift_kernel kernel,
                       pl_svec *out) {
    if (x->kind != PL_BOOL_64)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot shift elements of %s: it takes 64-bit words",
                       pl_kind_name(x->kind));
    if (distance > 63)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot shift 64-bit words by %u", distance);
    pl_svec result;
    PL_TRY(begin(p, x, &result));
    for (size_t c = 0; c < x->n_components; c++)
        kernel(result.component[c], x->component[c], distance, x->n);
    pl_svec_take(out, &result);
    return PL_OK;
}

pl_status pl_shl(pl_party *p, const pl_svec *x, unsigned distance, pl_svec *out) {
    return shift(p, x, distance, pl_ring_shl, out);
}

pl_status pl_shr(pl_party *p, const pl_svec *x, unsigned distance, pl_svec *out) {
    return shift(p, x, distance, pl_ring_shr, out);
}

/* ---- one constant, words and bits, prefix sums ---- */

static pl_status require_arithmetic(const pl_svec *x, const char *what) {
    if (!pl_kind_is_bool(x->kind))
        return PL_OK;
    return pl_fail(PL_INVALID_ARGUMENT, "cannot %s elements of %s", what, pl_kind_name(x->kind));
}

static void fill(pl_kind kind, void *out, uint64_t constant, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (kind == PL_ARITH_128) /* signed */
            ((pl_u128 *)out)[i] = ((0 - (pl_u128)(constant >> 63)) << 64) | constant;
        else if (kind == PL_ARITH_32)
            ((uint32_t *)out)[i] = (uint32_t)constant;
        else
            ((uint64_t *)out)[i] = constant;
    }
}

typedef pl_status (*with_constants)(pl_party *, const pl_svec *, const void *, pl_svec *);

static pl_status with_constant(pl_party *p, const pl_svec *x, uint64_t constant, with_constants f,
                               pl_svec *out) {
    void *constants;
    PL_TRY(require_arithmetic(x, "use a constant on"));
    PL_TRY(pl_alloc(pl_kind_bytes(x->kind, x->n), 1, &constants));
    fill(x->kind, constants, constant, x->n);
    pl_status status = f(p, x, constants, out);
    free(constants);
    return status;
}

pl_status pl_add_constant(pl_party *p, const pl_svec *x, uint64_t constant, pl_svec *out) {
    return with_constant(p, x, constant, pl_add_public, out);
}

pl_status pl_mul_constant(pl_party *p, const pl_svec *x, uint64_t constant, pl_svec *out) {
    return with_constant(p, x, constant, pl_mul_public, out);
}

static pl_status require_words(const pl_svec *x, const char *what) {
    if (x->kind == PL_BOOL_64)
        return PL_OK;
    return pl_fail(PL_INVALID_ARGUMENT, "cannot %s elements of %s: it takes 64-bit words", what,
                   pl_kind_name(x->kind));
}

pl_status pl_map_words(pl_party *p, const pl_svec *x, uint64_t (*map)(uint64_t word),
                       pl_svec *out) {
    pl_svec result;
    PL_TRY(require_words(x, "map"));
    PL_TRY(begin(p, x, &result));
    for (size_t c = 0; c < x->n_components; c++) {
        const uint64_t *from = x->component[c];
        uint64_t *to = result.component[c];
        for (size_t i = 0; i < x->n; i++)
            to[i] = map(from[i]);
    }
    pl_svec_take(out, &result);
    return PL_OK;
}

pl_status pl_bit_of_words(pl_party *p, const pl_svec *x, unsigned bit, pl_svec *out) {
    pl_svec result;
    PL_TRY(require_ready(p));
    PL_TRY(require_words(x, "take a bit of"));
    if (bit > 63)
        return pl_fail(PL_INVALID_ARGUMENT, "64-bit words have no bit %u", bit);
    PL_TRY(pl_party_settle(p, pl_svec_init(&result, PL_BIT, x->n, x->n_components)));
    for (size_t c = 0; c < x->n_components; c++) {
        const uint64_t *from = x->component[c];
        uint64_t *to = result.component[c];
        for (size_t i = 0; i < x->n; i++)
            to[i / 64] |= (from[i] >> bit & 1) << i % 64;
    }
    pl_svec_take(out, &result);
    return PL_OK;
}

pl_status pl_words_of_bits(pl_party *p, const pl_svec *x, pl_svec *out) {
    pl_svec result;
    PL_TRY(require_ready(p));
    if (x->kind != PL_BIT)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot spread elements of %s: it takes bits",
                       pl_kind_name(x->kind));
    PL_TRY(pl_party_settle(p, pl_svec_init(&result, PL_BOOL_64, x->n, x->n_components)));
    for (size_t c = 0; c < x->n_components; c++)
        pl_ring_from_bits(PL_ARITH_64, result.component[c], x->component[c], x->n);
    pl_svec_take(out, &result);
    return PL_OK;
}

#define PREFIX(type)                                                                               \
    do {                                                                                           \
        const type *from = x->component[c];                                                        \
        type *to = result.component[c], sum = 0;                                                   \
        for (size_t i = 0; i < x->n; i++)                                                          \
            to[i] = sum += from[i];                                                                \
    } while (0)

pl_status pl_prefix_sum(pl_party *p, const pl_svec *x, pl_svec *out) {
    pl_svec result;
    PL_TRY(require_arithmetic(x, "add up"));
    PL_TRY(begin(p, x, &result));
    for (size_t c = 0; c < x->n_components; c++) {
        if (x->kind == PL_ARITH_128)
            PREFIX(pl_u128);
        else if (x->kind == PL_ARITH_32)
            PREFIX(uint32_t);
        else
            PREFIX(uint64_t);
    }
    pl_svec_take(out, &result);
    return PL_OK;
}
