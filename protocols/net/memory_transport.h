/* The transport under the in-memory mesh, for those who put something of their own between (tests
 * that tamper). */
#ifndef PL_NET_MEMORY_TRANSPORT_H
#define PL_NET_MEMORY_TRANSPORT_H

#include "protocols/net/mesh.h"

/* pl_memory_transports gives the functions and one ctx per rank; each ctx is released by
 * out_transport->free. */
PL_STATUS pl_memory_transports(size_t n, unsigned timeout_ms, pl_transport *out_transport,
                               void **out_ctx);

#endif
