/* Proposals that are well signed and cannot be joined, one check at a time: what the sweep in
 * test_charter.c cannot reach by changing one field. Every row was seen to fail with its check
 * taken out. It could be wrong where a row is refused by another check of the same field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/federation_fixture.h"
#include "tests/unit/sweep.h"

#include <stdlib.h>
#include <string.h>

#define TEXT(s) ((char *)(uintptr_t)(s))

static fixture world;
static fixture_job job;
static Parley__V1__Descriptor proposer; /* a copy that tests may change */

static pl_status propose(void) {
    Parley__V1__Proposal *out = NULL;
    fixture_sign(&job.proposal, "proposal", "health", pl_org_sign_key(world.orgs[HEALTH]),
                 &job.signed_proposal);
    pl_status status = pl_proposal_verify(pl_bytes_view(&job.signed_proposal), world.manifest,
                                          &proposer, FIXTURE_NOW, &out);
    if (out != NULL)
        parley__v1__proposal__free_unpacked(out, NULL);
    return status;
}

static int set_up(void **state) {
    (void)state;
    fixture_job_init(&world, &job);
    proposer = *fixture_descriptor(&world, HEALTH);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_job_done(&job);
    return 0;
}

/* ---- task ---- */

static void texts_are_there_and_not_too_long(void **state) {
    (void)state;
    static char text[PL_TASK_BYTES_MAX + 2];
    memset(text, 'a', PL_TASK_BYTES_MAX + 1);
    const struct {
        char **at;
        const char *field;
        size_t len_max;
    } rows[] = {
        {&job.task.kind, "task.kind", 63},
        {&job.task.text, "task.text", PL_TASK_BYTES_MAX},
        {&job.task.purpose, "task.purpose", 500},
        {&job.task.protocol, "task.protocol", 63},
        {&job.proposal.submitter, "submitter", 200},
        {&job.party[TAX].node, "parties[3]: node", 63},
        {&job.ref[1].dataset, "catalog[1]: dataset", 63},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *before = *rows[i].at, keep = text[rows[i].len_max + 1];
        *rows[i].at = TEXT("");
        must_refuse(propose(), PL_INVALID_ARGUMENT, rows[i].field);
        *rows[i].at = text;
        text[rows[i].len_max + 1] = 0;
        must_refuse(propose(), PL_LIMIT, rows[i].field);
        char last = text[rows[i].len_max];
        text[rows[i].len_max] = 0;
        must(propose());
        text[rows[i].len_max] = last;
        text[rows[i].len_max + 1] = keep;
        *rows[i].at = before;
    }
    job.proposal.task = NULL;
    must_refuse(propose(), PL_INVALID_ARGUMENT, "task is missing");
}

static void compute_sets_have_their_size(void **state) {
    (void)state;
    job.task.n_compute = 2;
    job.party[TAX].compute = false;
    must_refuse(propose(), PL_INVALID_ARGUMENT, "task.compute names 2 parties, but rep3 needs 3");
    job.task.protocol = TEXT("additive");
    must(propose());
    job.task.n_compute = 0;
    job.party[NORTH].compute = job.party[SOUTH].compute = false;
    must_refuse(propose(), PL_INVALID_ARGUMENT, "task.compute names 0 parties");
}

static void lists_name_each_party_once(void **state) {
    (void)state;
    job.task.protocol = TEXT("additive");
    job.compute[2] = job.compute[0];
    job.party[TAX].compute = false;
    must_refuse(propose(), PL_INVALID_ARGUMENT, "task.compute names north twice");
    job.compute[2] = TEXT("tax");
    job.party[TAX].compute = true;
    char *recipients[] = {TEXT("health"), TEXT("twin")};
    job.task.recipients = recipients;
    job.task.n_recipients = 2;
    must_refuse(propose(), PL_INVALID_ARGUMENT, "task.recipients[1] is not among the parties");
    job.task.n_recipients = 0;
    job.party[HEALTH].recipient = false;
    must_refuse(propose(), PL_INVALID_ARGUMENT, "task.recipients names 0 parties");
}

/* ---- parties ---- */

/* A fifth party behind the four. */
static Parley__V1__Party *add_party(const char *org) {
    static Parley__V1__Party party, *parties[FIXTURE_PARTIES + 1];
    party = job.party[TAX];
    party.rank = FIXTURE_PARTIES;
    party.org = TEXT(org);
    party.owner = party.compute = party.recipient = false;
    memcpy(parties, job.parties, sizeof job.parties);
    parties[FIXTURE_PARTIES] = &party;
    job.proposal.parties = parties;
    job.proposal.n_parties = FIXTURE_PARTIES + 1;
    return &party;
}

static void each_party_has_a_role_once(void **state) {
    (void)state;
    Parley__V1__Party *party = add_party("twin");
    must_refuse(propose(), PL_INVALID_ARGUMENT, "parties[4]: twin has none of the roles");
    party->owner = true;
    must(propose());
    party = add_party("tax");
    party->owner = party->compute = true;
    must_refuse(propose(), PL_INVALID_ARGUMENT, "org tax stands there twice");
    /* the proposer needs no role */
    job.proposal.n_parties = FIXTURE_PARTIES;
    job.recipients[0] = TEXT("north");
    job.party[HEALTH].recipient = false;
    job.party[NORTH].recipient = true;
    must(propose());
}

static void the_proposer_is_a_party_and_signs_for_itself(void **state) {
    (void)state;
    job.proposal.proposer = TEXT("north"); /* a party, but health signs */
    must_refuse(propose(), PL_UNAUTHENTICATED, "proposer is 'north', but health signed it");
    job.proposal.proposer = TEXT("health");
    job.party[NORTH].recipient = true;
    job.recipients[0] = TEXT("north");
    for (int i = 0; i < 3; i++) {
        job.parties[i] = &job.party[i + 1];
        job.party[i + 1].rank = (uint32_t)i;
    }
    job.proposal.n_parties = 3;
    must_refuse(propose(), PL_INVALID_ARGUMENT, "parties do not name the proposer health");
}

static void too_many_parties(void **state) {
    (void)state;
    Parley__V1__Party party[PL_PARTIES_MAX + 1], *parties[PL_PARTIES_MAX + 1];
    for (int i = 0; i <= PL_PARTIES_MAX; i++) {
        party[i] = job.party[i % FIXTURE_PARTIES];
        parties[i] = &party[i];
    }
    job.proposal.parties = parties;
    job.proposal.n_parties = PL_PARTIES_MAX + 1;
    must_refuse(propose(), PL_INVALID_ARGUMENT, "parties are 17");
}

/* ---- versions ---- */

static void versions_are_known_to_both(void **state) {
    (void)state;
    uint32_t both[] = {1, 2}, newer[] = {2};
    proposer.protocol_versions = proposer.planner_versions = both;
    proposer.n_protocol_versions = proposer.n_planner_versions = 2;
    must(propose());
    job.proposal.protocol_version = 2;
    must_refuse(propose(), PL_UNSUPPORTED, "protocol_version 2 is unknown here: this node knows 1");
    job.proposal.protocol_version = 1;
    job.proposal.planner_version = 2;
    must_refuse(propose(), PL_UNSUPPORTED, "planner_version 2 is unknown here: this node knows 1");
    job.proposal.planner_version = 1;
    proposer.protocol_versions = newer;
    proposer.n_protocol_versions = 1;
    must_refuse(propose(), PL_UNSUPPORTED,
                "protocol_version 1 is none that the descriptor of health");
    proposer.protocol_versions = both;
    proposer.planner_versions = newer;
    proposer.n_planner_versions = 1;
    must_refuse(propose(), PL_UNSUPPORTED,
                "planner_version 1 is none that the descriptor of health");
}

/* ---- catalogue ---- */

static void the_catalogue_is_bounded(void **state) {
    (void)state;
    Parley__V1__CatalogRef *refs[65];
    job.ref[0].schema_version = 0;
    must_refuse(propose(), PL_INVALID_ARGUMENT, "catalog[0]: schema_version is 0");
    job.ref[0].schema_version = 1;
    for (int i = 0; i < 65; i++)
        refs[i] = &job.ref[0];
    job.proposal.catalog = refs;
    job.proposal.n_catalog = 65;
    must_refuse(propose(), PL_LIMIT, "catalog names 65 datasets");
    job.proposal.n_catalog = 0;
    must(propose());
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
        TEST(texts_are_there_and_not_too_long),
        TEST(compute_sets_have_their_size),
        TEST(lists_name_each_party_once),
        TEST(each_party_has_a_role_once),
        TEST(the_proposer_is_a_party_and_signs_for_itself),
        TEST(too_many_parties),
        TEST(versions_are_known_to_both),
        TEST(the_catalogue_is_bounded),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
