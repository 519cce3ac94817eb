/* Measure: what the links between the compute parties are like, so that operations choose between
 * few bytes and few rounds. Collective among the ranks; all of them come to the same numbers,
 * because the choice is part of the protocol. A party that tells different numbers to different
 * others only makes the session fail. */
#ifndef PL_NODE_LINK_MEASURE_H
#define PL_NODE_LINK_MEASURE_H

#include "protocols/share/party.h"

/* pl_link_measure: the longest round trip and the least rate among the ranks (n >= 2, its own among
 * them). Takes five messages one way, one of them 128 KiB. Errors: those of the mesh. */
PL_STATUS pl_link_measure(pl_mesh *mesh, const size_t *ranks, size_t n, pl_net *out);

#endif
