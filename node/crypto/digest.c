#include "node/crypto/digest.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

void pl_digest(const char *domain, pl_view body, uint8_t out[32]) {
    static const char prefix[] = "parley/1/";
    unsigned len = 32;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    /* SHA-256 over memory cannot fail but for memory, and then nothing may go on. */
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(ctx, prefix, sizeof prefix - 1) == 1 &&
              EVP_DigestUpdate(ctx, domain, strlen(domain) + 1) == 1 &&
              EVP_DigestUpdate(ctx, body.data, body.len) == 1 &&
              EVP_DigestFinal_ex(ctx, out, &len) == 1;
    EVP_MD_CTX_free(ctx);
    PL_ASSERT(ok && len == 32);
}

pl_status pl_random(void *out, size_t len) {
    if (RAND_priv_bytes(out, (int)len) != 1)
        return pl_fail(PL_UNAVAILABLE, "the system's random generator gives nothing");
    return PL_OK;
}

void pl_sha256(const pl_view *parts, size_t n, uint8_t out[32]) {
    unsigned len = 32;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; ok && i < n; i++)
        ok = EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, out, &len) == 1;
    EVP_MD_CTX_free(ctx);
    PL_ASSERT(ok && len == 32); /* as above */
}