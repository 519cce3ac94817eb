#include "node/crypto/signed.h"

#include "node/crypto/digest.h"
#include "proto/common.pb-c.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* ---- one signature over a digest ---- */

static pl_status sign_digest(const pl_key *key, const uint8_t digest[32], uint8_t *out,
                             size_t *len) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pl_key_evp(key), NULL);
    bool ok = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
              EVP_PKEY_sign(ctx, out, len, digest, 32) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok ? PL_OK : pl_fail(PL_INTERNAL, "cannot sign: is the key a P-256 key?");
}

static bool verify_digest(pl_view spki, const uint8_t digest[32], ProtobufCBinaryData value) {
    EVP_PKEY *evp = pl_key_evp_of_spki(spki);
    EVP_PKEY_CTX *ctx = evp == NULL ? NULL : EVP_PKEY_CTX_new(evp, NULL);
    bool ok = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
              EVP_PKEY_verify(ctx, value.data, value.len, digest, 32) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(evp);
    return ok;
}

/* ---- the message ---- */

static pl_status unpack(pl_view bytes, Parley__V1__Signed **out) {
    if (bytes.len > PL_SIGNED_BYTES_MAX)
        return pl_fail(PL_LIMIT, "a signed document of %zu bytes is too large", bytes.len);
    *out = parley__v1__signed__unpack(NULL, bytes.len, bytes.data);
    if (*out == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "a signed document cannot be read");
    if ((*out)->n_signatures > PL_SIGNATURES_MAX) {
        parley__v1__signed__free_unpacked(*out, NULL);
        *out = NULL;
        return pl_fail(PL_LIMIT, "a signed document has more than %d signatures",
                       PL_SIGNATURES_MAX);
    }
    return PL_OK;
}

static pl_status pack(const Parley__V1__Signed *message, pl_bytes *out) {
    size_t len = parley__v1__signed__get_packed_size(message);
    PL_TRY(pl_alloc(len + 1, 1, &out->data));
    out->len = len;
    parley__v1__signed__pack(message, out->data);
    return PL_OK;
}

/* A Signed with the others' signatures kept and one more of signer's. */
static pl_status sign_over(const pl_key *key, const char *domain, const char *signer,
                           ProtobufCBinaryData body, Parley__V1__Signature **others,
                           size_t n_others, pl_bytes *out) {
    uint8_t digest[32], key_id[32], value[256];
    size_t value_len = sizeof value;
    pl_bytes spki = {0};
    Parley__V1__Signature *list[PL_SIGNATURES_MAX + 1];
    Parley__V1__Signed message = PARLEY__V1__SIGNED__INIT;
    message.body = body;
    message.signatures = list;
    for (size_t i = 0; i < n_others; i++) {
        if (strcmp(others[i]->signer, signer) != 0)
            list[message.n_signatures++] = others[i];
    }
    pl_digest(domain, pl_view_of(body.data, body.len), digest);
    PL_TRY(sign_digest(key, digest, value, &value_len));
    PL_TRY(pl_key_spki(key, &spki));
    pl_status status = pl_key_id(pl_bytes_view(&spki), key_id);
    pl_bytes_done(&spki);
    Parley__V1__Signature signature = PARLEY__V1__SIGNATURE__INIT;
    signature.suite = PL_SUITE;
    signature.signer = (char *)(uintptr_t)signer;
    signature.key_id = (ProtobufCBinaryData){32, key_id};
    signature.value = (ProtobufCBinaryData){value_len, value};
    list[message.n_signatures++] = &signature;
    return pl_is_ok(status) ? pack(&message, out) : status;
}

pl_status pl_sign(const pl_key *key, const char *domain, const char *signer, pl_view body,
                  pl_bytes *out_signed) {
    ProtobufCBinaryData data = {body.len, (uint8_t *)(uintptr_t)body.data};
    return sign_over(key, domain, signer, data, NULL, 0, out_signed);
}

pl_status pl_sign_add(const pl_key *key, const char *domain, const char *signer,
                      pl_view signed_bytes, pl_bytes *out_signed) {
    Parley__V1__Signed *message;
    PL_TRY(unpack(signed_bytes, &message));
    pl_status status = sign_over(key, domain, signer, message->body, message->signatures,
                                 message->n_signatures, out_signed);
    parley__v1__signed__free_unpacked(message, NULL);
    return status;
}

static pl_status verify_one(const Parley__V1__Signed *message, const char *domain,
                            const char *signer, pl_view spki) {
    uint8_t digest[32], key_id[32];
    PL_TRY(pl_key_id(spki, key_id));
    pl_digest(domain, pl_view_of(message->body.data, message->body.len), digest);
    for (size_t i = 0; i < message->n_signatures; i++) {
        const Parley__V1__Signature *s = message->signatures[i];
        if (strcmp(s->signer, signer) != 0)
            continue;
        if (s->suite != PL_SUITE)
            return pl_fail(PL_UNSUPPORTED,
                           "%s: the signature of %s is of suite %u, this version knows %u", domain,
                           signer, s->suite, PL_SUITE);
        if (!pl_view_equal(pl_view_of(key_id, 32), pl_view_of(s->key_id.data, s->key_id.len)))
            return pl_fail(PL_UNAUTHENTICATED,
                           "%s: the signature of %s is by another key than its valid one", domain,
                           signer);
        if (!verify_digest(spki, digest, s->value))
            return pl_fail(PL_UNAUTHENTICATED, "%s: the signature of %s does not verify", domain,
                           signer);
        return PL_OK;
    }
    return pl_fail(PL_UNAUTHENTICATED, "%s: there is no signature of %s", domain, signer);
}

pl_status pl_signed_verify(pl_view signed_bytes, const char *domain, const char *signer,
                           pl_view spki, pl_bytes *out_body) {
    Parley__V1__Signed *message = NULL;
    PL_TRY(pl_wrap(unpack(signed_bytes, &message), "%s", domain));
    pl_status status = verify_one(message, domain, signer, spki);
    if (pl_is_ok(status))
        status = pl_bytes_dup(pl_view_of(message->body.data, message->body.len), out_body);
    parley__v1__signed__free_unpacked(message, NULL);
    return status;
}

pl_status pl_signed_body(pl_view signed_bytes, pl_bytes *out_body) {
    Parley__V1__Signed *message;
    PL_TRY(unpack(signed_bytes, &message));
    pl_status status = pl_bytes_dup(pl_view_of(message->body.data, message->body.len), out_body);
    parley__v1__signed__free_unpacked(message, NULL);
    return status;
}

static bool has_signer(const Parley__V1__Signed *message, const char *signer) {
    for (size_t i = 0; i < message->n_signatures; i++) {
        if (strcmp(message->signatures[i]->signer, signer) == 0)
            return true;
    }
    return false;
}

pl_status pl_signed_merge(pl_view a, pl_view b, pl_bytes *out) {
    Parley__V1__Signed *ours = NULL, *theirs = NULL;
    Parley__V1__Signature *list[2 * PL_SIGNATURES_MAX];
    PL_TRY(unpack(a, &ours));
    pl_status status = unpack(b, &theirs);
    if (pl_is_ok(status) && !pl_view_equal(pl_view_of(ours->body.data, ours->body.len),
                                           pl_view_of(theirs->body.data, theirs->body.len)))
        status =
            pl_fail(PL_CORRUPT, "two signed documents that should be one differ in their body");
    if (pl_is_ok(status)) {
        Parley__V1__Signed merged = PARLEY__V1__SIGNED__INIT;
        merged.body = ours->body;
        merged.signatures = list;
        for (size_t i = 0; i < ours->n_signatures; i++)
            list[merged.n_signatures++] = ours->signatures[i];
        for (size_t i = 0; i < theirs->n_signatures; i++) {
            if (!has_signer(ours, theirs->signatures[i]->signer))
                list[merged.n_signatures++] = theirs->signatures[i];
        }
        status = pack(&merged, out);
    }
    if (theirs != NULL)
        parley__v1__signed__free_unpacked(theirs, NULL);
    parley__v1__signed__free_unpacked(ours, NULL);
    return status;
}
