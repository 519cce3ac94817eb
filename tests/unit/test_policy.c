/* The policy's decision against a table of questions, each one condition away from a question that
 * passes; the reader's refusals; and the signature over the file's exact bytes. The table could be
 * wrong by leaving out a condition that no row varies: every condition of rule_covers and
 * judge_compute has rows here on both sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/policy/policy.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW 1800000000        /* 2027-01-15 */
#define END_2026 1798761599   /* the last second of 2026-12-31 */
#define END_POLICY 1830297599 /* the last second of 2027-12-31 */

static const char POLICY[] = "policy: 3\n"
                             "org: north\n"
                             "not_after: 2027-12-31\n"
                             "rules:\n"
                             "  - dataset: residents\n" /* rule 1 */
                             "    members: [south]\n"
                             "    purposes: [official-statistics]\n"
                             "    columns:\n"
                             "      \"*\": [aggregate]\n"
                             "      income: [aggregate]\n"
                             "      region: [group_key, filter]\n"
                             "    cohort: 10\n"
                             "    uses: 5\n"
                             "    approval: automatic\n"
                             "    protocols: [rep3]\n"
                             "    compute: [[north, south, east]]\n"
                             "  - dataset: residents\n" /* rule 2 */
                             "    members: any\n"
                             "    purposes: any\n"
                             "    columns:\n"
                             "      income: [aggregate]\n"
                             "      收入: [plain, train, extreme]\n"
                             "    cohort: 20\n"
                             "    approval: ask\n"
                             "    protocols: any\n"
                             "    compute: any\n"
                             "  - dataset: archive\n" /* rule 3 */
                             "    members: [any]\n"
                             "    purposes: [any]\n"
                             "    columns: {year: [aggregate]}\n"
                             "    cohort: 0\n"
                             "    not_after: 2026-12-31\n"
                             "    approval: automatic\n"
                             "    protocols: [any]\n"
                             "    compute: [[north, south, east], any]\n";

/* Rows about data are asked under ANY_PART, rows about computing under STRICT_PART. */
static const char ANY_PART[] =
    "take_part: {members: any, purposes: any, kinds: any, protocols: any,"
    " compute: any, approval: automatic}\n";
static const char STRICT_PART[] = "take_part:\n"
                                  "  members: [south]\n"
                                  "  purposes: [official-statistics]\n"
                                  "  kinds: [query]\n"
                                  "  protocols: [rep3]\n"
                                  "  compute: [[north, south, east]]\n"
                                  "  approval: ask\n";

static const char *const MEMBERS[] = {"east", "north", "south", "west"};

static void must(pl_status status) {
    if (!pl_is_ok(status))
        fail_msg("%s", pl_status_message(status));
}

static void must_fail(pl_status status, pl_code code, const char *text) {
    if (pl_status_code(status) != code || strstr(pl_status_message(status), text) == NULL)
        fail_msg("got \"%s\" (%s), wanted \"%s\"", pl_status_message(status),
                 pl_code_describe(pl_status_code(status))->name, text);
    pl_status_done(&status);
}

/* ---- the decision ---- */

enum { AGG = 1, KEY, FILTER, PLAIN, TRAIN, EXTREME, COMPUTE };

/* A row: what is not given is as in the question that rule 1 allows. Lists: names with commas. */
typedef struct row {
    const char *name;
    int right;
    const char *column, *dataset, *owner, *recipients, *purpose, *protocol, *compute, *proposer,
        *kind;
    uint32_t cohort; /* 0: 10; NO_COHORT: 0 */
    int64_t now;
    uint64_t uses; /* of every rule */
    pl_policy_decision decision;
    uint32_t rule; /* that covers, or that the refusal names (0: default, take_part) */
    const char *reason, *change;
} row;

#define NO_COHORT UINT32_MAX
#define REFUSE .decision = PL_POLICY_REFUSE
#define ALLOW .decision = PL_POLICY_ALLOW
#define ASK .decision = PL_POLICY_ASK

static const row ROWS[] = {
    /* rights and columns */
    {"sum of income", AGG, ALLOW, .rule = 1},
    {"count of rows", AGG, "*", ALLOW, .rule = 1},
    {"group by region", KEY, "region", ALLOW, .rule = 1},
    {"filter by region", FILTER, "region", ALLOW, .rule = 1},
    {"sum of region", AGG, "region", REFUSE, .rule = 1, .reason = "only inside group_key, filter"},
    {"group by income", KEY, REFUSE, .rule = 1,
     .reason = "only inside aggregate, not as group_key"},
    {"filter by income", FILTER, REFUSE, .rule = 1, .reason = "not as filter"},
    {"income in plain", PLAIN, REFUSE, .rule = 1, .reason = "not as plain"},
    {"train on income", TRAIN, REFUSE, .rule = 1, .reason = "not as train"},
    {"largest income", EXTREME, REFUSE, .rule = 1, .reason = "not as extreme"},
    {"filter by rows", FILTER, "*", REFUSE, .rule = 1, .reason = "not as filter"},
    {"unknown column", AGG, "name", REFUSE, .rule = 1, .reason = "does not name this column",
     .change = "column name were listed"},
    {"column in another case", AGG, "Income", REFUSE, .rule = 1, .reason = "does not name"},
    {"right 0", 0, REFUSE, .rule = 1, .reason = "not as ?"},
    {"right beyond all", 40, REFUSE, .rule = 1, .reason = "not as ?"},
    {"negative right", -3, REFUSE, .rule = 1, .reason = "not as ?"},
    {"Chinese column, plain", PLAIN, "收入", .cohort = 20, ASK, .rule = 2},
    {"Chinese column, train", TRAIN, "收入", .cohort = 20, ASK, .rule = 2},
    {"Chinese column, extreme", EXTREME, "收入", .cohort = 20, ASK, .rule = 2},
    {"Chinese column, summed", AGG, "收入", .cohort = 20, REFUSE, .rule = 2,
     .reason = "plain, train", .change = "not used in SUM"},
    /* datasets and owners */
    {"unknown dataset", AGG, .dataset = "taxes", REFUSE, .reason = "no rule of the policy is about",
     .change = "a rule allowed it"},
    {"somebody else's column", AGG, "name", .owner = "south", ALLOW},
    /* recipients */
    {"own recipient", AGG, .recipients = "north", ALLOW, .rule = 1},
    {"own and named recipient", AGG, .recipients = "north,south", ALLOW, .rule = 1},
    {"recipient of rule 2 only", AGG, .recipients = "east", .cohort = 20, ASK, .rule = 2},
    {"second recipient not named", KEY, "region", .recipients = "south,east", REFUSE, .rule = 1,
     .reason = "does not allow east as a recipient", .change = "east were not a recipient"},
    {"first recipient not named", KEY, "region", .recipients = "east,south", REFUSE, .rule = 1,
     .reason = "does not allow east"},
    {"any is any member only", AGG, .recipients = "stranger", .cohort = 20, REFUSE, .rule = 1,
     .reason = "does not allow stranger"},
    {"nobody receives", AGG, .recipients = "", REFUSE, .rule = 1, .reason = "names nobody"},
    /* purposes */
    {"other purpose, rule 2", AGG, .purpose = "research", .cohort = 20, ASK, .rule = 2},
    {"other purpose", AGG, "*", .purpose = "research", REFUSE, .rule = 1,
     .reason = "does not allow the purpose research", .change = "not research"},
    {"no purpose", AGG, "*", .purpose = "", REFUSE, .rule = 1, .reason = "the purpose"},
    /* protocols, compute sets */
    {"other protocol, rule 2", AGG, .protocol = "plain", .cohort = 20, ASK, .rule = 2},
    {"other protocol", AGG, "*", .protocol = "plain", REFUSE, .rule = 1,
     .reason = "does not accept the protocol plain"},
    {"compute set in another order", AGG, .compute = "east,north,south", ALLOW, .rule = 1},
    {"other compute set, rule 2", AGG, .compute = "north,south,west", .cohort = 20, ASK, .rule = 2},
    {"other compute set", AGG, "*", .compute = "north,south,west", REFUSE, .rule = 1,
     .reason = "does not accept this compute set", .change = "compute set were one"},
    {"smaller compute set", AGG, "*", .compute = "north,south", REFUSE, .rule = 1,
     .reason = "compute set"},
    {"larger compute set", AGG, "*", .compute = "north,south,east,west", REFUSE, .rule = 1,
     .reason = "compute set"},
    {"a party twice in the compute set", AGG, "*", .compute = "north,south,south", REFUSE,
     .rule = 1, .reason = "compute set"},
    /* cohorts */
    {"larger cohort", AGG, .cohort = 11, ALLOW, .rule = 1},
    {"cohort one too small", AGG, .cohort = 9, REFUSE, .rule = 1,
     .reason = "demands cohorts of at least 10, the plan has 9", .change = "at least 10"},
    {"no cohort", AGG, .cohort = NO_COHORT, REFUSE, .rule = 1, .reason = "the plan has 0"},
    /* uses */
    {"last use", AGG, "*", .uses = 4, ALLOW, .rule = 1},
    {"uses spent", AGG, "*", .uses = 5, REFUSE, .rule = 1, .reason = "all of its 5 uses are spent",
     .change = "rule 1 allowed more uses"},
    {"uses overspent", AGG, "*", .uses = UINT64_MAX, REFUSE, .rule = 1, .reason = "spent"},
    {"uses of rule 1 spent, rule 2 asks", AGG, .uses = 5, .cohort = 20, ASK, .rule = 2},
    /* time */
    {"rule's last second", AGG, "year", .dataset = "archive", .now = END_2026, ALLOW, .rule = 3},
    {"rule expired", AGG, "year", .dataset = "archive", .now = END_2026 + 1, REFUSE, .rule = 3,
     .reason = "it has expired", .change = "rule 3 were renewed"},
    {"policy's last second", AGG, .now = END_POLICY, ALLOW, .rule = 1},
    {"policy expired", AGG, .now = END_POLICY + 1, REFUSE,
     .reason = "the policy of north has expired", .change = "the policy were renewed"},
    /* automatic is preferred to ask */
    {"both rules cover", AGG, .cohort = 20, ALLOW, .rule = 1},
    /* computing */
    {"compute for south", COMPUTE, ASK},
    {"compute for ourselves", COMPUTE, .proposer = "north", ASK},
    {"compute for a member not named", COMPUTE, .proposer = "east", REFUSE,
     .reason = "does not allow jobs of east", .change = "east were among"},
    {"compute for a stranger", COMPUTE, .proposer = "stranger", REFUSE,
     .reason = "jobs of stranger"},
    {"compute a bench", COMPUTE, .kind = "bench", REFUSE, .reason = "sessions of the kind bench",
     .change = "take_part allowed the kind bench"},
    {"compute, other purpose", COMPUTE, .purpose = "research", REFUSE,
     .reason = "the purpose research"},
    {"compute, other protocol", COMPUTE, .protocol = "plain", REFUSE,
     .reason = "the protocol plain"},
    {"compute, other set", COMPUTE, .compute = "north,south,west", REFUSE, .reason = "compute set"},
    {"compute, policy expired", COMPUTE, .now = END_POLICY + 1, REFUSE, .reason = "expired"},
    {"somebody else computes", COMPUTE, .owner = "south", .compute = "south,east,west",
     .kind = "bench", ALLOW},
};
#define N_ROWS (sizeof ROWS / sizeof ROWS[0])

/* Splits names at commas, in place. */
static size_t split(const char *list, char copy[200], char *out[8]) {
    size_t n = 0;
    snprintf(copy, 200, "%s", list);
    for (char *at = strtok(copy, ","); at != NULL; at = strtok(NULL, ","))
        out[n++] = at;
    return n;
}

static const char *or_else(const char *given, const char *otherwise) {
    return given == NULL ? otherwise : given;
}

static char *text(const char *given) {
    return (char *)(uintptr_t)given;
}

static pl_policy *parse(const char *part_a, const char *part_b) {
    char whole[4000];
    pl_policy *policy = NULL;
    snprintf(whole, sizeof whole, "%s%s", part_a, part_b);
    must(pl_policy_parse("policy.yaml", "north", pl_view_text(whole), &policy));
    return policy;
}

static Parley__V1__Flow flow_of(const row *r) {
    Parley__V1__Flow flow = PARLEY__V1__FLOW__INIT;
    flow.owner = text(or_else(r->owner, "north"));
    flow.dataset = text(or_else(r->dataset, "residents"));
    flow.column = text(or_else(r->column, "income"));
    flow.right = (Parley__V1__Right)r->right;
    flow.operation = text("SUM");
    return flow;
}

static void decide(const row *r, pl_policy_verdict *out) {
    char recipient_text[200], compute_text[200], *recipients[8], *compute[8];
    Parley__V1__Flow flow = flow_of(r), part = PARLEY__V1__FLOW__INIT, *flows[] = {&flow, &part};
    Parley__V1__Plan plan = PARLEY__V1__PLAN__INIT;
    flow.n_recipients = split(or_else(r->recipients, "south"), recipient_text, recipients);
    flow.recipients = recipients;
    plan.kind = text(or_else(r->kind, "query"));
    plan.protocol = text(or_else(r->protocol, "rep3"));
    plan.compute = compute;
    plan.n_compute = split(or_else(r->compute, "north,south,east"), compute_text, compute);
    plan.cohort = r->cohort == NO_COHORT ? 0 : r->cohort == 0 ? 10 : r->cohort;
    plan.flows = flows;
    plan.n_flows = r->right == COMPUTE ? 1 : 2;
    part.owner = text("north");
    part.right = PARLEY__V1__RIGHT__RIGHT_COMPUTE;
    uint64_t uses[3] = {r->uses, r->uses, r->uses};
    pl_policy_question question = {
        .plan = &plan,
        .own = "north",
        .proposer = or_else(r->proposer, "south"),
        .purpose = or_else(r->purpose, "official-statistics"),
        .now = r->now == 0 ? NOW : r->now,
        .uses = uses,
        .n_uses = 3,
        .members = MEMBERS,
        .n_members = 4,
    };
    pl_policy *policy = parse(POLICY, r->right == COMPUTE ? STRICT_PART : ANY_PART);
    must(pl_policy_decide(policy, &question, out));
    pl_policy_free(policy);
}

static void check_refusal(const row *r, const Parley__V1__Refusal *refusal) {
    char rule[32], column[200];
    assert_non_null(refusal);
    snprintf(rule, sizeof rule, "rule %u", r->rule);
    if (r->rule == 0)
        snprintf(rule, sizeof rule, "%s", r->right == COMPUTE ? "take_part" : "default");
    snprintf(column, sizeof column, "north.%s.%s", or_else(r->dataset, "residents"),
             or_else(r->column, "income"));
    if (strcmp(refusal->rule, rule) != 0)
        fail_msg("%s: refused by %s", r->name, refusal->rule);
    assert_string_equal(refusal->column, r->right == COMPUTE ? "" : column);
    if (strstr(refusal->reason, r->reason) == NULL)
        fail_msg("%s: the reason is \"%s\"", r->name, refusal->reason);
    if (refusal->change[0] == 0 ||
        (r->change != NULL && strstr(refusal->change, r->change) == NULL))
        fail_msg("%s: the change is \"%s\"", r->name, refusal->change);
}

static void test_table(void **state) {
    (void)state;
    assert_true(N_ROWS >= 40);
    for (size_t i = 0; i < N_ROWS; i++) {
        const row *r = &ROWS[i];
        pl_policy_verdict verdict;
        decide(r, &verdict);
        if (verdict.decision != r->decision)
            fail_msg("%s: decision %d, wanted %d: %s", r->name, (int)verdict.decision,
                     (int)r->decision, verdict.refusal == NULL ? "" : verdict.refusal->reason);
        if (r->decision == PL_POLICY_REFUSE) {
            check_refusal(r, verdict.refusal);
        } else {
            assert_null(verdict.refusal);
            assert_int_equal(verdict.flows[0].rule, r->rule);
            assert_int_equal(verdict.flows[0].ask, r->decision == PL_POLICY_ASK);
            assert_int_equal(verdict.flows[0].own, r->owner == NULL);
            assert_int_equal(pl_policy_verdict_uses_rule(&verdict, 1), r->rule == 1);
        }
        pl_policy_verdict_done(&verdict);
    }
}

/* A plan of n flows for south, cohort 20, that rule 1 could cover. */
static void decide_flows(Parley__V1__Flow **flows, size_t n, bool owner, bool compute,
                         pl_policy_verdict *out) {
    char *south[] = {text("south")}, *north[] = {text("north")};
    char *parties[] = {text("east"), text("north"), text("south")};
    Parley__V1__Plan plan = PARLEY__V1__PLAN__INIT;
    plan.kind = text("query");
    plan.protocol = text("rep3");
    plan.cohort = 20;
    plan.flows = flows;
    plan.n_flows = n;
    plan.owners = north;
    plan.n_owners = owner ? 1 : 0;
    plan.compute = parties;
    plan.n_compute = compute ? 3 : 0;
    for (size_t i = 0; i < n; i++) {
        flows[i]->recipients = south;
        flows[i]->n_recipients = 1;
    }
    pl_policy_question question = {.plan = &plan,
                                   .own = "north",
                                   .proposer = "south",
                                   .purpose = "official-statistics",
                                   .now = NOW,
                                   .members = MEMBERS,
                                   .n_members = 4};
    pl_policy *policy = parse(POLICY, ANY_PART);
    must(pl_policy_decide(policy, &question, out));
    pl_policy_free(policy);
}

/* One flow that is not covered refuses the whole plan; one that asks makes the whole plan ask. */
static void test_all_flows(void **state) {
    (void)state;
    static const row rows[] = {
        {.right = AGG}, {.right = PLAIN, .column = "收入"}, {.right = PLAIN}};
    static const row part = {.right = COMPUTE};
    static const pl_policy_decision wanted[] = {
        PL_POLICY_ALLOW,  PL_POLICY_ASK,    PL_POLICY_REFUSE, PL_POLICY_ASK,   PL_POLICY_ASK,
        PL_POLICY_REFUSE, PL_POLICY_REFUSE, PL_POLICY_REFUSE, PL_POLICY_REFUSE};
    for (size_t i = 0; i < 9; i++) {
        Parley__V1__Flow a = flow_of(&rows[i / 3]), b = flow_of(&rows[i % 3]), c = flow_of(&part);
        Parley__V1__Flow *flows[] = {&a, &b, &c};
        pl_policy_verdict verdict;
        decide_flows(flows, 3, true, true, &verdict);
        assert_int_equal(verdict.decision, wanted[i]);
        pl_policy_verdict_done(&verdict);
    }
}

/* A plan that uses us without saying how is refused. */
static void test_missing_flows(void **state) {
    (void)state;
    static const row sum = {.right = AGG}, computes = {.right = COMPUTE};
    Parley__V1__Flow data = flow_of(&sum), part = flow_of(&computes);
    Parley__V1__Flow *flows[] = {&data, &part};
    pl_policy_verdict verdict;
    decide_flows(flows, 1, true, true, &verdict);
    assert_int_equal(verdict.decision, PL_POLICY_REFUSE);
    assert_string_equal(verdict.refusal->rule, "take_part");
    pl_policy_verdict_done(&verdict);
    decide_flows(flows + 1, 1, true, true, &verdict);
    assert_int_equal(verdict.decision, PL_POLICY_REFUSE);
    assert_string_equal(verdict.refusal->rule, "default");
    pl_policy_verdict_done(&verdict);
    decide_flows(flows + 1, 1, false, true, &verdict);
    assert_int_equal(verdict.decision, PL_POLICY_ALLOW);
    pl_policy_verdict_done(&verdict);
    decide_flows(flows, 0, false, false, &verdict);
    assert_int_equal(verdict.decision, PL_POLICY_ALLOW);
    pl_policy_verdict_done(&verdict);
}

static void test_nothing_is_allowed_by_default(void **state) {
    (void)state;
    static const row sum = {.right = AGG};
    Parley__V1__Flow flow = flow_of(&sum), *flows[] = {&flow};
    Parley__V1__Plan plan = PARLEY__V1__PLAN__INIT;
    plan.flows = flows;
    plan.n_flows = 1;
    pl_policy_question question = {
        .plan = &plan, .own = "north", .proposer = "north", .purpose = "any"};
    for (int computes = 0; computes < 2; computes++) {
        pl_policy *policy = parse("policy: 1\norg: north\n", "");
        pl_policy_verdict verdict;
        flow.right = computes ? PARLEY__V1__RIGHT__RIGHT_COMPUTE : PARLEY__V1__RIGHT__RIGHT_PLAIN;
        must(pl_policy_decide(policy, &question, &verdict));
        assert_int_equal(verdict.decision, PL_POLICY_REFUSE);
        pl_policy_verdict_done(&verdict);
        pl_policy_free(policy);
    }
}

/* ---- the reader ---- */

static void test_parse(void **state) {
    (void)state;
    pl_policy *policy = parse(POLICY, STRICT_PART);
    assert_int_equal(pl_policy_version(policy), 3);
    assert_int_equal(pl_policy_n_rules(policy), 3);
    assert_int_equal(pl_policy_min_cohort(policy, "residents"), 20);
    assert_int_equal(pl_policy_min_cohort(policy, "archive"), 0);
    assert_int_equal(pl_policy_min_cohort(policy, "nothing"), 0);
    pl_policy_free(policy);
}

/* Every line of a rule, replaced by something wrong, is refused with its line. */
static void test_parse_faults(void **state) {
    (void)state;
    static const struct {
        const char *line, *instead, *error;
    } cases[] = {
        {"policy: 3", "policy: 0", "policy.yaml:1: policy must be a whole number"},
        {"policy: 3", "policy: three", "policy.yaml:1: policy must be a whole number"},
        {"policy: 3\n", "", "key policy is missing"},
        {"org: north", "org: south", "policy.yaml:2: this is the policy of south, not of north"},
        {"org: north\n", "", "key org is missing"},
        {"not_after: 2027-12-31", "not_after: 2027-13-01", "policy.yaml:3: not_after"},
        {"not_after: 2027-12-31", "not_after: 2027-02-29", "policy.yaml:3: not_after"},
        {"not_after: 2027-12-31", "not_after: soon", "policy.yaml:3: not_after"},
        {"not_after: 2027-12-31", "expires: 2027-12-31", "policy.yaml:3: key expires is not known"},
        {"rules:\n", "rules: none\nmore:\n", "not known here"},
        {"dataset: residents", "table: residents", "key table is not known"},
        {"members: [south]\n", "", "key members is missing"},
        {"members: [south]", "members: south", "members must be a list of names, or any"},
        {"members: [south]", "members: [[south]]", "must be a single value"},
        {"purposes: [official-statistics]\n", "", "key purposes is missing"},
        {"\"*\": [aggregate]", "\"*\": aggregate", "the rights of a column must be a list"},
        {"\"*\": [aggregate]", "\"*\": [sum]", "a right is one of aggregate"},
        {"\"*\": [aggregate]", "\"*\": [compute]", "a right is one of aggregate"},
        {"\"*\": [aggregate]", "income: [filter]", "key income is given twice"},
        {"cohort: 10\n", "", "key cohort is missing"},
        {"cohort: 10", "cohort: -1", "cohort must be a whole number"},
        {"cohort: 10", "cohort: 10\n    cohort: 0", "key cohort is given twice"},
        {"uses: 5", "uses: many", "uses must be a whole number"},
        {"approval: automatic", "approval: yes", "approval must be automatic or ask"},
        {"approval: automatic\n", "", "key approval is missing"},
        {"protocols: [rep3]\n", "", "key protocols is missing"},
        {"compute: [[north, south, east]]\n", "", "key compute is missing"},
        {"compute: [[north, south, east]]", "compute: [north]", "a compute set must be a list"},
        {"compute: [[north, south, east]]", "compute: all", "compute must be a list"},
        {"kinds: [query]\n", "", "key kinds is missing"},
        {"kinds: [query]", "kind: [query]", "key kind is not known"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char whole[4000], changed[4200];
        snprintf(whole, sizeof whole, "%s%s", POLICY, STRICT_PART);
        const char *at = strstr(whole, cases[i].line);
        assert_non_null(at);
        /* A whole line goes with its indentation. */
        size_t before = (size_t)(at - whole);
        while (cases[i].instead[0] == 0 && before > 0 && whole[before - 1] == ' ')
            before--;
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)before, whole, cases[i].instead,
                 at + strlen(cases[i].line));
        pl_policy *policy = NULL;
        must_fail(pl_policy_parse("policy.yaml", "north", pl_view_text(changed), &policy),
                  PL_INVALID_ARGUMENT, cases[i].error);
        assert_null(policy);
    }
}

/* ---- the signature ---- */

typedef struct folder {
    char dir[64], policy[100], signature[110];
    pl_key *key;
    pl_bytes spki;
} folder;

static void write_text(const char *path, const char *content, const char *mode) {
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state) {
    folder *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/parley-policy-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->policy, sizeof f->policy, "%s/policy.yaml", f->dir);
    snprintf(f->signature, sizeof f->signature, "%s.sig", f->policy);
    write_text(f->policy, POLICY, "w");
    must(pl_key_generate_signing(&f->key));
    must(pl_key_spki(f->key, &f->spki));
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    folder *f = *state;
    unlink(f->policy);
    unlink(f->signature);
    assert_int_equal(rmdir(f->dir), 0);
    pl_key_free(f->key);
    pl_bytes_done(&f->spki);
    free(f);
    return 0;
}

static pl_status load(folder *f, const char *org, pl_policy **out) {
    return pl_policy_load(f->policy, org, pl_bytes_view(&f->spki), out);
}

static void test_signed_file(void **state) {
    folder *f = *state;
    pl_policy *policy = NULL;
    must_fail(load(f, "north", &policy), PL_UNAUTHENTICATED, "parley policy sign");
    must(pl_policy_sign(f->policy, f->key, "north"));
    must(load(f, "north", &policy));
    pl_policy *same = parse(POLICY, "");
    uint8_t a[32], b[32];
    pl_policy_digest(policy, a);
    pl_policy_digest(same, b);
    assert_memory_equal(a, b, 32);
    pl_policy_free(same);
    pl_policy_free(policy);
}

static void test_changed_file(void **state) {
    folder *f = *state;
    pl_policy *policy = NULL;
    must(pl_policy_sign(f->policy, f->key, "north"));
    write_text(f->policy, "\n", "a"); /* means the same, but is not what was signed */
    must_fail(load(f, "north", &policy), PL_UNAUTHENTICATED, "was changed after it was signed");
    write_text(f->signature, "nonsense", "w");
    pl_status status = load(f, "north", &policy);
    assert_false(pl_is_ok(status));
    pl_status_done(&status);
    unlink(f->policy);
    must_fail(load(f, "north", &policy), PL_NOT_FOUND, "policy.yaml");
    assert_null(policy);
}

static void test_foreign_signature(void **state) {
    folder *f = *state;
    pl_policy *policy = NULL;
    pl_key *other;
    must(pl_key_generate_signing(&other));
    must(pl_policy_sign(f->policy, other, "north"));
    must_fail(load(f, "north", &policy), PL_UNAUTHENTICATED, "");
    must(pl_policy_sign(f->policy, f->key, "north"));
    must_fail(load(f, "south", &policy), PL_UNAUTHENTICATED, "south");
    must_fail(pl_policy_sign(f->policy, f->key, "south"), PL_INVALID_ARGUMENT, "policy of north");
    pl_key_free(other);
}

/* A file that cannot be read as a policy is not signed. */
static void test_sign_checks_first(void **state) {
    folder *f = *state;
    write_text(f->policy, "policy: 3\norg: north\nrule: []\n", "w");
    must_fail(pl_policy_sign(f->policy, f->key, "north"), PL_INVALID_ARGUMENT, ":3: key rule");
    assert_int_not_equal(access(f->signature, F_OK), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_all_flows),
        cmocka_unit_test(test_missing_flows),
        cmocka_unit_test(test_nothing_is_allowed_by_default),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_faults),
        cmocka_unit_test_setup_teardown(test_signed_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changed_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_signature, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sign_checks_first, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
