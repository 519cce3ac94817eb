#include "protocols/base/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>

/* VAES is bit 9 of ECX in leaf 7 (Intel SDM volume 2, CPUID); not every compiler's
 * __builtin_cpu_supports knows it. That the system keeps the wide registers is said by avx2. */
static bool has_vaes(void) {
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ecx >> 9 & 1) != 0;
}
#endif

pl_cpu pl_cpu_features(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") != 0;
    return (pl_cpu){
        .aesni = __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("ssse3") != 0,
        .avx2 = avx2,
        .vaes = avx2 && has_vaes(),
    };
#else
    return (pl_cpu){0};
#endif
}
