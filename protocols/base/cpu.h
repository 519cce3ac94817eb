/* Cpu: what this processor can do, asked once. Code for one processor is compiled with target
 * attributes and chosen here, at run time: the same binary runs everywhere. */
#ifndef PL_BASE_CPU_H
#define PL_BASE_CPU_H

#include <stdbool.h>

typedef struct pl_cpu {
    bool aesni; /* AES-NI and SSSE3 */
    bool avx2;
    bool vaes; /* VAES on 256-bit registers, and AVX2 */
    bool
        avx512; /* AVX-512 F, BW, DQ, VL and VBMI, and GFNI; with vaes: VAES on 512-bit registers */
} pl_cpu;

pl_cpu pl_cpu_features(void);

#endif
