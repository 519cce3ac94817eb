#include "node/audit/heads.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- points of another's log ---- */

static const Parley__V1__AuditPoint *find_known(const Parley__V1__AuditPeer *peer, uint64_t size) {
    for (size_t i = 0; i < peer->n_known; i++) {
        if (peer->known[i]->size == size)
            return peer->known[i];
    }
    return NULL;
}

const Parley__V1__AuditPoint *pl_heads_last(const Parley__V1__AuditPeer *peer) {
    return peer->n_known == 0 ? NULL : peer->known[peer->n_known - 1];
}

static void drop_first(Parley__V1__AuditPeer *peer) {
    parley__v1__audit_point__free_unpacked(peer->known[0], NULL);
    memmove(peer->known, peer->known + 1, --peer->n_known * sizeof *peer->known);
}

/* Room for one more, ahead of time, so that adding cannot fail half-way. */
static pl_status make_room(Parley__V1__AuditPeer *peer, size_t n_more) {
    Parley__V1__AuditPoint **known;
    PL_TRY(pl_alloc(peer->n_known + n_more, sizeof *known, &known));
    if (peer->n_known > 0)
        memcpy(known, peer->known, peer->n_known * sizeof *known);
    free(peer->known);
    peer->known = known;
    return PL_OK;
}

static pl_status add_known(Parley__V1__AuditPeer *peer, uint64_t size, ProtobufCBinaryData root,
                           int64_t time_ms) {
    Parley__V1__AuditPoint *point;
    if (find_known(peer, size) != NULL)
        return PL_OK;
    PL_TRY(pl_alloc(1, sizeof *point, &point));
    parley__v1__audit_point__init(point);
    pl_status status = pl_alloc(32, 1, &point->root.data);
    if (!pl_is_ok(status)) {
        free(point);
        return status;
    }
    point->size = size;
    point->root.len = 32;
    memcpy(point->root.data, root.data, 32);
    point->time_ms = time_ms;
    size_t at = peer->n_known++;
    for (; at > 0 && peer->known[at - 1]->size > size; at--)
        peer->known[at] = peer->known[at - 1];
    peer->known[at] = point;
    return PL_OK;
}

static bool same_root(ProtobufCBinaryData a, ProtobufCBinaryData b) {
    return a.len == 32 && b.len == 32 && memcmp(a.data, b.data, 32) == 0;
}

/* ---- a new head ---- */

static pl_status check_proof(const char *org, const Parley__V1__AuditHead *head,
                             const Parley__V1__AuditLink *link) {
    pl_merkle_path path = {.n = link->path.len / 32};
    pl_merkle_hash old, now;
    if (path.n > PL_MERKLE_PATH_MAX || link->root.len != 32 || head->root.len != 32)
        return pl_fail(PL_INVALID_ARGUMENT, "audit log of %s: a proof is malformed", org);
    if (path.n > 0)
        memcpy(path.hashes, link->path.data, path.n * 32);
    memcpy(old.bytes, link->root.data, 32);
    memcpy(now.bytes, head->root.data, 32);
    if (link->size > 0 && link->size < head->size &&
        pl_merkle_check_consistency(link->size, head->size, &old, &now, &path))
        return PL_OK;
    return pl_fail(PL_CORRUPT,
                   "audit log of %s: its proof that %" PRIu64 " records continue %" PRIu64
                   " does not hold",
                   org, head->size, link->size);
}

static pl_status check_point(const Parley__V1__AuditPeer *peer, const char *org, uint64_t size,
                             ProtobufCBinaryData root) {
    const Parley__V1__AuditPoint *known = find_known(peer, size);
    if (known == NULL || same_root(known->root, root))
        return PL_OK;
    return pl_fail(PL_CORRUPT,
                   "audit log of %s: fork: its first %" PRIu64
                   " records are not those that were seen before",
                   org, size);
}

/* Shorter than what was seen, and not one of the heads that a later one has vouched for. */
static pl_status check_forward(const Parley__V1__AuditPeer *peer, const char *org,
                               const Parley__V1__AuditHead *head) {
    const Parley__V1__AuditPoint *last = pl_heads_last(peer), *same = find_known(peer, head->size);
    if (last == NULL || head->size >= last->size ||
        (same != NULL && same_root(same->root, head->root)))
        return PL_OK;
    return pl_fail(PL_CORRUPT,
                   "audit log of %s: rollback: it went back from %" PRIu64 " records to %" PRIu64
                   " (was its state, or this node's, restored from a backup?)",
                   org, last->size, head->size);
}

static pl_status check_line(const Parley__V1__AuditPeer *peer, const char *org,
                            const Parley__V1__AuditHead *head, Parley__V1__AuditLink *const *links,
                            size_t n) {
    const Parley__V1__AuditPoint *last = pl_heads_last(peer);
    if (last == NULL || head->size <= last->size)
        return PL_OK;
    for (size_t i = 0; i < n; i++) {
        if (links[i]->size == last->size)
            return PL_OK;
    }
    return pl_fail(
        PL_CORRUPT,
        "audit log of %s: fork: it does not prove that its %" PRIu64
        " records continue the %" PRIu64
        " that were seen before (was its state, or this node's, restored from a backup?)",
        org, head->size, last->size);
}

pl_status pl_heads_take(Parley__V1__AuditPeer *peer, const char *org,
                        const Parley__V1__AuditHead *head, Parley__V1__AuditLink *const *links,
                        size_t n) {
    PL_TRY(check_forward(peer, org, head));
    PL_TRY(check_point(peer, org, head->size, head->root));
    for (size_t i = 0; i < n; i++) {
        PL_TRY(check_proof(org, head, links[i]));
        PL_TRY(check_point(peer, org, links[i]->size, links[i]->root));
    }
    PL_TRY(check_line(peer, org, head, links, n));
    PL_TRY(make_room(peer, n + 1));
    for (size_t i = 0; i < n; i++)
        PL_TRY(add_known(peer, links[i]->size, links[i]->root, 0));
    PL_TRY(add_known(peer, head->size, head->root, head->time_ms));
    while (peer->n_known > PL_HEADS_KNOWN_MAX)
        drop_first(peer);
    return PL_OK;
}

pl_status pl_heads_accept(Parley__V1__AuditPeer *peer, const Parley__V1__AuditHead *head) {
    PL_TRY(make_room(peer, 1));
    while (peer->n_known > 0)
        drop_first(peer);
    return add_known(peer, head->size, head->root, head->time_ms);
}

/* ---- the own log ---- */

/* The one it said it holds stays; of those that were only sent, the oldest goes. */
static void forget_one_given(Parley__V1__AuditPeer *peer) {
    memmove(peer->given + 1, peer->given + 2, (peer->n_given - 2) * sizeof *peer->given);
    peer->n_given--;
}

pl_status pl_heads_give(Parley__V1__AuditPeer *peer, uint64_t size) {
    uint64_t *given;
    for (size_t i = 0; i < peer->n_given; i++) {
        if (peer->given[i] == size)
            return PL_OK;
    }
    PL_TRY(pl_alloc(peer->n_given + 1, sizeof *given, &given));
    size_t at = 0;
    for (; at < peer->n_given && peer->given[at] < size; at++)
        given[at] = peer->given[at];
    given[at] = size;
    for (size_t i = at; i < peer->n_given; i++)
        given[i + 1] = peer->given[i];
    free(peer->given);
    peer->given = given;
    if (++peer->n_given > PL_HEADS_GIVEN_MAX)
        forget_one_given(peer);
    return PL_OK;
}

pl_status pl_heads_stated(Parley__V1__AuditPeer *peer, uint64_t size, int64_t at) {
    if (at < peer->stated_at)
        return PL_OK;
    PL_TRY(pl_heads_give(peer, size));
    /* Of two statements in one second nobody knows which came last (a peer may have been restored
     * from a backup in between): proofs start from both. */
    if (at == peer->stated_at && size < peer->stated)
        return PL_OK;
    size_t n_before = 0;
    while (peer->given[n_before] < size)
        n_before++;
    memmove(peer->given, peer->given + n_before, (peer->n_given - n_before) * sizeof *peer->given);
    peer->n_given -= n_before;
    peer->stated = size;
    peer->stated_at = at;
    return PL_OK;
}

void pl_heads_links_free(Parley__V1__AuditLink **links, size_t n) {
    for (size_t i = 0; links != NULL && i < n; i++)
        parley__v1__audit_link__free_unpacked(links[i], NULL);
    free(links);
}

static pl_status make_link(pl_audit *audit, uint64_t size, Parley__V1__AuditLink **out) {
    pl_merkle_path path;
    pl_merkle_hash root;
    Parley__V1__AuditLink *link;
    PL_TRY(pl_audit_root_at(audit, size, &root));
    PL_TRY(pl_audit_consistency(audit, size, &path));
    PL_TRY(pl_alloc(1, sizeof *link, &link));
    parley__v1__audit_link__init(link);
    *out = link;
    link->size = size;
    PL_TRY(pl_alloc(32, 1, &link->root.data));
    link->root.len = 32;
    memcpy(link->root.data, root.bytes, 32);
    PL_TRY(pl_alloc(path.n * 32 + 1, 1, &link->path.data));
    link->path.len = path.n * 32;
    memcpy(link->path.data, path.hashes, path.n * 32);
    return PL_OK;
}

static int by_size(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* All sizes that any of the peers may hold and the log has passed, each once, in order. */
static pl_status collect_given(const pl_audit *audit, Parley__V1__AuditPeer *const *peers, size_t n,
                               uint64_t **out, size_t *out_n) {
    size_t total = 0, kept = 0;
    for (size_t i = 0; i < n; i++)
        total += peers[i]->n_given;
    uint64_t *all;
    PL_TRY(pl_alloc(total + 1, sizeof *all, &all));
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < peers[i]->n_given; k++) {
            if (peers[i]->given[k] < pl_audit_count(audit))
                all[kept++] = peers[i]->given[k];
        }
    }
    qsort(all, kept, sizeof *all, by_size);
    size_t unique = 0;
    for (size_t i = 0; i < kept; i++) {
        if (unique == 0 || all[unique - 1] != all[i])
            all[unique++] = all[i];
    }
    *out = all;
    *out_n = unique;
    return PL_OK;
}

pl_status pl_heads_link(pl_audit *audit, Parley__V1__AuditPeer *const *peers, size_t n,
                        Parley__V1__AuditLink ***out, size_t *out_n) {
    uint64_t *sizes = NULL;
    size_t n_sizes = 0;
    Parley__V1__AuditLink **links = NULL;
    pl_status status;
    PL_CHECK(status, collect_given(audit, peers, n, &sizes, &n_sizes));
    PL_CHECK(status, pl_alloc(n_sizes + 1, sizeof *links, &links));
    for (size_t i = 0; i < n_sizes; i++)
        PL_CHECK(status, make_link(audit, sizes[i], &links[i]));
    *out = links;
    *out_n = n_sizes;
out:
    if (!pl_is_ok(status) && links != NULL)
        pl_heads_links_free(links, n_sizes);
    free(sizes);
    return status;
}
