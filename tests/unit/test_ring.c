/* Ring kernels against one-element arithmetic written out here, with and without AVX2, at lengths
 * around the vector width. */
#include "tests/unit/party_fixture.h"

#include <string.h>

static const size_t lengths[] = {0, 1, 3, 4, 5, 63, 64, 65, 1000};
#define N_LENGTHS (sizeof lengths / sizeof lengths[0])
#define N_MAX 1000

static pl_u128 get(pl_kind kind, const void *data, size_t i) {
    return kind == PL_ARITH_128 ? ((const pl_u128 *)data)[i] : ((const uint64_t *)data)[i];
}

static pl_u128 cut(pl_kind kind, pl_u128 value) {
    return kind == PL_ARITH_128 ? value : (uint64_t)value;
}

typedef void (*kernel)(pl_kind, void *, const void *, const void *, size_t);

static pl_u128 expect(kernel k, pl_kind kind, pl_u128 a, pl_u128 b) {
    if (kind == PL_BOOL_64)
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
            assert_true(get(kind, z, i) == (kind == PL_BOOL_64 ? value : cut(kind, 0 - value)));
            total = kind == PL_BOOL_64 ? total ^ value : cut(kind, total + value);
        }
        assert_true(get(kind, b, 0) == total);
    }
}

static void cross_kernel(void **state) {
    (void)state;
    for (pl_kind kind = 0; kind < PL_KIND_COUNT; kind++) {
        pl_u128 *inputs[] = {a, b, c, d, m0, m1};
        for (size_t j = 0; j < 6; j++)
            fixture_values(kind, 10 + j, inputs[j], N_MAX);
        for (size_t l = 0; l < 2 * N_LENGTHS; l++) {
            size_t n = lengths[l / 2];
            pl_ring_force_portable(l % 2 == 1);
            memset(z, 0x55, sizeof z);
            pl_ring_cross(kind, z, (const void *[]){a, b}, (const void *[]){c, d},
                          (const void *[]){m0, m1}, n);
            for (size_t i = 0; i < n; i++) {
                pl_u128 x0 = get(kind, a, i), x1 = get(kind, b, i), y0 = get(kind, c, i),
                        y1 = get(kind, d, i), k0 = get(kind, m0, i), k1 = get(kind, m1, i);
                pl_u128 sum = kind == PL_BOOL_64 ? (x0 & y0) ^ (x0 & y1) ^ (x1 & y0) ^ k0 ^ k1
                                                 : x0 * y0 + x0 * y1 + x1 * y0 + k0 - k1;
                assert_true(get(kind, z, i) == cut(kind, sum));
            }
            uint8_t past[8];
            memset(past, 0x55, sizeof past);
            if (n < N_MAX) /* nothing is written behind the end */
                assert_memory_equal((uint8_t *)z + n * pl_kind_bytes(kind), past, sizeof past);
        }
    }
    pl_ring_force_portable(false);
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
    pl_ring_low_bits(PL_ARITH_64, out, words, 65);
    pl_ring_low_bits(PL_ARITH_128, wide, words, 65);
    for (size_t i = 0; i < 65; i++)
        assert_true(out[i] == (words[i] & 1) && wide[i] == (words[i] & 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_kernels),
        cmocka_unit_test(unary_kernels),
        cmocka_unit_test(cross_kernel),
        cmocka_unit_test(bit_kernels),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
