/* The parsed policy, for parse.c and decide.c. */
#ifndef PL_NODE_POLICY_RULES_H
#define PL_NODE_POLICY_RULES_H

#include "node/policy/policy.h"

typedef struct pl_texts {
    char **items;
    size_t n;
} pl_texts;

/* A list that may be "any". */
typedef struct pl_choice {
    bool any;
    pl_texts names;
} pl_choice;

typedef struct pl_column_rights {
    char *column;
    uint32_t rights; /* bit of Right */
} pl_column_rights;

typedef struct pl_rule {
    unsigned line;
    char *dataset;
    pl_choice members, purposes, protocols;
    pl_column_rights *columns;
    size_t n_columns;
    uint32_t cohort;
    bool has_uses;
    uint64_t uses;
    int64_t not_after;
    bool ask;
    bool any_compute;
    pl_texts *compute; /* accepted compute sets */
    size_t n_compute;
} pl_rule;

struct pl_policy {
    uint64_t version;
    int64_t not_after;
    uint8_t digest[32];
    pl_rule *rules;
    uint32_t n_rules;
    bool has_take_part;
    pl_rule
        take_part; /* members: who proposes; purposes; protocols; compute sets; names in `kinds` */
    pl_choice kinds;
};

const char *pl_right_name(Parley__V1__Right right);
bool pl_choice_has(const pl_choice *choice, const char *name);
bool pl_texts_have(const pl_texts *texts, const char *name);

#endif
