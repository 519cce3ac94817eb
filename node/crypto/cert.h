/* Certificates: X.509 v3 over P-256, for organisation roots and for gRPC's TLS. Names in them
 * decide nothing: keys are pinned. */
#ifndef PL_NODE_CRYPTO_CERT_H
#define PL_NODE_CRYPTO_CERT_H

#include "node/crypto/key.h"

typedef struct pl_cert_params {
    const char *common_name;
    const char *dns_name; /* SubjectAltName, NULL: none */
    int64_t not_before, not_after;
} pl_cert_params;

/* Self-signed; a certification authority when `authority`. DER. */
PL_STATUS pl_cert_create(const pl_key *key, const pl_cert_params *params, bool authority,
                         pl_bytes *out_der);

/* A leaf for `key`, issued by an authority; client and server use. */
PL_STATUS pl_cert_issue(const pl_key *issuer_key, pl_view issuer_der, const pl_key *key,
                        const pl_cert_params *params, pl_bytes *out_der);

PL_STATUS pl_cert_spki(pl_view der, pl_bytes *out_spki);
PL_STATUS pl_cert_to_pem(pl_view der, pl_bytes *out_pem);
PL_STATUS pl_cert_from_pem(pl_view pem, pl_bytes *out_der);

/* pl_cert_check_issued: der was issued by root's key, whatever the date. UNAUTHENTICATED. */
PL_STATUS pl_cert_check_issued(pl_view der, pl_view root_der);

/* pl_cert_check: der was issued by root's key and is valid now. UNAUTHENTICATED otherwise, saying
 * which. */
PL_STATUS pl_cert_check(pl_view der, pl_view root_der, int64_t now);

#endif
