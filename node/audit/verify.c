/* verify.c: what an auditor asks of a log: every record against chain and tree, and its roots
 * against what others hold. */
#include "node/audit/audit.h"
#include "node/audit/walk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- visiting ---- */

pl_status pl_audit_read(const char *path, uint64_t from, uint32_t limit, pl_audit_visitor visit,
                        void *ctx) {
    pl_walk *w;
    PL_TRY(pl_walk_open(path, NULL, &w));
    pl_status status = PL_OK;
    uint32_t n = 0;
    while (pl_is_ok(status) && (limit == 0 || n < limit)) {
        Parley__V1__AuditRecord *record = pl_walk_next(w);
        if (record == NULL)
            break;
        if (record->seq >= from) {
            status = visit(record, ctx);
            n++;
        }
        parley__v1__audit_record__free_unpacked(record, NULL);
    }
    if (pl_is_ok(status) && w->kind != PL_WALK_FINE)
        status =
            pl_fail(PL_CORRUPT, "audit log %s: %s: %s", path, pl_walk_kind_name(w->kind), w->fault);
    pl_walk_close(w);
    return status;
}

/* ---- claims ---- */

static int by_size(const void *a, const void *b) {
    const pl_audit_claim *x = a, *y = b;
    return x->size < y->size ? -1 : x->size > y->size;
}

static pl_status sorted(const pl_audit_claim *claims, size_t n, pl_audit_claim **out) {
    PL_TRY(pl_alloc(n + 1, sizeof **out, out));
    if (n > 0)
        memcpy(*out, claims, n * sizeof *claims);
    qsort(*out, n, sizeof **out, by_size);
    return PL_OK;
}

typedef struct holder {
    const pl_audit_claim *claims;
    size_t n, next;  /* claims[next] is the first that has not been held against the log */
    uint64_t proven; /* records that some claim bears out */
} holder;

/* All claims about a log as long as this one now is. */
static void hold_claims(holder *h, pl_walk *w, const pl_merkle *tree) {
    if (h->next == h->n || h->claims[h->next].size != tree->size)
        return;
    pl_merkle_hash root = pl_merkle_root(tree);
    for (; h->next < h->n && h->claims[h->next].size == tree->size; h->next++) {
        const pl_audit_claim *claim = &h->claims[h->next];
        if (!pl_merkle_equal(&root, &claim->root) && w->kind == PL_WALK_FINE)
            pl_walk_blame(w, PL_WALK_FORK, h->proven,
                          "from it to record %" PRIu64 " something is not what it was: %s has "
                          "another root of these %" PRIu64 " records",
                          claim->size - 1, claim->source, claim->size);
    }
    h->proven = tree->size;
}

static void hold_rest(const holder *h, pl_walk *w) {
    if (h->next == h->n || w->kind != PL_WALK_FINE)
        return;
    const pl_audit_claim *last = &h->claims[h->n - 1];
    pl_walk_blame(w, PL_WALK_TRUNCATION, w->count,
                  "the end was cut off (%s has seen %" PRIu64 " records, the log has %" PRIu64 ")",
                  last->source, last->size, w->count);
}

/* ---- the verdict ---- */

static void walk_all(pl_walk *w, holder *h, pl_merkle *tree) {
    hold_claims(h, w, tree);
    for (Parley__V1__AuditRecord *record; (record = pl_walk_next(w)) != NULL;) {
        parley__v1__audit_record__free_unpacked(record, NULL);
        pl_merkle_add(tree, &w->leaf, NULL);
        hold_claims(h, w, tree);
    }
    pl_walk_end(w);
    hold_rest(h, w);
    if (w->torn && w->kind == PL_WALK_FINE)
        pl_walk_blame(w, PL_WALK_TRUNCATION, w->count, "the file ends inside it");
}

static pl_status verdict_of(const pl_walk *w, const pl_merkle *tree, size_t n_claims,
                            Parley__V1__AuditVerdict **out) {
    Parley__V1__AuditVerdict *verdict;
    char root_hex[65];
    pl_merkle_hash root = pl_merkle_root(tree);
    pl_hex_encode(pl_view_of(root.bytes, 32), root_hex);
    PL_TRY(pl_alloc(1, sizeof *verdict, &verdict));
    parley__v1__audit_verdict__init(verdict);
    verdict->ok = w->kind == PL_WALK_FINE;
    verdict->records = w->count;
    verdict->record = w->record;
    verdict->heads_held = n_claims;
    verdict->clock_steps = w->clock_steps;
    verdict->clock_step = w->clock_step;
    pl_status status = pl_strdup(w->fault, &verdict->fault);
    if (pl_is_ok(status))
        status = pl_strdup(pl_walk_kind_name(w->kind), &verdict->kind);
    if (pl_is_ok(status))
        status = pl_strdup(root_hex, &verdict->head);
    if (pl_is_ok(status))
        *out = verdict;
    else
        parley__v1__audit_verdict__free_unpacked(verdict, NULL);
    return status;
}

static pl_status view_tree(const char *path, pl_tree *out) {
    pl_buf buf = {0};
    pl_bytes tree_path;
    pl_buf_printf(&buf, "%s.tree", path);
    PL_TRY(pl_buf_take(&buf, &tree_path));
    pl_status status = pl_tree_view((const char *)tree_path.data, out);
    pl_bytes_done(&tree_path);
    return status;
}

pl_status pl_audit_verify(const char *path, const pl_audit_claim *claims, size_t n,
                          Parley__V1__AuditVerdict **out) {
    pl_tree stored = {.fd = -1};
    pl_audit_claim *own = NULL;
    pl_walk *w = NULL;
    pl_status status;
    PL_CHECK(status, view_tree(path, &stored));
    PL_CHECK(status, sorted(claims, n, &own));
    PL_CHECK(status, pl_walk_open(path, &stored, &w));
    pl_merkle tree = {0};
    holder h = {.claims = own, .n = n};
    walk_all(w, &h, &tree);
    status = verdict_of(w, &tree, n, out);
out:
    if (w != NULL)
        pl_walk_close(w);
    free(own);
    pl_tree_done(&stored);
    return status;
}
