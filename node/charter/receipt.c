#include "node/charter/receipt.h"

#include "node/charter/charter.h"
#include "node/charter/descriptor.h"
#include "node/charter/document.h"
#include "node/charter/head.h"
#include "node/charter/proposal.h"
#include "node/crypto/signed.h"
#include "proto/common.pb-c.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define OPENED_MAX 4096

/* ---- making ---- */

static void fill_parties(const pl_charter *charter, char **parties,
                         ProtobufCBinaryData *commitments, ProtobufCBinaryData *heads,
                         Parley__V1__Receipt *out) {
    for (size_t i = 0; i < charter->n_parties; i++) {
        parties[i] = charter->proposal->parties[i]->org;
        commitments[i] = charter->reservations[i]->input_commitment;
        heads[i] = charter->reservations[i]->audit_head;
    }
    out->audit_heads = heads;
    out->n_audit_heads = charter->n_parties;
    out->parties = parties;
    out->n_parties = charter->n_parties;
    out->input_commitments = commitments;
    out->n_input_commitments = charter->n_parties;
}

static ProtobufCBinaryData borrow(const uint8_t *data, size_t len) {
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

static pl_status pack(const pl_receipt_parts *parts, const pl_charter *charter, char **opened,
                      pl_bytes *out) {
    char *parties[PL_PARTIES_MAX];
    ProtobufCBinaryData commitments[PL_PARTIES_MAX], heads[PL_PARTIES_MAX];
    uint8_t proposal_digest[32];
    PL_TRY(pl_proposal_digest(pl_binary_view(charter->body->proposal), proposal_digest));
    Parley__V1__Receipt receipt = PARLEY__V1__RECEIPT__INIT;
    receipt.version = PL_DOCUMENT_VERSION;
    receipt.job_id = charter->proposal->job_id;
    receipt.session_id = charter->body->session_id;
    receipt.charter_digest = borrow(charter->digest, 32);
    receipt.federation = charter->proposal->federation;
    receipt.epoch = charter->proposal->epoch;
    receipt.proposal_digest = borrow(proposal_digest, 32);
    receipt.plan_digest = borrow(parts->plan_digest, 32);
    fill_parties(charter, parties, commitments, heads, &receipt);
    receipt.opened = opened;
    receipt.n_opened = parts->plan->n_openings;
    for (size_t i = 0; i < receipt.n_opened; i++)
        opened[i] = parts->plan->openings[i]->what;
    receipt.disclosures = parts->disclosures;
    receipt.n_disclosures = parts->n_disclosures;
    return pl_document_pack(&receipt, out);
}

pl_status pl_receipt_build(const pl_receipt_parts *parts, pl_bytes *out_body) {
    pl_charter *charter;
    char **opened = NULL;
    PL_TRY(pl_charter_read(parts->charter, &charter));
    pl_status status = PL_OK;
    if (memcmp(charter->digest, parts->charter_digest, 32) != 0)
        status =
            pl_fail(PL_CORRUPT, "receipt: charter_digest is not that of the charter kept here");
    if (pl_is_ok(status))
        status = pl_alloc(parts->plan->n_openings, sizeof *opened, &opened);
    if (pl_is_ok(status))
        status = pack(parts, charter, opened, out_body);
    free(opened);
    pl_charter_free(charter);
    return status;
}

pl_status pl_receipt_sign(pl_view body, const char *own, const pl_key *key, pl_bytes *out_signed) {
    return pl_sign(key, "receipt", own, body, out_signed);
}

/* ---- merging ---- */

static pl_status read_receipt(pl_view signed_bytes, Parley__V1__Receipt **out) {
    return pl_document_peek(signed_bytes, "receipt", &parley__v1__receipt__descriptor, out);
}

static bool same_list(char **a, size_t n_a, char **b, size_t n_b) {
    bool same = n_a == n_b;
    for (size_t i = 0; same && i < n_a; i++)
        same = strcmp(a[i], b[i]) == 0;
    return same;
}

static bool same_bytes(ProtobufCBinaryData a, ProtobufCBinaryData b) {
    return pl_view_equal(pl_binary_view(a), pl_binary_view(b));
}

/* The field in which two bodies differ, for the person who must find out why. */
static const char *first_difference(const Parley__V1__Receipt *a, const Parley__V1__Receipt *b) {
    const struct {
        const char *field;
        bool same;
    } rows[] = {
        {"version", a->version == b->version},
        {"job_id", same_bytes(a->job_id, b->job_id)},
        {"session_id", same_bytes(a->session_id, b->session_id)},
        {"charter_digest", same_bytes(a->charter_digest, b->charter_digest)},
        {"federation", strcmp(a->federation, b->federation) == 0},
        {"epoch", a->epoch == b->epoch},
        {"proposal_digest", same_bytes(a->proposal_digest, b->proposal_digest)},
        {"plan_digest", same_bytes(a->plan_digest, b->plan_digest)},
        {"parties", same_list(a->parties, a->n_parties, b->parties, b->n_parties)},
        {"opened", same_list(a->opened, a->n_opened, b->opened, b->n_opened)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!rows[i].same)
            return rows[i].field;
    }
    bool commitments = a->n_input_commitments == b->n_input_commitments;
    for (size_t i = 0; commitments && i < a->n_input_commitments; i++)
        commitments = same_bytes(a->input_commitments[i], b->input_commitments[i]);
    if (!commitments)
        return "input_commitments";
    bool heads = a->n_audit_heads == b->n_audit_heads;
    for (size_t i = 0; heads && i < a->n_audit_heads; i++)
        heads = same_bytes(a->audit_heads[i], b->audit_heads[i]);
    return heads ? "disclosures" : "audit_heads";
}

static pl_status explain_difference(pl_view ours, pl_view theirs) {
    Parley__V1__Receipt *a = NULL, *b = NULL;
    pl_status status = read_receipt(ours, &a);
    if (pl_is_ok(status))
        status = read_receipt(theirs, &b);
    if (pl_is_ok(status))
        status = pl_fail(PL_CORRUPT, "receipt: %s differs between two parties' receipts of one job",
                         first_difference(a, b));
    pl_document_free(a);
    pl_document_free(b);
    return status;
}

/* A party sends its own signature and nobody else's: a false one in another's name could otherwise
 * take the place of the true one. */
static pl_status check_single(pl_view theirs) {
    Parley__V1__Signed *message;
    PL_TRY(pl_document_decode(theirs, &parley__v1__signed__descriptor, "receipt", &message));
    size_t n = message->n_signatures;
    pl_document_free(message);
    return n == 1 ? PL_OK
                  : pl_fail(PL_PROTOCOL,
                            "receipt: it carries %zu signatures, not its sender's alone", n);
}

pl_status pl_receipt_merge(pl_view ours, pl_view theirs, pl_bytes *out) {
    PL_TRY(check_single(theirs));
    pl_status status = pl_signed_merge(ours, theirs, out);
    if (pl_status_code(status) != PL_CORRUPT)
        return status;
    pl_status_done(&status); /* the one below says more */
    return explain_difference(ours, theirs);
}

/* ---- offline verification ---- */

static pl_status check_disclosure(const Parley__V1__Receipt *r, size_t at) {
    const Parley__V1__Disclosure *d = r->disclosures[at];
    bool party = false;
    for (size_t i = 0; i < r->n_parties; i++)
        party = party || strcmp(r->parties[i], d->recipient) == 0;
    if (!party)
        return pl_fail(PL_INVALID_ARGUMENT, "recipient is no party");
    for (size_t i = 0; i < at; i++) {
        if (strcmp(r->disclosures[i]->recipient, d->recipient) == 0)
            return pl_fail(PL_INVALID_ARGUMENT, "recipient %s stands there twice", d->recipient);
    }
    if (d->state == PARLEY__V1__RECIPIENT_STATE__RECIPIENT_STATE_LOST)
        return d->result_digest.len == 0 ? PL_OK
                                         : pl_check_len("result_digest", d->result_digest, 32);
    if (d->state != PARLEY__V1__RECIPIENT_STATE__RECIPIENT_STATE_RELEASED)
        return pl_fail(PL_INVALID_ARGUMENT, "state of %s is neither released nor lost",
                       d->recipient);
    return pl_check_len("result_digest", d->result_digest, 32);
}

static pl_status check_lists(const Parley__V1__Receipt *r, const pl_manifest *manifest) {
    if (r->n_parties == 0 || r->n_parties > PL_PARTIES_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "parties are %zu: at least 1, at most %d", r->n_parties,
                       PL_PARTIES_MAX);
    if (r->n_input_commitments != r->n_parties)
        return pl_fail(PL_INVALID_ARGUMENT, "input_commitments are %zu for %zu parties",
                       r->n_input_commitments, r->n_parties);
    if (r->n_audit_heads != r->n_parties)
        return pl_fail(PL_INVALID_ARGUMENT, "audit_heads are %zu for %zu parties", r->n_audit_heads,
                       r->n_parties);
    for (size_t i = 0; i < r->n_parties; i++) {
        if (pl_manifest_member(manifest, r->parties[i]) == NULL)
            return pl_fail(PL_UNAUTHENTICATED, "parties[%zu] is no member of federation %s", i,
                           pl_manifest_name(manifest));
        for (size_t k = 0; k < i; k++) {
            if (strcmp(r->parties[i], r->parties[k]) == 0)
                return pl_fail(PL_INVALID_ARGUMENT, "parties name %s twice", r->parties[i]);
        }
        PL_TRY(pl_check_len("input_commitments", r->input_commitments[i], 32));
    }
    if (r->n_opened > OPENED_MAX)
        return pl_fail(PL_LIMIT, "opened has %zu entries", r->n_opened);
    for (size_t i = 0; i < r->n_disclosures; i++)
        PL_TRY(pl_wrap(check_disclosure(r, i), "disclosures[%zu]", i));
    return PL_OK;
}

static pl_status check_form(const Parley__V1__Receipt *r, const pl_manifest *manifest) {
    PL_TRY(pl_check_version(r->version));
    PL_TRY(pl_check_len("job_id", r->job_id, 16));
    PL_TRY(pl_check_len("session_id", r->session_id, 16));
    PL_TRY(pl_check_len("charter_digest", r->charter_digest, 32));
    PL_TRY(pl_check_len("proposal_digest", r->proposal_digest, 32));
    PL_TRY(pl_check_len("plan_digest", r->plan_digest, 32));
    if (strcmp(r->federation, pl_manifest_name(manifest)) != 0)
        return pl_fail(PL_UNAUTHENTICATED, "federation is not %s, the manifest's",
                       pl_manifest_name(manifest));
    if (r->epoch != pl_manifest_epoch(manifest))
        return pl_fail(PL_UNAUTHENTICATED,
                       "epoch is %" PRIu64 ", the manifest's is %" PRIu64
                       ": give the manifest of that epoch",
                       r->epoch, pl_manifest_epoch(manifest));
    return check_lists(r, manifest);
}

/* One of org's descriptors has a key by which the signature verifies. */
static pl_status check_signature(pl_view signed_bytes, const char *org, const pl_manifest *manifest,
                                 const pl_view *descriptors, size_t n) {
    pl_status last = pl_fail(
        PL_NOT_FOUND, "%s has signed, but no valid descriptor of it is given to check with", org);
    for (size_t i = 0; i < n; i++) {
        Parley__V1__Descriptor *d;
        pl_status status = pl_descriptor_verify_past(descriptors[i], manifest, org, &d);
        if (!pl_is_ok(status)) {
            pl_status_done(&status); /* of another organisation, or not valid: as if not given */
            continue;
        }
        pl_bytes body = {0};
        pl_status_done(&last);
        last = pl_signed_verify(signed_bytes, "receipt", org, pl_binary_view(d->sign_key), &body);
        pl_bytes_done(&body);
        pl_document_free(d);
        if (pl_is_ok(last))
            break;
    }
    return last;
}

static size_t rank_of(const Parley__V1__Receipt *r, const char *org) {
    size_t rank = 0;
    while (rank < r->n_parties && strcmp(r->parties[rank], org) != 0)
        rank++;
    return rank;
}

/* The line that calls a receipt forged. */
static pl_status check_signatures(pl_view signed_bytes, const Parley__V1__Signed *message,
                                  const pl_manifest *manifest, const pl_view *descriptors, size_t n,
                                  pl_receipt_verdict *verdict) {
    for (size_t i = 0; i < message->n_signatures; i++) {
        const char *signer = message->signatures[i]->signer;
        size_t rank = rank_of(verdict->receipt, signer);
        if (rank == verdict->receipt->n_parties)
            return pl_fail(PL_CORRUPT, "it carries a signature of '%.40s', which is no party",
                           signer);
        if (verdict->has_signed[rank])
            return pl_fail(PL_CORRUPT, "it carries two signatures of %s", signer);
        pl_status status = check_signature(signed_bytes, signer, manifest, descriptors, n);
        if (pl_status_code(status) == PL_NOT_FOUND)
            return status;
        if (!pl_is_ok(status)) {
            pl_status why = pl_fail(PL_CORRUPT,
                                    "the signature of %s is forged, or the receipt was altered "
                                    "after it (%s)",
                                    signer, pl_status_message(status));
            pl_status_done(&status);
            return why;
        }
        verdict->has_signed[rank] = true;
        verdict->n_signed++;
    }
    return verdict->n_signed != 0 ? PL_OK : pl_fail(PL_UNAUTHENTICATED, "nobody has signed it");
}

/* The head of every party whose descriptor is given; that of a party that has not signed and has
 * none given proves nothing and is passed over. */
static pl_status check_heads(const pl_manifest *manifest, const pl_view *descriptors, size_t n,
                             pl_receipt_verdict *verdict) {
    Parley__V1__Receipt *r = verdict->receipt;
    for (size_t i = 0; i < r->n_parties; i++) {
        Parley__V1__AuditHead *head = NULL;
        pl_status status =
            pl_head_verify_past(pl_binary_view(r->audit_heads[i]), manifest, descriptors, n, &head);
        bool unknown = pl_status_code(status) == PL_NOT_FOUND && !verdict->has_signed[i];
        if (unknown)
            pl_status_done(&status); /* see above */
        else if (pl_is_ok(status) && strcmp(head->org, r->parties[i]) != 0)
            status = pl_fail(PL_CORRUPT, "it is of the log of %s", head->org);
        if (pl_status_code(status) == PL_UNAUTHENTICATED) {
            pl_status why = pl_fail(PL_CORRUPT, "it is forged (%s)", pl_status_message(status));
            pl_status_done(&status);
            status = why;
        }
        verdict->heads[i] = head;
        PL_TRY(pl_wrap(status, "audit_heads[%zu], of %s", i, r->parties[i]));
    }
    return PL_OK;
}

static pl_status verify(pl_view signed_bytes, const Parley__V1__Signed *message,
                        const pl_manifest *manifest, const pl_view *descriptors, size_t n,
                        pl_receipt_verdict *verdict) {
    PL_TRY(check_form(verdict->receipt, manifest));
    PL_TRY(
        pl_alloc(verdict->receipt->n_parties, sizeof *verdict->has_signed, &verdict->has_signed));
    PL_TRY(pl_alloc(verdict->receipt->n_parties, sizeof(void *), &verdict->heads));
    PL_TRY(check_signatures(signed_bytes, message, manifest, descriptors, n, verdict));
    return check_heads(manifest, descriptors, n, verdict);
}

pl_status pl_receipt_verify(pl_view signed_bytes, const pl_manifest *manifest,
                            const pl_view *descriptors, size_t n_descriptors,
                            pl_receipt_verdict *out) {
    pl_receipt_verdict verdict = {0};
    Parley__V1__Signed *message = NULL;
    PL_TRY(read_receipt(signed_bytes, &verdict.receipt));
    pl_status status =
        pl_document_decode(signed_bytes, &parley__v1__signed__descriptor, "receipt", &message);
    if (pl_is_ok(status))
        status =
            pl_wrap(verify(signed_bytes, message, manifest, descriptors, n_descriptors, &verdict),
                    "receipt");
    pl_document_free(message);
    if (pl_is_ok(status))
        *out = verdict;
    else
        pl_receipt_verdict_done(&verdict);
    return status;
}

void pl_receipt_verdict_done(pl_receipt_verdict *verdict) {
    for (size_t i = 0; verdict->heads != NULL && i < verdict->receipt->n_parties; i++)
        pl_document_free(verdict->heads[i]);
    free(verdict->heads);
    pl_document_free(verdict->receipt);
    free(verdict->has_signed);
    *verdict = (pl_receipt_verdict){0};
}
