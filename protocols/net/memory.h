/* The in-memory mesh: n parties as n threads of one process, for tests and single-process benches.
 * Byte for byte reproducible: what a party receives depends on what was sent, never on timing. */
#ifndef PL_NET_MEMORY_H
#define PL_NET_MEMORY_H

#include "protocols/net/mesh.h"

/* pl_memory_meshes makes n connected meshes; out_meshes[i] is rank i. The last pl_mesh_free
 * releases what they share. A party that waits longer than timeout_ms gets TIMEOUT; a party whose
 * peer freed its mesh gets PEER_LOST. */
PL_STATUS pl_memory_meshes(size_t n, unsigned timeout_ms, pl_mesh **out_meshes);

/* pl_parties_run runs body(rank, mesh, ctx) on n threads over a fresh in-memory mesh and returns
 * the first failure by rank (failures that are only PEER_LOST give way to the cause). */
typedef pl_status (*pl_party_body)(size_t rank, pl_mesh *mesh, void *ctx);
PL_STATUS pl_parties_run(size_t n, unsigned timeout_ms, pl_party_body body, void *ctx);

#endif
