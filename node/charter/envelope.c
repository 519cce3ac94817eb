#include "node/charter/envelope.h"

#include "node/charter/document.h"
#include "node/crypto/seal.h"

#include <string.h>

/* Inside the seal: the body's length (4 bytes, little-endian), the body, zeros up to the next step.
 */
#define HEADER_BYTES 4

pl_status pl_envelope_seal(const char *sender, const char *recipient, pl_view recipient_seal_key,
                           pl_view body, pl_bytes *out) {
    if (body.len > PL_DOCUMENT_BYTES_MAX)
        return pl_fail(PL_LIMIT, "a message of %zu bytes to %s is too large: at most %u", body.len,
                       recipient, PL_DOCUMENT_BYTES_MAX);
    size_t steps = (HEADER_BYTES + body.len + PL_ENVELOPE_STEP_BYTES - 1) / PL_ENVELOPE_STEP_BYTES;
    pl_bytes padded = {.len = steps * PL_ENVELOPE_STEP_BYTES};
    PL_TRY(pl_alloc(padded.len, 1, &padded.data));
    pl_put_u32(padded.data, (uint32_t)body.len);
    if (body.len != 0)
        memcpy(padded.data + HEADER_BYTES, body.data, body.len);
    pl_status status = pl_seal(sender, recipient, recipient_seal_key, pl_bytes_view(&padded), out);
    pl_bytes_done(&padded);
    return status;
}

pl_status pl_envelope_open(const pl_key *seal_key, const char *sender, const char *recipient,
                           pl_view sealed, pl_bytes *out) {
    pl_bytes padded;
    PL_TRY(pl_unseal(seal_key, sender, recipient, sealed, &padded));
    pl_status status;
    if (padded.len < HEADER_BYTES || pl_get_u32(padded.data) > padded.len - HEADER_BYTES)
        status = pl_fail(PL_INVALID_ARGUMENT, "sealed message: its length is longer than itself");
    else
        status = pl_bytes_dup(pl_view_of(padded.data + HEADER_BYTES, pl_get_u32(padded.data)), out);
    pl_bytes_done(&padded);
    return status;
}
