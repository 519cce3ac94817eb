/* Ring kernels against one-element arithmetic written out here, in every form that this processor
 * runs, at lengths around the vector width. */
#include "tests/unit/party_fixture.h"

#include "protocols/ring/kernels.h"

#include <string.h>

static const size_t lengths[] = {0, 1, 3, 4, 5, 63, 64, 65, 1000};
#define N_LENGTHS (sizeof lengths / sizeof lengths[0])
#define N_MAX 1000

static pl_u128 get(pl_kind kind, const void *data, size_t i) {
    switch (kind) {
    case PL_ARITH_128:
        return ((const pl_u128 *)data)[i];
    case PL_ARITH_32:
        return ((const uint32_t *)data)[i];
    case PL_BIT:
        return ((const uint64_t *)data)[i / 64] >> i % 64 & 1;
    default:
        return ((const uint64_t *)data)[i];
    }
}

static pl_u128 cut(pl_kind kind, pl_u128 value) {
    switch (kind) {
    case PL_ARITH_128:
        return value;
    case PL_ARITH_32:
        return (uint32_t)value;
    case PL_BIT:
        return value & 1;
    default:
        return (uint64_t)value;
    }
}

typedef void (*kernel)(pl_kind, void *, const void *, const void *, size_t);

static pl_u128 expect(kernel k, pl_kind kind, pl_u128 a, pl_u128 b) {
    if (pl_kind_is_bool(kind))
        return k == pl_ring_mul ? (a & b) : (a ^ b);
    return cut(kind, k == pl_ring_mul ? a * b : k == pl_ring_add ? a + b : a - b);
}

static pl_u128 a[N_MAX], b[N_MAX], c[N_MAX], d[N_MAX], m0[N_MAX], m1[N_MAX], z[N_MAX];

static void binary_kernels(void **state) {
    (void)state;
    const kernel kernels[] = {pl_ring_add, pl_ring_sub, pl_ring_mul};
    for (pl_kind kind = 0; kind < PL_KIND_COUNT; kind++) {
        fixture_values(kind, 1, a, N_MAX);
        fixture_values(kind, 2, b, N_MAX);
        for (size_t k = 0; k < 3; k++) {
            for (size_t l = 0; l < N_LENGTHS; l++) {
                kernels[k](kind, z, a, b, lengths[l]);
                for (size_t i = 0; i < lengths[l]; i++)
                    assert_true(get(kind, z, i) ==
                                expect(kernels[k], kind, get(kind, a, i), get(kind, b, i)));
            }
        }
    }
}

static void unary_kernels(void **state) {
    (void)state;
    for (pl_kind kind = 0; kind < PL_KIND_COUNT; kind++) {
        fixture_values(kind, 3, a, N_MAX);
        pl_ring_neg(kind, z, a, N_MAX);
        pl_ring_total(kind, b, a, N_MAX);
        pl_u128 total = 0;
        for (size_t i = 0; i < N_MAX; i++) {
            pl_u128 value = get(kind, a, i);
            assert_true(get(kind, z, i) == (pl_kind_is_bool(kind) ? value : cut(kind, 0 - value)));
            total = pl_kind_is_bool(kind) ? total ^ value : cut(kind, total + value);
        }
        assert_true(get(kind, b, 0) == total);
    }
}

/* The i-th kernel that runs here; the last one again when there are fewer. */
#define N_VARIANTS PL_KERNELS_MAX
static const pl_kernels *variant(size_t i) {
    const pl_kernels *all[PL_KERNELS_MAX];
    size_t n = pl_kernels_all(all);
    return all[i < n ? i : n - 1];
}

static void cross_kernel(void **state) {
    (void)state;
    for (pl_kind kind = 0; kind < PL_KIND_COUNT; kind++) {
        pl_u128 *inputs[] = {a, b, c, d, m0, m1};
        for (size_t j = 0; j < 6; j++)
            fixture_values(kind, 10 + j, inputs[j], N_MAX);
        for (size_t l = 0; l < N_VARIANTS * N_LENGTHS; l++) {
            size_t n = lengths[l / N_VARIANTS];
            pl_kernels_force(variant(l % N_VARIANTS));
            memset(z, 0x55, sizeof z);
            pl_ring_cross(kind, z, (const void *[]){a, b}, (const void *[]){c, d},
                          (const void *[]){m0, m1}, n);
            for (size_t i = 0; i < n; i++) {
                pl_u128 x0 = get(kind, a, i), x1 = get(kind, b, i), y0 = get(kind, c, i),
                        y1 = get(kind, d, i), k0 = get(kind, m0, i), k1 = get(kind, m1, i);
                pl_u128 sum = pl_kind_is_bool(kind) ? (x0 & y0) ^ (x0 & y1) ^ (x1 & y0) ^ k0 ^ k1
                                                    : x0 * y0 + x0 * y1 + x1 * y0 + k0 - k1;
                assert_true(get(kind, z, i) == cut(kind, sum));
            }
            uint8_t past[8];
            memset(past, 0x55, sizeof past);
            if (n < N_MAX) /* nothing is written behind the end */
                assert_memory_equal((uint8_t *)z + pl_kind_bytes(kind, n), past, sizeof past);
        }
    }
    pl_kernels_force(NULL);
}

static void bit_kernels(void **state) {
    (void)state;
    uint64_t words[65], out[65];
    pl_u128 wide[65];
    fixture_values(PL_BOOL_64, 20, words, 65);
    for (unsigned distance = 0; distance < 64; distance++) {
        pl_ring_shl(out, words, distance, 65);
        for (size_t i = 0; i < 65; i++)
            assert_true(out[i] == words[i] << distance);
        pl_ring_shr(out, words, distance, 65);
        for (size_t i = 0; i < 65; i++)
            assert_true(out[i] == words[i] >> distance);
    }
    pl_ring_from_bits(PL_ARITH_64, out, words, 65);
    pl_ring_from_bits(PL_ARITH_128, wide, words, 65);
    for (size_t i = 0; i < 65; i++)
        assert_true(out[i] == get(PL_BIT, words, i) && wide[i] == get(PL_BIT, words, i));
}

static void bits_are_copied(void **state) {
    (void)state;
    uint64_t from[20], to[20], before[20];
    fixture_values(PL_BOOL_64, 21, from, 20);
    for (size_t i = 0; i < 3000; i++) {
        size_t n = i % 700, from_at = i * 7 % 500, to_at = i * 13 % 500;
        fixture_values(PL_BOOL_64, 22, to, 20);
        memcpy(before, to, sizeof to);
        pl_bits_copy(to, to_at, from, from_at, n);
        for (size_t k = 0; k < 20 * 64; k++) {
            bool inside = k >= to_at && k < to_at + n;
            assert_true(get(PL_BIT, to, k) ==
                        (inside ? get(PL_BIT, from, from_at + k - to_at) : get(PL_BIT, before, k)));
        }
    }
}

#define WORDS 21 /* more than two and a half registers of the widest kind */
static uint64_t elements[64 * WORDS], sliced[64 * WORDS], back[64 * WORDS];

static void slicing(void **state) {
    (void)state;
    fixture_values(PL_ARITH_64, 30, elements, 64 * WORDS);
    for (size_t v = 0; v < N_VARIANTS; v++) {
        for (size_t n_words = 0; n_words <= WORDS; n_words++) {
            for (unsigned n_planes = 1; n_planes <= 64; n_planes += n_planes == 1 ? 18 : 15) {
                memset(sliced, 0x55, sizeof sliced);
                variant(v)->slice(elements, n_words, sliced, WORDS, n_planes);
                for (size_t plane = 0; plane < 64; plane++) {
                    for (size_t w = 0; w < WORDS; w++) {
                        uint64_t want = UINT64_C(0x5555555555555555);
                        for (size_t j = 0; j < 64 && plane < n_planes && w < n_words; j++)
                            want = (j == 0 ? 0 : want) | (elements[64 * w + j] >> plane & 1) << j;
                        assert_true(sliced[plane * WORDS + w] == want);
                    }
                }
                memset(back, 0x55, sizeof back);
                variant(v)->unslice(sliced, WORDS, n_planes, n_words, back);
                for (size_t i = 0; i < 64 * n_words; i++)
                    assert_true(back[i] == (elements[i] & UINT64_MAX >> (64 - n_planes)));
                for (size_t i = 64 * n_words; i < 64 * WORDS; i++)
                    assert_true(back[i] == UINT64_C(0x5555555555555555));
            }
        }
    }
}

static void kernels_of_bits(void **state) {
    (void)state;
    uint64_t bits[WORDS], u[2][WORDS], v[2][WORDS], carry[2][WORDS], m[2][WORDS], got[WORDS];
    fixture_values(PL_BOOL_64, 31, bits, WORDS);
    for (size_t k = 0; k < 2; k++) {
        fixture_values(PL_BOOL_64, 32 + k, u[k], WORDS);
        fixture_values(PL_BOOL_64, 34 + k, v[k], WORDS);
        fixture_values(PL_BOOL_64, 36 + k, carry[k], WORDS);
        fixture_values(PL_BOOL_64, 38 + k, m[k], WORDS);
    }
    for (size_t i = 0; i < N_VARIANTS; i++) {
        const pl_kernels *k = variant(i);
        k->bits_minus(sliced, bits, elements, WORDS);
        k->bits_negate(back, bits, elements, WORDS);
        for (size_t j = 0; j < 64 * WORDS; j++) {
            uint64_t bit = (uint64_t)get(PL_BIT, bits, j);
            assert_true(sliced[j] == bit - elements[j]);
            assert_true(back[j] == (bit != 0 ? 0 - elements[j] : elements[j]));
        }
        k->bits_invert(back, bits, elements, WORDS);
        for (size_t j = 0; j < 64 * WORDS; j++)
            assert_true(back[j] == (get(PL_BIT, bits, j) != 0 ? 1 - elements[j] : elements[j]));
        k->carry(got, (const uint64_t *const[]){u[0], u[1]}, (const uint64_t *const[]){v[0], v[1]},
                 (const uint64_t *const[]){carry[0], carry[1]}, m[0], m[1], WORDS);
        for (size_t j = 0; j < WORDS; j++) {
            uint64_t x0 = u[0][j] ^ carry[0][j], x1 = u[1][j] ^ carry[1][j];
            uint64_t y0 = v[0][j] ^ carry[0][j], y1 = v[1][j] ^ carry[1][j];
            assert_true(got[j] == ((x0 & y0) ^ (x0 & y1) ^ (x1 & y0) ^ m[0][j] ^ m[1][j]));
        }
        k->xor2(got, bits, m[0], WORDS);
        for (size_t j = 0; j < WORDS; j++)
            assert_true(got[j] == (bits[j] ^ m[0][j]));
        k->add2(got, bits, m[0], WORDS);
        for (size_t j = 0; j < WORDS; j++)
            assert_true(got[j] == bits[j] + m[0][j]);
        k->sub2(got, got, m[1], WORDS);
        k->add_difference(got, m[1], m[0], WORDS);
        for (size_t j = 0; j < WORDS; j++)
            assert_true(got[j] == bits[j]);
    }
}

static void gathering(void **state) {
    (void)state;
    uint32_t positions[64 * WORDS];
    for (size_t i = 0; i < 64 * WORDS; i++)
        positions[i] = (uint32_t)(i * 77 % (64 * WORDS));
    fixture_values(PL_ARITH_64, 40, sliced, 64 * WORDS);
    for (size_t v = 0; v < N_VARIANTS; v++) {
        for (size_t n = 0; n <= 64 * WORDS; n = 3 * n + 1) {
            variant(v)->gather_add(back, elements, positions, sliced, n);
            for (size_t i = 0; i < n; i++)
                assert_true(back[i] == elements[positions[i]] + sliced[i]);
            variant(v)->gather_sub(back, elements, positions, sliced, n);
            for (size_t i = 0; i < n; i++)
                assert_true(back[i] == elements[positions[i]] - sliced[i]);
            variant(v)->gather_xor(back, elements, positions, sliced, n);
            for (size_t i = 0; i < n; i++)
                assert_true(back[i] == (elements[positions[i]] ^ sliced[i]));
        }
    }
}

/* Words whose positions are the same, follow each other, and neither. */
static void picking(void **state) {
    (void)state;
    uint32_t positions[64 * WORDS];
    for (uint32_t i = 0; i < 64 * WORDS; i++)
        positions[i] = i / 64 % 3 == 0 ? i * 77 % (64 * WORDS) : i / 64 % 3 == 1 ? 5 : i - 3;
    for (size_t v = 0; v < N_VARIANTS; v++) {
        for (size_t n = 0; n <= WORDS; n++) {
            memset(back, 0x55, sizeof back);
            variant(v)->pick(back, elements, positions, n);
            for (size_t i = 0; i < 64 * WORDS; i++)
                assert_true(back[i] ==
                            (i < 64 * n ? elements[positions[i]] : UINT64_C(0x5555555555555555)));
        }
    }
}

/* Shapes around the tile and longer than a strip; rows with a gap between them. */
static void matrices(void **state) {
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1},   {6, 4, 32}, {7, 3, 33},  {13, 129, 70},
                                       {5, 300, 9}, {0, 5, 3},  {12, 0, 40}, {25, 140, 64}};
    static uint64_t x[40 * 310], y[310 * 80], out[40 * 90], want[40 * 90];
    fixture_values(PL_ARITH_64, 50, x, 40 * 310);
    fixture_values(PL_ARITH_64, 51, y, 310 * 80);
    for (size_t v = 0; v < N_VARIANTS; v++) {
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
            size_t m = shapes[s][0], k = shapes[s][1], n = shapes[s][2];
            fixture_values(PL_ARITH_64, 52, out, 40 * 90);
            memcpy(want, out, sizeof out);
            for (size_t i = 0; i < m; i++)
                for (size_t j = 0; j < n; j++)
                    for (size_t p = 0; p < k; p++)
                        want[i * (n + 2) + j] += x[i * (k + 1) + p] * y[p * n + j];
            variant(v)->matmul(out, n + 2, x, k + 1, y, n, m, k, n);
            assert_memory_equal(out, want, sizeof out);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_kernels),  cmocka_unit_test(unary_kernels),
        cmocka_unit_test(cross_kernel),    cmocka_unit_test(bit_kernels),
        cmocka_unit_test(bits_are_copied), cmocka_unit_test(slicing),
        cmocka_unit_test(kernels_of_bits), cmocka_unit_test(gathering),
        cmocka_unit_test(matrices),        cmocka_unit_test(picking),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
