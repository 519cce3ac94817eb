/* The documents of a job's life against three attackers: a scheduler that changes what it relays, a
 * party that signs something else than agreed, and a proposer who does. Every field of every
 * document is changed in turn by reflection, so a new field without a check fails here. It could be
 * wrong where two changes together pass that each alone does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/charter/approval.h"
#include "node/charter/charter.h"
#include "node/charter/reservation.h"
#include "node/crypto/digest.h"
#include "node/crypto/signed.h"
#include "proto/common.pb-c.h"
#include "tests/unit/federation_fixture.h"
#include "tests/unit/relay.h"
#include "tests/unit/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))

static fixture world;
static fixture_job job;

/* ---- a node that verifies ---- */

static bool already_started;
static int descriptor_missing; /* index of an organisation; -1: none */

static pl_status find_descriptor(const char *org, const Parley__V1__Descriptor **out, void *ctx) {
    (void)ctx;
    for (int i = 0; i < FIXTURE_ORGS; i++) {
        if (strcmp(fixture_names[i], org) == 0 && i != descriptor_missing) {
            *out = fixture_descriptor(&world, i);
            return PL_OK;
        }
    }
    return pl_fail(PL_UNAVAILABLE, "no valid descriptor of %s", org);
}

static pl_status was_started(const uint8_t session_id[16], bool *out, void *ctx) {
    (void)session_id;
    (void)ctx;
    *out = already_started;
    return PL_OK;
}

typedef struct node {
    uint8_t proposal_digest[32], plan_digest[32];
    pl_charter_rules rules;
} node;

static void node_init(node *n, int own) {
    memcpy(n->proposal_digest, job.proposal_digest, 32);
    memcpy(n->plan_digest, job.plan_digest, 32);
    n->rules = (pl_charter_rules){.manifest = world.manifest,
                                  .own = fixture_names[own],
                                  .from = "health",
                                  .now = FIXTURE_NOW,
                                  .proposal_digest = n->proposal_digest,
                                  .plan_digest = n->plan_digest,
                                  .session_key = job.session_key[own],
                                  .input_commitment = job.commitment[own],
                                  .attempt = 2,
                                  .descriptor = find_descriptor,
                                  .was_started = was_started};
}

static pl_status verify_at(const node *n, pl_view charter) {
    pl_charter *out = NULL;
    pl_status status = pl_charter_verify(charter, &n->rules, &out);
    if (pl_is_ok(status))
        pl_charter_free(out);
    else
        assert_null(out);
    return status;
}

static int set_up(void **state) {
    (void)state;
    fixture_job_init(&world, &job);
    already_started = false;
    descriptor_missing = -1;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_job_done(&job);
    return 0;
}

/* ---- what passes ---- */

static void a_charter_verifies_at_every_party(void **state) {
    (void)state;
    pl_bytes charter = {0};
    fixture_job_charter(&world, &job, &charter);
    for (int own = 0; own < FIXTURE_PARTIES; own++) {
        node n;
        pl_charter *out;
        uint8_t digest[32], job_id[16];
        node_init(&n, own);
        must(pl_charter_verify(pl_bytes_view(&charter), &n.rules, &out));
        must(pl_charter_digest(pl_bytes_view(&charter), digest));
        must(pl_charter_job_id(pl_bytes_view(&charter), job_id));
        assert_memory_equal(out->digest, digest, 32);
        assert_memory_equal(job.job_id, job_id, 16);
        assert_int_equal(out->n_parties, FIXTURE_PARTIES);
        for (int i = 0; i < FIXTURE_PARTIES; i++) {
            assert_string_equal(out->approvals[i]->org, fixture_names[i]);
            assert_memory_equal(out->reservations[i]->session_key.data, job.session_key[i], 32);
        }
        pl_charter_free(out);
    }
    pl_bytes_done(&charter);
}

static Parley__V1__Charter *charter_body(const pl_bytes *charter) {
    pl_bytes body;
    must(pl_signed_body(pl_bytes_view(charter), &body));
    Parley__V1__Charter *message = parley__v1__charter__unpack(NULL, body.len, body.data);
    assert_non_null(message);
    pl_bytes_done(&body);
    return message;
}

static pl_status verify_charter(pl_view signed_bytes) {
    node n;
    node_init(&n, NORTH);
    return verify_at(&n, signed_bytes);
}

static void a_changed_charter_breaks_its_signature(void **state) {
    (void)state;
    pl_bytes charter = {0};
    fixture_job_charter(&world, &job, &charter);
    Parley__V1__Charter *body = charter_body(&charter);
    sweep_relay("relayed charter", &charter, &body->base, verify_charter, 20);
    parley__v1__charter__free_unpacked(body, NULL);
    pl_bytes_done(&charter);
}

/* ---- a party that signs something else than agreed: the others find it in the charter ---- */

static pl_status charter_with_approval(void *ctx) {
    pl_bytes charter = {0};
    node n;
    node_init(&n, *(const int *)ctx);
    fixture_job_sign_approval(&world, &job, TAX);
    fixture_job_charter(&world, &job, &charter);
    pl_status status = verify_at(&n, pl_bytes_view(&charter));
    pl_bytes_done(&charter);
    return status;
}

static void every_field_of_an_approval(void **state) {
    (void)state;
    static const sweep_row rows[] = {
        {"approver changed", NULL},     {"policy_version +1", NULL},
        {"policy_version large", NULL}, {"policy_digest changed", NULL},
        {"decided_at +1", NULL},        {"not_after +1", NULL},
        {"not_after large", NULL},      {"granted flipped", "refusal is missing"},
    };
    int at = NORTH;
    sweep s = {.name = "approval",
               .attempt = charter_with_approval,
               .ctx = &at,
               .rows = rows,
               .n_rows = N(rows)};
    sweep_run(&s, &job.approval[TAX].base, 20);
}

static void a_refusal_is_no_approval(void **state) {
    (void)state;
    int at = NORTH;
    Parley__V1__Refusal refusal = PARLEY__V1__REFUSAL__INIT;
    refusal.rule = (char[]){"rule 3"};
    refusal.reason = (char[]){"only inside SUM or AVG"};
    job.approval[TAX].granted = false;
    job.approval[TAX].refusal = &refusal;
    must_refuse(charter_with_approval(&at), PL_REFUSED,
                "charter: approval of tax: granted is false");
    Parley__V1__Approval *answer; /* but a good refusal it is */
    must(pl_approval_verify(pl_bytes_view(&job.signed_approval[TAX]),
                            fixture_descriptor(&world, TAX), FIXTURE_NOW, &answer));
    assert_string_equal(answer->refusal->rule, "rule 3");
    parley__v1__approval__free_unpacked(answer, NULL);
    job.approval[TAX].granted = true;
    must_refuse(charter_with_approval(&at), PL_INVALID_ARGUMENT, "refusal is given, but granted");
}

static pl_status charter_with_reservation(void *ctx) {
    pl_bytes charter = {0};
    node n;
    uint8_t key[32], commitment[32]; /* what the node itself remembers, whatever it is sent */
    node_init(&n, *(const int *)ctx);
    memset(key, 0x20 + *(const int *)ctx, sizeof key);
    memset(commitment, 0x40 + *(const int *)ctx, sizeof commitment);
    n.rules.session_key = key;
    n.rules.input_commitment = commitment;
    fixture_job_sign_reservation(&world, &job, TAX);
    fixture_job_charter(&world, &job, &charter);
    pl_status status = verify_at(&n, pl_bytes_view(&charter));
    pl_bytes_done(&charter);
    return status;
}

static void every_field_of_a_reservation(void **state) {
    (void)state;
    /* Of another party's reservation the key and the commitment are its own to choose. */
    static const sweep_row rows[] = {
        {"session_key changed", NULL},
        {"input_commitment changed", NULL},
        {"memory_bytes +1", NULL},
        {"memory_bytes large", NULL},
        {"lanes +1", NULL},
        {"reserved_at +1", NULL},
        {"not_after +1", NULL},
        {"endpoints doubled", NULL},
        /* Whether a proof holds is asked by the node, not by the form. */
        {"audit_links dropped", NULL},
        {"audit_links[0].size +1", NULL},
        {"audit_links[0].root changed", NULL},
        {"audit_links[0].path changed", NULL},
        {"audit_seen dropped", NULL},
        {"audit_seen[0].org changed", NULL},
        {"audit_seen[0].size +1", NULL},
        {"audit_seen[0].size large", NULL},
        {"audit_seen[0].root changed", NULL},
    };
    int at = NORTH;
    sweep s = {.name = "reservation",
               .attempt = charter_with_reservation,
               .ctx = &at,
               .rows = rows,
               .n_rows = N(rows)};
    sweep_run(&s, &job.reservation[TAX].base, 20);
    /* Of the node's own, only what it made passes. */
    static const sweep_row own_rows[] = {
        {"memory_bytes +1", NULL},
        {"memory_bytes large", NULL},
        {"lanes +1", NULL},
        {"reserved_at +1", NULL},
        {"not_after +1", NULL},
        {"endpoints doubled", NULL},
        {"audit_links dropped", NULL},
        {"audit_links[0].size +1", NULL},
        {"audit_links[0].root changed", NULL},
        {"audit_links[0].path changed", NULL},
        {"audit_seen dropped", NULL},
        {"audit_seen[0].org changed", NULL},
        {"audit_seen[0].size +1", NULL},
        {"audit_seen[0].size large", NULL},
        {"audit_seen[0].root changed", NULL},
    };
    at = TAX;
    sweep own = {.name = "own reservation",
                 .attempt = charter_with_reservation,
                 .ctx = &at,
                 .rows = own_rows,
                 .n_rows = N(own_rows)};
    sweep_run(&own, &job.reservation[TAX].base, 20);
}

static void a_session_key_is_nobody_elses(void **state) {
    (void)state;
    int at = NORTH;
    memset(job.session_key[TAX], 0x20 + SOUTH, 32);
    must_refuse(charter_with_reservation(&at), PL_PROTOCOL,
                "reservation of tax: session_key is also south's");
    memset(job.session_key[TAX], 0, 32);
    must_refuse(charter_with_reservation(&at), PL_INVALID_ARGUMENT, "session_key is zero");
}

/* As many as the compute party with the fewest; health does not compute. */
static void lanes_are_the_fewest(void **state) {
    (void)state;
    static const struct {
        uint32_t offered[FIXTURE_PARTIES], lanes;
    } rows[] = {
        {{0, 0, 0, 0}, 1}, {{1, 8, 8, 8}, 8}, {{8, 2, 3, 1}, 1}, {{8, 4, 3, 5}, 3},
        {{8, 4, 0, 5}, 1}, {{8, 1, 1, 1}, 1}, {{0, 2, 2, 2}, 2},
    };
    for (size_t row = 0; row < N(rows); row++) {
        pl_bytes charter = {0};
        node n;
        pl_charter *out;
        for (int i = 0; i < FIXTURE_PARTIES; i++)
            job.reservation[i].lanes = rows[row].offered[i];
        fixture_job_sign(&world, &job);
        fixture_job_charter(&world, &job, &charter);
        node_init(&n, SOUTH);
        must(pl_charter_verify(pl_bytes_view(&charter), &n.rules, &out));
        assert_int_equal(pl_charter_lanes(out), rows[row].lanes);
        pl_charter_free(out);
        pl_bytes_done(&charter);
    }
}

/* Lanes are the last field of a reservation: its number, and the value. */
static void changed_lanes_break_the_signature(void **state) {
    (void)state;
    pl_bytes charter = {0}, body = {0};
    int at = NORTH;
    node n;
    node_init(&n, NORTH);
    job.reservation[TAX].lanes = 2;
    must(charter_with_reservation(&at));
    pl_bytes *whole = &job.signed_reservation[TAX];
    must(pl_signed_body(pl_bytes_view(whole), &body));
    assert_int_equal(body.data[body.len - 2], 15 << 3);
    assert_int_equal(body.data[body.len - 1], 2);
    size_t begin = 0;
    while (memcmp(whole->data + begin, body.data, body.len) != 0)
        assert_true(++begin + body.len <= whole->len);
    whole->data[begin + body.len - 1] = 8;
    fixture_job_charter(&world, &job, &charter);
    must_refuse(verify_at(&n, pl_bytes_view(&charter)), PL_UNAUTHENTICATED,
                "the signature of tax does not verify");
    pl_bytes_done(&charter);
    pl_bytes_done(&body);
}

static void the_time_of_a_reservation(void **state) {
    (void)state;
    int at = NORTH;
    job.reservation[TAX].reserved_at = FIXTURE_NOW - 180;
    job.reservation[TAX].not_after = FIXTURE_NOW - 120; /* its clock may be that much behind */
    must(charter_with_reservation(&at));
    job.reservation[TAX].not_after = FIXTURE_NOW - 121;
    must_refuse(charter_with_reservation(&at), PL_FAILED_PRECONDITION,
                "reservation of tax: not_after");
    job.reservation[TAX].reserved_at = FIXTURE_NOW + 121;
    job.reservation[TAX].not_after = FIXTURE_NOW + 181;
    must_refuse(charter_with_reservation(&at), PL_FAILED_PRECONDITION,
                "reservation of tax: reserved_at");
}

/* ---- a proposer who puts a charter together that was not agreed ---- */

typedef struct forge {
    Parley__V1__Charter *body;
    int at;
} forge;

static pl_status charter_resigned(void *ctx) {
    forge *g = ctx;
    node n;
    pl_bytes charter = {0};
    node_init(&n, g->at);
    fixture_sign(g->body, "charter", "health", pl_org_sign_key(world.orgs[HEALTH]), &charter);
    pl_status status = verify_at(&n, pl_bytes_view(&charter));
    pl_bytes_done(&charter);
    return status;
}

static void every_field_of_a_charter(void **state) {
    (void)state;
    static const sweep_row rows[] = {
        {"session_id changed", NULL}, /* it is drawn here; one that ran before is a replay */
        {"created_at +1", NULL},
        {"start_before +1", NULL},
        {"approvals[0] changed", "approval"},
        {"approvals[1] changed", "approval"},
        {"approvals[2] changed", "approval"},
        {"approvals[3] changed", "approval"},
        {"approvals[0] longer", "approval"},
        {"approvals[1] longer", "approval"},
        {"approvals[2] longer", "approval"},
        {"approvals[3] longer", "approval"},
        {"approvals swapped", "approvals[0]: approval: there is no signature of health"},
        {"reservations swapped", "reservations[0]: reservation: there is no signature of health"},
        {"reservations[0] changed", "reservation"},
        {"reservations[0] longer", "reservation"},
    };
    pl_bytes charter = {0};
    fixture_job_charter(&world, &job, &charter);
    forge g = {charter_body(&charter), NORTH};
    sweep s = {
        .name = "charter", .attempt = charter_resigned, .ctx = &g, .rows = rows, .n_rows = N(rows)};
    sweep_run(&s, &g.body->base, 20);
    parley__v1__charter__free_unpacked(g.body, NULL);
    pl_bytes_done(&charter);
}

/* Every byte of a charter, flipped, by the proposer's own hand or not: nothing but a refusal. */
static void no_single_bit_of_a_charter_is_spare(void **state) {
    (void)state;
    pl_bytes charter = {0};
    node n;
    node_init(&n, SOUTH);
    fixture_job_charter(&world, &job, &charter);
    size_t refused = 0;
    for (size_t i = 0; i < charter.len; i += 13) {
        charter.data[i] ^= (uint8_t)(1u << (i % 8));
        pl_status status = verify_at(&n, pl_bytes_view(&charter));
        if (pl_is_ok(status))
            fail_msg("byte %zu may be changed", i);
        refused++;
        pl_status_done(&status);
        charter.data[i] ^= (uint8_t)(1u << (i % 8));
    }
    for (size_t len = 0; len < charter.len; len += 97) {
        pl_status status = verify_at(&n, pl_view_of(charter.data, len));
        assert_false(pl_is_ok(status));
        pl_status_done(&status);
    }
    assert_true(refused > 100);
    must(verify_at(&n, pl_bytes_view(&charter)));
    pl_bytes_done(&charter);
}

/* ---- what a node holds by itself ---- */

static void a_node_compares_with_what_it_holds(void **state) {
    (void)state;
    uint8_t other[32] = {9};
    pl_bytes charter = {0};
    node n;
    fixture_job_charter(&world, &job, &charter);
    pl_view view = pl_bytes_view(&charter);

    node_init(&n, NORTH);
    n.rules.proposal_digest = other;
    must_refuse(verify_at(&n, view), PL_PROTOCOL, "charter: proposal differs from the one");
    node_init(&n, NORTH);
    n.rules.plan_digest = other;
    must_refuse(verify_at(&n, view), PL_PROTOCOL,
                "charter: proposal: plan_digest differs from this node's plan");
    node_init(&n, NORTH);
    n.rules.session_key = other;
    must_refuse(verify_at(&n, view), PL_PROTOCOL,
                "reservation of north: session_key differs from this node's live reservation");
    node_init(&n, NORTH);
    n.rules.input_commitment = other;
    must_refuse(verify_at(&n, view), PL_PROTOCOL, "reservation of north: input_commitment differs");
    node_init(&n, NORTH);
    n.rules.attempt = 3;
    must_refuse(verify_at(&n, view), PL_PROTOCOL, "reservation of health: attempt is 2");
    node_init(&n, NORTH);
    n.rules.from = "south"; /* relayed in another's name */
    must_refuse(verify_at(&n, view), PL_UNAUTHENTICATED, "no signature of south");
    node_init(&n, NORTH);
    n.rules.own = "twin";
    must_refuse(verify_at(&n, view), PL_INVALID_ARGUMENT, "parties do not name twin");
    pl_bytes_done(&charter);
}

static void replays_and_old_charters(void **state) {
    (void)state;
    pl_bytes charter = {0};
    node n;
    fixture_job_charter(&world, &job, &charter);
    node_init(&n, NORTH);
    already_started = true;
    must_refuse(verify_at(&n, pl_bytes_view(&charter)), PL_ALREADY_EXISTS, "charter: session_id");
    already_started = false;
    n.rules.now = FIXTURE_NOW + 120;
    must(verify_at(&n, pl_bytes_view(&charter)));
    n.rules.now = FIXTURE_NOW + 121;
    must_refuse(verify_at(&n, pl_bytes_view(&charter)), PL_FAILED_PRECONDITION,
                "charter: created_at");
    n.rules.now = FIXTURE_NOW - 121;
    must_refuse(verify_at(&n, pl_bytes_view(&charter)), PL_FAILED_PRECONDITION,
                "charter: created_at");
    pl_bytes_done(&charter);
}

static void a_key_that_was_renewed_since_is_refused(void **state) {
    (void)state;
    pl_bytes charter = {0};
    node n;
    job.key_id[TAX][0] ^= 1; /* all agreed on a proposal that names another key */
    fixture_job_sign(&world, &job);
    fixture_job_charter(&world, &job, &charter);
    node_init(&n, NORTH);
    must_refuse(
        verify_at(&n, pl_bytes_view(&charter)), PL_PROTOCOL,
        "proposal: parties[3] (tax): sign_key_id differs from the key of its valid descriptor");
    job.key_id[TAX][0] ^= 1;
    fixture_job_sign(&world, &job);
    fixture_job_charter(&world, &job, &charter);
    node_init(&n, NORTH);
    descriptor_missing = TAX;
    must_refuse(verify_at(&n, pl_bytes_view(&charter)), PL_UNAVAILABLE, "descriptor of tax");
    pl_bytes_done(&charter);
}

static void what_all_agreed_on_must_fit_together(void **state) {
    (void)state;
    pl_bytes charter = {0};
    node n;
    /* a node's name that is not its descriptor's */
    char *name = job.party[TAX].node;
    job.party[TAX].node = (char[]){"other"};
    fixture_job_sign(&world, &job);
    fixture_job_charter(&world, &job, &charter);
    node_init(&n, NORTH);
    must_refuse(verify_at(&n, pl_bytes_view(&charter)), PL_PROTOCOL,
                "proposal: parties[3] (tax): node differs from its valid descriptor");
    job.party[TAX].node = name;
    /* an approval from before there was a proposal */
    job.approval[TAX].decided_at = job.proposal.created_at - 120;
    fixture_job_sign(&world, &job);
    fixture_job_charter(&world, &job, &charter);
    node_init(&n, NORTH);
    must(verify_at(&n, pl_bytes_view(&charter)));
    job.approval[TAX].decided_at = job.proposal.created_at - 121;
    fixture_job_sign(&world, &job);
    fixture_job_charter(&world, &job, &charter);
    must_refuse(verify_at(&n, pl_bytes_view(&charter)), PL_PROTOCOL,
                "approval of tax: decided_at is before the proposal's created_at");
    pl_bytes_done(&charter);
}

static void a_charter_is_bounded(void **state) {
    (void)state;
    pl_bytes charter = {0}, none;
    pl_charter *read;
    pl_charter_parts parts = {.n_parties = 0};
    must_refuse(pl_charter_assemble(&parts, pl_org_sign_key(world.orgs[HEALTH]), "health", &none),
                PL_INVALID_ARGUMENT, "charter: 0 parties");
    parts.n_parties = PL_PARTIES_MAX + 1;
    must_refuse(pl_charter_assemble(&parts, pl_org_sign_key(world.orgs[HEALTH]), "health", &none),
                PL_INVALID_ARGUMENT, "charter: 17 parties");
    /* reading without verifying is strict about the form as well */
    fixture_job_charter(&world, &job, &charter);
    Parley__V1__Charter *body = charter_body(&charter);
    body->n_approvals--;
    fixture_sign(body, "charter", "health", pl_org_sign_key(world.orgs[HEALTH]), &charter);
    must_refuse(pl_charter_read(pl_bytes_view(&charter), &read), PL_PROTOCOL,
                "approvals are 3 for 4");
    body->n_approvals++;
    body->session_id.len--;
    fixture_sign(body, "charter", "health", pl_org_sign_key(world.orgs[HEALTH]), &charter);
    must_refuse(pl_charter_read(pl_bytes_view(&charter), &read), PL_INVALID_ARGUMENT, "session_id");
    body->session_id.len++;
    Parley__V1__Party *parties[PL_PARTIES_MAX + 1];
    for (size_t i = 0; i <= PL_PARTIES_MAX; i++)
        parties[i] = job.parties[0];
    job.proposal.parties = parties;
    job.proposal.n_parties = PL_PARTIES_MAX + 1;
    fixture_job_sign(&world, &job);
    fixture_job_charter(&world, &job, &charter);
    must_refuse(pl_charter_read(pl_bytes_view(&charter), &read), PL_LIMIT, "parties are 17");
    parley__v1__charter__free_unpacked(body, NULL);
    pl_bytes_done(&charter);
}

static void another_partys_signature_does_not_help(void **state) {
    (void)state;
    pl_bytes charter = {0};
    node n;
    node_init(&n, NORTH);
    fixture_sign(&job.approval[TAX], "approval", "tax", pl_org_sign_key(world.orgs[SOUTH]),
                 &job.signed_approval[TAX]);
    fixture_job_charter(&world, &job, &charter);
    must_refuse(verify_at(&n, pl_bytes_view(&charter)), PL_UNAUTHENTICATED,
                "the signature of tax is by another key");
    /* right key, wrong domain: an approval signed as a reservation is neither */
    fixture_sign(&job.approval[TAX], "reservation", "tax", pl_org_sign_key(world.orgs[TAX]),
                 &job.signed_approval[TAX]);
    fixture_job_charter(&world, &job, &charter);
    must_refuse(verify_at(&n, pl_bytes_view(&charter)), PL_UNAUTHENTICATED, "does not verify");
    pl_bytes_done(&charter);
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
        TEST(a_charter_verifies_at_every_party),
        TEST(a_changed_charter_breaks_its_signature),
        TEST(every_field_of_an_approval),
        TEST(a_refusal_is_no_approval),
        TEST(every_field_of_a_reservation),
        TEST(a_session_key_is_nobody_elses),
        TEST(lanes_are_the_fewest),
        TEST(changed_lanes_break_the_signature),
        TEST(the_time_of_a_reservation),
        TEST(every_field_of_a_charter),
        TEST(no_single_bit_of_a_charter_is_spare),
        TEST(a_node_compares_with_what_it_holds),
        TEST(replays_and_old_charters),
        TEST(a_key_that_was_renewed_since_is_refused),
        TEST(what_all_agreed_on_must_fit_together),
        TEST(a_charter_is_bounded),
        TEST(another_partys_signature_does_not_help),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
