/* past.c: a node's key is renewed and a manifest replaced, but what was signed under them stays
 * evidence: every descriptor that was ever valid here, by its key, and every manifest, by its
 * epoch, is kept. */
#include "node/daemon/node.h"

#include <inttypes.h>
#include <stdio.h>

/* Written once: neither ever changes under its name. */
static pl_status keep_once(pl_node *node, const char *name, pl_view body) {
    pl_bytes before = {0};
    pl_status status = pl_jobs_blob_get(node->jobs, name, &before);
    pl_bytes_done(&before);
    if (pl_status_code(status) != PL_NOT_FOUND)
        return status;
    pl_status_done(&status); /* not yet, then */
    return pl_jobs_blob_put(node->jobs, name, body);
}

static void descriptor_name(pl_view key_id, char out[80]) {
    char hex[65] = "";
    if (key_id.len == 32)
        pl_hex_encode(key_id, hex);
    snprintf(out, 80, "descriptor:%s", hex);
}

pl_status pl_past_keep_descriptor(pl_node *node, const Parley__V1__Descriptor *descriptor,
                                  pl_view signed_descriptor) {
    char name[80];
    uint8_t key_id[32];
    PL_TRY(pl_key_id(pl_view_of(descriptor->sign_key.data, descriptor->sign_key.len), key_id));
    descriptor_name(pl_view_of(key_id, sizeof key_id), name);
    return keep_once(node, name, signed_descriptor);
}

pl_status pl_past_descriptor(pl_node *node, pl_view sign_key_id, pl_bytes *out) {
    char name[80];
    descriptor_name(sign_key_id, name);
    return pl_jobs_blob_get(node->jobs, name, out);
}

static void manifest_name(uint64_t epoch, char out[80]) {
    snprintf(out, 80, "manifest:%" PRIu64, epoch);
}

pl_status pl_past_keep_manifest(pl_node *node) {
    char name[80];
    manifest_name(pl_manifest_epoch(node->manifest), name);
    return keep_once(node, name, pl_manifest_signed(node->manifest));
}

pl_status pl_past_manifest(pl_node *node, uint64_t epoch, pl_bytes *out) {
    char name[80];
    manifest_name(epoch, name);
    return pl_wrap(pl_jobs_blob_get(node->jobs, name, out),
                   "the manifest of epoch %" PRIu64 " is not here", epoch);
}
