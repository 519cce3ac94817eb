#include "node/charter/org.h"

#include "node/charter/descriptor.h"
#include "node/charter/document.h"
#include "node/charter/file.h"
#include "node/crypto/cert.h"
#include "protocols/base/secret.h"

#include <stdlib.h>
#include <string.h>

struct pl_org {
    pl_key *sign_key, *seal_key;
    pl_bytes tls_key_pem, tls_cert_pem;
    pl_bytes signed_descriptor;
    Parley__V1__Descriptor *descriptor;
};

/* ---- loading ---- */

static pl_status join(const char *folder, const char *name, pl_bytes *out) {
    pl_buf path = {0};
    pl_buf_printf(&path, "%s/%s", folder, name);
    return pl_buf_take(&path, out);
}

static pl_status load_key(const char *folder, const char *name, pl_key **out) {
    pl_bytes path;
    PL_TRY(join(folder, name, &path));
    pl_status status = pl_key_load((const char *)path.data, out);
    pl_bytes_done(&path);
    return status;
}

static pl_status load_file(const char *folder, const char *name, pl_bytes *out) {
    pl_bytes path;
    PL_TRY(join(folder, name, &path));
    pl_status status = pl_file_read((const char *)path.data, PL_DOCUMENT_BYTES_MAX, out);
    pl_bytes_done(&path);
    return status;
}

static pl_status check_is(const pl_key *key, ProtobufCBinaryData wanted, const char *file,
                          const char *field) {
    pl_bytes own;
    PL_TRY(pl_key_spki(key, &own));
    bool same = pl_view_equal(pl_bytes_view(&own), pl_binary_view(wanted));
    pl_bytes_done(&own);
    return same ? PL_OK
                : pl_fail(PL_CORRUPT,
                          "%s is not the %s of descriptor.pb: files of two folders were mixed",
                          file, field);
}

static pl_status check_seal_key(const pl_org *org) {
    uint8_t public_key[PL_SEAL_KEY_BYTES];
    PL_TRY(pl_wrap(pl_key_seal_public(org->seal_key, public_key), "seal.key"));
    if (!pl_view_equal(pl_view_of(public_key, sizeof public_key),
                       pl_binary_view(org->descriptor->seal_key)))
        return pl_fail(
            PL_CORRUPT,
            "seal.key is not the seal_key of descriptor.pb: files of two folders were mixed");
    return PL_OK;
}

/* tls.key and tls.crt belong together, and descriptor.pb pins tls.crt. */
static pl_status check_tls(const pl_org *org, const pl_key *tls_key) {
    pl_bytes der = {0}, spki = {0};
    pl_status status;
    PL_CHECK(status, pl_wrap(pl_cert_from_pem(pl_bytes_view(&org->tls_cert_pem), &der), "tls.crt"));
    if (!pl_view_equal(pl_bytes_view(&der), pl_binary_view(org->descriptor->tls_cert)))
        PL_CHECK(status, pl_fail(PL_CORRUPT, "tls.crt is not the tls_cert of descriptor.pb"));
    PL_CHECK(status, pl_cert_spki(pl_bytes_view(&der), &spki));
    status = check_is(tls_key, (ProtobufCBinaryData){spki.len, spki.data}, "tls.key", "tls_cert");
out:
    pl_bytes_done(&der);
    pl_bytes_done(&spki);
    return status;
}

static pl_status load_tls(const char *folder, pl_org *org) {
    pl_key *key;
    PL_TRY(load_file(folder, "tls.crt", &org->tls_cert_pem));
    PL_TRY(load_key(folder, "tls.key", &key));
    pl_status status = check_tls(org, key);
    if (pl_is_ok(status))
        status = pl_key_pem(key, &org->tls_key_pem);
    pl_key_free(key);
    return status;
}

static pl_status load(const char *folder, pl_org *org) {
    PL_TRY(load_file(folder, "descriptor.pb", &org->signed_descriptor));
    PL_TRY(pl_document_peek(pl_bytes_view(&org->signed_descriptor), "descriptor",
                            &parley__v1__descriptor__descriptor, &org->descriptor));
    PL_TRY(pl_wrap(pl_descriptor_check(org->descriptor, org->descriptor->org), "descriptor.pb"));
    PL_TRY(load_key(folder, "node.key", &org->sign_key));
    PL_TRY(check_is(org->sign_key, org->descriptor->sign_key, "node.key", "sign_key"));
    PL_TRY(load_key(folder, "seal.key", &org->seal_key));
    PL_TRY(check_seal_key(org));
    return load_tls(folder, org);
}

pl_status pl_org_load(const char *folder, pl_org **out) {
    pl_org *org;
    PL_TRY(pl_alloc(1, sizeof *org, &org));
    pl_status status = load(folder, org);
    if (pl_is_ok(status))
        *out = org;
    else
        pl_org_free(org);
    return pl_wrap(status, "cannot load the organisation in %s", folder);
}

void pl_org_free(pl_org *org) {
    if (org == NULL)
        return;
    pl_key_free(org->sign_key);
    pl_key_free(org->seal_key);
    if (org->tls_key_pem.data != NULL)
        pl_wipe(org->tls_key_pem.data, org->tls_key_pem.len);
    pl_bytes_done(&org->tls_key_pem);
    pl_bytes_done(&org->tls_cert_pem);
    pl_bytes_done(&org->signed_descriptor);
    pl_document_free(org->descriptor);
    free(org);
}

static pl_status load_name(const char *folder, char **out) {
    pl_bytes packed;
    Parley__V1__Member *member = NULL;
    PL_TRY(load_file(folder, "member.pb", &packed));
    pl_status status = pl_document_decode(pl_bytes_view(&packed), &parley__v1__member__descriptor,
                                          "member.pb", &member);
    pl_bytes_done(&packed);
    if (pl_is_ok(status))
        status = pl_strdup(member->org, out);
    pl_document_free(member);
    return status;
}

pl_status pl_org_load_root(const char *folder, pl_key **out_key, char **out_org) {
    char *org;
    PL_TRY(load_name(folder, &org));
    pl_status status = load_key(folder, "root.key", out_key);
    if (pl_is_ok(status))
        *out_org = org;
    else
        free(org);
    return pl_wrap(status, "cannot load the organisation root in %s", folder);
}

/* ---- what it holds ---- */

const char *pl_org_name(const pl_org *org) {
    return org->descriptor->org;
}

const pl_key *pl_org_sign_key(const pl_org *org) {
    return org->sign_key;
}

const pl_key *pl_org_seal_key(const pl_org *org) {
    return org->seal_key;
}

const Parley__V1__Descriptor *pl_org_descriptor(const pl_org *org) {
    return org->descriptor;
}

pl_view pl_org_signed_descriptor(const pl_org *org) {
    return pl_bytes_view(&org->signed_descriptor);
}

const char *pl_org_tls_cert_pem(const pl_org *org) {
    return (const char *)org->tls_cert_pem.data;
}

const char *pl_org_tls_key_pem(const pl_org *org) {
    return (const char *)org->tls_key_pem.data;
}
