#include "tests/unit/relay.h"

#include "proto/common.pb-c.h"
#include "tests/unit/sweep.h"

#include <stdlib.h>

typedef struct relay {
    const pl_bytes *original; /* Signed */
    ProtobufCMessage *body;
    pl_status (*verify)(pl_view signed_bytes);
} relay;

/* The body as changed, under the signatures of the body that was signed. */
static pl_status relay_changed(void *ctx) {
    relay *r = ctx;
    Parley__V1__Signed *message =
        parley__v1__signed__unpack(NULL, r->original->len, r->original->data);
    size_t len = protobuf_c_message_get_packed_size(r->body);
    uint8_t *packed = malloc(len + 1), *again;
    protobuf_c_message_pack(r->body, packed);
    free(message->body.data);
    message->body = (ProtobufCBinaryData){len, packed};
    size_t signed_len = parley__v1__signed__get_packed_size(message);
    again = malloc(signed_len);
    parley__v1__signed__pack(message, again);
    pl_status status = r->verify(pl_view_of(again, signed_len));
    free(again);
    parley__v1__signed__free_unpacked(message, NULL);
    return status;
}

void sweep_relay(const char *name, const pl_bytes *original, ProtobufCMessage *body,
                 pl_status (*verify)(pl_view), size_t n_min) {
    relay r = {original, body, verify};
    sweep s = {.name = name, .attempt = relay_changed, .ctx = &r, .any_text = "does not verify"};
    sweep_run(&s, body, n_min);
}
