#include "node/charter/head.h"

#include "node/charter/document.h"
#include "node/charter/proposal.h"

#include <inttypes.h>
#include <string.h>

static pl_status check_form(const Parley__V1__AuditHead *h) {
    PL_TRY(pl_check_version(h->version));
    if (!pl_name_is_org(h->org))
        return pl_fail(PL_INVALID_ARGUMENT, "org is no name of an organisation");
    PL_TRY(pl_check_len("key_id", h->key_id, 32));
    if (h->size == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "size is 0");
    PL_TRY(pl_check_len("root", h->root, 32));
    return h->time_ms > 0 ? PL_OK : pl_fail(PL_INVALID_ARGUMENT, "time_ms is not positive");
}

pl_status pl_head_sign(Parley__V1__AuditHead *head, const pl_key *key, pl_bytes *out_signed) {
    uint8_t key_id[32];
    pl_bytes spki;
    PL_TRY(pl_key_spki(key, &spki));
    pl_status status = pl_key_id(pl_bytes_view(&spki), key_id);
    pl_bytes_done(&spki);
    PL_TRY(status);
    head->version = PL_DOCUMENT_VERSION;
    head->key_id = (ProtobufCBinaryData){sizeof key_id, key_id};
    status = pl_wrap(check_form(head), "head");
    if (pl_is_ok(status))
        status = pl_document_sign(head, "audit-head", head->org, key, out_signed);
    head->key_id = (ProtobufCBinaryData){0, NULL};
    return status;
}

static pl_status check(const Parley__V1__AuditHead *h, const Parley__V1__Descriptor *d) {
    uint8_t key_id[32];
    PL_TRY(check_form(h));
    if (strcmp(h->org, d->org) != 0)
        return pl_fail(PL_UNAUTHENTICATED, "org is %s, but %s signed it", h->org, d->org);
    PL_TRY(pl_key_id(pl_binary_view(d->sign_key), key_id));
    return pl_check_equal("key_id", h->key_id, pl_view_of(key_id, sizeof key_id),
                          "the key that signed it");
}

pl_status pl_head_verify(pl_view signed_bytes, const Parley__V1__Descriptor *descriptor,
                         Parley__V1__AuditHead **out) {
    Parley__V1__AuditHead *h;
    PL_TRY(pl_document_open(signed_bytes, "audit-head", descriptor->org,
                            pl_binary_view(descriptor->sign_key),
                            &parley__v1__audit_head__descriptor, &h));
    pl_status status = check(h, descriptor);
    if (pl_is_ok(status))
        *out = h;
    else
        pl_document_free(h);
    return pl_wrap(status, "head of %s", descriptor->org);
}

pl_status pl_head_read(pl_view signed_bytes, Parley__V1__AuditHead **out) {
    return pl_document_peek(signed_bytes, "audit-head", &parley__v1__audit_head__descriptor, out);
}

pl_status pl_head_verify_past(pl_view signed_bytes, const pl_manifest *manifest,
                              const pl_view *descriptors, size_t n, Parley__V1__AuditHead **out) {
    Parley__V1__AuditHead *unproven;
    PL_TRY(pl_head_read(signed_bytes, &unproven));
    pl_status last =
        pl_fail(PL_NOT_FOUND, "head of %.40s: no valid descriptor of it is given to check with",
                unproven->org);
    for (size_t i = 0; i < n; i++) {
        Parley__V1__Descriptor *d;
        pl_status status = pl_descriptor_verify_past(descriptors[i], manifest, unproven->org, &d);
        if (!pl_is_ok(status)) {
            pl_status_done(&status); /* of another organisation, or not valid: as if not given */
            continue;
        }
        pl_status_done(&last);
        last = pl_head_verify(signed_bytes, d, out);
        pl_document_free(d);
        if (pl_is_ok(last))
            break;
    }
    pl_document_free(unproven);
    return last;
}

/* ---- what goes with it ---- */

static pl_status check_link(const Parley__V1__AuditLink *link, uint64_t after, uint64_t size) {
    if (link->size <= after || link->size >= size)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "size %" PRIu64 " is not between the one before and the head's", link->size);
    PL_TRY(pl_check_len("root", link->root, 32));
    if (link->path.len % 32 != 0 || link->path.len > PL_HEAD_PATH_MAX * 32)
        return pl_fail(PL_INVALID_ARGUMENT, "path of %zu bytes is no list of hashes",
                       link->path.len);
    return PL_OK;
}

pl_status pl_head_check_links(Parley__V1__AuditLink *const *links, size_t n, uint64_t size) {
    if (n > PL_HEAD_LINKS_MAX)
        return pl_fail(PL_LIMIT, "audit_links are %zu: at most %d", n, PL_HEAD_LINKS_MAX);
    for (size_t i = 0; i < n; i++)
        PL_TRY(pl_wrap(check_link(links[i], i == 0 ? 0 : links[i - 1]->size, size),
                       "audit_links[%zu]", i));
    return PL_OK;
}

pl_status pl_head_check_seen(Parley__V1__AuditSeen *const *seen, size_t n) {
    if (n > PL_PARTIES_MAX)
        return pl_fail(PL_LIMIT, "audit_seen are %zu: at most %d", n, PL_PARTIES_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!pl_name_is_org(seen[i]->org) || (i > 0 && strcmp(seen[i]->org, seen[i - 1]->org) <= 0))
            return pl_fail(PL_INVALID_ARGUMENT, "audit_seen[%zu]: org is no name, or not in order",
                           i);
        if (seen[i]->size == 0)
            return pl_fail(PL_INVALID_ARGUMENT, "audit_seen[%zu]: size is 0", i);
        PL_TRY(pl_wrap(pl_check_len("root", seen[i]->root, 32), "audit_seen[%zu]", i));
    }
    return PL_OK;
}
