/* Mutate: changes every field of a message in turn, by protobuf-c's reflection: what an attacker
 * may try, without a list of fields that somebody would forget to extend. */
#ifndef PL_TESTS_MUTATE_H
#define PL_TESTS_MUTATE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

/* One change is in place in the message given to mutate_each; `what` names it: "parties[1].org
 * changed", "epoch +1", "epoch large", "task absent", "parties dropped", "parties doubled",
 * "approvals swapped". */
typedef void (*mutate_then)(const char *what, void *ctx);

/* mutate_each makes one change after the other, calls then, and takes it back. Returns their
 * number. */
size_t mutate_each(ProtobufCMessage *message, mutate_then then, void *ctx);

/* The name of the field that a change is about: "org" for "parties[1].org changed". */
void mutate_field(const char *what, char *out, size_t size);

#endif
