#include "protocols/share/svec.h"

#include "protocols/base/secret.h"

#include <string.h>

static size_t memory_bytes(pl_kind kind, size_t n) {
    size_t block = PL_SVEC_PADDING_BYTES;
    return (pl_kind_bytes(kind, n) + block - 1) / block * block;
}

pl_status pl_svec_init(pl_svec *out, pl_kind kind, size_t n, size_t n_components) {
    *out = (pl_svec){0};
    if (!pl_kind_is_valid(kind) || n_components > PL_COMPONENTS_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "no secret vector has %zu components of ring %d",
                       n_components, (int)kind);
    if (n > PL_ELEMENTS_MAX)
        return pl_fail(PL_LIMIT, "a secret vector of %zu elements is too long", n);
    size_t bytes = memory_bytes(kind, n);
    pl_svec vec = {.kind = kind, .n = n};
    for (; vec.n_components < n_components; vec.n_components++) {
        pl_status status = pl_secret_alloc(bytes, &vec.component[vec.n_components]);
        if (!pl_is_ok(status)) {
            pl_svec_done(&vec);
            return status;
        }
    }
    *out = vec;
    return PL_OK;
}

void pl_svec_done(pl_svec *vec) {
    if (vec == NULL)
        return;
    for (size_t c = 0; c < vec->n_components; c++)
        pl_secret_free(vec->component[c], memory_bytes(vec->kind, vec->n));
    *vec = (pl_svec){0};
}

void pl_svec_take(pl_svec *out, pl_svec *from) {
    pl_svec_done(out);
    *out = *from;
    *from = (pl_svec){0};
}

size_t pl_svec_bytes(const pl_svec *x) {
    return pl_kind_bytes(x->kind, x->n);
}

bool pl_svec_is_like(const pl_svec *x, const pl_svec *y) {
    return x->kind == y->kind && x->n == y->n && x->n_components == y->n_components;
}

bool pl_svec_overlaps(const pl_svec *x, const pl_svec *y) {
    for (size_t i = 0; i < x->n_components; i++) {
        for (size_t j = 0; j < y->n_components; j++) {
            uintptr_t a = (uintptr_t)x->component[i], b = (uintptr_t)y->component[j];
            if (a < b + pl_svec_bytes(y) && b < a + pl_svec_bytes(x))
                return true;
        }
    }
    return false;
}

pl_status pl_svec_dup(const pl_svec *x, pl_svec *out) {
    return pl_slice(x, 0, x->n, out);
}

/* Elements from_at, from_at + 1, ... of one component go to to_at, to_at + 1, ... of another. */
static void copy(pl_kind kind, void *to, size_t to_at, const void *from, size_t from_at, size_t n) {
    if (kind == PL_BIT)
        pl_bits_copy(to, to_at, from, from_at, n);
    else if (n != 0)
        memcpy((uint8_t *)to + pl_kind_bytes(kind, to_at),
               (const uint8_t *)from + pl_kind_bytes(kind, from_at), pl_kind_bytes(kind, n));
}

pl_status pl_slice(const pl_svec *x, size_t begin, size_t n, pl_svec *out) {
    if (begin > x->n || n > x->n - begin)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "cannot slice %zu elements from %zu on: the vector has %zu", n, begin, x->n);
    pl_svec result;
    PL_TRY(pl_svec_init(&result, x->kind, n, x->n_components));
    for (size_t c = 0; c < x->n_components; c++)
        copy(x->kind, result.component[c], 0, x->component[c], begin, n);
    pl_svec_take(out, &result);
    return PL_OK;
}

pl_status pl_paste(pl_svec *x, size_t begin, const pl_svec *part) {
    if (part->kind != x->kind || part->n_components != x->n_components || begin > x->n ||
        part->n > x->n - begin)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "cannot paste %zu elements of %s at %zu into %zu elements of %s", part->n,
                       pl_kind_name(part->kind), begin, x->n, pl_kind_name(x->kind));
    for (size_t c = 0; c < x->n_components; c++)
        copy(x->kind, x->component[c], begin, part->component[c], 0, part->n);
    return PL_OK;
}

static pl_status concat_length(const pl_svec *const *xs, size_t n_xs, size_t *out_n) {
    if (n_xs == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot concatenate: no vector is given");
    *out_n = 0;
    for (size_t j = 0; j < n_xs; j++) {
        if (xs[j]->kind != xs[0]->kind || xs[j]->n_components != xs[0]->n_components)
            return pl_fail(PL_INVALID_ARGUMENT,
                           "cannot concatenate: vector %zu is of another ring than the first",
                           j + 1);
        *out_n += xs[j]->n;
        if (*out_n > PL_ELEMENTS_MAX)
            return pl_fail(PL_LIMIT, "cannot concatenate: the result is too long");
    }
    return PL_OK;
}

pl_status pl_concat(const pl_svec *const *xs, size_t n_xs, pl_svec *out) {
    size_t n = 0;
    PL_TRY(concat_length(xs, n_xs, &n));
    pl_svec result;
    PL_TRY(pl_svec_init(&result, xs[0]->kind, n, xs[0]->n_components));
    size_t at = 0;
    for (size_t j = 0; j < n_xs; j++) {
        for (size_t c = 0; c < result.n_components; c++)
            copy(result.kind, result.component[c], at, xs[j]->component[c], 0, xs[j]->n);
        at += xs[j]->n;
    }
    pl_svec_take(out, &result);
    return PL_OK;
}

pl_status pl_gather(const pl_svec *x, const size_t *positions, size_t n, pl_svec *out) {
    for (size_t i = 0; i < n; i++) {
        if (positions[i] >= x->n)
            return pl_fail(PL_INVALID_ARGUMENT, "cannot gather element %zu: the vector has %zu",
                           positions[i], x->n);
    }
    pl_svec result;
    PL_TRY(pl_svec_init(&result, x->kind, n, x->n_components));
    for (size_t c = 0; c < x->n_components; c++) {
        for (size_t i = 0; i < n; i++)
            copy(x->kind, result.component[c], i, x->component[c], positions[i], 1);
    }
    pl_svec_take(out, &result);
    return PL_OK;
}

#define REARRANGE(type)                                                                            \
    do {                                                                                           \
        type *at = (type *)x->component[c] + begin, *to = scratch;                                 \
        for (size_t i = 0; i < n; i++)                                                             \
            to[i] = at[from[i]];                                                                   \
        memcpy(at, to, n * sizeof *at);                                                            \
    } while (0)

void pl_rearrange(pl_svec *x, size_t begin, const uint32_t *from, size_t n, void *scratch) {
    PL_ASSERT(x->kind != PL_BIT && begin <= x->n && n <= x->n - begin);
    for (size_t c = 0; c < x->n_components && n != 0; c++) {
        if (x->kind == PL_ARITH_128)
            REARRANGE(pl_u128);
        else if (x->kind == PL_ARITH_32)
            REARRANGE(uint32_t);
        else
            REARRANGE(uint64_t);
    }
}
