#include "node/crypto/cert.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* A certificate and nothing after it. */
static X509 *parse(pl_view der) {
    const uint8_t *cursor = der.data;
    X509 *cert = d2i_X509(NULL, &cursor, (long)der.len);
    if (cert != NULL && cursor != der.data + der.len) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static pl_status to_der(X509 *cert, pl_bytes *out) {
    uint8_t *data = NULL;
    int len = cert == NULL ? -1 : i2d_X509(cert, &data);
    if (len < 0)
        return pl_fail(PL_INTERNAL, "cannot write a certificate");
    pl_status status = pl_bytes_dup(pl_view_of(data, (size_t)len), out);
    OPENSSL_free(data);
    return status;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value) {
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool set_serial(X509 *cert) {
    BIGNUM *serial = BN_new();
    bool ok = serial != NULL && BN_rand(serial, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL;
    BN_free(serial);
    return ok;
}

static bool fill(X509 *cert, X509 *issuer, const pl_key *key, const pl_cert_params *p,
                 bool authority) {
    time_t from = (time_t)p->not_before, to = (time_t)p->not_after;
    X509_NAME *name = X509_get_subject_name(cert);
    bool ok = X509_set_version(cert, 2) == 1 && set_serial(cert) &&
              X509_time_adj_ex(X509_getm_notBefore(cert), 0, 0, &from) != NULL &&
              X509_time_adj_ex(X509_getm_notAfter(cert), 0, 0, &to) != NULL &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                         (const unsigned char *)p->common_name, -1, -1, 0) == 1 &&
              X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1 &&
              X509_set_pubkey(cert, pl_key_evp(key)) == 1 &&
              add_extension(cert, issuer, NID_basic_constraints,
                            authority ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
              add_extension(cert, issuer, NID_key_usage,
                            authority ? "critical,keyCertSign,digitalSignature"
                                      : "critical,digitalSignature") &&
              add_extension(cert, issuer, NID_subject_key_identifier, "hash");
    if (ok && !authority)
        ok = add_extension(cert, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
    if (ok && p->dns_name != NULL) {
        char value[300];
        snprintf(value, sizeof value, "DNS:%s", p->dns_name);
        ok = add_extension(cert, issuer, NID_subject_alt_name, value);
    }
    return ok;
}

pl_status pl_cert_create(const pl_key *key, const pl_cert_params *params, bool authority,
                         pl_bytes *out_der) {
    X509 *cert = X509_new();
    bool ok = cert != NULL && fill(cert, cert, key, params, authority) &&
              X509_sign(cert, pl_key_evp(key), EVP_sha256()) > 0;
    pl_status status =
        ok ? to_der(cert, out_der) : pl_fail(PL_INTERNAL, "cannot make a certificate");
    X509_free(cert);
    return status;
}

pl_status pl_cert_issue(const pl_key *issuer_key, pl_view issuer_der, const pl_key *key,
                        const pl_cert_params *params, pl_bytes *out_der) {
    X509 *issuer = parse(issuer_der);
    X509 *cert = X509_new();
    bool ok = issuer != NULL && cert != NULL && fill(cert, issuer, key, params, false) &&
              X509_sign(cert, pl_key_evp(issuer_key), EVP_sha256()) > 0;
    pl_status status =
        ok ? to_der(cert, out_der) : pl_fail(PL_INTERNAL, "cannot issue a certificate");
    X509_free(cert);
    X509_free(issuer);
    return status;
}

static pl_status unreadable(void) {
    return pl_fail(PL_INVALID_ARGUMENT, "a certificate cannot be read");
}

pl_status pl_cert_spki(pl_view der, pl_bytes *out_spki) {
    X509 *cert = parse(der);
    uint8_t *data = NULL;
    int len = cert == NULL ? -1 : i2d_PUBKEY(X509_get0_pubkey(cert), &data);
    pl_status status =
        len <= 0 ? unreadable() : pl_bytes_dup(pl_view_of(data, (size_t)len), out_spki);
    OPENSSL_free(data);
    X509_free(cert);
    return status;
}

pl_status pl_cert_to_pem(pl_view der, pl_bytes *out_pem) {
    X509 *cert = parse(der);
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    pl_status status = unreadable();
    if (cert != NULL && bio != NULL && PEM_write_bio_X509(bio, cert) == 1) {
        pl_status_done(&status);
        long len = BIO_get_mem_data(bio, &data);
        status = pl_bytes_dup(pl_view_of(data, (size_t)len), out_pem);
    }
    BIO_free(bio);
    X509_free(cert);
    return status;
}

pl_status pl_cert_from_pem(pl_view pem, pl_bytes *out_der) {
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    pl_status status = cert == NULL ? unreadable() : to_der(cert, out_der);
    X509_free(cert);
    BIO_free(bio);
    return status;
}

static pl_status check_issued(X509 *cert, X509 *root) {
    if (cert == NULL || root == NULL)
        return unreadable();
    if (X509_verify(cert, X509_get0_pubkey(root)) != 1)
        return pl_fail(PL_UNAUTHENTICATED,
                       "the certificate was not issued by the organisation's root");
    return PL_OK;
}

pl_status pl_cert_check_issued(pl_view der, pl_view root_der) {
    X509 *cert = parse(der), *root = parse(root_der);
    pl_status status = check_issued(cert, root);
    X509_free(root);
    X509_free(cert);
    return status;
}

pl_status pl_cert_check(pl_view der, pl_view root_der, int64_t now) {
    PL_TRY(pl_cert_check_issued(der, root_der));
    X509 *cert = parse(der);
    time_t at = (time_t)now;
    pl_status status = PL_OK;
    if (cert == NULL)
        status = unreadable();
    else if (X509_cmp_time(X509_get0_notBefore(cert), &at) >= 0)
        status = pl_fail(PL_UNAUTHENTICATED, "the certificate is not valid yet");
    else if (X509_cmp_time(X509_get0_notAfter(cert), &at) <= 0)
        status = pl_fail(PL_UNAUTHENTICATED, "the certificate has expired");
    X509_free(cert);
    return status;
}
