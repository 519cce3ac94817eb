#define KERNELS_NAME "portable"
#define KERNELS pl_kernels_portable
#include "protocols/ring/kernels_body.h"
