/* heads.c: audit heads leave the node with every reservation, and those of the others come in with
 * every charter. A member whose log went back or split is refused by name until an operator has
 * looked into it. What is kept about each member is one AuditPeer (node/audit/heads.h). */
#include "node/audit/heads.h"
#include "node/audit/kept.h"
#include "node/charter/charter.h"
#include "node/charter/head.h"
#include "node/daemon/node.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OWN_HEAD "audit-own"

static ProtobufCBinaryData borrow(pl_bytes bytes) {
    return (ProtobufCBinaryData){bytes.len, bytes.data};
}

/* ---- what is kept of each member ---- */

static void peer_name(const char *org, char out[80]) {
    snprintf(out, 80, "audit-peer:%s", org);
}

pl_status pl_heads_load(pl_node *node, const char *org, Parley__V1__AuditPeer **out) {
    char name[80];
    pl_bytes packed = {0};
    peer_name(org, name);
    pl_status status = pl_jobs_blob_get(node->jobs, name, &packed);
    if (pl_status_code(status) == PL_NOT_FOUND) {
        pl_status_done(&status); /* nothing is kept yet */
        PL_TRY(pl_alloc(1, sizeof **out, out));
        parley__v1__audit_peer__init(*out);
        return PL_OK;
    }
    PL_TRY(status);
    *out = parley__v1__audit_peer__unpack(NULL, packed.len, packed.data);
    pl_bytes_done(&packed);
    return *out != NULL ? PL_OK : pl_fail(PL_CORRUPT, "what is kept of %s cannot be read", org);
}

pl_status pl_heads_store(pl_node *node, const char *org, const Parley__V1__AuditPeer *peer) {
    char name[80];
    uint8_t *packed;
    size_t len = parley__v1__audit_peer__get_packed_size(peer);
    peer_name(org, name);
    PL_TRY(pl_alloc(len + 1, 1, &packed));
    parley__v1__audit_peer__pack(peer, packed);
    pl_status status = pl_jobs_blob_put(node->jobs, name, pl_view_of(packed, len));
    free(packed);
    return status;
}

/* Evidence for auditors; a node works without. */
static void keep(pl_node *node, pl_view signed_head) {
    pl_log_status("audit.heads_not_kept", NULL,
                  pl_kept_add(pl_audit_path(node->audit), signed_head));
}

/* ---- the own log, at a start ---- */

static pl_status check_own(pl_node *node, pl_view signed_head) {
    Parley__V1__AuditHead *head;
    PL_TRY(pl_head_read(signed_head, &head));
    uint64_t size = head->size, count = pl_audit_count(node->audit);
    pl_merkle_hash root = {{0}};
    pl_status status = size <= count ? pl_audit_root_at(node->audit, size, &root) : PL_OK;
    if (pl_is_ok(status) &&
        !pl_view_equal(pl_view_of(root.bytes, 32), pl_view_of(head->root.data, head->root.len)))
        status = pl_fail(
            PL_CORRUPT,
            "%s: this node signed a head of %" PRIu64 " records, and the log in %s has %" PRIu64
            "%s; keep the state folder, find out why, and start parleyd once with --accept-audit "
            "REASON",
            size > count ? "truncation" : "fork", size, pl_audit_path(node->audit), count,
            size > count ? "" : " that are not those");
    parley__v1__audit_head__free_unpacked(head, NULL);
    return status;
}

/* With another log, nothing that was given before can be linked to. */
static pl_status accept_own(pl_node *node, pl_status why, const char *reason) {
    char content[400];
    snprintf(content, sizeof content, "%.200s: %.150s", reason, pl_status_message(why));
    pl_status_done(&why);
    PL_TRY(pl_step_audit(node, NULL, "operator", NULL, "audit.accept", content, "ok"));
    for (size_t i = 0; i < pl_manifest_n_members(node->manifest); i++) {
        const char *org = pl_manifest_member_name(node->manifest, i);
        Parley__V1__AuditPeer *peer;
        PL_TRY(pl_heads_load(node, org, &peer));
        peer->n_given = 0;
        peer->stated = 0;
        peer->stated_at = 0;
        pl_status status = pl_heads_store(node, org, peer);
        parley__v1__audit_peer__free_unpacked(peer, NULL);
        PL_TRY(status);
    }
    return pl_jobs_blob_put(node->jobs, OWN_HEAD, pl_view_of("", 0));
}

pl_status pl_heads_open(pl_node *node, const char *accept_reason) {
    pl_bytes signed_head = {0};
    pl_status status = pl_jobs_blob_get(node->jobs, OWN_HEAD, &signed_head);
    if (pl_status_code(status) == PL_NOT_FOUND)
        pl_status_done(&status); /* none was signed yet */
    else if (pl_is_ok(status) && signed_head.len > 0)
        status = check_own(node, pl_bytes_view(&signed_head));
    pl_bytes_done(&signed_head);
    if (pl_status_code(status) == PL_CORRUPT && accept_reason != NULL)
        status = accept_own(node, status, accept_reason);
    return pl_wrap(status, "audit log");
}

/* ---- going out: with a reservation ---- */

static pl_status sign_own(pl_node *node, pl_bytes *out) {
    Parley__V1__AuditHead head = PARLEY__V1__AUDIT_HEAD__INIT;
    pl_merkle_hash root = pl_audit_root(node->audit);
    head.org = (char *)(uintptr_t)node->own;
    head.size = pl_audit_count(node->audit);
    head.root = (ProtobufCBinaryData){sizeof root.bytes, root.bytes};
    head.time_ms = pl_now() * 1000;
    PL_TRY(pl_head_sign(&head, pl_org_sign_key(node->org), out));
    return pl_jobs_blob_put(node->jobs, OWN_HEAD, pl_bytes_view(out));
}

static pl_status add_seen(const Parley__V1__AuditPeer *peer, const char *org,
                          pl_head_parts *parts) {
    const Parley__V1__AuditPoint *last = pl_heads_last(peer);
    Parley__V1__AuditSeen *seen;
    if (last == NULL)
        return PL_OK;
    PL_TRY(pl_alloc(1, sizeof *seen, &seen));
    parley__v1__audit_seen__init(seen);
    size_t at = parts->n_seen++;
    for (; at > 0 && strcmp(parts->seen[at - 1]->org, org) > 0; at--)
        parts->seen[at] = parts->seen[at - 1];
    parts->seen[at] = seen;
    seen->size = last->size;
    PL_TRY(pl_strdup(org, &seen->org));
    PL_TRY(pl_alloc(32, 1, &seen->root.data));
    seen->root.len = 32;
    memcpy(seen->root.data, last->root.data, 32);
    return PL_OK;
}

static pl_status fill(pl_node *node, const Parley__V1__Proposal *proposal,
                      Parley__V1__AuditPeer **peers, size_t *n_peers, pl_head_parts *parts) {
    PL_TRY(sign_own(node, &parts->signed_head));
    PL_TRY(pl_alloc(proposal->n_parties, sizeof *parts->seen, &parts->seen));
    for (size_t i = 0; i < proposal->n_parties; i++) {
        const char *org = proposal->parties[i]->org;
        if (strcmp(org, node->own) == 0)
            continue;
        PL_TRY(pl_heads_load(node, org, &peers[*n_peers]));
        Parley__V1__AuditPeer *peer = peers[(*n_peers)++];
        PL_TRY(add_seen(peer, org, parts));
    }
    PL_TRY(pl_heads_link(node->audit, peers, *n_peers, &parts->links, &parts->n_links));
    for (size_t i = 0, k = 0; i < proposal->n_parties; i++) {
        const char *org = proposal->parties[i]->org;
        if (strcmp(org, node->own) == 0)
            continue;
        PL_TRY(pl_heads_give(peers[k], pl_audit_count(node->audit)));
        PL_TRY(pl_heads_store(node, org, peers[k++]));
    }
    return PL_OK;
}

pl_status pl_heads_fill(pl_node *node, const Parley__V1__Proposal *proposal,
                        Parley__V1__Reservation *reservation, pl_head_parts *parts) {
    Parley__V1__AuditPeer **peers;
    size_t n_peers = 0;
    PL_TRY(pl_alloc(proposal->n_parties, sizeof(void *), &peers));
    pl_status status = fill(node, proposal, peers, &n_peers, parts);
    for (size_t i = 0; i < n_peers; i++)
        parley__v1__audit_peer__free_unpacked(peers[i], NULL);
    free(peers);
    if (!pl_is_ok(status))
        return pl_wrap(status, "cannot make the audit log's head");
    keep(node, pl_bytes_view(&parts->signed_head));
    reservation->audit_head = borrow(parts->signed_head);
    reservation->audit_links = parts->links;
    reservation->n_audit_links = parts->n_links;
    reservation->audit_seen = parts->seen;
    reservation->n_audit_seen = parts->n_seen;
    return PL_OK;
}

void pl_head_parts_done(pl_head_parts *parts) {
    pl_bytes_done(&parts->signed_head);
    pl_heads_links_free(parts->links, parts->n_links);
    for (size_t i = 0; i < parts->n_seen; i++)
        parley__v1__audit_seen__free_unpacked(parts->seen[i], NULL);
    free(parts->seen);
    *parts = (pl_head_parts){0};
}

/* ---- coming in: with a charter ---- */

/* What a party says it holds of this node's log must be there. */
static pl_status check_seen(pl_node *node, const char *org, const Parley__V1__AuditSeen *seen) {
    uint64_t count = pl_audit_count(node->audit);
    pl_merkle_hash root = {{0}};
    if (seen->size <= count)
        PL_TRY(pl_audit_root_at(node->audit, seen->size, &root));
    if (pl_view_equal(pl_view_of(root.bytes, 32), pl_view_of(seen->root.data, seen->root.len)))
        return PL_OK;
    return pl_fail(
        PL_CORRUPT,
        "this node's own audit log is not the one that %s saw: it holds a head of %" PRIu64
        " records, and here are %" PRIu64
        "%s; was this node's state restored from a backup? its operator must tell the "
        "other members, who may accept it (parley audit accept %s)",
        org, seen->size, count, seen->size > count ? "" : " others", node->own);
}

static pl_status note_statement(pl_node *node, const Parley__V1__Reservation *r,
                                const Parley__V1__AuditSeen *seen) {
    Parley__V1__AuditPeer *peer;
    PL_TRY(check_seen(node, r->org, seen));
    PL_TRY(pl_heads_load(node, r->org, &peer));
    pl_status status = pl_heads_stated(peer, seen->size, r->reserved_at);
    if (pl_is_ok(status))
        status = pl_heads_store(node, r->org, peer);
    parley__v1__audit_peer__free_unpacked(peer, NULL);
    return status;
}

/* First of all: a node that went back itself has no say about others. */
static pl_status note_statements(pl_node *node, const pl_charter *charter) {
    for (size_t i = 0; i < charter->n_parties; i++) {
        const Parley__V1__Reservation *r = charter->reservations[i];
        for (size_t k = 0; k < r->n_audit_seen && strcmp(r->org, node->own) != 0; k++) {
            if (strcmp(r->audit_seen[k]->org, node->own) == 0)
                PL_TRY(note_statement(node, r, r->audit_seen[k]));
        }
    }
    return PL_OK;
}

static pl_status dispute(pl_node *node, const Parley__V1__Reservation *r,
                         Parley__V1__AuditPeer *peer, pl_status cause) {
    const char *why = pl_status_message(cause);
    pl_bytes head = {0};
    char *text = NULL;
    pl_status status;
    PL_CHECK(status, pl_strdup(why, &text));
    PL_CHECK(status, pl_bytes_dup(pl_view_of(r->audit_head.data, r->audit_head.len), &head));
    free(peer->disputed.data);
    peer->disputed = borrow(head);
    if (peer->why != protobuf_c_empty_string)
        free(peer->why);
    peer->why = text;
    text = NULL;
    PL_CHECK(status, pl_step_audit(node, NULL, r->org, "scheduler", "audit.dispute", why,
                                   pl_code_describe(PL_CORRUPT)->name));
    status = pl_heads_store(node, r->org, peer);
out:
    free(text);
    pl_log_status("audit.dispute_not_kept", NULL, status);
    return pl_wrap(cause, "no session with %s (parley audit peers, parley audit accept)", r->org);
}

static pl_status take(pl_node *node, const Parley__V1__Reservation *r,
                      Parley__V1__AuditPeer *peer) {
    Parley__V1__AuditHead *head;
    pl_view signed_head = pl_view_of(r->audit_head.data, r->audit_head.len);
    PL_TRY(pl_head_read(signed_head, &head));
    pl_status status = pl_heads_take(peer, r->org, head, r->audit_links, r->n_audit_links);
    parley__v1__audit_head__free_unpacked(head, NULL);
    keep(node, signed_head); /* refused ones above all */
    if (pl_status_code(status) == PL_CORRUPT)
        return dispute(node, r, peer, status);
    return pl_is_ok(status) ? pl_heads_store(node, r->org, peer) : status;
}

/* The line that refuses a member whose log went back. */
pl_status pl_heads_check(pl_node *node, const pl_charter *charter) {
    PL_TRY(note_statements(node, charter));
    for (size_t i = 0; i < charter->n_parties; i++) {
        const Parley__V1__Reservation *r = charter->reservations[i];
        Parley__V1__AuditPeer *peer;
        if (strcmp(r->org, node->own) == 0)
            continue;
        PL_TRY(pl_heads_load(node, r->org, &peer));
        pl_status status = take(node, r, peer);
        parley__v1__audit_peer__free_unpacked(peer, NULL);
        PL_TRY(status);
    }
    return PL_OK;
}

/* ---- after an incident ---- */

pl_status pl_heads_are_disputed(pl_node *node, const char *org, bool *out) {
    Parley__V1__AuditPeer *peer;
    PL_TRY(pl_heads_load(node, org, &peer));
    *out = peer->disputed.len > 0;
    parley__v1__audit_peer__free_unpacked(peer, NULL);
    return PL_OK;
}

pl_status pl_heads_accept_disputed(pl_node *node, const char *org, const char *principal,
                                   const char *reason) {
    Parley__V1__AuditPeer *peer = NULL;
    Parley__V1__AuditHead *head = NULL;
    char content[400];
    pl_status status;
    if (pl_manifest_member(node->manifest, org) == NULL)
        return pl_fail(PL_NOT_FOUND, "%.40s is no member of the federation", org);
    PL_TRY(pl_heads_load(node, org, &peer));
    if (peer->disputed.len == 0)
        PL_CHECK(status, pl_fail(PL_FAILED_PRECONDITION, "no head of %s was refused here", org));
    PL_CHECK(status, pl_head_read(pl_view_of(peer->disputed.data, peer->disputed.len), &head));
    const Parley__V1__AuditPoint *last = pl_heads_last(peer);
    snprintf(content, sizeof content,
             "%s: from %" PRIu64 " records to %" PRIu64 " of another line: %.200s", org,
             last == NULL ? 0 : last->size, head->size, reason);
    PL_CHECK(status, pl_step_audit(node, NULL, principal, NULL, "audit.accept", content, "ok"));
    PL_CHECK(status, pl_heads_accept(peer, head));
    peer->disputed.len = 0;
    status = pl_heads_store(node, org, peer);
out:
    if (head != NULL)
        parley__v1__audit_head__free_unpacked(head, NULL);
    parley__v1__audit_peer__free_unpacked(peer, NULL);
    return status;
}
