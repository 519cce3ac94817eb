/* Reservation: one party is ready now: a one-time X25519 key, a salted commitment to the version of
 * its inputs, capacity (memory, lanes), endpoints, for a minute or so; and the head of its audit
 * log (head.h), with what proves to the others that the log continues the one they saw. */
#ifndef PL_NODE_CHARTER_RESERVATION_H
#define PL_NODE_CHARTER_RESERVATION_H

#include "node/charter/descriptor.h"
#include "proto/job.pb-c.h"

#define PL_RESERVATION_SECONDS_MAX 3600
#define PL_RESERVATION_LANES_MAX 8

/* pl_reservation_sign checks the form, packs and signs as reservation->org. */
PL_STATUS pl_reservation_sign(const Parley__V1__Reservation *reservation, const pl_key *key,
                              pl_bytes *out_signed);

/* pl_reservation_verify: signed by the node of `descriptor`, well-formed, still running (clock
 * +-120 s). out is freed by parley__v1__reservation__free_unpacked. Errors name the field. */
PL_STATUS pl_reservation_verify(pl_view signed_bytes, const Parley__V1__Descriptor *descriptor,
                                int64_t now, Parley__V1__Reservation **out);

/* pl_reservation_attempt reads the attempt WITHOUT verification: of one that was verified before it
 * was stored. */
PL_STATUS pl_reservation_attempt(pl_view signed_bytes, uint32_t *out_attempt);

#endif
