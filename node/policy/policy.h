/* Policy: what a department allows, in a file of its own, versioned and signed by its owner. Deny
 * by default: what no rule covers is refused. The decision is a pure function from flows to allow,
 * ask or refuse-with-reason; it never sees SQL.
 *
 * The line that decides: rule_covers in decide.c. */
#ifndef PL_NODE_POLICY_POLICY_H
#define PL_NODE_POLICY_POLICY_H

#include "node/crypto/key.h"
#include "proto/job.pb-c.h"
#include "proto/plan.pb-c.h"

typedef struct pl_policy pl_policy;

/* pl_policy_load reads path and path.sig and verifies the signature of org over the exact bytes.
 * Errors: INVALID_ARGUMENT "<file>:<line>: ...", UNAUTHENTICATED (unsigned, changed since it was
 * signed). */
PL_STATUS pl_policy_load(const char *path, const char *org, pl_view spki, pl_policy **out);
/* pl_policy_parse reads the text alone: for `parley policy check` and tests. */
PL_STATUS pl_policy_parse(const char *file, const char *org, pl_view text, pl_policy **out);
/* pl_policy_sign checks the file and writes path.sig. */
PL_STATUS pl_policy_sign(const char *path, const pl_key *key, const char *org);
void pl_policy_free(pl_policy *policy);

uint64_t pl_policy_version(const pl_policy *policy);
uint32_t pl_policy_n_rules(const pl_policy *policy);
void pl_policy_digest(const pl_policy *policy,
                      uint8_t out[32]); /* domain "policy", of the file's bytes */
/* What limits a rule, from 1. */
typedef struct pl_policy_limits {
    unsigned line; /* in the policy's file */
    uint32_t cohort;
    bool has_uses;
    uint64_t uses;
    int64_t not_after; /* INT64_MAX: none */
} pl_policy_limits;
pl_policy_limits pl_policy_limits_of(const pl_policy *policy, uint32_t rule);
int64_t pl_policy_not_after(const pl_policy *policy);
/* The smallest cohort that any rule demands for the dataset's rows (the largest k of its rules; 0:
 * none). */
uint32_t pl_policy_min_cohort(const pl_policy *policy, const char *dataset);

typedef struct pl_policy_question {
    const Parley__V1__Plan *plan;
    const char *own, *proposer, *purpose;
    int64_t now;
    const uint64_t *uses; /* charged so far, by rule: [n_uses], rule 1 first */
    size_t n_uses;
    const char *const *members; /* of the federation */
    size_t n_members;
} pl_policy_question;

typedef enum pl_policy_decision {
    PL_POLICY_REFUSE,
    PL_POLICY_ASK,
    PL_POLICY_ALLOW
} pl_policy_decision;

/* What was found for flow i of the plan. */
typedef struct pl_policy_flow {
    bool own;      /* it is ours to judge */
    uint32_t rule; /* that covers it, from 1; 0: take_part, or none */
    bool ask;      /* the rule leaves it to the approver */
} pl_policy_flow;

typedef struct pl_policy_verdict {
    pl_policy_decision decision;
    pl_policy_flow *flows; /* [n_flows], as in the plan */
    size_t n_flows;
    Parley__V1__Refusal *refusal; /* when refused: the first flow that is not covered */
} pl_policy_verdict;

/* pl_policy_decide judges every flow of ours. Errors: LIMIT only. */
PL_STATUS pl_policy_decide(const pl_policy *policy, const pl_policy_question *question,
                           pl_policy_verdict *out);
void pl_policy_verdict_done(pl_policy_verdict *verdict);
bool pl_policy_verdict_uses_rule(const pl_policy_verdict *verdict, uint32_t rule);

#endif
