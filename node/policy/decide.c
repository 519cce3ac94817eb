/* decide.c: the decision. A pure function of policy and question: no clock, no file, no memory of
 * what was before. */
#include "node/policy/rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- sets of names ---- */

bool pl_texts_have(const pl_texts *texts, const char *name) {
    for (size_t i = 0; i < texts->n; i++) {
        if (strcmp(texts->items[i], name) == 0)
            return true;
    }
    return false;
}

bool pl_choice_has(const pl_choice *choice, const char *name) {
    return choice->any || pl_texts_have(&choice->names, name);
}

static bool list_has(char *const *names, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

/* Equal as sets, both ways: a plan that names one party twice is not the set that was accepted. */
static bool compute_accepted(const pl_rule *rule, const Parley__V1__Plan *plan) {
    for (size_t i = 0; i < rule->n_compute; i++) {
        const pl_texts *set = &rule->compute[i];
        bool same = set->n == plan->n_compute;
        for (size_t k = 0; same && k < plan->n_compute; k++)
            same = pl_texts_have(set, plan->compute[k]) &&
                   list_has(plan->compute, plan->n_compute, set->items[k]);
        if (same)
            return true;
    }
    return rule->any_compute;
}

static bool is_member(const pl_policy_question *q, const char *org) {
    for (size_t i = 0; i < q->n_members; i++) {
        if (strcmp(q->members[i], org) == 0)
            return true;
    }
    return false;
}

/* ---- why a rule does not cover a flow: how near it came, and what would help ---- */

typedef struct objection {
    int depth; /* how many conditions held before one failed: the nearest rule explains the refusal
                */
    char reason[320];
    char change[240];
} objection;

#define OBJECT(o, d, change_format, change_args, ...)                                              \
    do {                                                                                           \
        (o)->depth = (d);                                                                          \
        snprintf((o)->reason, sizeof(o)->reason, __VA_ARGS__);                                     \
        snprintf((o)->change, sizeof(o)->change, change_format, change_args);                      \
        return false;                                                                              \
    } while (0)

static uint32_t rights_on(const pl_rule *rule, const char *column) {
    for (size_t i = 0; i < rule->n_columns; i++) {
        if (strcmp(rule->columns[i].column, column) == 0)
            return rule->columns[i].rights;
    }
    return 0;
}

static bool is_data_right(Parley__V1__Right right) {
    return right >= PARLEY__V1__RIGHT__RIGHT_AGGREGATE && right <= PARLEY__V1__RIGHT__RIGHT_EXTREME;
}

static void list_rights(uint32_t rights, char out[80]) {
    out[0] = 0;
    for (unsigned right = PARLEY__V1__RIGHT__RIGHT_AGGREGATE;
         right <= PARLEY__V1__RIGHT__RIGHT_EXTREME; right++) {
        if ((rights & 1u << right) == 0)
            continue;
        if (out[0] != 0)
            strcat(out, ", ");
        strcat(out, pl_right_name((Parley__V1__Right)right));
    }
}

static bool right_is_granted(const pl_rule *rule, const Parley__V1__Flow *flow, objection *o) {
    uint32_t rights = rights_on(rule, flow->column);
    char granted[80];
    list_rights(rights, granted);
    if (rights == 0)
        OBJECT(o, 1, "column %s were listed there", flow->column, "it does not name this column");
    if (!is_data_right(flow->right) || (rights & 1u << flow->right) == 0)
        OBJECT(o, 2, "the column were not used in %s", flow->operation,
               "it allows it only inside %s, not as %s", granted, pl_right_name(flow->right));
    return true;
}

static bool audience_is_allowed(const pl_rule *rule, const Parley__V1__Flow *flow,
                                const pl_policy_question *q, objection *o) {
    if (flow->n_recipients == 0)
        OBJECT(o, 3, "%s", "the plan named the recipients",
               "the plan names nobody who receives it");
    for (size_t i = 0; i < flow->n_recipients; i++) {
        const char *org = flow->recipients[i];
        if (strcmp(org, q->own) == 0)
            continue;
        if (!is_member(q, org) || !pl_choice_has(&rule->members, org))
            OBJECT(o, 3, "%s were not a recipient", org, "it does not allow %s as a recipient",
                   org);
    }
    if (!pl_choice_has(&rule->purposes, q->purpose))
        OBJECT(o, 4, "the purpose were one of that rule (not %s)", q->purpose,
               "it does not allow the purpose %s", q->purpose);
    return true;
}

static bool protocol_is_accepted(const pl_rule *rule, const pl_policy_question *q, objection *o) {
    if (!pl_choice_has(&rule->protocols, q->plan->protocol))
        OBJECT(o, 5, "the protocol were not %s", q->plan->protocol,
               "it does not accept the protocol %s", q->plan->protocol);
    if (!compute_accepted(rule, q->plan))
        OBJECT(o, 6, "%s", "the compute set were one that the rule accepts",
               "it does not accept this compute set");
    return true;
}

static bool limits_hold(const pl_rule *rule, uint32_t number, const pl_policy_question *q,
                        objection *o) {
    if (q->plan->cohort < rule->cohort)
        OBJECT(o, 7, "the cohort were at least %u", rule->cohort,
               "it demands cohorts of at least %u, the plan has %u", rule->cohort, q->plan->cohort);
    if (rule->not_after < q->now)
        OBJECT(o, 8, "rule %u were renewed", number, "it has expired");
    uint64_t used = number <= q->n_uses ? q->uses[number - 1] : 0;
    if (rule->has_uses && used >= rule->uses)
        OBJECT(o, 9, "rule %u allowed more uses", number, "all of its %" PRIu64 " uses are spent",
               rule->uses);
    return true;
}

/* The line that decides: a rule covers a flow if all of this holds; a flow that no rule covers is
 * refused. */
static bool rule_covers(const pl_rule *rule, uint32_t number, const Parley__V1__Flow *flow,
                        const pl_policy_question *q, objection *o) {
    return right_is_granted(rule, flow, o) && audience_is_allowed(rule, flow, q, o) &&
           protocol_is_accepted(rule, q, o) && limits_hold(rule, number, q, o);
}

/* ---- refusals ---- */

static pl_status refuse(const Parley__V1__Flow *flow, uint32_t rule, const objection *o,
                        Parley__V1__Refusal **out) {
    char column[400], rule_name[32], reason[1000];
    snprintf(column, sizeof column, "%s.%s.%s", flow->owner, flow->dataset, flow->column);
    bool compute = flow->right == PARLEY__V1__RIGHT__RIGHT_COMPUTE;
    if (compute)
        column[0] = 0;
    if (rule == 0)
        snprintf(rule_name, sizeof rule_name, "%s", compute ? "take_part" : "default");
    else
        snprintf(rule_name, sizeof rule_name, "rule %u", rule);
    if (compute)
        snprintf(reason, sizeof reason, "%s may not compute in this session: %s", flow->owner,
                 o->reason);
    else if (rule == 0)
        snprintf(reason, sizeof reason, "cannot use column %s in %s: %s", column, flow->operation,
                 o->reason);
    else
        snprintf(reason, sizeof reason,
                 "cannot use column %s in %s: policy rule %u comes nearest, but %s", column,
                 flow->operation, rule, o->reason);
    Parley__V1__Refusal *refusal;
    PL_TRY(pl_alloc(1, sizeof *refusal, &refusal));
    parley__v1__refusal__init(refusal);
    *out = refusal;
    PL_TRY(pl_strdup(column, &refusal->column));
    PL_TRY(pl_strdup(rule_name, &refusal->rule));
    PL_TRY(pl_strdup(reason, &refusal->reason));
    return pl_strdup(o->change, &refusal->change);
}

/* ---- flows ---- */

static bool judge_compute(const pl_policy *policy, const pl_policy_question *q, pl_policy_flow *out,
                          objection *o) {
    const pl_rule *rule = &policy->take_part;
    if (!policy->has_take_part)
        OBJECT(o, 0, "%s", "the policy had a take_part", "the policy has no take_part");
    if (strcmp(q->proposer, q->own) != 0 &&
        !(is_member(q, q->proposer) && pl_choice_has(&rule->members, q->proposer)))
        OBJECT(o, 1, "%s were among the members of take_part", q->proposer,
               "take_part does not allow jobs of %s", q->proposer);
    if (!pl_choice_has(&policy->kinds, q->plan->kind))
        OBJECT(o, 2, "take_part allowed the kind %s", q->plan->kind,
               "take_part does not allow sessions of the kind %s", q->plan->kind);
    if (!pl_choice_has(&rule->purposes, q->purpose))
        OBJECT(o, 3, "the purpose were one of take_part (not %s)", q->purpose,
               "take_part does not allow the purpose %s", q->purpose);
    if (!protocol_is_accepted(rule, q, o))
        return false;
    out->ask = rule->ask;
    return true;
}

/* A rule that covers the flow without asking is preferred to one that asks. */
static bool judge_data(const pl_policy *policy, const Parley__V1__Flow *flow,
                       const pl_policy_question *q, pl_policy_flow *out, objection *nearest,
                       uint32_t *nearest_rule) {
    bool covered = false;
    snprintf(nearest->reason, sizeof nearest->reason, "no rule of the policy is about dataset %s",
             flow->dataset);
    snprintf(nearest->change, sizeof nearest->change, "a rule allowed it");
    for (uint32_t number = 1; number <= policy->n_rules; number++) {
        const pl_rule *rule = &policy->rules[number - 1];
        objection o = {0};
        if (strcmp(rule->dataset, flow->dataset) != 0)
            continue;
        if (rule_covers(rule, number, flow, q, &o)) {
            if (!covered || (out->ask && !rule->ask))
                *out = (pl_policy_flow){.own = true, .rule = number, .ask = rule->ask};
            covered = true;
        } else if (o.depth > nearest->depth) {
            *nearest = o;
            *nearest_rule = number;
        }
    }
    return covered;
}

static pl_status judge_flow(const pl_policy *policy, const Parley__V1__Flow *flow,
                            const pl_policy_question *q, pl_policy_flow *out,
                            Parley__V1__Refusal **out_refusal) {
    objection o = {0};
    uint32_t rule = 0;
    bool covered;
    out->own = strcmp(flow->owner, q->own) == 0;
    if (!out->own)
        return PL_OK;
    if (policy->not_after < q->now) {
        snprintf(o.reason, sizeof o.reason, "the policy of %s has expired", q->own);
        snprintf(o.change, sizeof o.change, "the policy were renewed");
        covered = false;
    } else if (flow->right == PARLEY__V1__RIGHT__RIGHT_COMPUTE) {
        covered = judge_compute(policy, q, out, &o);
    } else {
        covered = judge_data(policy, flow, q, out, &o, &rule);
    }
    return covered ? PL_OK : refuse(flow, rule, &o, out_refusal);
}

/* A plan that counts us among its owners or compute parties must name our flows: one that names
 * none would pass every rule. */
static pl_status demand_flows(const pl_policy_question *q, Parley__V1__Refusal **out_refusal) {
    const Parley__V1__Plan *plan = q->plan;
    bool data = false, compute = false;
    for (size_t i = 0; i < plan->n_flows; i++) {
        if (strcmp(plan->flows[i]->owner, q->own) != 0)
            continue;
        if (plan->flows[i]->right == PARLEY__V1__RIGHT__RIGHT_COMPUTE)
            compute = true;
        else
            data = true;
    }
    Parley__V1__Flow flow = PARLEY__V1__FLOW__INIT;
    flow.owner = (char *)(uintptr_t)q->own;
    flow.column = "*";
    flow.operation = plan->kind;
    if (data < list_has(plan->owners, plan->n_owners, q->own))
        flow.dataset = "*";
    else if (compute < list_has(plan->compute, plan->n_compute, q->own))
        flow.right = PARLEY__V1__RIGHT__RIGHT_COMPUTE;
    else
        return PL_OK;
    objection o = {.reason = "the plan uses it but names no such flow",
                   .change = "the plan named every flow"};
    return refuse(&flow, 0, &o, out_refusal);
}

pl_status pl_policy_decide(const pl_policy *policy, const pl_policy_question *q,
                           pl_policy_verdict *out) {
    pl_policy_verdict verdict = {.decision = PL_POLICY_ALLOW, .n_flows = q->plan->n_flows};
    pl_status status;
    PL_TRY(pl_alloc(verdict.n_flows, sizeof *verdict.flows, &verdict.flows));
    for (size_t i = 0; i < verdict.n_flows && verdict.refusal == NULL; i++) {
        PL_CHECK(status,
                 judge_flow(policy, q->plan->flows[i], q, &verdict.flows[i], &verdict.refusal));
        if (verdict.flows[i].ask && verdict.decision == PL_POLICY_ALLOW)
            verdict.decision = PL_POLICY_ASK;
    }
    if (verdict.refusal == NULL)
        PL_CHECK(status, demand_flows(q, &verdict.refusal));
    if (verdict.refusal != NULL)
        verdict.decision = PL_POLICY_REFUSE;
    *out = verdict;
    return PL_OK;
out:
    pl_policy_verdict_done(&verdict);
    return status;
}

void pl_policy_verdict_done(pl_policy_verdict *verdict) {
    free(verdict->flows);
    if (verdict->refusal != NULL)
        parley__v1__refusal__free_unpacked(verdict->refusal, NULL);
    *verdict = (pl_policy_verdict){0};
}

bool pl_policy_verdict_uses_rule(const pl_policy_verdict *verdict, uint32_t rule) {
    for (size_t i = 0; i < verdict->n_flows; i++) {
        if (verdict->flows[i].own && verdict->flows[i].rule == rule)
            return true;
    }
    return false;
}
