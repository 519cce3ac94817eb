/* Abort: how an operation that fails half-way lets go of the mesh. Its buffers are still borrowed
 * by queued sends and receives; pl_mesh_abort forgets these and makes the mesh dead, so that the
 * buffers can be freed. */
#ifndef PL_NET_ABORT_H
#define PL_NET_ABORT_H

#include "protocols/net/mesh.h"

/* pl_mesh_abort: every later call on the mesh returns a copy of cause (which is borrowed). The
 * first cause stays. */
void pl_mesh_abort(pl_mesh *mesh, pl_status cause);

#endif
