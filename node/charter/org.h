/* Org: one organisation's folder of keys and documents.
 *
 *   root.key        the organisation's root (0600); to be kept elsewhere: a running node needs none
 *   root.crt        its self-signed certificate (PEM)
 *   node.key        the node's signing key (0600)
 *   seal.key        the node's seal key (0600)
 *   tls.key tls.crt the node's TLS key (0600), and its certificate, issued by the root (PEM)
 *   descriptor.pb   the signed Descriptor
 *   member.pb       the public Member, for the federation's manifest */
#ifndef PL_NODE_CHARTER_ORG_H
#define PL_NODE_CHARTER_ORG_H

#include "node/crypto/key.h"
#include "proto/federation.pb-c.h"

typedef struct pl_org pl_org;

typedef struct pl_org_params {
    const char *org;          /* [a-z][a-z0-9_]{0,30} */
    const char *display_name; /* NULL: org */
    const char *group;        /* independence group; NULL: org */
    const char *node;         /* name of the node; NULL: "node1" */
    const char *const *endpoints;
    size_t n_endpoints;
    int64_t now;
    uint32_t root_days, node_days; /* validity; 0: 3650 and 397 */
} pl_org_params;

/* pl_org_create makes the folder (0700) whole or not at all. It refuses to touch a folder that has
 * anything in it. Errors: ALREADY_EXISTS, INVALID_ARGUMENT (field), IO. */
PL_STATUS pl_org_create(const char *folder, const pl_org_params *params);

/* pl_org_renew gives the node new keys, certificate and a descriptor of the next serial, signed by
 * root.key, which must be there. The folder before is kept beside as <folder>.serial<N>. */
PL_STATUS pl_org_renew(const char *folder, int64_t now, uint32_t node_days);

/* pl_org_load reads what a node needs and checks that it belongs together. REFUSED when a key file
 * is open to others; CORRUPT when keys and descriptor do not fit. Dates are not checked here. */
PL_STATUS pl_org_load(const char *folder, pl_org **out);
void pl_org_free(pl_org *org); /* wipes; NULL is fine */

/* pl_org_load_root reads root.key, and the organisation's name from member.pb into out_org
 * (caller frees). */
PL_STATUS pl_org_load_root(const char *folder, pl_key **out_key, char **out_org);

/* Everything borrowed from org. */
const char *pl_org_name(const pl_org *org);
const pl_key *pl_org_sign_key(const pl_org *org);
const pl_key *pl_org_seal_key(const pl_org *org);
const Parley__V1__Descriptor *pl_org_descriptor(const pl_org *org);
pl_view pl_org_signed_descriptor(const pl_org *org);
const char *pl_org_tls_cert_pem(const pl_org *org);
const char *pl_org_tls_key_pem(const pl_org *org); /* secret */

#endif
