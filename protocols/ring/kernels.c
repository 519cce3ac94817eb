#include "protocols/ring/kernels.h"

#include "protocols/base/cpu.h"

#include <stdatomic.h>

size_t pl_kernels_all(const pl_kernels *out[PL_KERNELS_MAX]) {
    size_t n = 0;
    out[n++] = &pl_kernels_portable;
#if defined(__x86_64__)
    pl_cpu cpu = pl_cpu_features();
    if (cpu.avx2)
        out[n++] = &pl_kernels_avx2;
    if (cpu.avx512)
        out[n++] = &pl_kernels_avx512;
#endif
    return n;
}

/* Two threads that choose at the same time choose the same. */
static const pl_kernels *_Atomic chosen;

const pl_kernels *pl_kernels_here(void) {
    const pl_kernels *here = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (here == NULL) {
        const pl_kernels *all[PL_KERNELS_MAX];
        here = all[pl_kernels_all(all) - 1];
        atomic_store_explicit(&chosen, here, memory_order_relaxed);
    }
    return here;
}

void pl_kernels_force(const pl_kernels *kernels) {
    atomic_store_explicit(&chosen, kernels, memory_order_relaxed);
}
