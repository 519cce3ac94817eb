/* Receipts: built the same at every party, merged, verified offline; a forged, altered or foreign
 * signature is named, a missing one is told. It could be wrong in what a receipt should say and
 * does not: this checks only what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/charter/head.h"
#include "node/charter/receipt.h"
#include "node/crypto/digest.h"
#include "node/crypto/signed.h"
#include "proto/common.pb-c.h"
#include "tests/unit/federation_fixture.h"
#include "tests/unit/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))

static fixture world;
static fixture_job job;
static pl_bytes charter, body;
static pl_view descriptors[FIXTURE_ORGS];

/* ---- making one ---- */

static void build(pl_bytes *out) {
    uint8_t digest[32], result[32] = {5};
    Parley__V1__Plan plan = PARLEY__V1__PLAN__INIT;
    Parley__V1__Opening opening = PARLEY__V1__OPENING__INIT, *openings[] = {&opening};
    Parley__V1__Disclosure disclosure = PARLEY__V1__DISCLOSURE__INIT,
                           *disclosures[] = {&disclosure};
    opening.what = (char[]){"COUNT(*) per cell"};
    plan.openings = openings;
    plan.n_openings = 1;
    disclosure.recipient = (char[]){"health"};
    disclosure.state = PARLEY__V1__RECIPIENT_STATE__RECIPIENT_STATE_RELEASED;
    disclosure.result_digest = (ProtobufCBinaryData){32, result};
    must(pl_charter_digest(pl_bytes_view(&charter), digest));
    pl_receipt_parts parts = {.charter = pl_bytes_view(&charter),
                              .charter_digest = digest,
                              .plan_digest = job.plan_digest,
                              .plan = &plan,
                              .disclosures = disclosures,
                              .n_disclosures = 1};
    must(pl_receipt_build(&parts, out));
    digest[0] ^= 1;
    pl_bytes none;
    must_refuse(pl_receipt_build(&parts, &none), PL_CORRUPT, "charter_digest");
}

static void sign(int org, pl_bytes *out) {
    must(pl_receipt_sign(pl_bytes_view(&body), fixture_names[org], pl_org_sign_key(world.orgs[org]),
                         out));
}

/* Signed by the organisations whose bit is set. */
static void sign_all(unsigned signers, pl_bytes *out) {
    *out = (pl_bytes){0};
    for (int i = 0; i < FIXTURE_ORGS; i++) {
        pl_bytes one, merged;
        if ((signers >> i & 1) == 0)
            continue;
        sign(i, &one);
        if (out->data == NULL) {
            *out = one;
            continue;
        }
        must(pl_receipt_merge(pl_bytes_view(out), pl_bytes_view(&one), &merged));
        pl_bytes_done(&one);
        pl_bytes_done(out);
        *out = merged;
    }
}

static int set_up(void **state) {
    (void)state;
    fixture_job_init(&world, &job);
    fixture_job_charter(&world, &job, &charter);
    build(&body);
    for (int i = 0; i < FIXTURE_ORGS; i++)
        descriptors[i] = pl_org_signed_descriptor(world.orgs[i]);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    pl_bytes_done(&body);
    pl_bytes_done(&charter);
    fixture_job_done(&job);
    return 0;
}

static pl_status verify(const pl_bytes *receipt) {
    pl_receipt_verdict verdict = {0};
    pl_status status = pl_receipt_verify(pl_bytes_view(receipt), world.manifest, descriptors,
                                         FIXTURE_ORGS, &verdict);
    pl_receipt_verdict_done(&verdict);
    return status;
}

/* ---- what it says ---- */

static void every_party_builds_the_same_body(void **state) {
    (void)state;
    pl_bytes again;
    build(&again);
    assert_true(pl_view_equal(pl_bytes_view(&again), pl_bytes_view(&body)));
    pl_bytes_done(&again);
    Parley__V1__Receipt *r = parley__v1__receipt__unpack(NULL, body.len, body.data);
    assert_non_null(r);
    assert_memory_equal(r->job_id.data, job.job_id, 16);
    assert_memory_equal(r->proposal_digest.data, job.proposal_digest, 32);
    assert_int_equal(r->n_parties, FIXTURE_PARTIES);
    for (int i = 0; i < FIXTURE_PARTIES; i++) {
        assert_string_equal(r->parties[i], fixture_names[i]);
        assert_memory_equal(r->input_commitments[i].data, job.commitment[i], 32);
    }
    assert_string_equal(r->opened[0], "COUNT(*) per cell");
    parley__v1__receipt__free_unpacked(r, NULL);
}

static void a_receipt_tells_who_has_signed(void **state) {
    (void)state;
    for (unsigned signers = 1; signers < 1u << FIXTURE_PARTIES; signers++) {
        pl_bytes receipt;
        pl_receipt_verdict verdict;
        sign_all(signers, &receipt);
        must(pl_receipt_verify(pl_bytes_view(&receipt), world.manifest, descriptors, FIXTURE_ORGS,
                               &verdict));
        for (int i = 0; i < FIXTURE_PARTIES; i++)
            assert_int_equal(verdict.has_signed[i], signers >> i & 1);
        assert_int_equal(verdict.n_signed, __builtin_popcount(signers));
        pl_receipt_verdict_done(&verdict);
        pl_bytes_done(&receipt);
    }
}

/* ---- what is refused ---- */

typedef struct forge {
    Parley__V1__Receipt *body;
    bool resign;
} forge;

/* Altered under the old signatures, or signed by two dishonest parties. */
static pl_status receipt_changed(void *ctx) {
    forge *g = ctx;
    pl_bytes receipt = {0}, two = {0};
    fixture_sign(g->body, "receipt", "health", pl_org_sign_key(world.orgs[HEALTH]), &receipt);
    must(pl_sign_add(pl_org_sign_key(world.orgs[TAX]), "receipt", "tax", pl_bytes_view(&receipt),
                     &two));
    if (!g->resign) {
        pl_bytes honest;
        sign_all(1u << HEALTH | 1u << TAX, &honest);
        Parley__V1__Signed *to = parley__v1__signed__unpack(NULL, two.len, two.data);
        Parley__V1__Signed *from = parley__v1__signed__unpack(NULL, honest.len, honest.data);
        ProtobufCBinaryData changed = to->body;
        to->body = from->body;
        from->body = changed;
        pl_bytes_done(&two);
        two.len = parley__v1__signed__get_packed_size(from);
        two.data = malloc(two.len + 1);
        parley__v1__signed__pack(from, two.data);
        parley__v1__signed__free_unpacked(to, NULL);
        parley__v1__signed__free_unpacked(from, NULL);
        pl_bytes_done(&honest);
    }
    pl_status status = verify(&two);
    pl_bytes_done(&two);
    pl_bytes_done(&receipt);
    return status;
}

static void every_field_of_a_receipt(void **state) {
    (void)state;
    /* What parties agree to sign wrongly stays their word; form and federation do not. */
    static const sweep_row rows[] = {
        {"job_id changed", NULL},
        {"session_id changed", NULL},
        {"charter_digest changed", NULL},
        {"proposal_digest changed", NULL},
        {"plan_digest changed", NULL},
        {"parties dropped", "input_commitments are 4 for 3 parties"},
        {"parties doubled", "input_commitments are 4 for 5 parties"},
        {"parties swapped", "audit_heads[0], of north: it is of the log of health"},
        {"audit_heads swapped", "audit_heads[0], of health: it is of the log of north"},
        {"audit_heads dropped", "audit_heads are 3 for 4 parties"},
        {"audit_heads doubled", "audit_heads are 5 for 4 parties"},
        {"input_commitments swapped", NULL},
        {"input_commitments[0] changed", NULL},
        {"input_commitments[1] changed", NULL},
        {"input_commitments[2] changed", NULL},
        {"input_commitments[3] changed", NULL},
        {"opened dropped", NULL},
        {"opened doubled", NULL},
        {"opened[0] changed", NULL},
        {"disclosures dropped", NULL},
        {"disclosures doubled", "recipient health stands there twice"},
        {"disclosures[0].state +1", NULL}, /* lost */
        {"disclosures[0].result_digest changed", NULL},
    };
    forge g = {parley__v1__receipt__unpack(NULL, body.len, body.data), true};
    sweep s = {
        .name = "receipt", .attempt = receipt_changed, .ctx = &g, .rows = rows, .n_rows = N(rows)};
    sweep_run(&s, &g.body->base, 30);
    parley__v1__receipt__free_unpacked(g.body, NULL);
}

static void the_lists_of_a_receipt_are_bounded(void **state) {
    (void)state;
    static char *opened[4097];
    for (size_t i = 0; i < N(opened); i++)
        opened[i] = (char *)(uintptr_t) "x";
    forge g = {parley__v1__receipt__unpack(NULL, body.len, body.data), true};
    Parley__V1__Receipt before = *g.body;
    g.body->opened = opened;
    g.body->n_opened = N(opened) - 1;
    must(receipt_changed(&g));
    g.body->n_opened = N(opened);
    must_refuse(receipt_changed(&g), PL_LIMIT, "opened has 4097 entries");
    *g.body = before;
    g.body->n_parties = g.body->n_input_commitments = 0;
    must_refuse(receipt_changed(&g), PL_INVALID_ARGUMENT, "parties are 0");
    *g.body = before;
    parley__v1__receipt__free_unpacked(g.body, NULL);
}

static void an_altered_receipt_is_named(void **state) {
    (void)state;
    forge g = {parley__v1__receipt__unpack(NULL, body.len, body.data), false};
    must(receipt_changed(&g));
    g.body->disclosures[0]->state = PARLEY__V1__RECIPIENT_STATE__RECIPIENT_STATE_LOST;
    must_refuse(receipt_changed(&g), PL_CORRUPT,
                "receipt: the signature of health is forged, or the receipt was altered");
    g.body->disclosures[0]->state = PARLEY__V1__RECIPIENT_STATE__RECIPIENT_STATE_RELEASED;
    g.body->job_id.data[3] ^= 4;
    must_refuse(receipt_changed(&g), PL_CORRUPT, "the signature of health is forged");
    parley__v1__receipt__free_unpacked(g.body, NULL);
}

/* A head signed by another's key, or for another, in a receipt that all sign. */
static void a_forged_head_is_named(void **state) {
    (void)state;
    forge g = {parley__v1__receipt__unpack(NULL, body.len, body.data), true};
    ProtobufCBinaryData *at = &g.body->audit_heads[SOUTH], before = *at;
    pl_bytes forged = {0};
    Parley__V1__AuditHead *head;
    must(pl_head_read(pl_view_of(at->data, at->len), &head));
    assert_int_equal(head->size, 9);
    assert_memory_equal(head->root.data, job.root[SOUTH], 32);
    head->size = 8;
    fixture_sign(head, "audit-head", "south", pl_org_sign_key(world.orgs[TAX]), &forged);
    *at = (ProtobufCBinaryData){forged.len, forged.data};
    must_refuse(receipt_changed(&g), PL_CORRUPT, "audit_heads[2], of south: it is forged");
    fixture_sign(head, "receipt", "south", pl_org_sign_key(world.orgs[SOUTH]), &forged);
    *at = (ProtobufCBinaryData){forged.len, forged.data};
    must_refuse(receipt_changed(&g), PL_CORRUPT, "audit_heads[2], of south: it is forged");
    fixture_sign(head, "audit-head", "south", pl_org_sign_key(world.orgs[SOUTH]), &forged);
    *at = (ProtobufCBinaryData){forged.len, forged.data};
    must(receipt_changed(&g)); /* its own word */
    head->key_id.data[0] ^= 1;
    fixture_sign(head, "audit-head", "south", pl_org_sign_key(world.orgs[SOUTH]), &forged);
    *at = (ProtobufCBinaryData){forged.len, forged.data};
    must_refuse(receipt_changed(&g), PL_PROTOCOL, "key_id differs from the key that signed it");
    *at = before;
    parley__v1__audit_head__free_unpacked(head, NULL);
    pl_bytes_done(&forged);
    /* South has not signed and no descriptor of it is given: its head proves nothing, and is no
     * fault. */
    descriptors[SOUTH] = (pl_view){0};
    must(receipt_changed(&g));
    parley__v1__receipt__free_unpacked(g.body, NULL);
}

static void who_may_sign_a_receipt(void **state) {
    (void)state;
    pl_bytes receipt, more;
    sign_all(1u << HEALTH | 1u << NORTH, &receipt);
    /* in tax's name, by south's key */
    must(pl_sign_add(pl_org_sign_key(world.orgs[SOUTH]), "receipt", "tax", pl_bytes_view(&receipt),
                     &more));
    must_refuse(verify(&more), PL_CORRUPT, "the signature of tax is forged");
    pl_bytes_done(&more);
    /* a member that was no party */
    must(pl_sign_add(pl_org_sign_key(world.orgs[TWIN]), "receipt", "twin", pl_bytes_view(&receipt),
                     &more));
    must_refuse(verify(&more), PL_CORRUPT, "a signature of 'twin', which is no party");
    pl_bytes_done(&more);
    descriptors[NORTH] = (pl_view){0};
    must_refuse(verify(&receipt), PL_NOT_FOUND, "north has signed, but no valid descriptor");
    descriptors[NORTH] = pl_org_signed_descriptor(world.orgs[TWIN]);
    must_refuse(verify(&receipt), PL_NOT_FOUND, "north has signed, but no valid descriptor");
    pl_bytes_done(&receipt);
    receipt.len = 0;
    must_refuse(verify(&receipt), PL_UNSUPPORTED, "receipt: version 0 is unknown");
}

static void each_party_signs_once(void **state) {
    (void)state;
    pl_bytes receipt;
    sign_all(1u << HEALTH, &receipt);
    Parley__V1__Signed *message = parley__v1__signed__unpack(NULL, receipt.len, receipt.data);
    Parley__V1__Signature *twice[] = {message->signatures[0], message->signatures[0]},
                          **once = message->signatures;
    message->signatures = twice;
    message->n_signatures = 2;
    pl_bytes_done(&receipt);
    receipt.len = parley__v1__signed__get_packed_size(message);
    receipt.data = malloc(receipt.len);
    parley__v1__signed__pack(message, receipt.data);
    must_refuse(verify(&receipt), PL_CORRUPT, "two signatures of health");
    message->signatures = once;
    message->n_signatures = 1;
    parley__v1__signed__free_unpacked(message, NULL);
    pl_bytes_done(&receipt);
}

static void nobody_signed(void **state) {
    (void)state;
    Parley__V1__Signed message = PARLEY__V1__SIGNED__INIT;
    message.body = (ProtobufCBinaryData){body.len, body.data};
    pl_bytes receipt = {.len = parley__v1__signed__get_packed_size(&message)};
    receipt.data = malloc(receipt.len);
    parley__v1__signed__pack(&message, receipt.data);
    must_refuse(verify(&receipt), PL_UNAUTHENTICATED, "nobody has signed it");
    pl_bytes_done(&receipt);
}

static void the_manifest_is_the_one_of_its_epoch(void **state) {
    (void)state;
    pl_bytes receipt, bytes;
    pl_manifest *second;
    pl_receipt_verdict verdict = {0};
    sign_all(1u << HEALTH, &receipt);
    fixture_manifest(&world, 2, 2, world.manifest, 1u << HEALTH | 1u << TAX, &bytes);
    must(pl_manifest_parse(pl_bytes_view(&bytes), &second));
    must_refuse(
        pl_receipt_verify(pl_bytes_view(&receipt), second, descriptors, FIXTURE_ORGS, &verdict),
        PL_UNAUTHENTICATED, "epoch is 1, the manifest's is 2");
    pl_manifest_free(second);
    pl_bytes_done(&bytes);
    pl_bytes_done(&receipt);
}

/* ---- merging ---- */

static void receipts_of_different_bodies_do_not_merge(void **state) {
    (void)state;
    static const struct {
        size_t field; /* offset in the message of a binary field */
        const char *name;
    } rows[] = {
        {offsetof(Parley__V1__Receipt, session_id), "session_id"},
        {offsetof(Parley__V1__Receipt, charter_digest), "charter_digest"},
        {offsetof(Parley__V1__Receipt, plan_digest), "plan_digest"},
    };
    pl_bytes ours, theirs = {0}, merged;
    sign(HEALTH, &ours);
    Parley__V1__Receipt *other = parley__v1__receipt__unpack(NULL, body.len, body.data);
    for (size_t i = 0; i < N(rows); i++) {
        ProtobufCBinaryData *at = (ProtobufCBinaryData *)(void *)((char *)other + rows[i].field);
        at->data[0] ^= 1;
        fixture_sign(other, "receipt", "tax", pl_org_sign_key(world.orgs[TAX]), &theirs);
        must_refuse(pl_receipt_merge(pl_bytes_view(&ours), pl_bytes_view(&theirs), &merged),
                    PL_CORRUPT, rows[i].name);
        at->data[0] ^= 1;
    }
    other->disclosures[0]->state = PARLEY__V1__RECIPIENT_STATE__RECIPIENT_STATE_LOST;
    fixture_sign(other, "receipt", "tax", pl_org_sign_key(world.orgs[TAX]), &theirs);
    must_refuse(pl_receipt_merge(pl_bytes_view(&ours), pl_bytes_view(&theirs), &merged), PL_CORRUPT,
                "disclosures differs");
    parley__v1__receipt__free_unpacked(other, NULL);
    pl_bytes_done(&ours);
    pl_bytes_done(&theirs);
}

static void a_party_sends_its_own_signature_only(void **state) {
    (void)state;
    pl_bytes ours, theirs, poisoned, merged;
    sign(HEALTH, &ours);
    sign(TAX, &theirs);
    must(pl_sign_add(pl_org_sign_key(world.orgs[TAX]), "receipt", "north", pl_bytes_view(&theirs),
                     &poisoned));
    must_refuse(pl_receipt_merge(pl_bytes_view(&ours), pl_bytes_view(&poisoned), &merged),
                PL_PROTOCOL, "carries 2 signatures");
    pl_bytes_done(&ours);
    pl_bytes_done(&theirs);
    pl_bytes_done(&poisoned);
}

static int open_world(void **state) {
    (void)state;
    fixture_open(&world);
    return 0;
}

static int close_world(void **state) {
    (void)state;
    fixture_close(&world);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_party_builds_the_same_body),
        TEST(a_receipt_tells_who_has_signed),
        TEST(every_field_of_a_receipt),
        TEST(the_lists_of_a_receipt_are_bounded),
        TEST(an_altered_receipt_is_named),
        TEST(a_forged_head_is_named),
        TEST(who_may_sign_a_receipt),
        TEST(each_party_signs_once),
        TEST(nobody_signed),
        TEST(the_manifest_is_the_one_of_its_epoch),
        TEST(receipts_of_different_bodies_do_not_merge),
        TEST(a_party_sends_its_own_signature_only),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
