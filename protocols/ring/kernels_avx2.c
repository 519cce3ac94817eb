#define KERNELS_NAME "avx2"
#define KERNELS pl_kernels_avx2
#include "protocols/ring/kernels_body.h"
