#include "node/cli/evidence.h"

#include "node/catalog/yaml.h"
#include "node/charter/head.h"
#include "node/charter/receipt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (16u << 20)

static pl_view view_of(ProtobufCBinaryData data) {
    return pl_view_of(data.data, data.len);
}

pl_status pl_evidence_write(const Parley__V1__ReceiptReply *evidence, const char *path) {
    size_t len = parley__v1__receipt_reply__get_packed_size(evidence);
    uint8_t *packed;
    PL_TRY(pl_alloc(len + 1, 1, &packed));
    parley__v1__receipt_reply__pack(evidence, packed);
    FILE *file = fopen(path, "wbe");
    bool ok = file != NULL && fwrite(packed, 1, len, file) == len;
    ok = file != NULL && fclose(file) == 0 && ok;
    free(packed);
    return ok ? PL_OK : pl_fail(PL_IO, "cannot write %s: %s", path, strerror(errno));
}

/* ---- reading ---- */

static pl_status open_manifest(const Parley__V1__ReceiptReply *file, const char *path,
                               pl_manifest **out) {
    pl_bytes bytes = {0};
    if (path == NULL)
        return pl_manifest_parse(view_of(file->manifest), out);
    PL_TRY(pl_text_file_read(path, FILE_BYTES_MAX, &bytes));
    pl_status status = pl_manifest_parse(pl_bytes_view(&bytes), out);
    pl_bytes_done(&bytes);
    return status;
}

static pl_status add(pl_claims *claims, const Parley__V1__AuditHead *head, const char *org,
                     const char *source) {
    if (head == NULL || strcmp(head->org, org) != 0)
        return PL_OK;
    pl_audit_claim *more;
    PL_TRY(pl_alloc(claims->n + 1, sizeof *more, &more));
    if (claims->n > 0)
        memcpy(more, claims->claims, claims->n * sizeof *more);
    free(claims->claims);
    claims->claims = more;
    pl_audit_claim *claim = &more[claims->n++];
    *claim = (pl_audit_claim){.size = head->size, .time_ms = head->time_ms, .source = source};
    memcpy(claim->root.bytes, head->root.data, 32);
    return PL_OK;
}

static pl_status read_receipt(const Parley__V1__ReceiptReply *file, const pl_manifest *manifest,
                              const pl_view *descriptors, const char *org, const char *source,
                              pl_claims *claims) {
    pl_receipt_verdict verdict = {0};
    if (file->receipt.len == 0)
        return PL_OK;
    PL_TRY(pl_receipt_verify(view_of(file->receipt), manifest, descriptors, file->n_descriptors,
                             &verdict));
    pl_status status = PL_OK;
    for (size_t i = 0; i < verdict.receipt->n_parties && pl_is_ok(status); i++)
        status = add(claims, verdict.heads[i], org, source);
    pl_receipt_verdict_done(&verdict);
    return status;
}

/* Heads of members whose keys are not in the file say nothing here: only org's are asked for. */
static pl_status read_head(const Parley__V1__ReceiptReply *file, size_t at,
                           const pl_manifest *manifest, const pl_view *descriptors, const char *org,
                           const char *source, pl_claims *claims) {
    Parley__V1__AuditHead *head = NULL;
    PL_TRY(pl_head_read(view_of(file->heads[at]), &head));
    bool wanted = strcmp(head->org, org) == 0;
    parley__v1__audit_head__free_unpacked(head, NULL);
    if (!wanted)
        return PL_OK;
    PL_TRY(pl_wrap(pl_head_verify_past(view_of(file->heads[at]), manifest, descriptors,
                                       file->n_descriptors, &head),
                   "heads[%zu] is forged or without its key", at));
    pl_status status = add(claims, head, org, source);
    parley__v1__audit_head__free_unpacked(head, NULL);
    return status;
}

static pl_status read_all(const Parley__V1__ReceiptReply *file, const char *manifest_path,
                          const char *org, const char *source, pl_claims *claims) {
    pl_manifest *manifest = NULL;
    pl_view *descriptors = NULL;
    size_t n_before = claims->n;
    pl_status status;
    PL_CHECK(status, open_manifest(file, manifest_path, &manifest));
    PL_CHECK(status, pl_alloc(file->n_descriptors, sizeof *descriptors, &descriptors));
    for (size_t i = 0; i < file->n_descriptors; i++)
        descriptors[i] = view_of(file->descriptors[i]);
    PL_CHECK(status, read_receipt(file, manifest, descriptors, org, source, claims));
    for (size_t i = 0; i < file->n_heads; i++)
        PL_CHECK(status, read_head(file, i, manifest, descriptors, org, source, claims));
    if (claims->n == n_before)
        status = pl_fail(PL_NOT_FOUND, "it holds no head of %s's audit log", org);
out:
    free(descriptors);
    pl_manifest_free(manifest);
    return status;
}

pl_status pl_claims_read(const char *path, const char *manifest_path, const char *org,
                         pl_claims *claims) {
    pl_bytes bytes = {0};
    PL_TRY(pl_text_file_read(path, FILE_BYTES_MAX, &bytes));
    Parley__V1__ReceiptReply *file = parley__v1__receipt_reply__unpack(NULL, bytes.len, bytes.data);
    pl_bytes_done(&bytes);
    if (file == NULL)
        return pl_fail(PL_CORRUPT, "%s is no file of heads or of a receipt", path);
    pl_status status = pl_wrap(read_all(file, manifest_path, org, path, claims), "%s", path);
    parley__v1__receipt_reply__free_unpacked(file, NULL);
    return status;
}

void pl_claims_done(pl_claims *claims) {
    free(claims->claims);
    *claims = (pl_claims){0};
}
