/* Making and signing a manifest: what the command line does, never a node. */
#include "node/charter/document.h"
#include "node/charter/manifest.h"
#include "node/crypto/cert.h"
#include "node/crypto/signed.h"
#include "proto/common.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_org(const void *a, const void *b) {
    const Parley__V1__Member *const *left = a, *const *right = b;
    return strcmp((*left)->org, (*right)->org);
}

static pl_status read_members(const pl_manifest_params *params, Parley__V1__Manifest *out) {
    for (size_t i = 0; i < params->n_members; i++) {
        pl_status status = pl_document_decode(params->members[i], &parley__v1__member__descriptor,
                                              "member", &out->members[i]);
        PL_TRY(pl_wrap(status, "member file %zu", i + 1));
        out->n_members++;
    }
    qsort(out->members, out->n_members, sizeof *out->members, by_org);
    return PL_OK;
}

/* A Signed with a body and nobody's signature. */
static pl_status pack_unsigned(const Parley__V1__Manifest *manifest, pl_bytes *out) {
    pl_bytes body;
    PL_TRY(pl_document_pack(manifest, &body));
    Parley__V1__Signed message = PARLEY__V1__SIGNED__INIT;
    message.body = (ProtobufCBinaryData){body.len, body.data};
    pl_status status = pl_document_pack(&message, out);
    pl_bytes_done(&body);
    return status;
}

static pl_status build(const pl_manifest_params *params, Parley__V1__Manifest *manifest,
                       pl_bytes *out) {
    uint8_t previous[32];
    PL_TRY(read_members(params, manifest));
    manifest->version = PL_DOCUMENT_VERSION;
    manifest->federation = (char *)(uintptr_t)params->federation;
    manifest->epoch = params->epoch;
    manifest->threshold = params->threshold;
    manifest->not_before = params->not_before;
    manifest->not_after = params->not_after;
    if (params->previous != NULL) {
        pl_manifest_digest(params->previous, previous);
        manifest->previous_digest = (ProtobufCBinaryData){sizeof previous, previous};
    }
    return pack_unsigned(manifest, out);
}

pl_status pl_manifest_create(const pl_manifest_params *params, pl_bytes *out_signed) {
    if (params->n_members > PL_MANIFEST_MEMBERS_MAX)
        return pl_fail(PL_LIMIT, "manifest: members are %zu: at most %d", params->n_members,
                       PL_MANIFEST_MEMBERS_MAX);
    Parley__V1__Member *members[PL_MANIFEST_MEMBERS_MAX] = {0};
    Parley__V1__Manifest manifest = PARLEY__V1__MANIFEST__INIT;
    manifest.members = members;
    pl_bytes packed = {0};
    pl_manifest *checked = NULL;
    pl_status status = build(params, &manifest, &packed);
    if (pl_is_ok(status))
        status = pl_manifest_inspect(pl_bytes_view(&packed), &checked);
    for (size_t i = 0; i < PL_MANIFEST_MEMBERS_MAX; i++)
        pl_document_free(members[i]);
    pl_manifest_free(checked);
    if (pl_is_ok(status))
        *out_signed = packed;
    else
        pl_bytes_done(&packed);
    return status;
}

static pl_status check_is_root(const pl_manifest *manifest, const pl_manifest *previous,
                               const char *org, const pl_key *root_key) {
    const pl_manifest *of = pl_manifest_member(manifest, org) != NULL ? manifest : previous;
    if (of == NULL || pl_manifest_member(of, org) == NULL)
        return pl_fail(PL_NOT_FOUND, "%s is no member in this manifest: nothing to sign", org);
    pl_bytes wanted = {0}, own = {0};
    pl_status status = pl_manifest_root(of, org, &wanted);
    if (pl_is_ok(status))
        status = pl_key_spki(root_key, &own);
    if (pl_is_ok(status) && !pl_view_equal(pl_bytes_view(&wanted), pl_bytes_view(&own)))
        status =
            pl_fail(PL_UNAUTHENTICATED,
                    "the manifest names another root_cert for %s than this root key's: was the "
                    "right member file used?",
                    org);
    pl_bytes_done(&wanted);
    pl_bytes_done(&own);
    return status;
}

pl_status pl_manifest_sign(pl_view signed_bytes, const pl_manifest *previous, const char *org,
                           const pl_key *root_key, pl_bytes *out_signed) {
    pl_manifest *manifest;
    char signer[64];
    PL_TRY(pl_manifest_inspect(signed_bytes, &manifest));
    pl_status status = check_is_root(manifest, previous, org, root_key);
    pl_manifest_free(manifest);
    snprintf(signer, sizeof signer, "root:%.40s", org);
    return pl_is_ok(status) ? pl_sign_add(root_key, "manifest", signer, signed_bytes, out_signed)
                            : status;
}
