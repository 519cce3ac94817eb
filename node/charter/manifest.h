/* Manifest: who belongs to a federation, under which roots. Signed by at least `threshold` of its
 * members' roots (m of n), numbered by epoch, never accepted backwards. */
#ifndef PL_NODE_CHARTER_MANIFEST_H
#define PL_NODE_CHARTER_MANIFEST_H

#include "node/crypto/key.h"
#include "proto/federation.pb-c.h"

#define PL_MANIFEST_MEMBERS_MAX 64

typedef struct pl_manifest pl_manifest;

/* ---- making one ---- */

typedef struct pl_manifest_params {
    const char *federation;
    uint64_t epoch; /* 1 upwards */
    uint32_t threshold;
    int64_t not_before, not_after;
    const pl_view *members; /* packed Member each (member.pb of an organisation), any order */
    size_t n_members;
    const pl_manifest *previous; /* of epoch - 1; NULL: the first */
} pl_manifest_params;

/* pl_manifest_create makes a Signed without signatures, to be passed from root to root.
 * INVALID_ARGUMENT, LIMIT: what the manifest may not say, by field. */
PL_STATUS pl_manifest_create(const pl_manifest_params *params, pl_bytes *out_signed);

/* pl_manifest_sign adds the signature of org's root. org is a member, or one of the epoch before:
 * then previous is given. NOT_FOUND: no such member; UNAUTHENTICATED: it is not that member's key.
 */
PL_STATUS pl_manifest_sign(pl_view signed_bytes, const pl_manifest *previous, const char *org,
                           const pl_key *root_key, pl_bytes *out_signed);

/* ---- reading one ---- */

/* pl_manifest_parse verifies form and m of n signatures, not time. Errors: INVALID_ARGUMENT,
 * UNSUPPORTED (version, field), LIMIT, UNAUTHENTICATED ("signed by 1 of the 2 needed"). */
PL_STATUS pl_manifest_parse(pl_view signed_bytes, pl_manifest **out);

/* pl_manifest_inspect verifies form only, for showing a manifest that still collects signatures;
 * never for trusting it. */
PL_STATUS pl_manifest_inspect(pl_view signed_bytes, pl_manifest **out);

/* pl_manifest_load reads a file, verifies it and that it is valid now. */
PL_STATUS pl_manifest_load(const char *path, int64_t now, pl_manifest **out);
void pl_manifest_free(pl_manifest *manifest);

/* pl_manifest_accept decides whether a verified manifest may replace previous (NULL: there is none
 * yet): valid now, same federation, epoch not older, one manifest per epoch, and a newer epoch also
 * signed by m of the previous roots. REFUSED, UNAUTHENTICATED, FAILED_PRECONDITION (expired). */
PL_STATUS pl_manifest_accept(const pl_manifest *manifest, const pl_manifest *previous, int64_t now);

/* ---- what it says; everything borrowed ---- */

/* The member of that name; NULL: none. */
const Parley__V1__Member *pl_manifest_member(const pl_manifest *manifest, const char *org);
size_t pl_manifest_n_members(const pl_manifest *manifest);
const char *pl_manifest_member_name(const pl_manifest *manifest, size_t i); /* sorted by name */
const char *pl_manifest_name(const pl_manifest *manifest);                  /* the federation's */
uint64_t pl_manifest_epoch(const pl_manifest *manifest);
uint32_t pl_manifest_threshold(const pl_manifest *manifest);
int64_t pl_manifest_not_before(const pl_manifest *manifest);
int64_t pl_manifest_not_after(const pl_manifest *manifest);
pl_view pl_manifest_signed(const pl_manifest *manifest); /* the exact bytes */
void pl_manifest_digest(const pl_manifest *manifest, uint8_t out[32]);

/* pl_manifest_signed_by: OK when org's root has signed it validly. */
PL_STATUS pl_manifest_signed_by(const pl_manifest *manifest, const char *org);

/* pl_manifest_root gives the root's public key of a member (SubjectPublicKeyInfo DER).
 * UNAUTHENTICATED: no such member. */
PL_STATUS pl_manifest_root(const pl_manifest *manifest, const char *org, pl_bytes *out_spki);

/* pl_manifest_check_member: what one entry may say (also asked of a member.pb). */
PL_STATUS pl_manifest_check_member(const Parley__V1__Member *member);

#endif
