/* Kept: signed heads as evidence, in a file beside the log (PATH.heads): the own ones and those of
 * other members, each as it came (u32 little-endian, then the packed Signed AuditHead). Nothing
 * depends on it but an auditor: it is not synced, and an unfinished last one is passed over. */
#ifndef PL_NODE_AUDIT_KEPT_H
#define PL_NODE_AUDIT_KEPT_H

#include "protocols/base/bytes.h"

#define PL_KEPT_HEAD_BYTES_MAX 4096

/* pl_kept_add appends one. IO, LIMIT. */
PL_STATUS pl_kept_add(const char *log_path, pl_view signed_head);

/* pl_kept_each visits them, oldest first; no file is none. */
typedef pl_status (*pl_kept_visitor)(pl_view signed_head, void *ctx);
PL_STATUS pl_kept_each(const char *log_path, pl_kept_visitor visit, void *ctx);

#endif
