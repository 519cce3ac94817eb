/* Shim: a network between two parties of this machine. It sits between a mesh and its transport and
 * gives every direction of every link a delay (half the round trip) and a rate. Each piece that is
 * sent carries the time at which its last byte would have arrived; the other side's shim keeps it
 * until then. So what is measured does not depend on when a busy party looks at its sockets, only
 * on the clock that the processes have in common. */
#ifndef BENCH_SHIM_H
#define BENCH_SHIM_H

#include "protocols/share/party.h"

/* pl_shim_wrap puts a shim around *transport and *ctx, of n_parties. On failure they are as before.
 */
PL_STATUS pl_shim_wrap(const pl_net *net, size_t n_parties, pl_transport *transport, void **ctx);

#endif
