#include "protocols/base/cpu.h"

#include <stdatomic.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* VAES is bit 9 of ECX in leaf 7 (Intel SDM volume 2, CPUID); not every compiler's
 * __builtin_cpu_supports knows it. That the system keeps the wide registers is said by avx2. */
static bool has_vaes(void) {
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ecx >> 9 & 1) != 0;
}
#endif

static pl_cpu ask(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") != 0;
    bool avx512 =
        __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
        __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
        __builtin_cpu_supports("avx512vbmi") != 0 && __builtin_cpu_supports("gfni") != 0;
    return (pl_cpu){
        .aesni = __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("ssse3") != 0,
        .avx2 = avx2,
        .vaes = avx2 && has_vaes(),
        .avx512 = avx512,
    };
#else
    return (pl_cpu){0};
#endif
}

/* Asked once: in a virtual machine CPUID leaves the guest, which takes as long as masking a chunk.
 * Two threads that ask at the same time get, and write, the same answer. */
pl_cpu pl_cpu_features(void) {
    static _Atomic unsigned known; /* bit 0: asked; then the features */
    unsigned bits = atomic_load_explicit(&known, memory_order_relaxed);
    if (bits == 0) {
        pl_cpu cpu = ask();
        bits = 1u | (unsigned)cpu.aesni << 1 | (unsigned)cpu.avx2 << 2 | (unsigned)cpu.vaes << 3 |
               (unsigned)cpu.avx512 << 4;
        atomic_store_explicit(&known, bits, memory_order_relaxed);
    }
    return (pl_cpu){.aesni = (bits >> 1 & 1) != 0,
                    .avx2 = (bits >> 2 & 1) != 0,
                    .vaes = (bits >> 3 & 1) != 0,
                    .avx512 = (bits >> 4 & 1) != 0};
}
