/* Messages between node, scheduler and command line: unpacked and packed again. And signed and
 * sealed documents as they come, before any signature was looked at. */
#include "node/charter/charter.h"
#include "node/charter/envelope.h"
#include "node/charter/manifest.h"
#include "node/charter/proposal.h"
#include "node/charter/reservation.h"
#include "node/crypto/signed.h"
#include "proto/node.pb-c.h"
#include "proto/scheduler.pb-c.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static void round_trip(const ProtobufCMessageDescriptor *type, pl_view bytes) {
    ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, bytes.len, bytes.data);
    if (message == NULL)
        return;
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(len + 1);
    if (packed == NULL || protobuf_c_message_pack(message, packed) != len)
        abort();
    protobuf_c_message_free_unpacked(message, NULL);
    free(packed);
}

static void unsigned_readers(pl_view bytes) {
    uint8_t digest[32];
    uint32_t attempt;
    pl_bytes body = {0};
    pl_charter *charter = NULL;
    pl_manifest *manifest = NULL;
    fuzz_settle(pl_signed_body(bytes, &body));
    pl_bytes_done(&body);
    fuzz_settle(pl_signed_merge(bytes, bytes, &body));
    pl_bytes_done(&body);
    fuzz_settle(pl_proposal_digest(bytes, digest));
    fuzz_settle(pl_charter_job_id(bytes, digest));
    fuzz_settle(pl_charter_digest(bytes, digest));
    fuzz_settle(pl_reservation_attempt(bytes, &attempt));
    fuzz_settle(pl_charter_read(bytes, &charter));
    pl_charter_free(charter);
    fuzz_settle(pl_manifest_inspect(bytes, &manifest));
    pl_manifest_free(manifest);
    manifest = NULL;
    fuzz_settle(pl_manifest_parse(bytes, &manifest));
    pl_manifest_free(manifest);
}

static void sealed(pl_view bytes) {
    static pl_key *key;
    pl_bytes body = {0};
    if (key == NULL)
        fuzz_settle(pl_key_generate_sealing(&key));
    fuzz_settle(pl_envelope_open(key, "north", "south", bytes, &body));
    pl_bytes_done(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pl_view bytes = pl_view_of(data, size);
    round_trip(&parley__v1__node_message__descriptor, bytes);
    round_trip(&parley__v1__scheduler_message__descriptor, bytes);
    round_trip(&parley__v1__submit_request__descriptor, bytes);
    round_trip(&parley__v1__decision__descriptor, bytes);
    round_trip(&parley__v1__job__descriptor, bytes);
    unsigned_readers(bytes);
    sealed(bytes);
    return 0;
}
