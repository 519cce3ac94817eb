#include "protocols/share/digest.h"

#include "protocols/base/secret.h"

#include <openssl/evp.h>
#include <string.h>

pl_status pl_share_digest(const char *label, const void *data, size_t len,
                          uint8_t out[PL_DIGEST_BYTES]) {
    uint8_t len_bytes[8];
    pl_put_u64(len_bytes, len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool done = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(ctx, label, strlen(label) + 1) == 1 &&
                EVP_DigestUpdate(ctx, len_bytes, sizeof len_bytes) == 1 &&
                (len == 0 || EVP_DigestUpdate(ctx, data, len) == 1) &&
                EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx); /* wipes */
    return done ? PL_OK : pl_fail(PL_INTERNAL, "cannot hash: OpenSSL refused SHA-256");
}

pl_status pl_derive(const char *label, const uint8_t seed[32], uint64_t index,
                    uint8_t out[PL_DIGEST_BYTES]) {
    uint8_t input[40];
    memcpy(input, seed, 32);
    pl_put_u64(input + 32, index);
    pl_status status = pl_share_digest(label, input, sizeof input, out);
    pl_wipe(input, sizeof input);
    return status;
}
