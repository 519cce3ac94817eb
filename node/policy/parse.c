#include "node/policy/rules.h"

#include "node/catalog/yaml.h"
#include "node/crypto/digest.h"
#include "node/crypto/signed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLICY_BYTES_MAX (1u << 20)

static const char *const right_names[] = {"?",     "aggregate", "group_key", "filter",
                                          "plain", "train",     "extreme",   "compute"};

const char *pl_right_name(Parley__V1__Right right) {
    return right_names[(unsigned)right <= 7 ? (unsigned)right : 0];
}

/* ---- parts of a rule ---- */

static pl_status read_choice(const pl_yaml *map, const char *key, pl_choice *out) {
    const pl_yaml *node = pl_yaml_get(map, key);
    if (node == NULL)
        return pl_yaml_fault(map, "key %s is missing: a list of names, or any", key);
    if (node->kind == PL_YAML_SCALAR) {
        out->any = strcmp(node->text, "any") == 0;
        return out->any ? PL_OK : pl_yaml_fault(node, "%s must be a list of names, or any", key);
    }
    PL_TRY(pl_yaml_texts(map, key, &out->names.items, &out->names.n));
    for (size_t i = 0; i < out->names.n; i++)
        out->any = out->any || strcmp(out->names.items[i], "any") == 0;
    return PL_OK;
}

static pl_status read_right(const pl_yaml *node, uint32_t *rights) {
    PL_TRY(pl_yaml_expect(node, PL_YAML_SCALAR, "a right"));
    for (unsigned right = PARLEY__V1__RIGHT__RIGHT_AGGREGATE;
         right <= PARLEY__V1__RIGHT__RIGHT_EXTREME; right++) {
        if (strcmp(right_names[right], node->text) == 0) {
            *rights |= 1u << right;
            return PL_OK;
        }
    }
    return pl_yaml_fault(node,
                         "a right is one of aggregate, group_key, filter, plain, train, extreme");
}

static pl_status read_columns(const pl_yaml *entry, pl_rule *rule) {
    const pl_yaml *map;
    PL_TRY(pl_yaml_need(entry, "columns", PL_YAML_MAP, &map));
    PL_TRY(pl_alloc(map->n_items, sizeof *rule->columns, &rule->columns));
    for (size_t i = 0; i < map->n_items; i++) {
        pl_column_rights *column = &rule->columns[rule->n_columns++];
        PL_TRY(pl_strdup(map->items[i]->key, &column->column));
        PL_TRY(pl_yaml_expect(map->items[i], PL_YAML_LIST, "the rights of a column"));
        for (size_t k = 0; k < map->items[i]->n_items; k++)
            PL_TRY(read_right(map->items[i]->items[k], &column->rights));
    }
    return PL_OK;
}

static pl_status read_compute(const pl_yaml *entry, pl_rule *rule) {
    const pl_yaml *list = pl_yaml_get(entry, "compute");
    if (list == NULL)
        return pl_yaml_fault(entry,
                             "key compute is missing: a list of accepted compute sets, or any");
    if (list->kind == PL_YAML_SCALAR) {
        rule->any_compute = strcmp(list->text, "any") == 0;
        return rule->any_compute
                   ? PL_OK
                   : pl_yaml_fault(list, "compute must be a list of lists of members, or any");
    }
    PL_TRY(pl_yaml_expect(list, PL_YAML_LIST, "compute"));
    PL_TRY(pl_alloc(list->n_items, sizeof *rule->compute, &rule->compute));
    for (size_t i = 0; i < list->n_items; i++) {
        const pl_yaml *set = list->items[i];
        if (set->kind == PL_YAML_SCALAR && strcmp(set->text, "any") == 0) {
            rule->any_compute = true;
            continue;
        }
        PL_TRY(pl_yaml_expect(set, PL_YAML_LIST, "a compute set"));
        pl_texts *texts = &rule->compute[rule->n_compute++];
        PL_TRY(pl_alloc(set->n_items, sizeof *texts->items, &texts->items));
        for (; texts->n < set->n_items; texts->n++) {
            PL_TRY(
                pl_yaml_expect(set->items[texts->n], PL_YAML_SCALAR, "a member of a compute set"));
            PL_TRY(pl_strdup(set->items[texts->n]->text, &texts->items[texts->n]));
        }
    }
    return PL_OK;
}

static pl_status read_approval(const pl_yaml *entry, bool *out_ask) {
    const pl_yaml *node;
    PL_TRY(pl_yaml_need(entry, "approval", PL_YAML_SCALAR, &node));
    if (strcmp(node->text, "automatic") != 0 && strcmp(node->text, "ask") != 0)
        return pl_yaml_fault(node, "approval must be automatic or ask");
    *out_ask = strcmp(node->text, "ask") == 0;
    return PL_OK;
}

static pl_status read_rule(const pl_yaml *entry, pl_rule *rule) {
    static const char *const keys[] = {"dataset",   "members", "purposes",  "columns",
                                       "cohort",    "uses",    "not_after", "approval",
                                       "protocols", "compute", NULL};
    int64_t number;
    PL_TRY(pl_yaml_only(entry, keys));
    rule->line = entry->line;
    PL_TRY(pl_yaml_text(entry, "dataset", NULL, &rule->dataset));
    PL_TRY(read_choice(entry, "members", &rule->members));
    PL_TRY(read_choice(entry, "purposes", &rule->purposes));
    PL_TRY(read_choice(entry, "protocols", &rule->protocols));
    PL_TRY(read_columns(entry, rule));
    PL_TRY(pl_yaml_number(entry, "cohort", 0, 1 << 30, NULL, &number));
    rule->cohort = (uint32_t)number;
    rule->has_uses = pl_yaml_get(entry, "uses") != NULL;
    if (rule->has_uses) {
        PL_TRY(pl_yaml_number(entry, "uses", 0, INT64_MAX, NULL, &number));
        rule->uses = (uint64_t)number;
    }
    PL_TRY(pl_yaml_date_end(entry, "not_after", &rule->not_after));
    PL_TRY(read_approval(entry, &rule->ask));
    return read_compute(entry, rule);
}

static pl_status read_take_part(const pl_yaml *map, pl_policy *policy) {
    static const char *const keys[] = {"members", "purposes", "kinds", "protocols",
                                       "compute", "approval", NULL};
    PL_TRY(pl_yaml_only(map, keys));
    policy->has_take_part = true;
    policy->take_part.line = map->line;
    policy->take_part.not_after = INT64_MAX;
    PL_TRY(read_choice(map, "members", &policy->take_part.members));
    PL_TRY(read_choice(map, "purposes", &policy->take_part.purposes));
    PL_TRY(read_choice(map, "protocols", &policy->take_part.protocols));
    PL_TRY(read_choice(map, "kinds", &policy->kinds));
    PL_TRY(read_approval(map, &policy->take_part.ask));
    return read_compute(map, &policy->take_part);
}

static pl_status read_policy(const pl_yaml *root, const char *org, pl_policy *policy) {
    static const char *const keys[] = {"policy", "org", "not_after", "rules", "take_part", NULL};
    PL_TRY(pl_yaml_only(root, keys));
    int64_t version;
    PL_TRY(pl_yaml_number(root, "policy", 1, INT64_MAX, NULL, &version));
    policy->version = (uint64_t)version;
    const pl_yaml *name, *rules;
    PL_TRY(pl_yaml_need(root, "org", PL_YAML_SCALAR, &name));
    if (strcmp(name->text, org) != 0)
        return pl_yaml_fault(name, "this is the policy of %s, not of %s", name->text, org);
    PL_TRY(pl_yaml_date_end(root, "not_after", &policy->not_after));
    rules = pl_yaml_get(root, "rules");
    if (rules != NULL) {
        PL_TRY(pl_yaml_expect(rules, PL_YAML_LIST, "rules"));
        PL_TRY(pl_alloc(rules->n_items, sizeof *policy->rules, &policy->rules));
        for (size_t i = 0; i < rules->n_items; i++) {
            policy->n_rules++;
            PL_TRY(read_rule(rules->items[i], &policy->rules[i]));
        }
    }
    const pl_yaml *take_part = pl_yaml_get(root, "take_part");
    return take_part == NULL ? PL_OK : read_take_part(take_part, policy);
}

/* ---- files and signatures ---- */

pl_status pl_policy_parse(const char *file, const char *org, pl_view text, pl_policy **out) {
    pl_yaml *root;
    pl_policy *policy;
    PL_TRY(pl_yaml_parse(file, text, &root));
    pl_status status = pl_alloc(1, sizeof *policy, &policy);
    if (pl_is_ok(status)) {
        pl_digest("policy", text, policy->digest);
        status = read_policy(root, org, policy);
        if (pl_is_ok(status))
            *out = policy;
        else
            pl_policy_free(policy);
    }
    pl_yaml_free(root);
    return status;
}

static void signature_path(const char *path, char out[1200]) {
    snprintf(out, 1200, "%s.sig", path);
}

static pl_status verify_file(const char *path, const char *org, pl_view spki, pl_view text) {
    char sig_path[1200];
    pl_bytes signature = {0}, body = {0};
    signature_path(path, sig_path);
    pl_status status = pl_text_file_read(sig_path, 2 * POLICY_BYTES_MAX, &signature);
    if (pl_status_code(status) == PL_NOT_FOUND) {
        pl_status_done(&status);
        return pl_fail(
            PL_UNAUTHENTICATED,
            "the policy %s is not signed: read it, then run: parley policy sign %s --org DIR", path,
            path);
    }
    if (pl_is_ok(status))
        status = pl_signed_verify(pl_bytes_view(&signature), "policy", org, spki, &body);
    if (pl_is_ok(status) && !pl_view_equal(pl_bytes_view(&body), text))
        status = pl_fail(PL_UNAUTHENTICATED,
                         "the policy %s was changed after it was signed: read it, then run: parley "
                         "policy sign %s --org DIR",
                         path, path);
    pl_bytes_done(&body);
    pl_bytes_done(&signature);
    return status;
}

pl_status pl_policy_load(const char *path, const char *org, pl_view spki, pl_policy **out) {
    pl_bytes text;
    PL_TRY(pl_wrap(pl_text_file_read(path, POLICY_BYTES_MAX, &text), "cannot read the policy"));
    pl_status status = verify_file(path, org, spki, pl_bytes_view(&text));
    if (pl_is_ok(status))
        status = pl_policy_parse(path, org, pl_bytes_view(&text), out);
    pl_bytes_done(&text);
    return status;
}

static pl_status write_file(const char *path, const pl_bytes *bytes) {
    char temporary[1300];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "wbe");
    if (file == NULL)
        return pl_fail(PL_IO, "cannot write %s: %s", temporary, strerror(errno));
    bool ok = fwrite(bytes->data, 1, bytes->len, file) == bytes->len && fflush(file) == 0 &&
              fsync(fileno(file)) == 0;
    ok = fclose(file) == 0 && ok;
    if (!ok || rename(temporary, path) != 0)
        return pl_fail(PL_IO, "cannot write %s: %s", path, strerror(errno));
    return PL_OK;
}

pl_status pl_policy_sign(const char *path, const pl_key *key, const char *org) {
    char sig_path[1200];
    pl_bytes text, signature = {0};
    pl_policy *policy = NULL;
    PL_TRY(pl_wrap(pl_text_file_read(path, POLICY_BYTES_MAX, &text), "cannot read the policy"));
    signature_path(path, sig_path);
    pl_status status = pl_policy_parse(path, org, pl_bytes_view(&text), &policy);
    if (pl_is_ok(status))
        status = pl_sign(key, "policy", org, pl_bytes_view(&text), &signature);
    if (pl_is_ok(status))
        status = write_file(sig_path, &signature);
    pl_policy_free(policy);
    pl_bytes_done(&signature);
    pl_bytes_done(&text);
    return status;
}

static void texts_done(pl_texts *texts) {
    pl_texts_free(texts->items, texts->n);
}

static void rule_done(pl_rule *rule) {
    free(rule->dataset);
    texts_done(&rule->members.names);
    texts_done(&rule->purposes.names);
    texts_done(&rule->protocols.names);
    for (size_t i = 0; i < rule->n_columns; i++)
        free(rule->columns[i].column);
    free(rule->columns);
    for (size_t i = 0; i < rule->n_compute; i++)
        texts_done(&rule->compute[i]);
    free(rule->compute);
}

void pl_policy_free(pl_policy *policy) {
    if (policy == NULL)
        return;
    for (uint32_t i = 0; i < policy->n_rules; i++)
        rule_done(&policy->rules[i]);
    free(policy->rules);
    rule_done(&policy->take_part);
    texts_done(&policy->kinds.names);
    free(policy);
}

uint64_t pl_policy_version(const pl_policy *policy) {
    return policy->version;
}

uint32_t pl_policy_n_rules(const pl_policy *policy) {
    return policy->n_rules;
}

pl_policy_limits pl_policy_limits_of(const pl_policy *policy, uint32_t rule) {
    PL_ASSERT(rule >= 1 && rule <= policy->n_rules);
    const pl_rule *r = &policy->rules[rule - 1];
    return (pl_policy_limits){r->line, r->cohort, r->has_uses, r->uses, r->not_after};
}

int64_t pl_policy_not_after(const pl_policy *policy) {
    return policy->not_after;
}

void pl_policy_digest(const pl_policy *policy, uint8_t out[32]) {
    memcpy(out, policy->digest, 32);
}

uint32_t pl_policy_min_cohort(const pl_policy *policy, const char *dataset) {
    uint32_t k = 0;
    for (uint32_t i = 0; i < policy->n_rules; i++) {
        if (strcmp(policy->rules[i].dataset, dataset) == 0 && policy->rules[i].cohort > k)
            k = policy->rules[i].cohort;
    }
    return k;
}
