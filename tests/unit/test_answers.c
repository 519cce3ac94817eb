/* Approvals and reservations, one check at a time: what must be refused when it comes in must not
 * be signed here either, and by the same words. It could be wrong in a check that has no row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/charter/approval.h"
#include "node/charter/reservation.h"
#include "tests/unit/federation_fixture.h"
#include "tests/unit/sweep.h"

#include <stdlib.h>
#include <string.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))
#define TEXT(s) ((char *)(uintptr_t)(s))

static fixture world;
static fixture_job job;
static Parley__V1__Approval *approval;
static Parley__V1__Reservation *reservation;
static Parley__V1__Refusal refusal;
static char long_text[9000];

static int set_up(void **state) {
    (void)state;
    fixture_job_init(&world, &job);
    approval = &job.approval[TAX];
    reservation = &job.reservation[TAX];
    parley__v1__refusal__init(&refusal);
    refusal.column = TEXT("tax.income.amount");
    refusal.rule = TEXT("rule 3");
    refusal.reason = TEXT("only inside SUM or AVG");
    refusal.change = TEXT("use AVG(amount)");
    memset(long_text, 'a', sizeof long_text - 1);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_job_done(&job);
    return 0;
}

static pl_status take_approval(void) {
    Parley__V1__Approval *out = NULL;
    fixture_job_sign_approval(&world, &job, TAX);
    pl_status status = pl_approval_verify(pl_bytes_view(&job.signed_approval[TAX]),
                                          fixture_descriptor(&world, TAX), FIXTURE_NOW, &out);
    if (out != NULL)
        parley__v1__approval__free_unpacked(out, NULL);
    return status;
}

static pl_status give_approval(void) {
    pl_bytes out = {0};
    pl_status status = pl_approval_sign(approval, pl_org_sign_key(world.orgs[TAX]), &out);
    pl_bytes_done(&out);
    return status;
}

/* Neither taken nor given. */
static void no_approval(pl_code code, const char *text) {
    must_refuse(take_approval(), code, text);
    must_refuse(give_approval(), code, text);
}

static void what_an_approval_must_say(void **state) {
    (void)state;
    must(take_approval());
    must(give_approval());
    approval->job_id.len = 15;
    no_approval(PL_INVALID_ARGUMENT, "job_id has 15 bytes, not 16");
    approval->job_id.len = 16;
    approval->proposal_digest.len = 31;
    no_approval(PL_INVALID_ARGUMENT, "proposal_digest has 31 bytes, not 32");
    approval->proposal_digest.len = 32;
    approval->plan_digest.len = 0;
    no_approval(PL_INVALID_ARGUMENT, "plan_digest has 0 bytes, not 32");
    approval->plan_digest.len = 32;
    approval->policy_digest.len = 0;
    no_approval(PL_INVALID_ARGUMENT, "policy_digest has 0 bytes, not 32");
    approval->policy_digest.len = 32;
    approval->org = TEXT("Tax!");
    no_approval(PL_INVALID_ARGUMENT, "org is no name of an organisation");
    approval->org = TEXT("tax");
    approval->approver = TEXT("");
    no_approval(PL_INVALID_ARGUMENT, "approver is empty");
    approval->approver = long_text;
    no_approval(PL_LIMIT, "approver has 8999 bytes");
    approval->approver = TEXT("anna@tax");
    approval->version = 2;
    no_approval(PL_UNSUPPORTED, "version 2 is unknown");
}

static void when_an_approval_counts(void **state) {
    (void)state;
    approval->decided_at = FIXTURE_NOW + 120;
    must(take_approval());
    approval->decided_at = FIXTURE_NOW + 121;
    must_refuse(take_approval(), PL_FAILED_PRECONDITION, "approval of tax: decided_at is ");
    approval->decided_at = FIXTURE_NOW - 30;
    approval->not_after = FIXTURE_NOW;
    must(take_approval());
    approval->not_after = FIXTURE_NOW - 1;
    must_refuse(take_approval(), PL_FAILED_PRECONDITION, "approval of tax: not_after, 2026-11-18");
    approval->not_after = FIXTURE_NOW - 31;
    no_approval(PL_INVALID_ARGUMENT, "not_after is before decided_at");
    approval->decided_at = 0;
    approval->not_after = FIXTURE_NOW;
    no_approval(PL_INVALID_ARGUMENT, "decided_at");
}

static void a_refusal_says_why(void **state) {
    (void)state;
    approval->granted = false;
    approval->refusal = &refusal;
    must(take_approval());
    must(give_approval());
    refusal.rule = TEXT("");
    no_approval(PL_INVALID_ARGUMENT, "refusal.rule is empty");
    refusal.rule = TEXT("planner");
    refusal.reason = TEXT("");
    no_approval(PL_INVALID_ARGUMENT, "refusal.reason is empty");
    refusal.reason = long_text;
    no_approval(PL_LIMIT, "refusal.reason has 8999 bytes");
    refusal.reason = TEXT("because");
    refusal.column = long_text;
    no_approval(PL_LIMIT, "refusal.column is too long");
    refusal.column = TEXT("");
    refusal.change = long_text;
    no_approval(PL_LIMIT, "refusal.change is too long");
    refusal.change = TEXT("");
    must(take_approval());
    approval->granted = true;
    no_approval(PL_INVALID_ARGUMENT, "refusal is given, but granted is true");
    approval->granted = false;
    approval->refusal = NULL;
    no_approval(PL_INVALID_ARGUMENT, "refusal is missing, but granted is false");
}

static pl_status take_reservation(void) {
    Parley__V1__Reservation *out = NULL;
    fixture_job_sign_reservation(&world, &job, TAX);
    pl_status status = pl_reservation_verify(pl_bytes_view(&job.signed_reservation[TAX]),
                                             fixture_descriptor(&world, TAX), FIXTURE_NOW, &out);
    if (out != NULL)
        parley__v1__reservation__free_unpacked(out, NULL);
    return status;
}

static void no_reservation(pl_code code, const char *text) {
    pl_bytes out = {0};
    must_refuse(take_reservation(), code, text);
    must_refuse(pl_reservation_sign(reservation, pl_org_sign_key(world.orgs[TAX]), &out), code,
                text);
}

static void what_a_reservation_must_say(void **state) {
    (void)state;
    uint32_t attempt = 0;
    must(take_reservation());
    must(pl_reservation_attempt(pl_bytes_view(&job.signed_reservation[TAX]), &attempt));
    assert_int_equal(attempt, 2);
    reservation->job_id.len = 0;
    no_reservation(PL_INVALID_ARGUMENT, "job_id has 0 bytes, not 16");
    reservation->job_id.len = 16;
    reservation->proposal_digest.len = 0;
    no_reservation(PL_INVALID_ARGUMENT, "proposal_digest has 0 bytes, not 32");
    reservation->proposal_digest.len = 32;
    reservation->input_commitment.len = 31;
    no_reservation(PL_INVALID_ARGUMENT, "input_commitment has 31 bytes, not 32");
    reservation->input_commitment.len = 32;
    reservation->session_key.len = 31;
    no_reservation(PL_INVALID_ARGUMENT, "session_key has 31 bytes, not 32");
    reservation->session_key.len = 32;
    reservation->org = TEXT("1tax");
    no_reservation(PL_INVALID_ARGUMENT, "org is no name of an organisation");
    reservation->org = TEXT("tax");
    reservation->attempt = 0;
    no_reservation(PL_INVALID_ARGUMENT, "attempt is 0");
    reservation->attempt = 2;
    reservation->memory_bytes = 0;
    no_reservation(PL_INVALID_ARGUMENT, "memory_bytes is 0");
    reservation->memory_bytes = 1;
    for (uint32_t lanes = 1; lanes <= PL_RESERVATION_LANES_MAX; lanes++) {
        reservation->lanes = lanes;
        must(take_reservation());
    }
    reservation->lanes = 9;
    no_reservation(PL_LIMIT, "lanes are 9: at most 8");
    reservation->lanes = 0; /* as before there were any */
    must(take_reservation());
    reservation->n_endpoints = 0;
    no_reservation(PL_INVALID_ARGUMENT, "endpoints are empty");
    char *many[17];
    for (size_t i = 0; i < N(many); i++)
        many[i] = job.endpoints[0];
    reservation->endpoints = many;
    reservation->n_endpoints = 17;
    no_reservation(PL_LIMIT, "endpoints are 17");
    reservation->n_endpoints = 16;
    must(take_reservation());
    many[3] = TEXT("nowhere");
    no_reservation(PL_INVALID_ARGUMENT, "endpoints[3] is not host:port");
}

/* The head of the audit log, and what goes with it. */
static void what_a_head_must_say(void **state) {
    (void)state;
    ProtobufCBinaryData whole = reservation->audit_head;
    reservation->audit_head.len = 0;
    no_reservation(PL_INVALID_ARGUMENT, "audit_head is missing");
    reservation->audit_head = job.reservation[SOUTH].audit_head;
    must_refuse(take_reservation(), PL_UNAUTHENTICATED, "reservation of tax: audit_head");
    reservation->audit_head = whole;
    fixture_job_sign_head(&world, &job, TAX, 6); /* as long as the link's */
    must_refuse(take_reservation(), PL_INVALID_ARGUMENT, "audit_links[0]: size 6 is not between");
    fixture_job_sign_head(&world, &job, TAX, 7);
    must(take_reservation());
    job.link.size = 0;
    must_refuse(take_reservation(), PL_INVALID_ARGUMENT, "audit_links[0]: size 0 is not between");
    job.link.size = 6;
    job.link.root.len = 31;
    must_refuse(take_reservation(), PL_INVALID_ARGUMENT, "audit_links[0]: root has 31 bytes");
    job.link.root.len = 32;
    job.link.path.len = 33;
    must_refuse(take_reservation(), PL_INVALID_ARGUMENT, "path of 33 bytes is no list of hashes");
    job.link.path.len = 0;
    must(take_reservation());
    Parley__V1__AuditLink *twice[] = {&job.link, &job.link};
    reservation->audit_links = twice;
    reservation->n_audit_links = 2;
    must_refuse(take_reservation(), PL_INVALID_ARGUMENT, "audit_links[1]: size 6 is not between");
    reservation->n_audit_links = 1;
    job.seen.size = 0;
    no_reservation(PL_INVALID_ARGUMENT, "audit_seen[0]: size is 0");
    job.seen.size = 1;
    job.seen.root.len = 0;
    no_reservation(PL_INVALID_ARGUMENT, "audit_seen[0]: root has 0 bytes");
    job.seen.root.len = 32;
    Parley__V1__AuditSeen *both[] = {&job.seen, &job.seen};
    reservation->audit_seen = both;
    reservation->n_audit_seen = 2;
    no_reservation(PL_INVALID_ARGUMENT, "audit_seen[1]: org is no name, or not in order");
    reservation->n_audit_seen = 1;
    must(take_reservation());
}

static void how_long_a_reservation_lasts(void **state) {
    (void)state;
    reservation->not_after = reservation->reserved_at;
    no_reservation(PL_INVALID_ARGUMENT, "not_after is not after reserved_at");
    reservation->not_after = reservation->reserved_at + PL_RESERVATION_SECONDS_MAX;
    must(take_reservation());
    reservation->not_after++;
    no_reservation(PL_LIMIT, "not_after is more than 3600 seconds");
    reservation->reserved_at = 0;
    reservation->not_after = 60;
    no_reservation(PL_INVALID_ARGUMENT, "reserved_at");
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
        TEST(what_an_approval_must_say), TEST(when_an_approval_counts),
        TEST(a_refusal_says_why),        TEST(what_a_reservation_must_say),
        TEST(what_a_head_must_say),      TEST(how_long_a_reservation_lasts),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
