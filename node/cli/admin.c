/* admin.c: organisations, federations, policies, the scheduler's certificate: files and signatures,
 * no node needed. */
#include "node/catalog/yaml.h"
#include "node/charter/manifest.h"
#include "node/charter/org.h"
#include "node/cli/cli.h"
#include "node/crypto/cert.h"
#include "node/policy/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES_MAX (2u << 20)
#define DAY 86400

static int64_t now(void) {
    return (int64_t)time(NULL);
}

/* Writes a new file beside path and renames it over. */
static pl_status write_file(const char *path, pl_view content) {
    char temporary[1100];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "wbe");
    bool ok = file != NULL && fwrite(content.data, 1, content.len, file) == content.len &&
              fflush(file) == 0 && fsync(fileno(file)) == 0;
    ok = file != NULL && fclose(file) == 0 && ok;
    return ok && rename(temporary, path) == 0
               ? PL_OK
               : pl_fail(PL_IO, "cannot write %s: %s", path, strerror(errno));
}

static pl_status days_option(pl_cli *cli, const char *name, uint64_t fallback, uint64_t *out) {
    const char *text = pl_cli_option(cli, name);
    *out = fallback;
    return text == NULL ? PL_OK : pl_cli_number(text, name, 36500, out);
}

/* ---- organisations ---- */

#define ORG_CREATE                                                                                 \
    "org create DIR --name ORG --endpoint HOST:PORT [--endpoint ...] [--group G] [--display "      \
    "NAME] [--node-name NODE] [--days N]"

static pl_status run_org_create(pl_cli *cli) {
    const char *endpoints[8];
    pl_org_params params = {.endpoints = endpoints, .now = now()};
    uint64_t days = 0;
    params.org = pl_cli_option(cli, "--name");
    params.group = pl_cli_option(cli, "--group");
    params.display_name = pl_cli_option(cli, "--display");
    params.node = pl_cli_option(cli, "--node-name");
    PL_TRY(days_option(cli, "--days", 0, &days));
    params.node_days = (uint32_t)days;
    for (const char *e; params.n_endpoints < 8 && (e = pl_cli_option(cli, "--endpoint")) != NULL;)
        endpoints[params.n_endpoints++] = e;
    PL_TRY(pl_cli_words(cli, 1, ORG_CREATE));
    if (params.org == NULL || params.n_endpoints == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "usage: parley " ORG_CREATE);
    PL_TRY(pl_org_create(cli->argv[0], &params));
    if (!cli->json)
        printf("created %s for %s: keep root.key offline; give member.pb to whoever makes the "
               "federation's manifest\n",
               cli->argv[0], params.org);
    return PL_OK;
}

static pl_status run_org_show(pl_cli *cli) {
    pl_org *org = NULL;
    PL_TRY(pl_cli_words(cli, 1, "org show DIR"));
    PL_TRY(pl_org_load(cli->argv[0], &org));
    const Parley__V1__Descriptor *d = pl_org_descriptor(org);
    char from[32], to[32];
    pl_cli_time(d->not_before, from);
    pl_cli_time(d->not_after, to);
    if (cli->json) {
        pl_cli_print_json(json_pack("{s:s, s:s, s:I, s:I, s:I}", "org", d->org, "node", d->node,
                                    "serial", (json_int_t)d->serial, "not_before",
                                    (json_int_t)d->not_before, "not_after",
                                    (json_int_t)d->not_after));
    } else {
        printf("organisation  %s\nnode          %s, serial %llu\nvalid         %s to %s\n", d->org,
               d->node, (unsigned long long)d->serial, from, to);
        for (size_t i = 0; i < d->n_endpoints; i++)
            printf("endpoint      %s\n", d->endpoints[i]);
    }
    pl_org_free(org);
    return PL_OK;
}

static pl_status run_org_renew(pl_cli *cli) {
    uint64_t days;
    PL_TRY(days_option(cli, "--days", 0, &days));
    PL_TRY(pl_cli_words(cli, 1, "org renew DIR [--days N]"));
    PL_TRY(pl_org_renew(cli->argv[0], now(), (uint32_t)days));
    if (!cli->json)
        printf("new keys and descriptor in %s: restart the node, sign its policy again\n",
               cli->argv[0]);
    return PL_OK;
}

/* ---- federations ---- */

#define FEDERATION_CREATE                                                                          \
    "federation create FILE --name FEDERATION --threshold M --member member.pb [--member ...] "    \
    "[--days N] [--previous FILE]"

static pl_status read_members(pl_cli *cli, pl_bytes *out, pl_view *views, size_t *out_n) {
    for (const char *path;
         *out_n < PL_MANIFEST_MEMBERS_MAX && (path = pl_cli_option(cli, "--member")) != NULL;) {
        PL_TRY(pl_text_file_read(path, FILE_BYTES_MAX, &out[*out_n]));
        views[*out_n] = pl_bytes_view(&out[*out_n]);
        (*out_n)++;
    }
    return PL_OK;
}

static pl_status read_previous(const char *path, pl_manifest **out) {
    pl_bytes bytes = {0};
    if (path == NULL)
        return PL_OK;
    PL_TRY(pl_text_file_read(path, FILE_BYTES_MAX, &bytes));
    pl_status status = pl_manifest_parse(pl_bytes_view(&bytes), out);
    pl_bytes_done(&bytes);
    return pl_wrap(status, "the manifest before, %s", path);
}

static pl_status run_federation_create(pl_cli *cli) {
    static pl_bytes members[PL_MANIFEST_MEMBERS_MAX];
    static pl_view views[PL_MANIFEST_MEMBERS_MAX];
    size_t n = 0;
    uint64_t threshold = 0, days;
    pl_manifest *previous = NULL;
    pl_bytes manifest = {0};
    const char *name = pl_cli_option(cli, "--name"), *m = pl_cli_option(cli, "--threshold");
    const char *previous_path = pl_cli_option(cli, "--previous");
    pl_status status;
    PL_CHECK(status, days_option(cli, "--days", 365, &days));
    PL_CHECK(status, read_members(cli, members, views, &n));
    PL_CHECK(status, pl_cli_words(cli, 1, FEDERATION_CREATE));
    if (name == NULL || m == NULL || n == 0)
        PL_CHECK(status, pl_fail(PL_INVALID_ARGUMENT, "usage: parley " FEDERATION_CREATE));
    PL_CHECK(status, pl_cli_number(m, "--threshold", PL_MANIFEST_MEMBERS_MAX, &threshold));
    PL_CHECK(status, read_previous(previous_path, &previous));
    pl_manifest_params params = {
        .federation = name,
        .epoch = previous == NULL ? 1 : pl_manifest_epoch(previous) + 1,
        .threshold = (uint32_t)threshold,
        .not_before = now() - 60,
        .not_after = now() + (int64_t)days * DAY,
        .members = views,
        .n_members = n,
        .previous = previous,
    };
    PL_CHECK(status, pl_manifest_create(&params, &manifest));
    PL_CHECK(status, write_file(cli->argv[0], pl_bytes_view(&manifest)));
    if (!cli->json)
        printf("wrote %s: %llu of its %zu members' roots must sign it (parley federation sign)\n",
               cli->argv[0], (unsigned long long)threshold, n);
out:
    for (size_t i = 0; i < n; i++)
        pl_bytes_done(&members[i]);
    pl_manifest_free(previous);
    pl_bytes_done(&manifest);
    return status;
}

#define FEDERATION_SIGN "federation sign FILE --org DIR [--previous FILE]"

static pl_status run_federation_sign(pl_cli *cli) {
    const char *folder = pl_cli_option(cli, "--org"),
               *previous_path = pl_cli_option(cli, "--previous");
    pl_key *root = NULL;
    char *org = NULL;
    pl_manifest *previous = NULL;
    pl_bytes manifest = {0}, signed_manifest = {0};
    PL_TRY(pl_cli_words(cli, 1, FEDERATION_SIGN));
    if (folder == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "usage: parley " FEDERATION_SIGN);
    pl_status status;
    PL_CHECK(status, read_previous(previous_path, &previous));
    PL_CHECK(status, pl_org_load_root(folder, &root, &org));
    PL_CHECK(status, pl_text_file_read(cli->argv[0], FILE_BYTES_MAX, &manifest));
    PL_CHECK(status,
             pl_manifest_sign(pl_bytes_view(&manifest), previous, org, root, &signed_manifest));
    PL_CHECK(status, write_file(cli->argv[0], pl_bytes_view(&signed_manifest)));
    if (!cli->json)
        printf("%s signed %s\n", org, cli->argv[0]);
out:
    pl_bytes_done(&signed_manifest);
    pl_bytes_done(&manifest);
    pl_manifest_free(previous);
    pl_key_free(root);
    free(org);
    return status;
}

static json_t *manifest_json(const pl_manifest *m) {
    json_t *members = json_array();
    for (size_t i = 0; i < pl_manifest_n_members(m); i++) {
        const Parley__V1__Member *member = pl_manifest_member(m, pl_manifest_member_name(m, i));
        pl_status by = pl_manifest_signed_by(m, member->org);
        json_array_append_new(members, json_pack("{s:s, s:s, s:s, s:b}", "org", member->org,
                                                 "display_name", member->display_name, "group",
                                                 member->group, "signed", by.error == NULL));
        pl_status_done(&by);
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "federation", pl_manifest_name(m), "epoch",
                     (json_int_t)pl_manifest_epoch(m), "threshold",
                     (json_int_t)pl_manifest_threshold(m), "not_before",
                     (json_int_t)pl_manifest_not_before(m), "not_after",
                     (json_int_t)pl_manifest_not_after(m), "members", members);
}

static void print_manifest(const pl_manifest *m) {
    char from[32], to[32];
    pl_cli_time(pl_manifest_not_before(m), from);
    pl_cli_time(pl_manifest_not_after(m), to);
    printf("federation  %s, epoch %llu\nvalid       %s to %s\nneeds       %u signatures\n",
           pl_manifest_name(m), (unsigned long long)pl_manifest_epoch(m), from, to,
           pl_manifest_threshold(m));
    for (size_t i = 0; i < pl_manifest_n_members(m); i++) {
        const Parley__V1__Member *member = pl_manifest_member(m, pl_manifest_member_name(m, i));
        pl_status by = pl_manifest_signed_by(m, member->org);
        printf("%s%s (%s), group %s: %s\n", i == 0 ? "members     " : "            ", member->org,
               member->display_name, member->group, pl_is_ok(by) ? "signed" : "not signed");
        pl_status_done(&by); /* shown as not signed */
    }
}

static pl_status run_federation_show(pl_cli *cli) {
    pl_bytes bytes = {0};
    pl_manifest *m = NULL;
    PL_TRY(pl_cli_words(cli, 1, "federation show FILE"));
    PL_TRY(pl_text_file_read(cli->argv[0], FILE_BYTES_MAX, &bytes));
    pl_status status = pl_manifest_inspect(pl_bytes_view(&bytes), &m);
    if (pl_is_ok(status)) {
        if (cli->json)
            pl_cli_print_json(manifest_json(m));
        else
            print_manifest(m);
        pl_manifest *verified = NULL;
        status = pl_manifest_load(cli->argv[0], now(), &verified); /* says what is missing */
        pl_manifest_free(verified);
    }
    pl_manifest_free(m);
    pl_bytes_done(&bytes);
    return pl_wrap(status, "%s", cli->argv[0]);
}

/* ---- policies ---- */

#define POLICY_SIGN "policy sign FILE --org DIR"

static pl_status run_policy_sign(pl_cli *cli) {
    const char *folder = pl_cli_option(cli, "--org");
    pl_org *org = NULL;
    PL_TRY(pl_cli_words(cli, 1, POLICY_SIGN));
    if (folder == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "usage: parley " POLICY_SIGN);
    PL_TRY(pl_org_load(folder, &org));
    pl_status status = pl_policy_sign(cli->argv[0], pl_org_sign_key(org), pl_org_name(org));
    if (pl_is_ok(status) && !cli->json)
        printf("%s signed %s\n", pl_org_name(org), cli->argv[0]);
    pl_org_free(org);
    return status;
}

#define POLICY_CHECK "policy check FILE --name ORG"

static pl_status run_policy_check(pl_cli *cli) {
    const char *org = pl_cli_option(cli, "--name");
    pl_bytes text = {0};
    pl_policy *policy = NULL;
    PL_TRY(pl_cli_words(cli, 1, POLICY_CHECK));
    if (org == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "usage: parley " POLICY_CHECK);
    PL_TRY(pl_text_file_read(cli->argv[0], FILE_BYTES_MAX, &text));
    pl_status status = pl_policy_parse(cli->argv[0], org, pl_bytes_view(&text), &policy);
    pl_bytes_done(&text);
    if (pl_is_ok(status) && !cli->json)
        printf("%s: version %llu, %u rules, well-formed\n", cli->argv[0],
               (unsigned long long)pl_policy_version(policy), pl_policy_n_rules(policy));
    pl_policy_free(policy);
    return status;
}

/* ---- the scheduler's own certificate ---- */

static pl_status run_scheduler_create(pl_cli *cli) {
    char path[1100];
    pl_key *key = NULL;
    pl_bytes der = {0}, pem = {0};
    uint64_t days;
    PL_TRY(days_option(cli, "--days", 397, &days));
    PL_TRY(pl_cli_words(cli, 1, "scheduler create DIR [--days N]"));
    const char *folder = cli->argv[0];
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return pl_fail(PL_IO, "cannot make %s: %s", folder, strerror(errno));
    pl_cert_params params = {.common_name = "parley-scheduler",
                             .dns_name = "parley-scheduler",
                             .not_before = now() - 60,
                             .not_after = now() + (int64_t)days * DAY};
    pl_status status;
    PL_CHECK(status, pl_key_generate_signing(&key));
    PL_CHECK(status, pl_cert_create(key, &params, false, &der));
    PL_CHECK(status, pl_cert_to_pem(pl_bytes_view(&der), &pem));
    snprintf(path, sizeof path, "%s/scheduler.key", folder);
    PL_CHECK(status, pl_key_save(key, path));
    snprintf(path, sizeof path, "%s/scheduler.crt", folder);
    PL_CHECK(status, write_file(path, pl_bytes_view(&pem)));
    if (!cli->json)
        printf("created %s: give scheduler.crt to every node (scheduler.certificate in "
               "parleyd.yaml)\n",
               folder);
out:
    pl_bytes_done(&pem);
    pl_bytes_done(&der);
    pl_key_free(key);
    return status;
}

const pl_command pl_admin_commands[] = {
    {"org create", "make an organisation's keys and its node's descriptor",
     "usage: parley " ORG_CREATE
     "\n\nexample:\n  parley org create keys/north --name north --group north --endpoint "
     "192.0.2.10:7101\n",
     run_org_create},
    {"org show", "show a node's descriptor", "usage: parley org show DIR [--json]\n", run_org_show},
    {"org renew", "renew a node's keys",
     "usage: parley org renew DIR [--days N]\n\nnext: sign the policy again (parley policy sign), "
     "then "
     "send SIGHUP to parleyd: it goes on with the new keys.\n",
     run_org_renew},
    {"federation create", "make a manifest, to be signed by its members",
     "usage: parley " FEDERATION_CREATE "\n\nexample:\n  parley federation create "
     "federation.manifest --name statistics --threshold 2 \\\n"
     "      --member keys/north/member.pb --member keys/south/member.pb --member "
     "keys/east/member.pb\n",
     run_federation_create},
    {"federation sign", "sign a manifest with an organisation's root",
     "usage: parley " FEDERATION_SIGN "\n", run_federation_sign},
    {"federation show", "show a manifest and who has signed it",
     "usage: parley federation show FILE [--json]\n", run_federation_show},
    {"policy sign", "sign a policy with the node's key", "usage: parley " POLICY_SIGN "\n",
     run_policy_sign},
    {"policy check", "read a policy and say what is wrong", "usage: parley " POLICY_CHECK "\n",
     run_policy_check},
    {"scheduler create", "make a scheduler's key and certificate",
     "usage: parley scheduler create DIR [--days N]\n", run_scheduler_create},
    {0},
};
