#include "node/charter/manifest.h"

#include "node/charter/document.h"
#include "node/charter/file.h"
#include "node/crypto/cert.h"
#include "node/crypto/digest.h"
#include "node/crypto/signed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX 63
#define DISPLAY_BYTES_MAX 200

struct pl_manifest {
    Parley__V1__Manifest *body;
    pl_bytes signed_bytes;
    uint8_t digest[32];
};

/* ---- form ---- */

/* A root is a self-signed P-256 certificate. Its own dates count when it vouches for something. */
static pl_status check_root(pl_view der, pl_bytes *out_spki) {
    PL_TRY(pl_cert_spki(der, out_spki));
    pl_status status = pl_key_check_signing(pl_bytes_view(out_spki));
    if (pl_is_ok(status))
        status = pl_cert_check_issued(der, der);
    if (!pl_is_ok(status))
        pl_bytes_done(out_spki);
    return status;
}

/* Gives the root's public key, which the caller compares with the others'. */
static pl_status check_member(const Parley__V1__Member *member, pl_bytes *out_spki) {
    if (!pl_name_is_org(member->org))
        return pl_fail(PL_INVALID_ARGUMENT,
                       "org '%.40s' is no name: a small letter, then up to 30 small letters, "
                       "digits or underscores",
                       member->org);
    PL_TRY(pl_wrap(pl_check_text("display_name", member->display_name, DISPLAY_BYTES_MAX), "%s",
                   member->org));
    PL_TRY(pl_wrap(pl_check_text("group", member->group, NAME_BYTES_MAX), "%s", member->org));
    return pl_wrap(check_root(pl_binary_view(member->root_cert), out_spki), "%s: root_cert",
                   member->org);
}

pl_status pl_manifest_check_member(const Parley__V1__Member *member) {
    pl_bytes spki = {0};
    pl_status status = check_member(member, &spki);
    pl_bytes_done(&spki);
    return status;
}

static pl_status check_order(const Parley__V1__Member *before, const Parley__V1__Member *member) {
    int order = strcmp(before->org, member->org);
    if (order == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "members name %s twice", member->org);
    if (order > 0)
        return pl_fail(PL_INVALID_ARGUMENT, "members are not sorted by org: %s stands before %s",
                       before->org, member->org);
    return PL_OK;
}

/* Sorted by name, each once, each with a root of its own: m signatures are m organisations'. */
static pl_status check_each(const Parley__V1__Manifest *m, pl_bytes *roots) {
    for (size_t i = 0; i < m->n_members; i++) {
        PL_TRY(pl_wrap(check_member(m->members[i], &roots[i]), "members[%zu]", i));
        if (i > 0)
            PL_TRY(check_order(m->members[i - 1], m->members[i]));
        for (size_t k = 0; k < i; k++) {
            if (pl_view_equal(pl_bytes_view(&roots[k]), pl_bytes_view(&roots[i])))
                return pl_fail(PL_INVALID_ARGUMENT, "members: root_cert of %s has the key of %s",
                               m->members[i]->org, m->members[k]->org);
        }
    }
    return PL_OK;
}

static pl_status check_members(const Parley__V1__Manifest *m) {
    if (m->n_members == 0 || m->n_members > PL_MANIFEST_MEMBERS_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "members are %zu: at least 1, at most %d", m->n_members,
                       PL_MANIFEST_MEMBERS_MAX);
    pl_bytes roots[PL_MANIFEST_MEMBERS_MAX] = {0};
    pl_status status = check_each(m, roots);
    for (size_t i = 0; i < m->n_members; i++)
        pl_bytes_done(&roots[i]);
    return status;
}

static pl_status check_form(const Parley__V1__Manifest *m) {
    PL_TRY(pl_check_version(m->version));
    PL_TRY(pl_check_text("federation", m->federation, NAME_BYTES_MAX));
    if (m->epoch == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "epoch is 0: epochs count from 1");
    PL_TRY(check_members(m));
    if (m->threshold == 0 || m->threshold > m->n_members)
        return pl_fail(PL_INVALID_ARGUMENT, "threshold is %u of %zu members", m->threshold,
                       m->n_members);
    if (m->not_after <= m->not_before)
        return pl_fail(PL_INVALID_ARGUMENT, "not_after is not after not_before");
    return pl_check_len("previous_digest", m->previous_digest, m->epoch == 1 ? 0 : 32);
}

static pl_status inspect(pl_view signed_bytes, pl_manifest *m) {
    PL_TRY(pl_document_peek(signed_bytes, "manifest", &parley__v1__manifest__descriptor, &m->body));
    PL_TRY(pl_wrap(check_form(m->body), "manifest"));
    PL_TRY(pl_document_digest(signed_bytes, "manifest", m->digest));
    return pl_bytes_dup(signed_bytes, &m->signed_bytes);
}

pl_status pl_manifest_inspect(pl_view signed_bytes, pl_manifest **out) {
    pl_manifest *manifest;
    PL_TRY(pl_alloc(1, sizeof *manifest, &manifest));
    pl_status status = inspect(signed_bytes, manifest);
    if (pl_is_ok(status))
        *out = manifest;
    else
        pl_manifest_free(manifest);
    return status;
}

void pl_manifest_free(pl_manifest *manifest) {
    if (manifest == NULL)
        return;
    pl_document_free(manifest->body);
    pl_bytes_done(&manifest->signed_bytes);
    free(manifest);
}

/* ---- signatures ---- */

static pl_status signed_by_root_of(const pl_manifest *manifest, const Parley__V1__Member *member) {
    char signer[40];
    pl_bytes spki, body;
    snprintf(signer, sizeof signer, "root:%s", member->org);
    PL_TRY(pl_cert_spki(pl_binary_view(member->root_cert), &spki));
    pl_status status = pl_signed_verify(pl_bytes_view(&manifest->signed_bytes), "manifest", signer,
                                        pl_bytes_view(&spki), &body);
    pl_bytes_done(&spki);
    if (pl_is_ok(status))
        pl_bytes_done(&body);
    return status;
}

/* The line that refuses a manifest: at least threshold of roots' members have signed it. */
static pl_status check_signatures(const pl_manifest *manifest, const pl_manifest *roots,
                                  const char *whose) {
    uint32_t n = 0;
    char why[200] = "";
    for (size_t i = 0; i < roots->body->n_members; i++) {
        pl_status status = signed_by_root_of(manifest, roots->body->members[i]);
        n += pl_is_ok(status);
        if (!pl_is_ok(status) && *why == 0)
            snprintf(why, sizeof why, "; %.180s", pl_status_message(status));
        pl_status_done(&status); /* counted, and the first one is told below */
    }
    if (n >= roots->body->threshold)
        return PL_OK;
    return pl_fail(PL_UNAUTHENTICATED,
                   "manifest: epoch %" PRIu64 " is signed by %u of the %u needed%s%s",
                   manifest->body->epoch, n, roots->body->threshold, whose, why);
}

pl_status pl_manifest_signed_by(const pl_manifest *manifest, const char *org) {
    const Parley__V1__Member *member = pl_manifest_member(manifest, org);
    return member == NULL ? pl_fail(PL_NOT_FOUND, "manifest: %s is no member", org)
                          : signed_by_root_of(manifest, member);
}

pl_status pl_manifest_parse(pl_view signed_bytes, pl_manifest **out) {
    pl_manifest *manifest;
    PL_TRY(pl_manifest_inspect(signed_bytes, &manifest));
    pl_status status = check_signatures(manifest, manifest, "");
    if (pl_is_ok(status))
        *out = manifest;
    else
        pl_manifest_free(manifest);
    return status;
}

/* ---- time and epochs ---- */

static pl_status check_time(const pl_manifest *manifest, int64_t now) {
    PL_TRY(pl_wrap(pl_check_not_future("not_before", manifest->body->not_before, now), "manifest"));
    if (manifest->body->not_after < now)
        return pl_fail(PL_FAILED_PRECONDITION,
                       "manifest: epoch %" PRIu64
                       " expired on %s (not_after): ask the federation for the "
                       "next epoch",
                       manifest->body->epoch, pl_time_format(manifest->body->not_after).text);
    return PL_OK;
}

pl_status pl_manifest_load(const char *path, int64_t now, pl_manifest **out) {
    pl_bytes content;
    pl_manifest *manifest = NULL;
    PL_TRY(pl_file_read(path, PL_DOCUMENT_BYTES_MAX, &content));
    pl_status status = pl_manifest_parse(pl_bytes_view(&content), &manifest);
    pl_bytes_done(&content);
    if (pl_is_ok(status))
        status = check_time(manifest, now);
    if (pl_is_ok(status))
        *out = manifest;
    else
        pl_manifest_free(manifest);
    return status;
}

static pl_status check_same_epoch(const pl_manifest *manifest, const pl_manifest *previous) {
    if (memcmp(manifest->digest, previous->digest, 32) == 0)
        return PL_OK;
    return pl_fail(PL_REFUSED,
                   "manifest: there are two different manifests of epoch %" PRIu64
                   ": ask the other "
                   "members which one they hold",
                   manifest->body->epoch);
}

pl_status pl_manifest_accept(const pl_manifest *manifest, const pl_manifest *previous,
                             int64_t now) {
    PL_TRY(check_time(manifest, now));
    if (previous == NULL)
        return PL_OK;
    const Parley__V1__Manifest *next = manifest->body, *before = previous->body;
    if (strcmp(next->federation, before->federation) != 0)
        return pl_fail(PL_REFUSED, "manifest: federation is %s, but this node belongs to %s",
                       next->federation, before->federation);
    if (next->epoch < before->epoch)
        return pl_fail(PL_REFUSED,
                       "manifest: epoch %" PRIu64 " is older than %" PRIu64
                       ", which was accepted before",
                       next->epoch, before->epoch);
    if (next->epoch == before->epoch)
        return check_same_epoch(manifest, previous);
    if (next->epoch == before->epoch + 1)
        PL_TRY(pl_wrap(pl_check_equal("previous_digest", next->previous_digest,
                                      pl_view_of(previous->digest, 32),
                                      "the manifest that was accepted before"),
                       "manifest"));
    return check_signatures(manifest, previous, " from the members of the epoch before");
}

/* ---- what it says ---- */

const Parley__V1__Member *pl_manifest_member(const pl_manifest *manifest, const char *org) {
    for (size_t i = 0; i < manifest->body->n_members; i++) {
        if (strcmp(manifest->body->members[i]->org, org) == 0)
            return manifest->body->members[i];
    }
    return NULL;
}

size_t pl_manifest_n_members(const pl_manifest *manifest) {
    return manifest->body->n_members;
}

const char *pl_manifest_member_name(const pl_manifest *manifest, size_t i) {
    return manifest->body->members[i]->org;
}

const char *pl_manifest_name(const pl_manifest *manifest) {
    return manifest->body->federation;
}

uint64_t pl_manifest_epoch(const pl_manifest *manifest) {
    return manifest->body->epoch;
}

uint32_t pl_manifest_threshold(const pl_manifest *manifest) {
    return manifest->body->threshold;
}

int64_t pl_manifest_not_before(const pl_manifest *manifest) {
    return manifest->body->not_before;
}

int64_t pl_manifest_not_after(const pl_manifest *manifest) {
    return manifest->body->not_after;
}

pl_view pl_manifest_signed(const pl_manifest *manifest) {
    return pl_bytes_view(&manifest->signed_bytes);
}

void pl_manifest_digest(const pl_manifest *manifest, uint8_t out[32]) {
    memcpy(out, manifest->digest, 32);
}

pl_status pl_manifest_root(const pl_manifest *manifest, const char *org, pl_bytes *out_spki) {
    const Parley__V1__Member *member = pl_manifest_member(manifest, org);
    if (member == NULL)
        return pl_fail(PL_UNAUTHENTICATED, "%s is not a member of federation %s", org,
                       pl_manifest_name(manifest));
    return pl_cert_spki(pl_binary_view(member->root_cert), out_spki);
}
