#include "node/crypto/key.h"

#include "node/crypto/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pl_key {
    EVP_PKEY *evp;
};

struct evp_pkey_st *pl_key_evp(const pl_key *key) {
    return key->evp;
}

static pl_status key_take(EVP_PKEY *evp, const char *what, pl_key **out) {
    if (evp == NULL)
        return pl_fail(PL_INTERNAL, "cannot %s", what);
    pl_key *key;
    pl_status status = pl_alloc(1, sizeof *key, &key);
    if (!pl_is_ok(status)) {
        EVP_PKEY_free(evp);
        return status;
    }
    key->evp = evp;
    *out = key;
    return PL_OK;
}

pl_status pl_key_generate_signing(pl_key **out) {
    return key_take(EVP_EC_gen("P-256"), "generate a P-256 key", out);
}

pl_status pl_key_generate_sealing(pl_key **out) {
    return key_take(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), "generate an X25519 key", out);
}

void pl_key_free(pl_key *key) {
    if (key == NULL)
        return;
    EVP_PKEY_free(key->evp);
    free(key);
}

pl_status pl_key_save(const pl_key *key, const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST)
        return pl_fail(PL_ALREADY_EXISTS, "%s exists: keys are never overwritten", path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (file == NULL)
        return pl_fail(PL_IO, "cannot create %s: %s", path, strerror(errno));
    bool ok = PEM_write_PKCS8PrivateKey(file, key->evp, NULL, NULL, 0, NULL, NULL) == 1 &&
              fflush(file) == 0 && fsync(fileno(file)) == 0;
    ok = fclose(file) == 0 && ok;
    if (ok)
        return PL_OK;
    unlink(path); /* half a key is none, and would stand in the way of the next attempt */
    return pl_fail(PL_IO, "cannot write %s", path);
}

static pl_status check_mode(FILE *file, const char *path) {
    struct stat st;
    if (fstat(fileno(file), &st) != 0)
        return pl_fail(PL_IO, "cannot look at %s: %s", path, strerror(errno));
    if ((st.st_mode & 077) != 0)
        return pl_fail(PL_REFUSED, "%s has mode %04o: others could read the key; run chmod 0600 %s",
                       path, (unsigned)(st.st_mode & 07777), path);
    return PL_OK;
}

pl_status pl_key_load(const char *path, pl_key **out) {
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return pl_fail(PL_IO, "cannot open the key %s: %s", path, strerror(errno));
    pl_status status = check_mode(file, path);
    if (pl_is_ok(status)) {
        EVP_PKEY *evp = PEM_read_PrivateKey(file, NULL, NULL, NULL);
        status = evp == NULL ? pl_fail(PL_CORRUPT, "%s holds no readable private key", path)
                             : key_take(evp, "load a key", out);
    }
    fclose(file);
    return status;
}

static pl_status bio_take(BIO *bio, bool ok, const char *what, pl_bytes *out) {
    char *data;
    long len = ok ? BIO_get_mem_data(bio, &data) : 0;
    pl_status status = len > 0 ? pl_bytes_dup(pl_view_of(data, (size_t)len), out)
                               : pl_fail(PL_INTERNAL, "cannot %s", what);
    BIO_free(bio);
    return status;
}

pl_status pl_key_pem(const pl_key *key, pl_bytes *out) {
    BIO *bio = BIO_new(BIO_s_secmem());
    bool ok =
        bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key->evp, NULL, NULL, 0, NULL, NULL) == 1;
    return bio_take(bio, ok, "write a key as text", out);
}

pl_status pl_key_spki(const pl_key *key, pl_bytes *out) {
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio != NULL && i2d_PUBKEY_bio(bio, key->evp) == 1;
    return bio_take(bio, ok, "write a public key", out);
}

pl_status pl_key_seal_public(const pl_key *key, uint8_t out[PL_SEAL_KEY_BYTES]) {
    size_t len = PL_SEAL_KEY_BYTES;
    if (EVP_PKEY_get_raw_public_key(key->evp, out, &len) != 1 || len != PL_SEAL_KEY_BYTES)
        return pl_fail(PL_INVALID_ARGUMENT, "the seal key is not an X25519 key");
    return PL_OK;
}

pl_status pl_key_id(pl_view public_key, uint8_t out[32]) {
    pl_digest("key-id", public_key, out);
    return PL_OK;
}

/* SubjectPublicKeyInfo of an uncompressed P-256 point (RFC 5480): these bytes, then X and Y. Suite
 * 1 has no other form, and reading it so takes an eighth of the time of OpenSSL's general decoder.
 */
static const uint8_t p256_spki_head[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
    0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
};
#define P256_SPKI_BYTES (sizeof p256_spki_head + 64)
#define P256_POINT_BYTES 65

struct evp_pkey_st *pl_key_evp_of_spki(pl_view spki) {
    if (spki.len != P256_SPKI_BYTES ||
        memcmp(spki.data, p256_spki_head, sizeof p256_spki_head) != 0)
        return NULL;
    void *point = (void *)(uintptr_t)(spki.data + spki.len - P256_POINT_BYTES);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char[]){"P-256"}, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, P256_POINT_BYTES),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *evp = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    /* Fails for a point that is not on the curve. */
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &evp, EVP_PKEY_PUBLIC_KEY, params) != 1)
        evp = NULL;
    EVP_PKEY_CTX_free(ctx);
    return evp;
}

pl_status pl_key_check_signing(pl_view spki) {
    EVP_PKEY *evp = pl_key_evp_of_spki(spki);
    bool ok = evp != NULL;
    EVP_PKEY_free(evp);
    return ok ? PL_OK : pl_fail(PL_UNAUTHENTICATED, "it is no P-256 public key");
}
