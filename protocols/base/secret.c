#include "protocols/base/secret.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Every secret starts on a page of its own, so that no two secrets share one: locking and the core
 * file go by pages. */
#define PAGE_BYTES ((size_t)4096)

pl_status pl_secret_alloc(size_t len, void *out_ptr) {
    void *data = NULL;
    size_t size = len == 0 ? 1 : len;
    if (size > SIZE_MAX / 2 || posix_memalign(&data, PAGE_BYTES, size) != 0)
        return pl_fail(PL_LIMIT, "no memory for %zu bytes of shares", len);
    /* Both may fail where the system sets a limit; the secret is then as safe as the process is. */
    (void)madvise(data, size, MADV_DONTDUMP);
    (void)mlock(data, size);
    memset(data, 0, size);
    memcpy(out_ptr, &data, sizeof data);
    return PL_OK;
}

void pl_secret_free(void *data, size_t len) {
    if (data == NULL)
        return;
    size_t size = len == 0 ? 1 : len;
    pl_wipe(data, size);
    (void)munlock(data, size);
    (void)madvise(data, size, MADV_DODUMP);
    free(data);
}

void pl_wipe(void *data, size_t len) {
    if (len != 0)
        OPENSSL_cleanse(data, len);
}

bool pl_secret_equal(const void *a, const void *b, size_t len) {
    return len == 0 || CRYPTO_memcmp(a, b, len) == 0;
}
