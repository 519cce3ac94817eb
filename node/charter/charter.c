#include "node/charter/charter.h"

#include "node/charter/approval.h"
#include "node/charter/document.h"
#include "node/charter/proposal.h"
#include "node/charter/reservation.h"
#include "node/crypto/digest.h"

#include <stdlib.h>
#include <string.h>

/* ---- putting it together ---- */

static void borrow_all(const pl_bytes *from, size_t n, ProtobufCBinaryData *to) {
    for (size_t i = 0; i < n; i++)
        to[i] = (ProtobufCBinaryData){from[i].len, from[i].data};
}

pl_status pl_charter_assemble(const pl_charter_parts *parts, const pl_key *key, const char *own,
                              pl_bytes *out_signed) {
    if (parts->n_parties == 0 || parts->n_parties > PL_PARTIES_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "charter: %zu parties: at least 1, at most %d",
                       parts->n_parties, PL_PARTIES_MAX);
    uint8_t session_id[16];
    ProtobufCBinaryData approvals[PL_PARTIES_MAX], reservations[PL_PARTIES_MAX];
    PL_TRY(pl_random(session_id, sizeof session_id));
    borrow_all(parts->approvals, parts->n_parties, approvals);
    borrow_all(parts->reservations, parts->n_parties, reservations);
    Parley__V1__Charter charter = PARLEY__V1__CHARTER__INIT;
    charter.version = PL_DOCUMENT_VERSION;
    charter.session_id = (ProtobufCBinaryData){sizeof session_id, session_id};
    charter.proposal =
        (ProtobufCBinaryData){parts->proposal.len, (uint8_t *)(uintptr_t)parts->proposal.data};
    charter.approvals = approvals;
    charter.n_approvals = parts->n_parties;
    charter.reservations = reservations;
    charter.n_reservations = parts->n_parties;
    charter.created_at = parts->now;
    charter.start_before = parts->start_before;
    return pl_document_sign(&charter, "charter", own, key, out_signed);
}

/* ---- reading without verification ---- */

pl_status pl_charter_job_id(pl_view signed_bytes, uint8_t out[16]) {
    Parley__V1__Charter *charter;
    Parley__V1__Proposal *proposal = NULL;
    PL_TRY(pl_document_peek(signed_bytes, "charter", &parley__v1__charter__descriptor, &charter));
    pl_status status = pl_document_peek(pl_binary_view(charter->proposal), "proposal",
                                        &parley__v1__proposal__descriptor, &proposal);
    if (pl_is_ok(status))
        status = pl_wrap(pl_check_len("job_id", proposal->job_id, 16), "proposal");
    if (pl_is_ok(status))
        memcpy(out, proposal->job_id.data, 16);
    pl_document_free(proposal);
    pl_document_free(charter);
    return pl_wrap(status, "charter");
}

pl_status pl_charter_digest(pl_view signed_bytes, uint8_t out[32]) {
    return pl_document_digest(signed_bytes, "charter", out);
}

/* 0 is 1: a reservation of before there were lanes says nothing. */
size_t pl_charter_lanes(const pl_charter *charter) {
    size_t fewest = PL_RESERVATION_LANES_MAX;
    for (size_t i = 0; i < charter->n_parties; i++) {
        size_t lanes = charter->reservations[i]->lanes;
        if (charter->proposal->parties[i]->compute && lanes < fewest)
            fewest = lanes;
    }
    return fewest == 0 ? 1 : fewest;
}

void pl_charter_free(pl_charter *charter) {
    if (charter == NULL)
        return;
    for (size_t i = 0; i < charter->n_parties; i++) {
        if (charter->approvals != NULL)
            pl_document_free(charter->approvals[i]);
        if (charter->reservations != NULL)
            pl_document_free(charter->reservations[i]);
    }
    free(charter->approvals);
    free(charter->reservations);
    pl_document_free(charter->proposal);
    pl_document_free(charter->body);
    free(charter);
}

static pl_status make_room(pl_charter *c) {
    PL_TRY(pl_alloc(c->proposal->n_parties, sizeof *c->approvals, &c->approvals));
    PL_TRY(pl_alloc(c->proposal->n_parties, sizeof *c->reservations, &c->reservations));
    c->n_parties = c->proposal->n_parties;
    return PL_OK;
}

/* As many answers and reservations as parties. */
static pl_status check_counts(const pl_charter *c) {
    if (c->proposal->n_parties == 0 || c->proposal->n_parties > PL_PARTIES_MAX)
        return pl_fail(PL_LIMIT, "proposal: parties are %zu: at least 1, at most %d",
                       c->proposal->n_parties, PL_PARTIES_MAX);
    if (c->body->n_approvals != c->proposal->n_parties)
        return pl_fail(PL_PROTOCOL, "approvals are %zu for %zu parties", c->body->n_approvals,
                       c->proposal->n_parties);
    if (c->body->n_reservations != c->proposal->n_parties)
        return pl_fail(PL_PROTOCOL, "reservations are %zu for %zu parties", c->body->n_reservations,
                       c->proposal->n_parties);
    return PL_OK;
}

static pl_status read_parts(pl_charter *c) {
    PL_TRY(check_counts(c));
    PL_TRY(make_room(c));
    for (size_t i = 0; i < c->n_parties; i++) {
        PL_TRY(pl_document_peek(pl_binary_view(c->body->approvals[i]), "approval",
                                &parley__v1__approval__descriptor, &c->approvals[i]));
        PL_TRY(pl_document_peek(pl_binary_view(c->body->reservations[i]), "reservation",
                                &parley__v1__reservation__descriptor, &c->reservations[i]));
    }
    return PL_OK;
}

static pl_status read_charter(pl_view signed_bytes, pl_charter *c) {
    PL_TRY(pl_document_peek(signed_bytes, "charter", &parley__v1__charter__descriptor, &c->body));
    PL_TRY(pl_check_len("session_id", c->body->session_id, sizeof c->session_id));
    memcpy(c->session_id, c->body->session_id.data, sizeof c->session_id);
    PL_TRY(pl_charter_digest(signed_bytes, c->digest));
    PL_TRY(pl_document_peek(pl_binary_view(c->body->proposal), "proposal",
                            &parley__v1__proposal__descriptor, &c->proposal));
    return read_parts(c);
}

pl_status pl_charter_read(pl_view signed_bytes, pl_charter **out) {
    pl_charter *charter;
    PL_TRY(pl_alloc(1, sizeof *charter, &charter));
    pl_status status = read_charter(signed_bytes, charter);
    if (pl_is_ok(status))
        *out = charter;
    else
        pl_charter_free(charter);
    return pl_wrap(status, "charter");
}

/* ---- verifying: each function one document ---- */

static pl_status check_frame(const pl_charter_rules *rules, const pl_charter *c) {
    const Parley__V1__Charter *body = c->body;
    PL_TRY(pl_check_version(body->version));
    PL_TRY(pl_check_len("session_id", body->session_id, sizeof c->session_id));
    PL_TRY(pl_check_not_future("created_at", body->created_at, rules->now));
    PL_TRY(pl_check_not_past("created_at", body->created_at, rules->now, PL_CLOCK_SKEW_SECONDS));
    if (body->start_before <= body->created_at ||
        body->start_before - body->created_at > PL_CHARTER_START_SECONDS_MAX)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "start_before is not within %d seconds after created_at",
                       PL_CHARTER_START_SECONDS_MAX);
    PL_TRY(
        pl_check_not_past("start_before", body->start_before, rules->now, PL_CLOCK_SKEW_SECONDS));
    bool started = false;
    PL_TRY(rules->was_started(body->session_id.data, &started, rules->ctx));
    if (started)
        return pl_fail(PL_ALREADY_EXISTS, "session_id was started before: this is a replay");
    return PL_OK;
}

static pl_status check_proposal(const pl_charter_rules *rules, const Parley__V1__Descriptor *sender,
                                pl_charter *c) {
    pl_view signed_proposal = pl_binary_view(c->body->proposal);
    uint8_t digest[32];
    PL_TRY(pl_proposal_digest(signed_proposal, digest));
    if (memcmp(digest, rules->proposal_digest, sizeof digest) != 0)
        return pl_fail(PL_PROTOCOL, "proposal differs from the one that this node holds");
    PL_TRY(pl_proposal_verify(signed_proposal, rules->manifest, sender, rules->now, &c->proposal));
    PL_TRY(pl_wrap(pl_check_equal("plan_digest", c->proposal->plan_digest,
                                  pl_view_of(rules->plan_digest, 32), "this node's plan"),
                   "proposal"));
    if (pl_proposal_party(c->proposal, rules->own) == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "proposal: parties do not name %s", rules->own);
    return PL_OK;
}

/* The key a party signs with is the one that everybody saw when approving. */
static pl_status check_party_key(const pl_charter *c, size_t rank,
                                 const Parley__V1__Descriptor *d) {
    const Parley__V1__Party *party = c->proposal->parties[rank];
    uint8_t key_id[32];
    PL_TRY(pl_key_id(pl_binary_view(d->sign_key), key_id));
    PL_TRY(pl_check_equal("sign_key_id", party->sign_key_id, pl_view_of(key_id, sizeof key_id),
                          "the key of its valid descriptor"));
    if (strcmp(party->node, d->node) != 0)
        return pl_fail(PL_PROTOCOL, "node differs from its valid descriptor");
    return PL_OK;
}

/* The line that refuses an approval. */
static pl_status check_approval(const pl_charter_rules *rules, const pl_charter *c,
                                const Parley__V1__Approval *a) {
    PL_TRY(
        pl_check_equal("job_id", a->job_id, pl_binary_view(c->proposal->job_id), "the proposal's"));
    PL_TRY(pl_check_equal("proposal_digest", a->proposal_digest,
                          pl_view_of(rules->proposal_digest, 32), "this node's proposal"));
    if (!a->granted)
        return pl_fail(PL_REFUSED, "granted is false: the party has refused");
    PL_TRY(pl_check_equal("plan_digest", a->plan_digest, pl_view_of(rules->plan_digest, 32),
                          "this node's plan"));
    if (a->decided_at < c->proposal->created_at - PL_CLOCK_SKEW_SECONDS)
        return pl_fail(PL_PROTOCOL, "decided_at is before the proposal's created_at");
    return PL_OK;
}

static pl_status check_reservation(const pl_charter_rules *rules, const pl_charter *c,
                                   const Parley__V1__Reservation *r) {
    PL_TRY(
        pl_check_equal("job_id", r->job_id, pl_binary_view(c->proposal->job_id), "the proposal's"));
    PL_TRY(pl_check_equal("proposal_digest", r->proposal_digest,
                          pl_view_of(rules->proposal_digest, 32), "this node's proposal"));
    if (r->attempt != rules->attempt)
        return pl_fail(PL_PROTOCOL, "attempt is %u, but this node has reserved for attempt %u",
                       r->attempt, rules->attempt);
    if (strcmp(r->org, rules->own) != 0)
        return PL_OK;
    PL_TRY(pl_check_equal("session_key", r->session_key, pl_view_of(rules->session_key, 32),
                          "this node's live reservation"));
    return pl_check_equal("input_commitment", r->input_commitment,
                          pl_view_of(rules->input_commitment, 32), "this node's live reservation");
}

/* Two parties with one session key would share their links' secrets. */
static pl_status check_keys_differ(const pl_charter *c) {
    for (size_t i = 0; i < c->n_parties; i++) {
        for (size_t k = 0; k < i; k++) {
            if (pl_view_equal(pl_binary_view(c->reservations[i]->session_key),
                              pl_binary_view(c->reservations[k]->session_key)))
                return pl_fail(PL_PROTOCOL, "reservation of %s: session_key is also %s's",
                               c->reservations[i]->org, c->reservations[k]->org);
        }
    }
    return PL_OK;
}

static pl_status check_answers(const pl_charter_rules *rules, pl_charter *c, size_t rank) {
    const char *org = c->proposal->parties[rank]->org;
    const Parley__V1__Descriptor *d = NULL;
    PL_TRY(pl_wrap(rules->descriptor(org, &d, rules->ctx), "descriptor of %s", org));
    PL_TRY(pl_wrap(check_party_key(c, rank, d), "proposal: parties[%zu] (%s)", rank, org));
    PL_TRY(pl_wrap(pl_approval_verify(pl_binary_view(c->body->approvals[rank]), d, rules->now,
                                      &c->approvals[rank]),
                   "approvals[%zu]", rank));
    PL_TRY(pl_wrap(check_approval(rules, c, c->approvals[rank]), "approval of %s", org));
    PL_TRY(pl_wrap(pl_reservation_verify(pl_binary_view(c->body->reservations[rank]), d, rules->now,
                                         &c->reservations[rank]),
                   "reservations[%zu]", rank));
    return pl_wrap(check_reservation(rules, c, c->reservations[rank]), "reservation of %s", org);
}

/* The order is the order of trust: sender, frame, proposal, then each party's answers. */
static pl_status verify(pl_view signed_bytes, const pl_charter_rules *rules, pl_charter *c) {
    const Parley__V1__Descriptor *sender = NULL;
    PL_TRY(pl_wrap(rules->descriptor(rules->from, &sender, rules->ctx), "sender"));
    PL_TRY(pl_document_open(signed_bytes, "charter", rules->from, pl_binary_view(sender->sign_key),
                            &parley__v1__charter__descriptor, &c->body));
    PL_TRY(check_frame(rules, c));
    memcpy(c->session_id, c->body->session_id.data, sizeof c->session_id);
    PL_TRY(pl_charter_digest(signed_bytes, c->digest));
    PL_TRY(check_proposal(rules, sender, c));
    PL_TRY(check_counts(c));
    PL_TRY(make_room(c));
    for (size_t rank = 0; rank < c->n_parties; rank++)
        PL_TRY(check_answers(rules, c, rank));
    return check_keys_differ(c);
}

pl_status pl_charter_verify(pl_view signed_bytes, const pl_charter_rules *rules, pl_charter **out) {
    pl_charter *charter;
    PL_TRY(pl_alloc(1, sizeof *charter, &charter));
    pl_status status = verify(signed_bytes, rules, charter);
    if (pl_is_ok(status))
        *out = charter;
    else
        pl_charter_free(charter);
    return pl_wrap(status, "charter");
}
