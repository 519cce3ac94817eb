/* Documents that a member signs and others verify, altered behind a valid signature: proposal,
 * approval, reservation, charter, receipt, descriptor, manifest. First byte: which; then edits of
 * the honest document's body (fuzz_edit). It is verified as the receiving node does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/charter/approval.h"
#include "node/charter/descriptor.h"
#include "node/charter/receipt.h"
#include "node/charter/reservation.h"
#include "node/crypto/signed.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/federation_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_BYTES_MAX 32768

static fixture f;
static fixture_job job;
static pl_bytes charter;

static void tidy(void) {
    pl_bytes_done(&charter);
    fixture_job_done(&job);
    fixture_close(&f);
}

static void open_once(void) {
    if (f.manifest != NULL)
        return;
    fixture_open(&f);
    fixture_job_init(&f, &job);
    fixture_job_charter(&f, &job, &charter);
    atexit(tidy);
}

static pl_status descriptor_of(const char *org, const Parley__V1__Descriptor **out, void *ctx) {
    (void)ctx;
    for (int i = 0; i < FIXTURE_ORGS; i++) {
        if (strcmp(org, fixture_names[i]) == 0) {
            *out = fixture_descriptor(&f, i);
            return PL_OK;
        }
    }
    return pl_fail(PL_NOT_FOUND, "no such member");
}

static pl_status never_started(const uint8_t session_id[16], bool *out, void *ctx) {
    (void)session_id;
    (void)ctx;
    *out = false;
    return PL_OK;
}

/* ---- one function per document: verifies, frees ---- */

static pl_status read_proposal(pl_view signed_bytes) {
    Parley__V1__Proposal *out = NULL;
    PL_TRY(pl_proposal_verify(signed_bytes, f.manifest, fixture_descriptor(&f, HEALTH), FIXTURE_NOW,
                              &out));
    parley__v1__proposal__free_unpacked(out, NULL);
    return PL_OK;
}

static pl_status read_approval(pl_view signed_bytes) {
    Parley__V1__Approval *out = NULL;
    PL_TRY(pl_approval_verify(signed_bytes, fixture_descriptor(&f, HEALTH), FIXTURE_NOW, &out));
    parley__v1__approval__free_unpacked(out, NULL);
    return PL_OK;
}

static pl_status read_reservation(pl_view signed_bytes) {
    Parley__V1__Reservation *out = NULL;
    PL_TRY(pl_reservation_verify(signed_bytes, fixture_descriptor(&f, HEALTH), FIXTURE_NOW, &out));
    parley__v1__reservation__free_unpacked(out, NULL);
    return PL_OK;
}

static pl_status read_charter(pl_view signed_bytes) {
    pl_charter_rules rules = {
        .manifest = f.manifest,
        .own = "north",
        .from = "health",
        .now = FIXTURE_NOW,
        .proposal_digest = job.proposal_digest,
        .plan_digest = job.plan_digest,
        .session_key = job.session_key[NORTH],
        .input_commitment = job.commitment[NORTH],
        .attempt = 2,
        .descriptor = descriptor_of,
        .was_started = never_started,
    };
    pl_charter *out = NULL;
    PL_TRY(pl_charter_verify(signed_bytes, &rules, &out));
    pl_charter_free(out);
    return PL_OK;
}

static pl_status read_descriptor(pl_view signed_bytes) {
    Parley__V1__Descriptor *out = NULL;
    PL_TRY(pl_descriptor_verify(signed_bytes, f.manifest, "health", 0, FIXTURE_NOW, &out));
    parley__v1__descriptor__free_unpacked(out, NULL);
    return PL_OK;
}

static pl_status read_manifest(pl_view signed_bytes) {
    pl_manifest *out = NULL;
    PL_TRY(pl_manifest_inspect(signed_bytes, &out));
    pl_manifest_free(out);
    return PL_OK;
}

static const struct {
    const char *domain;
    pl_status (*read)(pl_view signed_bytes);
    bool root; /* signed by the organisation's root, not by its node */
} documents[] = {
    {"proposal", read_proposal, false},       {"approval", read_approval, false},
    {"reservation", read_reservation, false}, {"charter", read_charter, false},
    {"descriptor", read_descriptor, true},    {"manifest", read_manifest, true},
};
#define N_DOCUMENTS (sizeof documents / sizeof *documents)

static pl_view honest(size_t which) {
    const pl_view all[N_DOCUMENTS] = {
        pl_bytes_view(&job.signed_proposal),
        pl_bytes_view(&job.signed_approval[HEALTH]),
        pl_bytes_view(&job.signed_reservation[HEALTH]),
        pl_bytes_view(&charter),
        pl_org_signed_descriptor(f.orgs[HEALTH]),
        pl_bytes_view(&f.signed_manifest),
    };
    return all[which];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t edited[BODY_BYTES_MAX];
    pl_bytes body = {0}, signed_bytes = {0};
    if (size == 0)
        return 0;
    open_once();
    size_t which = data[0] % N_DOCUMENTS;
    fuzz_settle(pl_signed_body(honest(which), &body));
    if (body.len > BODY_BYTES_MAX / 2)
        abort();
    memcpy(edited, body.data, body.len);
    size_t len = fuzz_edit(data + 1, size - 1, edited, body.len, sizeof edited);
    bool by_root = documents[which].root;
    const pl_key *key = by_root ? f.roots[HEALTH] : pl_org_sign_key(f.orgs[HEALTH]);
    fuzz_settle(pl_sign(key, documents[which].domain, by_root ? "root:health" : "health",
                        pl_view_of(edited, len), &signed_bytes));
    pl_status status = documents[which].read(pl_bytes_view(&signed_bytes));
    if (size == 1 && !pl_is_ok(status)) {
        fprintf(stderr, "the honest %s is refused: %s\n", documents[which].domain,
                pl_status_message(status));
        abort();
    }
    fuzz_settle(status);
    pl_bytes_done(&signed_bytes);
    pl_bytes_done(&body);
    return 0;
}
