/* Document: what all signed documents share. One way in (exact bytes, signature, strict decoding)
 * and small checks whose messages start with the name of the field that is wrong; the caller puts
 * the document's name before it with pl_wrap. Private to this folder. */
#ifndef PL_NODE_CHARTER_DOCUMENT_H
#define PL_NODE_CHARTER_DOCUMENT_H

#include "node/crypto/key.h"

#include <protobuf-c/protobuf-c.h>

#define PL_DOCUMENT_VERSION 1u
#define PL_DOCUMENT_BYTES_MAX (1u << 20)
#define PL_CLOCK_SKEW_SECONDS 120
#define PL_PROTOCOL_VERSION 1u
#define PL_PLANNER_VERSION_KNOWN 1u

static inline pl_view pl_binary_view(ProtobufCBinaryData data) {
    return pl_view_of(data.data, data.len);
}

/* pl_document_decode reads a body strictly: at most PL_DOCUMENT_BYTES_MAX, no unknown field at any
 * depth, text in UTF-8 without control characters (tab and line ends may stand), and byte for byte
 * what this version would write itself, so that two readers never see two documents in it.
 * out is a T **; freed by protobuf_c_message_free_unpacked.
 * Errors: LIMIT, INVALID_ARGUMENT, UNSUPPORTED (unknown field), each naming document and field. */
PL_STATUS pl_document_decode(pl_view body, const ProtobufCMessageDescriptor *type, const char *name,
                             void *out);

/* pl_document_open verifies signer's signature in this domain, then decodes. */
PL_STATUS pl_document_open(pl_view signed_bytes, const char *domain, const char *signer,
                           pl_view spki, const ProtobufCMessageDescriptor *type, void *out);

/* pl_document_peek decodes WITHOUT verifying any signature. */
PL_STATUS pl_document_peek(pl_view signed_bytes, const char *domain,
                           const ProtobufCMessageDescriptor *type, void *out);

PL_STATUS pl_document_pack(const void *message, pl_bytes *out);
PL_STATUS pl_document_sign(const void *message, const char *domain, const char *signer,
                           const pl_key *key, pl_bytes *out_signed);

/* Digest of the body of a Signed, in the domain. */
PL_STATUS pl_document_digest(pl_view signed_bytes, const char *domain, uint8_t out[32]);

void pl_document_free(void *message); /* NULL is fine */

/* "2026-11-23 10:02:03 UTC" */
typedef struct pl_time_text {
    char text[40];
} pl_time_text;
pl_time_text pl_time_format(int64_t seconds);

/* ---- checks: the message starts with the field ---- */

PL_STATUS pl_check_version(uint32_t version);
PL_STATUS pl_check_len(const char *field, ProtobufCBinaryData data, size_t len);
/* differs_from: "this node's plan" */
PL_STATUS pl_check_equal(const char *field, ProtobufCBinaryData data, pl_view wanted,
                         const char *differs_from);
PL_STATUS pl_check_text(const char *field, const char *text, size_t len_max); /* not empty */
/* field lies at most the allowed clock difference in the future. */
PL_STATUS pl_check_not_future(const char *field, int64_t at, int64_t now);
/* field has not passed; grace: seconds it may have. */
PL_STATUS pl_check_not_past(const char *field, int64_t at, int64_t now, int64_t grace);
PL_STATUS pl_check_endpoints(const char *field, char **endpoints, size_t n);
/* [a-z][a-z0-9_]{0,30} */
bool pl_name_is_org(const char *name);

#endif
