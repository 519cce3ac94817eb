#include "bench/tap.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct pl_tap {
    pl_transport inner;
    void *ctx;
    size_t n;
    EVP_MD_CTX **received; /* [n]: SHA-256 of what came from each peer */
};

static pl_status tap_send(void *ctx, size_t peer, const void *data, size_t len, size_t *out_done) {
    pl_tap *tap = ctx;
    return tap->inner.try_send(tap->ctx, peer, data, len, out_done);
}

static pl_status tap_recv(void *ctx, size_t peer, void *data, size_t len, size_t *out_done) {
    pl_tap *tap = ctx;
    PL_TRY(tap->inner.try_recv(tap->ctx, peer, data, len, out_done));
    return EVP_DigestUpdate(tap->received[peer], data, *out_done) == 1
               ? PL_OK
               : pl_fail(PL_INTERNAL, "no SHA-256");
}

static bool tap_is_flushed(void *ctx, size_t peer) {
    pl_tap *tap = ctx;
    return tap->inner.is_flushed(tap->ctx, peer);
}

static pl_status tap_wait(void *ctx, const uint8_t *want) {
    pl_tap *tap = ctx;
    return tap->inner.wait(tap->ctx, want);
}

static void tap_free(void *ctx) {
    pl_tap *tap = ctx;
    for (size_t i = 0; tap->received != NULL && i < tap->n; i++)
        EVP_MD_CTX_free(tap->received[i]);
    if (tap->inner.free != NULL)
        tap->inner.free(tap->ctx);
    free(tap->received);
    free(tap);
}

pl_status pl_tap_wrap(size_t n_parties, pl_transport *transport, void **ctx, pl_tap **out) {
    static const pl_transport around = {tap_send, tap_recv, tap_is_flushed, tap_wait, tap_free};
    pl_tap *tap;
    pl_status status;
    PL_TRY(pl_alloc(1, sizeof *tap, &tap));
    tap->n = n_parties;
    PL_CHECK(status, pl_alloc(n_parties, sizeof *tap->received, &tap->received));
    for (size_t i = 0; i < n_parties; i++) {
        tap->received[i] = EVP_MD_CTX_new();
        if (tap->received[i] == NULL ||
            EVP_DigestInit_ex(tap->received[i], EVP_sha256(), NULL) != 1)
            PL_CHECK(status, pl_fail(PL_INTERNAL, "no SHA-256"));
    }
    tap->inner = *transport;
    tap->ctx = *ctx;
    *transport = around;
    *ctx = tap;
    *out = tap;
    return PL_OK;
out:
    tap_free(tap);
    return status;
}

static bool add_digests(EVP_MD_CTX *all, EVP_MD_CTX *copy, const pl_tap *tap) {
    bool ok = true;
    for (size_t i = 0; i < tap->n && ok; i++) {
        uint8_t digest[PL_TAP_BYTES];
        ok = EVP_MD_CTX_copy_ex(copy, tap->received[i]) == 1 &&
             EVP_DigestFinal_ex(copy, digest, NULL) == 1 &&
             EVP_DigestUpdate(all, digest, sizeof digest) == 1;
    }
    return ok;
}

pl_status pl_tap_digest(const pl_tap *const *taps, size_t n_taps, uint8_t out[PL_TAP_BYTES]) {
    EVP_MD_CTX *all = EVP_MD_CTX_new(), *copy = EVP_MD_CTX_new();
    bool ok = all != NULL && copy != NULL && EVP_DigestInit_ex(all, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; i < n_taps && ok; i++)
        ok = add_digests(all, copy, taps[i]);
    ok = ok && EVP_DigestFinal_ex(all, out, NULL) == 1;
    EVP_MD_CTX_free(all);
    EVP_MD_CTX_free(copy);
    return ok ? PL_OK : pl_fail(PL_INTERNAL, "no SHA-256");
}
