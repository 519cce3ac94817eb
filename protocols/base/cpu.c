#include "protocols/base/cpu.h"

pl_cpu pl_cpu_features(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") != 0;
    return (pl_cpu){
        .aesni = __builtin_cpu_supports("aes") != 0 && __builtin_cpu_supports("ssse3") != 0,
        .avx2 = avx2,
        .vaes = avx2 && __builtin_cpu_supports("vaes") != 0,
    };
#else
    return (pl_cpu){0};
#endif
}
