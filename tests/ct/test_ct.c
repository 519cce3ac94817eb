/* Constant time: valgrind's memcheck is told that every secret is undefined memory, and reports
 * every branch and every address that depends on it. The kernels (all that valgrind's processor
 * runs: portable and AVX2), the element-wise operations, and whole operations of three parties;
 * what these open on their way may be branched on. With --leaky the program branches on a secret on
 * purpose, so that it is seen that this is reported. Wrong about instructions whose time depends on
 * operands; there are no divisions of secrets.
 *
 * After A. Langley's ctgrind and BoringSSL's constant_time validation. */
#include "tests/unit/every_op.h"

#include "protocols/net/memory.h"
#include "protocols/ring/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

#define WORDS 9
#define N (64 * WORDS)

static uint64_t a[7][2 * N], z[2 * N], planes[64 * WORDS];

static void hide(void) {
    VALGRIND_MAKE_MEM_UNDEFINED(a, sizeof a);
}

/* Results may be looked at again; only then is the next round independent of this one. */
static void show(void) {
    VALGRIND_MAKE_MEM_DEFINED(a, sizeof a);
    VALGRIND_MAKE_MEM_DEFINED(z, sizeof z);
    VALGRIND_MAKE_MEM_DEFINED(planes, sizeof planes);
}

static void run_kernels(const pl_kernels *k) {
    uint32_t positions[N];
    for (uint32_t i = 0; i < N; i++)
        positions[i] = i < 64 ? 5 : i < 128 ? i : i * 77 % N;
    hide();
    k->cross_64(z, a[0], a[1], a[2], a[3], a[4], a[5], N);
    k->cross_32((uint32_t *)z, (uint32_t *)a[0], (uint32_t *)a[1], (uint32_t *)a[2],
                (uint32_t *)a[3], (uint32_t *)a[4], (uint32_t *)a[5], N);
    k->cross_bool(z, a[0], a[1], a[2], a[3], a[4], a[5], N);
    k->carry(z, (const uint64_t *const[]){a[0], a[1]}, (const uint64_t *const[]){a[2], a[3]},
             (const uint64_t *const[]){a[4], a[5]}, a[6], a[0], N);
    k->slice(a[0], WORDS, planes, WORDS, 64);
    k->unslice(planes, WORDS, 64, WORDS, z);
    k->xor2(z, a[0], a[1], N);
    k->add2(z, a[0], a[1], N);
    k->sub2(z, a[0], a[1], N);
    k->add_difference(z, a[0], a[1], N);
    k->bits_minus(z, a[0], a[1], WORDS);
    k->bits_negate(z, a[0], a[1], WORDS);
    k->bits_invert(z, a[0], a[1], WORDS);
    k->gather_add(z, a[0], positions, a[1], N);
    k->gather_sub(z, a[0], positions, a[1], N);
    k->gather_xor(z, a[0], positions, a[1], N);
    k->pick(z, a[0], positions, WORDS);
    k->matmul(z, 20, a[0], 20, a[1], 20, 20, 20, 20);
    show();
    printf("kernels %s: done\n", k->name);
}

static void run_ring(void) {
    const void *x[2] = {a[0], a[1]}, *y[2] = {a[2], a[3]}, *mask[2] = {a[4], a[5]};
    hide();
    for (pl_kind kind = 0; kind < PL_KIND_COUNT; kind++) {
        pl_ring_add(kind, z, a[0], a[1], N);
        pl_ring_sub(kind, z, a[0], a[1], N);
        pl_ring_neg(kind, z, a[0], N);
        pl_ring_mul(kind, z, a[0], a[1], N);
        pl_ring_total(kind, z, a[0], N);
        pl_ring_cross(kind, z, x, y, mask, N);
        pl_ring_from_bits(kind, z, a[0], N);
    }
    pl_bits_copy(z, 3, a[0], 17, 1000);
    pl_ring_shl(z, a[0], 3, N);
    pl_ring_shr(z, a[0], 3, N);
    show();
    printf("element-wise operations: done\n");
}

static void hide_shares(pl_svec *x) {
    for (size_t c = 0; c < x->n_components; c++)
        VALGRIND_MAKE_MEM_UNDEFINED(x->component[c], pl_svec_bytes(x));
}

pl_status __real_pl_open(pl_party *p, const pl_svec *x, pl_kind kind, size_t n, uint64_t recipients,
                         const char *reason, void *out_values);
pl_status __wrap_pl_open(pl_party *p, const pl_svec *x, pl_kind kind, size_t n, uint64_t recipients,
                         const char *reason, void *out_values);

/* The linker puts this in the place of pl_open: a value that was opened is no secret any more. */
pl_status __wrap_pl_open(pl_party *p, const pl_svec *x, pl_kind kind, size_t n, uint64_t recipients,
                         const char *reason, void *out_values) {
    PL_TRY(__real_pl_open(p, x, kind, n, recipients, reason, out_values));
    VALGRIND_MAKE_MEM_DEFINED(out_values, pl_kind_bytes(kind, n));
    return PL_OK;
}

bool __real_pl_secret_equal(const void *left, const void *right, size_t len);
bool __wrap_pl_secret_equal(const void *left, const void *right, size_t len);

/* Neither is it whether copies of an opened value are equal. */
bool __wrap_pl_secret_equal(const void *left, const void *right, size_t len) {
    bool equal = __real_pl_secret_equal(left, right, len);
    VALGRIND_MAKE_MEM_DEFINED(&equal, sizeof equal);
    return equal;
}

static pl_status run_op(size_t rank, pl_mesh *mesh, void *ctx) {
    static const size_t compute[] = {0, 1, 2};
    const every_op *op = ctx;
    pl_party_params params = {.mesh = mesh, .scheme = "rep3", .compute = compute, .n_compute = 3};
    params.seed[0] = (uint8_t)(rank + 1);
    pl_party *p = NULL;
    pl_svec x = {0}, y = {0}, out = {0};
    pl_status status;
    PL_TRY(pl_party_new(&params, &p));
    PL_CHECK(status, every_op_inputs(p, &x, &y));
    hide_shares(&x);
    hide_shares(&y);
    status = op->run(p, &x, &y, &out);
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_svec_done(&out);
    pl_party_free(p);
    return status;
}

static int run_ops(void) {
    for (size_t i = 0; i < n_every_ops; i++) {
        every_op op = every_ops[i];
        pl_status status = pl_parties_run(3, 60000, run_op, &op);
        printf("%s: %s\n", op.name, pl_status_message(status));
        int bad = !pl_is_ok(status);
        pl_status_done(&status);
        if (bad)
            return 1;
    }
    return 0;
}

static int leak(void) {
    hide();
    volatile int seen = 0;
    if (a[0][3] == 7)
        seen = 1;
    show();
    return seen;
}

int main(int argc, char **argv) {
    const pl_kernels *all[PL_KERNELS_MAX];
    size_t n = pl_kernels_all(all);
    if (RUNNING_ON_VALGRIND == 0) {
        fprintf(stderr, "test_ct: run it under valgrind\n");
        return 2;
    }
    if (argc > 1 && strcmp(argv[1], "--leaky") == 0)
        return leak();
    for (size_t i = 0; i < n; i++)
        run_kernels(all[i]);
    run_ring();
    return run_ops();
}
