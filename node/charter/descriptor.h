/* Descriptor: one organisation's node, its keys and endpoints, signed by the organisation's root,
 * so that a node's keys can be renewed without touching the manifest. */
#ifndef PL_NODE_CHARTER_DESCRIPTOR_H
#define PL_NODE_CHARTER_DESCRIPTOR_H

#include "node/charter/manifest.h"

/* pl_descriptor_verify: signed by org's root as the manifest pins it, of this federation, valid
 * now, serial at least serial_seen, its TLS certificate issued by the same root. out is freed by
 * parley__v1__descriptor__free_unpacked.
 * Errors: UNAUTHENTICATED (no member, signature, serial, certificate), FAILED_PRECONDITION (dates),
 * INVALID_ARGUMENT, UNSUPPORTED; each names the field. */
PL_STATUS pl_descriptor_verify(pl_view signed_bytes, const pl_manifest *manifest, const char *org,
                               uint64_t serial_seen, int64_t now, Parley__V1__Descriptor **out);

/* pl_descriptor_verify_past does the same but for dates: to check what was signed long ago. */
PL_STATUS pl_descriptor_verify_past(pl_view signed_bytes, const pl_manifest *manifest,
                                    const char *org, Parley__V1__Descriptor **out);

/* pl_descriptor_check: what a descriptor of org may say, without signature and dates. */
PL_STATUS pl_descriptor_check(const Parley__V1__Descriptor *descriptor, const char *org);

#endif
