/* Secret memory: shares, masks and keys live here. Aligned to 64 bytes, kept out of core files
 * (MADV_DONTDUMP), locked where the limit allows, wiped before it goes back. */
#ifndef PL_BASE_SECRET_H
#define PL_BASE_SECRET_H

#include "protocols/base/bytes.h"

/* pl_secret_alloc gives len zeroed bytes, 64-byte aligned; LIMIT when there is no memory. out_ptr
 * is a T**. */
PL_STATUS pl_secret_alloc(size_t len, void *out_ptr);

/* pl_secret_free wipes len bytes (the length given to pl_secret_alloc) and releases them; NULL is
 * fine. */
void pl_secret_free(void *data, size_t len);

void pl_wipe(void *data, size_t len);

/* pl_secret_equal compares in constant time (CRYPTO_memcmp). */
bool pl_secret_equal(const void *a, const void *b, size_t len);

#endif
