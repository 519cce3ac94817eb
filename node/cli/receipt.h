/* Receipts offline: the file that `parley receipt get` writes holds receipt, manifest and the
 * parties' descriptors. */
#ifndef PL_NODE_CLI_RECEIPT_H
#define PL_NODE_CLI_RECEIPT_H

#include "proto/node.pb-c.h"
#include "protocols/base/status.h"

#include <jansson.h>

/* pl_cli_receipt_json checks a receipt under the manifest inside the file (the caller's own node
 * gave it) and says who has signed so far; the caller frees *out. */
PL_STATUS pl_cli_receipt_json(const Parley__V1__ReceiptReply *file, json_t **out);

/* pl_cli_receipt_verify prints who signed and who is missing. manifest_path NULL: the manifest
 * inside the file is used. Errors: FAILED_PRECONDITION (signatures are missing), UNAUTHENTICATED,
 * CORRUPT. */
PL_STATUS pl_cli_receipt_verify(const char *path, const char *manifest_path, bool json);

#endif
