/* Tap: a digest of all that a party receives, peer by peer. With a seed, what goes over the wire is
 * the same in every run and over every transport; the digest says whether it was. */
#ifndef BENCH_TAP_H
#define BENCH_TAP_H

#include "protocols/net/mesh.h"

#define PL_TAP_BYTES 32

typedef struct pl_tap pl_tap;

/* pl_tap_wrap puts a tap around *transport and *ctx, of n_parties. On failure they are as before;
 * the tap goes with the transport. */
PL_STATUS pl_tap_wrap(size_t n_parties, pl_transport *transport, void **ctx, pl_tap **out);

/* pl_tap_digest: of what has been received so far through all taps, one after the other. */
PL_STATUS pl_tap_digest(const pl_tap *const *taps, size_t n_taps, uint8_t out[PL_TAP_BYTES]);

#endif
