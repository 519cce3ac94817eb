#include "node/charter/descriptor.h"

#include "node/charter/document.h"
#include "node/crypto/cert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NODE_NAME_BYTES_MAX 63

static pl_status check_keys(const Parley__V1__Descriptor *d) {
    PL_TRY(pl_wrap(pl_key_check_signing(pl_binary_view(d->sign_key)), "sign_key"));
    PL_TRY(pl_check_len("seal_key", d->seal_key, PL_SEAL_KEY_BYTES));
    pl_bytes spki;
    PL_TRY(pl_wrap(pl_cert_spki(pl_binary_view(d->tls_cert), &spki), "tls_cert"));
    pl_status status = pl_key_check_signing(pl_bytes_view(&spki));
    pl_bytes_done(&spki);
    return pl_wrap(status, "tls_cert");
}

pl_status pl_descriptor_check(const Parley__V1__Descriptor *d, const char *org) {
    PL_TRY(pl_check_version(d->version));
    if (strcmp(d->org, org) != 0)
        return pl_fail(PL_UNAUTHENTICATED, "org is '%.40s', not %s", d->org, org);
    PL_TRY(pl_check_text("node", d->node, NODE_NAME_BYTES_MAX));
    PL_TRY(check_keys(d));
    PL_TRY(pl_check_endpoints("endpoints", d->endpoints, d->n_endpoints));
    if (d->serial == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "serial is 0: serials count from 1");
    if (d->not_after <= d->not_before)
        return pl_fail(PL_INVALID_ARGUMENT, "not_after is not after not_before");
    if (d->n_protocol_versions == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "protocol_versions are empty");
    if (d->n_planner_versions == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "planner_versions are empty");
    return PL_OK;
}

static pl_status check_pins(const Parley__V1__Descriptor *d, const pl_manifest *manifest,
                            const char *org) {
    PL_TRY(pl_descriptor_check(d, org));
    if (*d->federation != 0 && strcmp(d->federation, pl_manifest_name(manifest)) != 0)
        return pl_fail(PL_UNAUTHENTICATED, "federation is %.63s, not %s", d->federation,
                       pl_manifest_name(manifest));
    return pl_wrap(
        pl_cert_check_issued(pl_binary_view(d->tls_cert),
                             pl_binary_view(pl_manifest_member(manifest, org)->root_cert)),
        "tls_cert");
}

static pl_status check_times(const Parley__V1__Descriptor *d, const Parley__V1__Member *member,
                             int64_t now) {
    pl_view root = pl_binary_view(member->root_cert);
    PL_TRY(pl_check_not_future("not_before", d->not_before, now));
    PL_TRY(pl_wrap(pl_check_not_past("not_after", d->not_after, now, 0),
                   "the node's keys must be renewed"));
    PL_TRY(pl_wrap(pl_cert_check(root, root, now), "root_cert"));
    return pl_wrap(pl_cert_check(pl_binary_view(d->tls_cert), root, now), "tls_cert");
}

pl_status pl_descriptor_verify_past(pl_view signed_bytes, const pl_manifest *manifest,
                                    const char *org, Parley__V1__Descriptor **out) {
    char signer[64];
    pl_bytes spki;
    Parley__V1__Descriptor *d = NULL;
    snprintf(signer, sizeof signer, "root:%.40s", org);
    PL_TRY(pl_wrap(pl_manifest_root(manifest, org, &spki), "descriptor"));
    pl_status status = pl_document_open(signed_bytes, "descriptor", signer, pl_bytes_view(&spki),
                                        &parley__v1__descriptor__descriptor, &d);
    pl_bytes_done(&spki);
    if (pl_is_ok(status))
        status = pl_wrap(check_pins(d, manifest, org), "descriptor of %s", org);
    if (pl_is_ok(status))
        *out = d;
    else
        pl_document_free(d);
    return status;
}

pl_status pl_descriptor_verify(pl_view signed_bytes, const pl_manifest *manifest, const char *org,
                               uint64_t serial_seen, int64_t now, Parley__V1__Descriptor **out) {
    Parley__V1__Descriptor *d;
    PL_TRY(pl_descriptor_verify_past(signed_bytes, manifest, org, &d));
    pl_status status = check_times(d, pl_manifest_member(manifest, org), now);
    if (pl_is_ok(status) && d->serial < serial_seen)
        status = pl_fail(PL_UNAUTHENTICATED,
                         "serial %" PRIu64 " is older than %" PRIu64
                         ", which was seen before: keys that were "
                         "replaced do not come back",
                         d->serial, serial_seen);
    if (pl_is_ok(status))
        *out = d;
    else
        pl_document_free(d);
    return pl_wrap(status, "descriptor of %s", org);
}
