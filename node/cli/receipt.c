#include "node/cli/receipt.h"

#include "node/catalog/yaml.h"
#include "node/charter/receipt.h"
#include "node/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (4u << 20)

static json_t *verdict_json(const pl_receipt_verdict *v, const char *job) {
    json_t *parties = json_array(), *opened = json_array(), *disclosures = json_array();
    for (size_t i = 0; i < v->receipt->n_parties; i++)
        json_array_append_new(parties, json_pack("{s:s, s:b}", "org", v->receipt->parties[i],
                                                 "signed", v->has_signed[i]));
    for (size_t i = 0; i < v->receipt->n_opened; i++)
        json_array_append_new(opened, json_string(v->receipt->opened[i]));
    for (size_t i = 0; i < v->receipt->n_disclosures; i++)
        json_array_append_new(
            disclosures,
            json_pack("{s:s, s:s}", "recipient", v->receipt->disclosures[i]->recipient, "state",
                      v->receipt->disclosures[i]->state ==
                              PARLEY__V1__RECIPIENT_STATE__RECIPIENT_STATE_RELEASED
                          ? "released"
                          : "lost"));
    return json_pack("{s:s, s:s, s:I, s:b, s:o, s:o, s:o}", "job_id", job, "federation",
                     v->receipt->federation, "epoch", (json_int_t)v->receipt->epoch, "complete",
                     v->n_signed == v->receipt->n_parties, "parties", parties, "opened", opened,
                     "disclosures", disclosures);
}

static void print_hex(const char *label, ProtobufCBinaryData data) {
    char hex[129] = "";
    if (data.len <= 64)
        pl_hex_encode(pl_view_of(data.data, data.len), hex);
    printf("%s%s\n", label, hex);
}

static void print_verdict(const pl_receipt_verdict *v, const char *job) {
    const Parley__V1__Receipt *r = v->receipt;
    printf("receipt of job %s\nfederation   %s, epoch %llu\n", job, r->federation,
           (unsigned long long)r->epoch);
    print_hex("charter      ", r->charter_digest);
    print_hex("plan         ", r->plan_digest);
    for (size_t i = 0; i < r->n_parties; i++)
        printf("%s%s: %s\n", i == 0 ? "signatures   " : "             ", r->parties[i],
               v->has_signed[i] ? "valid" : "MISSING");
    for (size_t i = 0; i < r->n_parties; i++) {
        if (v->heads[i] != NULL)
            printf("%s%s: %llu records\n", i == 0 ? "audit heads  " : "             ",
                   r->parties[i], (unsigned long long)v->heads[i]->size);
    }
    for (size_t i = 0; i < r->n_opened; i++)
        printf("%s%s\n", i == 0 ? "opened       " : "             ", r->opened[i]);
    for (size_t i = 0; i < r->n_disclosures; i++) {
        bool released =
            r->disclosures[i]->state == PARLEY__V1__RECIPIENT_STATE__RECIPIENT_STATE_RELEASED;
        printf("%s%s to %s\n", i == 0 ? "result       " : "             ",
               released ? "released" : "lost", r->disclosures[i]->recipient);
    }
}

static pl_status report(const pl_receipt_verdict *v, bool json) {
    char job[65] = "";
    if (v->receipt->job_id.len <= 32)
        pl_hex_encode(pl_view_of(v->receipt->job_id.data, v->receipt->job_id.len), job);
    if (json)
        pl_cli_print_json(verdict_json(v, job));
    else
        print_verdict(v, job);
    if (v->n_signed == v->receipt->n_parties)
        return PL_OK;
    char missing[600] = "";
    for (size_t i = 0, at = 0; i < v->receipt->n_parties && at < sizeof missing - 60; i++) {
        if (!v->has_signed[i])
            at += (size_t)snprintf(missing + at, sizeof missing - at, "%s%.40s",
                                   at == 0 ? "" : ", ", v->receipt->parties[i]);
    }
    return pl_fail(PL_FAILED_PRECONDITION,
                   "%zu of %zu parties have not signed this receipt yet: %s",
                   v->receipt->n_parties - v->n_signed, v->receipt->n_parties, missing);
}

static pl_status open_manifest(const Parley__V1__ReceiptReply *file, const char *path,
                               pl_manifest **out) {
    pl_bytes bytes = {0};
    if (path == NULL)
        return pl_manifest_parse(pl_view_of(file->manifest.data, file->manifest.len), out);
    PL_TRY(pl_text_file_read(path, FILE_BYTES_MAX, &bytes));
    pl_status status = pl_manifest_parse(pl_bytes_view(&bytes), out);
    pl_bytes_done(&bytes);
    return status;
}

static pl_status check(const Parley__V1__ReceiptReply *file, const char *manifest_path,
                       pl_receipt_verdict *out) {
    pl_manifest *manifest = NULL;
    pl_view *descriptors = NULL;
    pl_status status;
    PL_CHECK(status, open_manifest(file, manifest_path, &manifest));
    PL_CHECK(status, pl_alloc(file->n_descriptors, sizeof *descriptors, &descriptors));
    for (size_t i = 0; i < file->n_descriptors; i++)
        descriptors[i] = pl_view_of(file->descriptors[i].data, file->descriptors[i].len);
    PL_CHECK(status, pl_receipt_verify(pl_view_of(file->receipt.data, file->receipt.len), manifest,
                                       descriptors, file->n_descriptors, out));
out:
    free(descriptors);
    pl_manifest_free(manifest);
    return status;
}

static pl_status verify(const Parley__V1__ReceiptReply *file, const char *manifest_path,
                        bool json) {
    pl_receipt_verdict verdict = {0};
    pl_status status = check(file, manifest_path, &verdict);
    if (pl_is_ok(status))
        status = report(&verdict, json);
    pl_receipt_verdict_done(&verdict);
    return status;
}

pl_status pl_cli_receipt_json(const Parley__V1__ReceiptReply *file, json_t **out) {
    pl_receipt_verdict verdict = {0};
    char job[65] = "", *hex = NULL;
    size_t len = parley__v1__receipt_reply__get_packed_size(file);
    uint8_t *packed = NULL;
    pl_status status;
    PL_CHECK(status, check(file, NULL, &verdict));
    PL_CHECK(status, pl_alloc(len + 1, 1, &packed));
    PL_CHECK(status, pl_alloc(2 * len + 1, 1, &hex));
    parley__v1__receipt_reply__pack(file, packed);
    pl_hex_encode(pl_view_of(packed, len), hex);
    if (verdict.receipt->job_id.len <= 32)
        pl_hex_encode(pl_view_of(verdict.receipt->job_id.data, verdict.receipt->job_id.len), job);
    *out = verdict_json(&verdict, job);
    json_object_set_new(*out, "file", json_string(hex));
out:
    free(hex);
    free(packed);
    pl_receipt_verdict_done(&verdict);
    return status;
}

pl_status pl_cli_receipt_verify(const char *path, const char *manifest_path, bool json) {
    pl_bytes bytes = {0};
    PL_TRY(pl_text_file_read(path, FILE_BYTES_MAX, &bytes));
    Parley__V1__ReceiptReply *file = parley__v1__receipt_reply__unpack(NULL, bytes.len, bytes.data);
    pl_bytes_done(&bytes);
    if (file == NULL)
        return pl_fail(PL_CORRUPT, "%s is no receipt file", path);
    if (manifest_path == NULL)
        fprintf(stderr,
                "parley: the manifest is the one inside %s: it proves nothing unless you "
                "trust that file; name your own with --manifest\n",
                path);
    pl_status status = pl_wrap(verify(file, manifest_path, json), "receipt %s", path);
    parley__v1__receipt_reply__free_unpacked(file, NULL);
    return status;
}
