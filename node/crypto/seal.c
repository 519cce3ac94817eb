#include "node/crypto/seal.h"

#include "node/crypto/digest.h"
#include "proto/common.pb-c.h"
#include "protocols/base/secret.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <string.h>

#define SEALED_BYTES_MAX (2u << 20)
#define TAG_BYTES 16

typedef struct seal_keys {
    uint8_t key[32], nonce[12];
} seal_keys;

static pl_status agree(EVP_PKEY *own, EVP_PKEY *peer, uint8_t out[32]) {
    size_t len = 32;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
    bool ok = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
              EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, out, &len) == 1 &&
              len == 32;
    EVP_PKEY_CTX_free(ctx);
    return ok ? PL_OK : pl_fail(PL_UNAUTHENTICATED, "a seal's key agreement failed");
}

static pl_status expand(const uint8_t secret[32], const uint8_t ephemeral[32],
                        const uint8_t recipient_key[32], const char *sender, const char *recipient,
                        seal_keys *out) {
    uint8_t salt[64], okm[44];
    memcpy(salt, ephemeral, 32);
    memcpy(salt + 32, recipient_key, 32);
    pl_buf info = {0};
    pl_buf_append(&info, "parley/1/seal", 14);
    pl_buf_append(&info, sender, strlen(sender) + 1);
    pl_buf_append(&info, recipient, strlen(recipient) + 1);
    pl_bytes info_bytes;
    PL_TRY(pl_buf_take(&info, &info_bytes));
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, 32),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, sizeof salt),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info_bytes.data, info_bytes.len),
        OSSL_PARAM_construct_end(),
    };
    bool ok = ctx != NULL && EVP_KDF_derive(ctx, okm, sizeof okm, params) == 1;
    memcpy(out->key, okm, 32);
    memcpy(out->nonce, okm + 32, 12);
    pl_wipe(okm, sizeof okm);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    pl_bytes_done(&info_bytes);
    return ok ? PL_OK : pl_fail(PL_INTERNAL, "a seal's key derivation failed");
}

static bool gcm(bool encrypt, const seal_keys *keys, pl_view in, uint8_t *out, uint8_t *tag) {
    int n, rest;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok =
        ctx != NULL &&
        EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, keys->key, keys->nonce, encrypt) == 1 &&
        EVP_CipherUpdate(ctx, out, &n, in.data, (int)in.len) == 1;
    if (!encrypt)
        ok = ok && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1;
    ok = ok && EVP_CipherFinal_ex(ctx, out + n, &rest) == 1;
    if (encrypt)
        ok = ok && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

static pl_status pack_sealed(const char *sender, const char *recipient, pl_view recipient_key,
                             uint8_t ephemeral[32], seal_keys *keys, uint8_t *cipher, size_t len,
                             pl_bytes *out) {
    uint8_t key_id[32];
    PL_TRY(pl_key_id(recipient_key, key_id));
    Parley__V1__Sealed message = PARLEY__V1__SEALED__INIT;
    message.suite = PL_SUITE;
    message.sender = (char *)(uintptr_t)sender;
    message.recipient = (char *)(uintptr_t)recipient;
    message.key_id = (ProtobufCBinaryData){32, key_id};
    message.ephemeral = (ProtobufCBinaryData){32, ephemeral};
    message.nonce = (ProtobufCBinaryData){12, keys->nonce};
    message.ciphertext = (ProtobufCBinaryData){len, cipher};
    size_t packed = parley__v1__sealed__get_packed_size(&message);
    PL_TRY(pl_alloc(packed + 1, 1, &out->data));
    out->len = packed;
    parley__v1__sealed__pack(&message, out->data);
    return PL_OK;
}

pl_status pl_seal(const char *sender, const char *recipient, pl_view recipient_key, pl_view body,
                  pl_bytes *out) {
    if (recipient_key.len != PL_SEAL_KEY_BYTES || body.len > SEALED_BYTES_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot seal %zu bytes to %s", body.len, recipient);
    pl_key *ephemeral_key = NULL;
    uint8_t ephemeral[32], secret[32], *cipher = NULL;
    seal_keys keys;
    EVP_PKEY *peer =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, recipient_key.data, recipient_key.len);
    pl_status status;
    PL_CHECK(status, peer == NULL
                         ? pl_fail(PL_INVALID_ARGUMENT, "the seal key of %s is no key", recipient)
                         : PL_OK);
    PL_CHECK(status, pl_key_generate_sealing(&ephemeral_key));
    PL_CHECK(status, pl_key_seal_public(ephemeral_key, ephemeral));
    PL_CHECK(status, agree(pl_key_evp(ephemeral_key), peer, secret));
    PL_CHECK(status, expand(secret, ephemeral, recipient_key.data, sender, recipient, &keys));
    PL_CHECK(status, pl_alloc(body.len + TAG_BYTES, 1, &cipher));
    PL_CHECK(status, gcm(true, &keys, body, cipher, cipher + body.len)
                         ? PL_OK
                         : pl_fail(PL_INTERNAL, "sealing failed"));
    status = pack_sealed(sender, recipient, recipient_key, ephemeral, &keys, cipher,
                         body.len + TAG_BYTES, out);
out:
    pl_wipe(secret, sizeof secret);
    pl_wipe(&keys, sizeof keys);
    free(cipher);
    pl_key_free(ephemeral_key);
    EVP_PKEY_free(peer);
    return status;
}

static pl_status check_sealed(const Parley__V1__Sealed *m, const uint8_t own_public[32],
                              const char *sender, const char *recipient) {
    uint8_t key_id[32];
    PL_TRY(pl_key_id(pl_view_of(own_public, 32), key_id));
    if (m->suite != PL_SUITE)
        return pl_fail(PL_UNSUPPORTED, "sealed message: suite %u is unknown, this version knows %u",
                       m->suite, PL_SUITE);
    if (strcmp(m->sender, sender) != 0)
        return pl_fail(PL_UNAUTHENTICATED, "sealed message: sender is %s, but it came as of %s",
                       m->sender, sender);
    if (strcmp(m->recipient, recipient) != 0)
        return pl_fail(PL_UNAUTHENTICATED, "sealed message: recipient is %s, not %s", m->recipient,
                       recipient);
    if (!pl_view_equal(pl_view_of(key_id, 32), pl_view_of(m->key_id.data, m->key_id.len)))
        return pl_fail(PL_UNAUTHENTICATED, "sealed message: key_id is of another seal key");
    if (m->ephemeral.len != 32 || m->nonce.len != 12 || m->ciphertext.len < TAG_BYTES)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "sealed message: ephemeral, nonce or ciphertext has a wrong length");
    return PL_OK;
}

static pl_status open_sealed(const pl_key *key, const Parley__V1__Sealed *m,
                             const uint8_t own_public[32], pl_bytes *out) {
    uint8_t secret[32];
    seal_keys keys;
    size_t len = m->ciphertext.len - TAG_BYTES;
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, m->ephemeral.data, 32);
    pl_bytes plain = {0};
    pl_status status = peer == NULL
                           ? pl_fail(PL_INVALID_ARGUMENT, "sealed message: ephemeral is no key")
                           : agree(pl_key_evp(key), peer, secret);
    if (pl_is_ok(status))
        status = expand(secret, m->ephemeral.data, own_public, m->sender, m->recipient, &keys);
    if (pl_is_ok(status))
        status = pl_alloc(len + 1, 1, &plain.data);
    plain.len = len;
    if (pl_is_ok(status) && (!pl_secret_equal(keys.nonce, m->nonce.data, 12) ||
                             !gcm(false, &keys, pl_view_of(m->ciphertext.data, len), plain.data,
                                  m->ciphertext.data + len)))
        status = pl_fail(PL_UNAUTHENTICATED, "sealed message: ciphertext was changed on the way");
    pl_wipe(secret, sizeof secret);
    pl_wipe(&keys, sizeof keys);
    EVP_PKEY_free(peer);
    if (pl_is_ok(status)) {
        *out = plain;
        return status;
    }
    if (plain.data != NULL)
        pl_wipe(plain.data, plain.len); /* decrypted, but not authenticated: nobody may see it */
    pl_bytes_done(&plain);
    return status;
}

pl_status pl_unseal(const pl_key *key, const char *sender, const char *recipient, pl_view sealed,
                    pl_bytes *out) {
    if (sealed.len > SEALED_BYTES_MAX)
        return pl_fail(PL_LIMIT, "a sealed message of %zu bytes is too large", sealed.len);
    Parley__V1__Sealed *m = parley__v1__sealed__unpack(NULL, sealed.len, sealed.data);
    if (m == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "a sealed message cannot be read");
    uint8_t own_public[32];
    pl_status status = pl_key_seal_public(key, own_public);
    if (pl_is_ok(status))
        status = check_sealed(m, own_public, sender, recipient);
    if (pl_is_ok(status))
        status = open_sealed(key, m, own_public, out);
    parley__v1__sealed__free_unpacked(m, NULL);
    return status;
}
