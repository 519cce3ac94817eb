/* Heads of other members' logs: what continues is taken, in whatever order charters come; what went
 * back, split or is not shown to continue is refused by name. Two sides are played: a log that
 * gives heads, and a node that takes them. It could be wrong in a message that never gets here:
 * that every charter is asked stands in the integration test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/audit/heads.h"
#include "node/audit/kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void must(pl_status status) {
    if (!pl_is_ok(status))
        fail_msg("%s", pl_status_message(status));
}

static void must_fail(pl_status status, const char *text) {
    if (pl_status_code(status) != PL_CORRUPT || strstr(pl_status_message(status), text) == NULL)
        fail_msg("got \"%s\", wanted \"%s\"", pl_status_message(status), text);
    pl_status_done(&status);
}

/* ---- a log that gives heads ---- */

typedef struct giver {
    char dir[64], path[80];
    pl_audit *audit;
    Parley__V1__AuditPeer peer; /* what the taker may hold */
} giver;

typedef struct message {
    Parley__V1__AuditHead head;
    uint8_t root[32];
    Parley__V1__AuditLink **links;
    size_t n_links;
} message;

static void grow(giver *g, int n, const char *object) {
    pl_audit_event event = {"anna", "local", object, "-", "job.propose", "ok", "t", "m", "", ""};
    for (int i = 0; i < n; i++)
        must(pl_audit_append(g->audit, &event));
}

static void open_log(giver *g) {
    must(pl_audit_open(g->path, &g->audit));
}

static void giver_init(giver *g) {
    *g = (giver){0};
    snprintf(g->dir, sizeof g->dir, "/tmp/parley-heads-XXXXXX");
    assert_non_null(mkdtemp(g->dir));
    snprintf(g->path, sizeof g->path, "%s/audit.log", g->dir);
    parley__v1__audit_peer__init(&g->peer);
    open_log(g);
}

static void remove_log(giver *g) {
    char beside[100];
    pl_audit_close(g->audit);
    unlink(g->path);
    snprintf(beside, sizeof beside, "%s.tree", g->path);
    unlink(beside);
}

static void giver_done(giver *g) {
    remove_log(g);
    free(g->peer.given);
    assert_int_equal(rmdir(g->dir), 0);
}

static message give(giver *g) {
    message m = {0};
    Parley__V1__AuditPeer *peers[] = {&g->peer};
    parley__v1__audit_head__init(&m.head);
    m.head.size = pl_audit_count(g->audit);
    m.head.time_ms = 1000 * (int64_t)m.head.size;
    pl_merkle_hash root = pl_audit_root(g->audit);
    memcpy(m.root, root.bytes, 32);
    must(pl_heads_link(g->audit, peers, 1, &m.links, &m.n_links));
    must(pl_heads_give(&g->peer, m.head.size));
    return m;
}

static void message_done(message *m) {
    pl_heads_links_free(m->links, m->n_links);
}

/* ---- a node that takes them ---- */

static pl_status take(Parley__V1__AuditPeer *peer, message *m) {
    m->head.root = (ProtobufCBinaryData){32, m->root};
    return pl_heads_take(peer, "south", &m->head, m->links, m->n_links);
}

static Parley__V1__AuditPeer *taker_new(void) {
    Parley__V1__AuditPeer *peer = calloc(1, sizeof *peer);
    assert_non_null(peer);
    parley__v1__audit_peer__init(peer);
    return peer;
}

static void taker_free(Parley__V1__AuditPeer *peer) {
    parley__v1__audit_peer__free_unpacked(peer, NULL);
}

/* ---- what is taken ---- */

static void a_log_that_grows(void **state) {
    (void)state;
    giver g;
    giver_init(&g);
    Parley__V1__AuditPeer *peer = taker_new();
    for (int i = 0; i < 200; i++) {
        grow(&g, 1 + i % 7, "job:1");
        message m = give(&g);
        must(take(peer, &m));
        assert_int_equal(pl_heads_last(peer)->size, m.head.size);
        assert_true(peer->n_known <= PL_HEADS_KNOWN_MAX);
        if (i % 3 == 0) /* now and then it says what it holds */
            must(pl_heads_stated(&g.peer, m.head.size, i));
        assert_true(m.n_links <= 4);
        message_done(&m);
    }
    taker_free(peer);
    giver_done(&g);
}

/* Charters overtake each other, and some never come. */
static void in_any_order(void **state) {
    (void)state;
    giver g;
    message m[8];
    for (int seed = 0; seed < 200; seed++) {
        giver_init(&g);
        Parley__V1__AuditPeer *peer = taker_new();
        for (int i = 0; i < 8; i++) {
            grow(&g, 2, "job:1");
            m[i] = give(&g);
        }
        srand((unsigned)seed);
        for (int i = 0; i < 12; i++) {
            pl_status status = take(peer, &m[rand() % 8]);
            /* The first that comes is taken on trust; nothing vouches for what came before it. */
            if (i == 0)
                must(status);
            else if (!pl_is_ok(status))
                fail_msg("seed %d, step %d: %s", seed, i, pl_status_message(status));
        }
        for (int i = 0; i < 8; i++)
            message_done(&m[i]);
        taker_free(peer);
        giver_done(&g);
    }
}

/* ---- what is refused ---- */

static void a_log_that_went_back(void **state) {
    (void)state;
    giver g;
    giver_init(&g);
    Parley__V1__AuditPeer *peer = taker_new();
    grow(&g, 20, "job:1");
    message first = give(&g);
    must(take(peer, &first));
    grow(&g, 10, "job:1");
    message second = give(&g);
    must(take(peer, &second));
    must(take(peer, &first)); /* late, and vouched for by the second */
    remove_log(&g);
    open_log(&g);
    grow(&g, 20, "job:2"); /* as long as the first, another */
    message same = give(&g);
    must_fail(take(peer, &same),
              "audit log of south: rollback: it went back from 30 records to 20");
    grow(&g, 5, "job:2");
    message shorter = give(&g);
    must_fail(take(peer, &shorter), "rollback: it went back from 30 records to 25");
    grow(&g, 5, "job:2");
    message as_long = give(&g);
    must_fail(take(peer, &as_long), "fork: its first 30 records are not those that were seen");
    grow(&g, 5, "job:2");
    message longer = give(&g);
    must_fail(take(peer, &longer), "fork: its first 20 records are not those that were seen");
    message without = longer;
    without.n_links = 0;
    must_fail(take(peer, &without), "fork: it does not prove that its 35 records continue the 30");
    assert_int_equal(pl_heads_last(peer)->size, 30);
    /* An operator accepts it, and from there on it must be one line again. */
    must(pl_heads_accept(peer, &as_long.head));
    assert_int_equal(peer->n_known, 1);
    must(take(peer, &longer));
    must_fail(take(peer, &second), "rollback: it went back from 35 records to 30");
    message *all[] = {&first, &second, &same, &shorter, &as_long, &longer};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        message_done(all[i]);
    taker_free(peer);
    giver_done(&g);
}

/* Every byte of every link. */
static void a_false_proof(void **state) {
    (void)state;
    giver g;
    giver_init(&g);
    Parley__V1__AuditPeer *peer = taker_new();
    grow(&g, 11, "job:1");
    message first = give(&g);
    must(take(peer, &first));
    grow(&g, 10, "job:1");
    message m = give(&g);
    assert_int_equal(m.n_links, 1);
    Parley__V1__AuditLink *link = m.links[0];
    ProtobufCBinaryData *parts[] = {&link->root, &link->path};
    for (size_t p = 0; p < 2; p++) {
        assert_true(parts[p]->len >= 32);
        for (size_t i = 0; i < parts[p]->len; i++) {
            parts[p]->data[i] ^= 1;
            must_fail(take(peer, &m), "its proof that 21 records continue 11 does not hold");
            parts[p]->data[i] ^= 1;
        }
    }
    link->path.len -= 32;
    must_fail(take(peer, &m), "does not hold");
    link->path.len += 32;
    for (uint64_t size = 0; size < 40; size++) {
        link->size = size;
        if (size != 11)
            must_fail(take(peer, &m), "does not hold");
    }
    link->size = 11;
    m.root[3] ^= 1;
    must_fail(take(peer, &m), "does not hold");
    m.root[3] ^= 1;
    assert_int_equal(pl_heads_last(peer)->size, 11);
    must(take(peer, &m));
    message_done(&first);
    message_done(&m);
    taker_free(peer);
    giver_done(&g);
}

/* ---- what the other side may hold ---- */

static void what_was_given(void **state) {
    (void)state;
    Parley__V1__AuditPeer peer = PARLEY__V1__AUDIT_PEER__INIT;
    for (uint64_t size = 10; size <= 50; size += 10)
        must(pl_heads_give(&peer, size));
    must(pl_heads_give(&peer, 30));
    assert_int_equal(peer.n_given, 5);
    must(pl_heads_stated(&peer, 30, 100));
    assert_int_equal(peer.n_given, 3);
    assert_int_equal(peer.given[0], 30);
    must(pl_heads_stated(&peer, 20, 99)); /* late */
    assert_int_equal(peer.given[0], 30);
    must(pl_heads_stated(&peer, 20, 100)); /* in the same second: which was first, nobody knows */
    assert_int_equal(peer.n_given, 4);
    assert_int_equal(peer.given[0], 20);
    assert_int_equal(peer.given[1], 30);
    must(pl_heads_stated(&peer, 50, 100));
    assert_int_equal(peer.n_given, 1);
    must(pl_heads_stated(&peer, 7, 101)); /* it went back itself: what it holds now counts */
    assert_int_equal(peer.n_given, 2);
    assert_int_equal(peer.given[0], 7);
    assert_int_equal(peer.given[1], 50);
    for (uint64_t size = 100; size < 300; size++)
        must(pl_heads_give(&peer, size));
    assert_int_equal(peer.n_given, PL_HEADS_GIVEN_MAX);
    assert_int_equal(peer.given[0], 7); /* what it said it holds stays */
    assert_int_equal(peer.given[PL_HEADS_GIVEN_MAX - 1], 299);
    free(peer.given);
}

/* ---- evidence ---- */

static pl_status count_kept(pl_view signed_head, void *ctx) {
    size_t *n = ctx;
    assert_int_equal(signed_head.len, 3 + *n);
    assert_int_equal(signed_head.data[*n], 'x');
    (*n)++;
    return PL_OK;
}

static void heads_are_kept(void **state) {
    (void)state;
    char dir[] = "/tmp/parley-kept-XXXXXX", log[80], file[90], large[PL_KEPT_HEAD_BYTES_MAX + 1];
    size_t n = 0;
    assert_non_null(mkdtemp(dir));
    snprintf(log, sizeof log, "%s/audit.log", dir);
    snprintf(file, sizeof file, "%s.heads", log);
    must(pl_kept_each(log, count_kept, &n));
    assert_int_equal(n, 0);
    for (size_t i = 0; i < 5; i++)
        must(pl_kept_add(log, pl_view_of("xxxxxxxxxx", 3 + i)));
    memset(large, 'x', sizeof large);
    pl_status status = pl_kept_add(log, pl_view_of(large, sizeof large));
    assert_int_equal(pl_status_code(status), PL_LIMIT);
    pl_status_done(&status);
    must(pl_kept_each(log, count_kept, &n));
    assert_int_equal(n, 5);
    assert_int_equal(truncate(file, 5 * 4 + 3 + 4 + 5 + 6 + 2), 0); /* in the middle of the last */
    n = 0;
    must(pl_kept_each(log, count_kept, &n));
    assert_int_equal(n, 4);
    unlink(file);
    assert_int_equal(rmdir(dir), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_that_grows),     cmocka_unit_test(in_any_order),
        cmocka_unit_test(a_log_that_went_back), cmocka_unit_test(a_false_proof),
        cmocka_unit_test(what_was_given),       cmocka_unit_test(heads_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
