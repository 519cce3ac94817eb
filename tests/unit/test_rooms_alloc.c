/* Memory that ends, in configuration, catalogue, policy, source and audit: every allocation fails
 * once, in turn; each time the answer is a LIMIT error and nothing is leaked (the sanitizer looks).
 * libyaml, OpenSSL and protobuf-c allocate by themselves and are not in this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/audit/heads.h"
#include "node/catalog/catalog.h"
#include "node/catalog/config.h"
#include "node/policy/policy.h"
#include "node/source/csv.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t n_calls, fail_at; /* 0: never */

pl_status __real_pl_alloc(size_t n, size_t size, void *out_ptr);
pl_status __wrap_pl_alloc(size_t n, size_t size, void *out_ptr);
pl_status __real_pl_strdup(const char *text, char **out);
pl_status __wrap_pl_strdup(const char *text, char **out);

pl_status __wrap_pl_alloc(size_t n, size_t size, void *out_ptr) {
    if (++n_calls == fail_at)
        return pl_fail(PL_LIMIT, "out of memory on purpose");
    return __real_pl_alloc(n, size, out_ptr);
}

pl_status __wrap_pl_strdup(const char *text, char **out) {
    if (++n_calls == fail_at)
        return pl_fail(PL_LIMIT, "out of memory on purpose");
    return __real_pl_strdup(text, out);
}

/* Runs work with the 1st, 2nd, ... allocation failing until it succeeds. */
static void sweep(pl_status (*work)(const char *dir), const char *dir, size_t n_min) {
    pl_status status;
    for (fail_at = 1;; fail_at++) {
        n_calls = 0;
        status = work(dir);
        if (n_calls < fail_at)
            break;
        if (pl_status_code(status) != PL_LIMIT)
            fail_msg("allocation %zu: %s", fail_at, pl_status_message(status));
        pl_status_done(&status);
    }
    if (!pl_is_ok(status))
        fail_msg("%s", pl_status_message(status));
    assert_true(fail_at > n_min);
    fail_at = 0;
}

static char *in(const char *dir, const char *name, char out[200]) {
    snprintf(out, 200, "%s/%s", dir, name);
    return out;
}

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

/* ---- configuration and catalogue ---- */

static const char CONFIG[] =
    "org: a\nfederation: b\nstate: /c\nsockets: d\npolicy: e\ngroups: {analyst: staff}\n"
    "scheduler: {address: \"h:1\", certificate: parleyd.yaml}\n"
    "session: {listen: \"h:1\", advertise: [\"h:2\", \"h:3\"]}\n"
    "datasets:\n"
    "  - name: residents\n"
    "    rows_max: 9\n"
    "    source: {csv: north.csv}\n"
    "    columns:\n"
    "      - {name: region, source: r, type: text, values: [a, b]}\n"
    "      - {name: income, type: \"decimal(9,2)\", range: [0, 9], nullable: true}\n";

static pl_status load_config(const char *dir) {
    char path[200];
    pl_config *config;
    PL_TRY(pl_config_load(in(dir, "parleyd.yaml", path), &config));
    pl_config_free(config);
    return PL_OK;
}

static pl_status fill_catalog(const char *dir) {
    char path[200];
    uint8_t body[1000];
    size_t kept = fail_at;
    fail_at = 0;
    pl_config *config = NULL;
    pl_status status = pl_config_load(in(dir, "parleyd.yaml", path), &config);
    assert_true(pl_is_ok(status));
    Parley__V1__Dataset copy = *pl_config_dataset_at(config, 0)->dataset;
    copy.org = (char[]){"north"};
    size_t len = parley__v1__dataset__pack(&copy, body);
    pl_config_free(config);
    n_calls = 0;
    fail_at = kept;
    pl_catalog *catalog = NULL;
    status = pl_catalog_new(&catalog);
    for (int i = 0; i < 2 && pl_is_ok(status); i++)
        status = pl_catalog_add(catalog, "north", pl_view_of(body, len));
    pl_catalog_free(catalog);
    return status;
}

/* ---- policy ---- */

static const char POLICY[] =
    "policy: 1\norg: north\nrules:\n"
    "  - {dataset: residents, members: [south], purposes: [p, q], cohort: 2, approval: ask,\n"
    "     columns: {income: [aggregate], \"*\": [aggregate]}, protocols: [rep3],\n"
    "     compute: [[a, b, c], any]}\n"
    "take_part: {members: any, purposes: [p], kinds: [query], protocols: any, compute: any,\n"
    "            approval: automatic}\n";

static pl_status decide(const char *dir) {
    (void)dir;
    pl_policy *policy;
    PL_TRY(pl_policy_parse("policy.yaml", "north", pl_view_text(POLICY), &policy));
    char *south[] = {(char[]){"south"}};
    Parley__V1__Flow flow = PARLEY__V1__FLOW__INIT, *flows[] = {&flow};
    Parley__V1__Plan plan = PARLEY__V1__PLAN__INIT;
    flow.owner = (char[]){"north"};
    flow.dataset = (char[]){"residents"};
    flow.column = (char[]){"income"};
    flow.right = PARLEY__V1__RIGHT__RIGHT_PLAIN;
    flow.recipients = south;
    flow.n_recipients = 1;
    plan.flows = flows;
    plan.n_flows = 1;
    pl_policy_question question = {
        .plan = &plan, .own = "north", .proposer = "south", .purpose = "p"};
    pl_policy_verdict verdict = {0};
    pl_status status = pl_policy_decide(policy, &question, &verdict);
    pl_policy_verdict_done(&verdict);
    pl_policy_free(policy);
    return status;
}

static pl_status sign_and_load(const char *dir) {
    char path[200];
    pl_key *key = NULL;
    pl_bytes spki = {0};
    pl_policy *policy = NULL;
    pl_status status = pl_key_generate_signing(&key);
    if (pl_is_ok(status))
        status = pl_key_spki(key, &spki);
    if (pl_is_ok(status))
        status = pl_policy_sign(in(dir, "policy.yaml", path), key, "north");
    if (pl_is_ok(status))
        status =
            pl_policy_load(in(dir, "policy.yaml", path), "north", pl_bytes_view(&spki), &policy);
    pl_policy_free(policy);
    pl_bytes_done(&spki);
    pl_key_free(key);
    return status;
}

/* ---- source ---- */

static pl_status read_rows(pl_csv *csv) {
    pl_value value;
    bool has = true;
    while (has)
        PL_TRY(pl_csv_next(csv, &value, &has));
    return PL_OK;
}

static pl_status read_source(const char *dir) {
    char path[200], *regions[] = {(char[]){"a"}, (char[]){"b"}};
    Parley__V1__Column column = PARLEY__V1__COLUMN__INIT;
    Parley__V1__SourceColumn source = PARLEY__V1__SOURCE_COLUMN__INIT, *sources[] = {&source};
    column.name = source.source_name = (char[]){"region"};
    column.type = PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_TEXT;
    column.values = regions;
    column.n_values = 2;
    source.column = &column;
    FILE *file = fopen(in(dir, "north.csv", path), "rb");
    assert_non_null(file);
    pl_csv *csv = NULL;
    pl_status status = pl_csv_open(fileno(file), "north.csv", "gb18030", sources, 1, 9, &csv);
    if (pl_is_ok(status))
        status = read_rows(csv);
    pl_csv_free(csv);
    fclose(file);
    return status;
}

/* ---- audit ---- */

static pl_status use_log(pl_audit *audit, const char *path) {
    pl_audit_event event = {"anna", "local", "job:1", "-", "job.propose", "ok", "t", "m", "", ""};
    PL_TRY(pl_audit_append(audit, &event));
    Parley__V1__AuditVerdict *verdict;
    PL_TRY(pl_audit_verify(path, NULL, 0, &verdict));
    bool ok = verdict->ok;
    parley__v1__audit_verdict__free_unpacked(verdict, NULL);
    return ok ? PL_OK : pl_fail(PL_CORRUPT, "an append that failed left something behind");
}

static pl_status keep_log(const char *dir) {
    char path[200];
    pl_audit *audit;
    PL_TRY(pl_audit_open(in(dir, "audit.log", path), &audit));
    pl_status status = use_log(audit, path);
    pl_audit_close(audit);
    return status;
}

/* A giver's link, taken; then an operator's word. */
static pl_status exchange(pl_audit *audit, Parley__V1__AuditPeer *giver,
                          Parley__V1__AuditPeer *taker) {
    Parley__V1__AuditHead head = PARLEY__V1__AUDIT_HEAD__INIT;
    Parley__V1__AuditLink **links = NULL;
    size_t n = 0;
    pl_merkle_hash root = pl_audit_root(audit);
    head.size = pl_audit_count(audit);
    head.root = (ProtobufCBinaryData){32, root.bytes};
    PL_TRY(pl_heads_link(audit, &giver, 1, &links, &n));
    pl_status status = pl_heads_take(taker, "south", &head, links, n);
    pl_heads_links_free(links, n);
    PL_TRY(status);
    PL_TRY(pl_heads_give(giver, head.size));
    PL_TRY(pl_heads_stated(giver, head.size, 7));
    return pl_heads_accept(taker, &head);
}

static pl_status exchange_heads(const char *dir) {
    char path[200];
    size_t kept = fail_at;
    pl_audit *audit;
    Parley__V1__AuditPeer *giver, *taker;
    pl_audit_event event = {"anna", "local", "job:1", "-", "job.propose", "ok", "t", "m", "", ""};
    fail_at = 0;
    assert_true(pl_is_ok(pl_alloc(1, sizeof *giver, &giver)));
    assert_true(pl_is_ok(pl_alloc(1, sizeof *taker, &taker)));
    parley__v1__audit_peer__init(giver);
    parley__v1__audit_peer__init(taker);
    assert_true(pl_is_ok(pl_audit_open(in(dir, "audit.log", path), &audit)));
    assert_true(pl_is_ok(pl_audit_append(audit, &event)));
    assert_true(pl_is_ok(exchange(audit, giver, taker)));
    assert_true(pl_is_ok(pl_audit_append(audit, &event)));
    n_calls = 0;
    fail_at = kept;
    pl_status status = exchange(audit, giver, taker);
    parley__v1__audit_peer__free_unpacked(giver, NULL);
    parley__v1__audit_peer__free_unpacked(taker, NULL);
    pl_audit_close(audit);
    return status;
}

static void test_every_room(void **state) {
    (void)state;
    static const char *const names[] = {"parleyd.yaml", "policy.yaml", "policy.yaml.sig",
                                        "north.csv",    "audit.log",   "audit.log.tree"};
    char dir[] = "/tmp/parley-alloc-XXXXXX", path[200];
    assert_non_null(mkdtemp(dir));
    write_text(in(dir, "parleyd.yaml", path), CONFIG);
    write_text(in(dir, "policy.yaml", path), POLICY);
    write_text(in(dir, "north.csv", path), "region\na\nb\n");
    sweep(load_config, dir, 100);
    sweep(fill_catalog, dir, 3);
    sweep(decide, dir, 50);
    sweep(sign_and_load, dir, 50);
    sweep(read_source, dir, 6);
    sweep(keep_log, dir, 6);
    sweep(exchange_heads, dir, 10);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in(dir, names[i], path));
    assert_int_equal(rmdir(dir), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
