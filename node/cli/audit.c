/* audit.c: parley audit show, verify, heads, peers, accept. */
#include "node/cli/cli.h"
#include "node/cli/evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- show ---- */

static json_t *audit_json(const Parley__V1__AuditRecord *r) {
    char hash[129] = "";
    if (r->hash.len <= 64)
        pl_hex_encode(pl_view_of(r->hash.data, r->hash.len), hash);
    return json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "seq",
                     (json_int_t)r->seq, "time_ms", (json_int_t)r->time_ms, "user", r->user,
                     "address", r->address, "object", r->object, "content", r->content, "action",
                     r->action, "result", r->result, "system", r->system, "method", r->method,
                     "job_id", r->job_id, "charter_digest", r->charter_digest, "hash", hash);
}

static pl_status on_record(const ProtobufCMessage *message, void *ctx) {
    const Parley__V1__AuditRecord *r = (const Parley__V1__AuditRecord *)message;
    const pl_cli *cli = ctx;
    if (cli->json) {
        json_t *line = audit_json(r);
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(line);
        return PL_OK;
    }
    char at[32];
    pl_cli_time(r->time_ms / 1000, at);
    printf("%5llu  %s  %-18s %-22s %-8s %-17.17s %s\n", (unsigned long long)r->seq, at, r->user,
           r->action, r->result, r->object, strcmp(r->content, "-") == 0 ? "" : r->content);
    return PL_OK;
}

static pl_status run_audit_show(pl_cli *cli) {
    Parley__V1__AuditRequest request = PARLEY__V1__AUDIT_REQUEST__INIT;
    const char *job = pl_cli_option(cli, "--job"), *from = pl_cli_option(cli, "--from");
    if (from != NULL)
        PL_TRY(pl_cli_number(from, "--from", UINT64_MAX / 2, &request.from));
    request.job_id = (char *)(uintptr_t)(job == NULL ? "" : job);
    PL_TRY(pl_cli_words(cli, 0, "audit show [--job JOB] [--from N]"));
    return pl_cli_stream(cli, "auditor", "AuditShow", &request.base,
                         &parley__v1__audit_record__descriptor, on_record, cli);
}

/* ---- verify ---- */

static pl_status report_verdict(const Parley__V1__AuditVerdict *v, bool json) {
    if (json)
        pl_cli_print_json(json_pack("{s:b, s:I, s:s, s:I, s:s, s:s, s:I, s:I}", "ok", v->ok,
                                    "records", (json_int_t)v->records, "kind", v->kind, "record",
                                    (json_int_t)v->record, "fault", v->fault, "head", v->head,
                                    "heads_held", (json_int_t)v->heads_held, "clock_steps",
                                    (json_int_t)v->clock_steps));
    else if (v->ok)
        printf("audit log: %llu records, unbroken, as %llu heads say; root %s\n",
               (unsigned long long)v->records, (unsigned long long)v->heads_held, v->head);
    if (v->clock_steps > 0)
        fprintf(stderr,
                "parley: the clock went back by more than two minutes %llu times, first at record "
                "%llu: no fault of the log, but ask why\n",
                (unsigned long long)v->clock_steps, (unsigned long long)v->clock_step);
    return v->ok ? PL_OK : pl_fail(PL_CORRUPT, "audit log: %s: %s", v->kind, v->fault);
}

static pl_status verify_node(const pl_cli *cli, const pl_claims *claims,
                             Parley__V1__AuditVerdict **out) {
    Parley__V1__AuditRequest request = PARLEY__V1__AUDIT_REQUEST__INIT;
    Parley__V1__AuditClaim *rows = NULL, **list = NULL;
    pl_status status;
    PL_CHECK(status, pl_alloc(claims->n, sizeof *rows, &rows));
    PL_CHECK(status, pl_alloc(claims->n, sizeof *list, &list));
    for (size_t i = 0; i < claims->n; i++) {
        const pl_audit_claim *claim = &claims->claims[i];
        parley__v1__audit_claim__init(&rows[i]);
        rows[i].size = claim->size;
        rows[i].root = (ProtobufCBinaryData){32, (uint8_t *)(uintptr_t)claim->root.bytes};
        rows[i].time_ms = claim->time_ms;
        rows[i].source = (char *)(uintptr_t)claim->source;
        list[i] = &rows[i];
    }
    request.claims = list;
    request.n_claims = claims->n;
    status = pl_cli_call(cli, "auditor", "AuditVerify", &request.base,
                         &parley__v1__audit_verdict__descriptor, out);
out:
    free(list);
    free(rows);
    return status;
}

/* Whose log it is: as told, or as the node says. */
static pl_status name_of_log(const pl_cli *cli, const char *log, const char *told, char **out) {
    if (told != NULL)
        return pl_strdup(told, out);
    if (log != NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "whose log is %s? give --org ORG with --peer-heads",
                       log);
    Parley__V1__ListRequest request = PARLEY__V1__LIST_REQUEST__INIT;
    Parley__V1__StatusReply *reply = NULL;
    PL_TRY(pl_cli_call(cli, "auditor", "Status", &request.base,
                       &parley__v1__status_reply__descriptor, &reply));
    pl_status status = pl_strdup(reply->org, out);
    parley__v1__status_reply__free_unpacked(reply, NULL);
    return status;
}

#define AUDIT_VERIFY                                                                               \
    "audit verify [--log FILE --org ORG] [--peer-heads FILE ...] [--manifest MANIFEST]"
#define FILES_MAX 64

static pl_status read_claims(const pl_cli *cli, const char *log, const char *org,
                             const char *const *files, size_t n, const char *manifest,
                             pl_claims *claims) {
    char *name = NULL;
    if (n == 0)
        return PL_OK;
    PL_TRY(name_of_log(cli, log, org, &name));
    if (manifest == NULL)
        fprintf(stderr,
                "parley: the manifests are those inside the files: they prove nothing unless "
                "you trust the files; name your own with --manifest\n");
    pl_status status = PL_OK;
    for (size_t i = 0; i < n && pl_is_ok(status); i++)
        status = pl_claims_read(files[i], manifest, name, claims);
    free(name);
    return status;
}

static pl_status run_audit_verify(pl_cli *cli) {
    const char *files[FILES_MAX], *log = pl_cli_option(cli, "--log"),
                                  *org = pl_cli_option(cli, "--org"),
                                  *manifest = pl_cli_option(cli, "--manifest");
    size_t n = 0;
    for (const char *f; n < FILES_MAX && (f = pl_cli_option(cli, "--peer-heads")) != NULL;)
        files[n++] = f;
    PL_TRY(pl_cli_words(cli, 0, AUDIT_VERIFY));
    pl_claims claims = {0};
    Parley__V1__AuditVerdict *verdict = NULL;
    pl_status status = read_claims(cli, log, org, files, n, manifest, &claims);
    if (pl_is_ok(status))
        status = log == NULL ? verify_node(cli, &claims, &verdict)
                             : pl_audit_verify(log, claims.claims, claims.n, &verdict);
    if (pl_is_ok(status))
        status = report_verdict(verdict, cli->json);
    if (verdict != NULL)
        parley__v1__audit_verdict__free_unpacked(verdict, NULL);
    pl_claims_done(&claims);
    return status;
}

/* ---- heads ---- */

static pl_status run_audit_heads(pl_cli *cli) {
    const char *path = pl_cli_option(cli, "--output");
    if (path == NULL)
        path = pl_cli_option(cli, "-o");
    Parley__V1__ListRequest request = PARLEY__V1__LIST_REQUEST__INIT;
    Parley__V1__ReceiptReply *reply = NULL;
    PL_TRY(pl_cli_words(cli, 0, "audit heads --output FILE"));
    if (path == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "usage: parley audit heads --output FILE");
    PL_TRY(pl_cli_call(cli, "auditor", "AuditHeads", &request.base,
                       &parley__v1__receipt_reply__descriptor, &reply));
    pl_status status = pl_evidence_write(reply, path);
    if (pl_is_ok(status) && !cli->json)
        printf("%zu signed heads written to %s\n", reply->n_heads, path);
    parley__v1__receipt_reply__free_unpacked(reply, NULL);
    return status;
}

static pl_status peers_table(const Parley__V1__AuditPeersReply *reply) {
    static const char *const headers[] = {"MEMBER", "RECORDS", "SEEN", "ROOT", "STATE"};
    pl_table *table = NULL;
    pl_status status = pl_table_new(headers, 5, &table);
    for (size_t i = 0; i < reply->n_peers && pl_is_ok(status); i++) {
        const Parley__V1__AuditPeerState *p = reply->peers[i];
        char size[24], at[32], root[65] = "-";
        snprintf(size, sizeof size, "%llu", (unsigned long long)p->size);
        pl_cli_time(p->time_ms / 1000, at);
        if (p->root.len == 32)
            pl_hex_encode(pl_view_of(p->root.data, 8), root);
        const char *cells[] = {p->org, size, at, root,
                               *p->disputed != 0 ? p->disputed
                               : p->size == 0    ? "not seen"
                                                 : "ok"};
        status = pl_table_add(table, cells);
    }
    if (pl_is_ok(status))
        pl_table_print(table);
    pl_table_free(table);
    return status;
}

static json_t *peers_json(const Parley__V1__AuditPeersReply *reply) {
    json_t *list = json_array();
    for (size_t i = 0; i < reply->n_peers; i++) {
        const Parley__V1__AuditPeerState *p = reply->peers[i];
        char root[65] = "";
        if (p->root.len == 32)
            pl_hex_encode(pl_view_of(p->root.data, 32), root);
        json_array_append_new(list, json_pack("{s:s, s:I, s:s, s:I, s:s}", "org", p->org, "records",
                                              (json_int_t)p->size, "root", root, "time_ms",
                                              (json_int_t)p->time_ms, "disputed", p->disputed));
    }
    return list;
}

static pl_status run_audit_peers(pl_cli *cli) {
    Parley__V1__ListRequest request = PARLEY__V1__LIST_REQUEST__INIT;
    Parley__V1__AuditPeersReply *reply = NULL;
    PL_TRY(pl_cli_words(cli, 0, "audit peers"));
    PL_TRY(pl_cli_call(cli, "auditor", "AuditPeers", &request.base,
                       &parley__v1__audit_peers_reply__descriptor, &reply));
    pl_status status = PL_OK;
    if (cli->json)
        pl_cli_print_json(peers_json(reply));
    else
        status = peers_table(reply);
    parley__v1__audit_peers_reply__free_unpacked(reply, NULL);
    return status;
}

static pl_status run_audit_accept(pl_cli *cli) {
    Parley__V1__AuditAcceptRequest request = PARLEY__V1__AUDIT_ACCEPT_REQUEST__INIT;
    Parley__V1__Ack *ack = NULL;
    const char *reason = pl_cli_option(cli, "--reason");
    PL_TRY(pl_cli_words(cli, 1, "audit accept ORG --reason TEXT"));
    if (reason == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "usage: parley audit accept ORG --reason TEXT");
    request.org = cli->argv[0];
    request.reason = (char *)(uintptr_t)reason;
    PL_TRY(pl_cli_call(cli, "operator", "AuditAccept", &request.base, &parley__v1__ack__descriptor,
                       &ack));
    parley__v1__ack__free_unpacked(ack, NULL);
    if (!cli->json)
        printf("the audit log of %s is accepted as it is now, and this is recorded\n", request.org);
    return PL_OK;
}

const pl_command pl_audit_commands[] = {
    {"audit show", "the audit log", "usage: parley audit show [--job JOB] [--from N] [--json]\n",
     run_audit_show},
    {"audit verify", "check an audit log, here or offline",
     "usage: parley " AUDIT_VERIFY " [--json]\n\n"
     "  --log FILE          a log's file instead of the node's; the tree beside it (FILE.tree) is\n"
     "                      looked at too if it is there\n"
     "  --peer-heads FILE   what others hold of this log: their heads (parley audit heads) or a\n"
     "                      receipt (parley receipt get)\n"
     "  --manifest FILE     the manifest that you trust\n\n"
     "A fault is named: change, deletion, insertion, truncation or fork, and the record's "
     "number.\n",
     run_audit_verify},
    {"audit heads", "save the signed heads that this node holds",
     "usage: parley audit heads --output FILE\n", run_audit_heads},
    {"audit peers", "what this node has seen of the members' logs",
     "usage: parley audit peers [--json]\n", run_audit_peers},
    {"audit accept", "accept a member's log after an incident",
     "usage: parley audit accept ORG --reason TEXT\n\nThe member's log went back or split, as "
     "parley "
     "audit peers says; ask its operator first.\nThe head that was refused last is taken as the "
     "new "
     "beginning, and that is recorded.\n",
     run_audit_accept},
    {0},
};
