/* Envelope: how a signed document travels between two nodes past a scheduler that must not read it:
 * sealed to the recipient's seal key, bound to sender and recipient, and padded, so that its length
 * tells little about the text inside. Who wrote the body is shown by the signature in it. */
#ifndef PL_NODE_CHARTER_ENVELOPE_H
#define PL_NODE_CHARTER_ENVELOPE_H

#include "node/crypto/key.h"

#define PL_ENVELOPE_STEP_BYTES 1024

/* pl_envelope_seal makes a packed parley.v1.Sealed. LIMIT: the body is larger than 1 MiB. */
PL_STATUS pl_envelope_seal(const char *sender, const char *recipient, pl_view recipient_seal_key,
                           pl_view body, pl_bytes *out);

/* pl_envelope_open: UNAUTHENTICATED when it was sealed to another key, names another sender or
 * recipient, or was changed; the message names the field. */
PL_STATUS pl_envelope_open(const pl_key *seal_key, const char *sender, const char *recipient,
                           pl_view sealed, pl_bytes *out);

#endif
