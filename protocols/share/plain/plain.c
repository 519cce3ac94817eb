/* plain: one compute party that holds the values themselves. No secrecy: the reference that tests
 * compare with. */
#include "protocols/base/secret.h"
#include "protocols/share/permutation.h"
#include "protocols/share/scheme.h"

#include <stdlib.h>
#include <string.h>

static pl_status setup(pl_party *p, const uint8_t seed[32]) {
    (void)p;
    (void)seed;
    return PL_OK;
}

static void teardown(pl_party *p) {
    (void)p;
}

static pl_status input(pl_party *p, size_t owner_rank, const void *values, pl_kind kind, size_t n,
                       pl_svec *out) {
    size_t bytes = pl_kind_bytes(kind, n);
    if (out == NULL)
        PL_TRY(pl_mesh_send(p->mesh, p->compute[0], values, bytes));
    else if (p->rank != owner_rank)
        PL_TRY(pl_mesh_recv(p->mesh, owner_rank, out->component[0], bytes));
    else if (bytes != 0)
        memcpy(out->component[0], values, bytes);
    return pl_mesh_finish(p->mesh);
}

static void add_public(pl_party *p, pl_svec *x, const void *constants) {
    (void)p;
    pl_ring_add(x->kind, x->component[0], x->component[0], constants, x->n);
}

static pl_status mul(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    (void)p;
    pl_ring_mul(x->kind, out->component[0], x->component[0], y->component[0], x->n);
    return PL_OK;
}

/* Shifts of negative numbers go down, as C leaves open and every compiler here does. */
static int64_t shift_down(int64_t value, unsigned distance) {
    return value < 0 ? ~(~value >> distance) : value >> distance;
}

static pl_status truncate_values(pl_party *p, const pl_svec *x, unsigned frac_bits, pl_svec *out) {
    (void)p;
    const int64_t *from = x->component[0];
    int64_t *to = out->component[0];
    for (size_t i = 0; i < x->n; i++)
        to[i] = shift_down(from[i], frac_bits);
    return PL_OK;
}

static pl_status mul_fixed(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned frac_bits,
                           pl_svec *out) {
    PL_TRY(mul(p, x, y, out));
    return truncate_values(p, out, frac_bits, out);
}

static pl_status matmul(pl_party *p, const pl_svec *x, const pl_svec *y, const pl_matmul_shape *s,
                        pl_svec *out) {
    const uint64_t *a = x->component[0], *b = y->component[0];
    uint64_t *to = out->component[0];
    for (size_t i = 0; i < s->m; i++) {
        for (size_t j = 0; j < s->n; j++) {
            uint64_t sum = 0;
            for (size_t k = 0; k < s->k; k++)
                sum += a[i * s->k + k] * b[k * s->n + j];
            to[i * s->n + j] = sum;
        }
    }
    return s->frac_bits == 0 ? PL_OK : truncate_values(p, out, s->frac_bits, out);
}

static uint64_t element(const pl_svec *x, size_t i) {
    if (x == NULL)
        return 0;
    return x->kind == PL_ARITH_32 ? ((const uint32_t *)x->component[0])[i]
                                  : ((const uint64_t *)x->component[0])[i];
}

/* x - y, in the ring or modulo a larger power of two. */
static pl_u128 difference(const pl_svec *x, const pl_svec *y, size_t i) {
    if (x->kind != PL_ARITH_128)
        return element(x, i) - element(y, i);
    const pl_u128 *a = x->component[0], *b = y == NULL ? NULL : y->component[0];
    return a[i] - (b == NULL ? 0 : b[i]);
}

static void put_bit(pl_svec *out, size_t i, uint64_t bit) {
    ((uint64_t *)out->component[0])[i / 64] |= bit << i % 64;
}

static pl_status sign(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned bits,
                      pl_svec *out) {
    (void)p;
    for (size_t i = 0; i < x->n; i++)
        put_bit(out, i, (uint64_t)(difference(x, y, i) >> (bits - 1)) & 1);
    return PL_OK;
}

static pl_status zero(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    (void)p;
    for (size_t i = 0; i < x->n; i++)
        put_bit(out, i, difference(x, y, i) == 0);
    return PL_OK;
}

static pl_status words(pl_party *p, const pl_svec *x, unsigned bits, pl_svec *out) {
    (void)p;
    uint64_t *to = out->component[0];
    for (size_t i = 0; i < x->n; i++)
        to[i] = element(x, i) & (UINT64_MAX >> (64 - bits));
    return PL_OK;
}

static pl_status number(pl_party *p, const pl_svec *x, pl_svec *out) {
    (void)p;
    memcpy(out->component[0], x->component[0], pl_svec_bytes(x));
    return PL_OK;
}

static pl_status bit_to_arith(pl_party *p, const pl_svec *bits, pl_kind kind, pl_svec *out) {
    (void)p;
    pl_ring_from_bits(kind, out->component[0], bits->component[0], bits->n);
    return PL_OK;
}

/* From the last column down; only the last one is not full. */
static bool row_is_less(const pl_row_pairs *pairs, size_t left, size_t right) {
    const pl_svec *const *others =
        pairs->right_columns != NULL ? pairs->right_columns : pairs->columns;
    for (size_t c = pairs->n_columns; c-- > 0;) {
        unsigned bits = pairs->bits - 64 * (unsigned)c;
        uint64_t mask = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
        uint64_t a = element(pairs->columns[c], left) & mask;
        uint64_t b = element(others[c], right) & mask;
        if (a != b)
            return a < b;
    }
    return false;
}

static pl_status less_rows(pl_party *p, const pl_row_pairs *pairs, pl_svec *out) {
    (void)p;
    for (size_t i = 0; i < pairs->n; i++)
        put_bit(out, i,
                row_is_less(pairs, pairs->left == NULL ? pairs->left_begin + i : pairs->left[i],
                            pairs->right[i]));
    return PL_OK;
}

static pl_status shuffle(pl_party *p, pl_svec *const *columns, size_t n_columns) {
    size_t n = columns[0]->n;
    uint32_t *order = NULL;
    void *scratch = NULL;
    pl_status status;
    PL_CHECK(status, pl_alloc(n, sizeof *order, &order));
    PL_CHECK(status, pl_secret_alloc(16 * n, &scratch));
    PL_CHECK(status, pl_permutation_draw(p->own, n, order));
    for (size_t c = 0; c < n_columns; c++)
        pl_rearrange(columns[c], 0, order, n, scratch);
out:
    free(order);
    pl_secret_free(scratch, 16 * n);
    return status;
}

static pl_status open_values(pl_party *p, const pl_svec *x, pl_kind kind, size_t n,
                             uint64_t recipients, void *out_values) {
    size_t bytes = pl_kind_bytes(kind, n);
    if (!pl_party_computes(p)) {
        PL_TRY(pl_mesh_recv(p->mesh, p->compute[0], out_values, bytes));
        return pl_mesh_finish(p->mesh);
    }
    for (size_t rank = 0; rank < p->n_parties; rank++) {
        if (pl_recipients_has(recipients, rank) && rank != p->rank)
            PL_TRY(pl_mesh_send(p->mesh, rank, x->component[0], bytes));
    }
    if (out_values != NULL && bytes != 0) {
        memcpy(out_values, x->component[0], bytes);
        pl_ring_clear_padding(kind, out_values, n);
    }
    return pl_mesh_finish(p->mesh);
}

const pl_scheme pl_scheme_plain = {
    .name = "plain",
    .n_compute = 1,
    .n_components = 1,
    .setup = setup,
    .teardown = teardown,
    .input = input,
    .add_public = add_public,
    .mul = mul,
    .mul_fixed = mul_fixed,
    .truncate = truncate_values,
    .mul_fixed_probabilistic = mul_fixed,
    .truncate_probabilistic = truncate_values,
    .matmul = matmul,
    .sign = sign,
    .zero = zero,
    .words = words,
    .number = number,
    .bit_to_arith = bit_to_arith,
    .less_rows = less_rows,
    .shuffle = shuffle,
    .open = open_values,
};
