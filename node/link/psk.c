#include "node/link/psk.h"

#include "node/link/preamble.h"
#include "protocols/base/secret.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

pl_status pl_x25519_generate(uint8_t out_private[32], uint8_t out_public[32]) {
    size_t private_len = 32, public_len = 32;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    bool ok = key != NULL && EVP_PKEY_get_raw_private_key(key, out_private, &private_len) == 1 &&
              EVP_PKEY_get_raw_public_key(key, out_public, &public_len) == 1;
    EVP_PKEY_free(key);
    return ok ? PL_OK : pl_fail(PL_INTERNAL, "cannot make a one-time key");
}

/* OpenSSL refuses an all-zero secret, which is what a low-order key gives. */
static pl_status agree(const uint8_t own_private[32], const uint8_t peer_public[32],
                       uint8_t out[32]) {
    size_t len = 32;
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, own_private, 32);
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer_public, 32);
    EVP_PKEY_CTX *ctx = own == NULL ? NULL : EVP_PKEY_CTX_new(own, NULL);
    bool ok = ctx != NULL && peer != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
              EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, out, &len) == 1 &&
              len == 32;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    ERR_clear_error();
    return ok ? PL_OK : pl_fail(PL_UNAUTHENTICATED, "a party's one-time key is not usable");
}

pl_status pl_link_psk(const uint8_t own_private[32], const uint8_t peer_public[32],
                      const uint8_t charter_digest[32], size_t dialler, size_t answerer,
                      size_t lane, uint8_t out_psk[PL_PSK_BYTES]) {
    static const char domain[] = "parley/1/link";
    uint8_t secret[32], info[sizeof domain + 8];
    PL_TRY(agree(own_private, peer_public, secret));
    memcpy(info, domain, sizeof domain);
    pl_put_u16(info + sizeof domain, PL_PREAMBLE_SUITE);
    pl_put_u16(info + sizeof domain + 2, (uint16_t)dialler);
    pl_put_u16(info + sizeof domain + 4, (uint16_t)answerer);
    pl_put_u16(info + sizeof domain + 6, (uint16_t)lane);
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, sizeof secret),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)charter_digest,
                                          32),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof info),
        OSSL_PARAM_construct_end(),
    };
    bool ok = ctx != NULL && EVP_KDF_derive(ctx, out_psk, PL_PSK_BYTES, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    pl_wipe(secret, sizeof secret);
    return ok ? PL_OK : pl_fail(PL_INTERNAL, "cannot derive a link's key");
}
