#define KERNELS_NAME "avx512"
#define KERNELS pl_kernels_avx512
#include "protocols/ring/kernels_body.h"
