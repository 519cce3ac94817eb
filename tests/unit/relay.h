/* Relay: a scheduler that changes what it relays: every field of a body in turn, under the
 * signatures of the body that was signed. */
#ifndef PL_TESTS_RELAY_H
#define PL_TESTS_RELAY_H

#include "protocols/base/bytes.h"

#include <protobuf-c/protobuf-c.h>

/* original is a Signed, body what is in it; verify must accept the original and refuse every change
 * because the signature does not verify. */
void sweep_relay(const char *name, const pl_bytes *original, ProtobufCMessage *body,
                 pl_status (*verify)(pl_view signed_bytes), size_t n_min);

#endif
