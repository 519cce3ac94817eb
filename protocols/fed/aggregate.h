/* The secure sum: every owner's vector is shared among the compute parties and added up there.
 * Nothing is opened here. */
#ifndef PL_FED_AGGREGATE_H
#define PL_FED_AGGREGATE_H

#include "protocols/mpc/mpc.h"

/* pl_fed_sum gives the sum over the owners of their vectors.
 * Shape:   own_values: n elements of kind at an owner, ignored elsewhere; owners: ranks, in the
 * order that all parties agree on, n_owners >= 1. out [n] at compute parties, untouched elsewhere.
 * Cost:    pl_cost_input per owner. Secret: own_values, out. Public: the rest.
 * Errors:  those of pl_input. Collective: every party of the mesh.
 * Source:  Bonawitz et al. 2017 has the aim; here three compute parties hold shares,
 *          so nobody who drops out needs to be recovered. */
PL_STATUS pl_fed_sum(pl_party *p, const size_t *owners, size_t n_owners, pl_kind kind, size_t n,
                     const void *own_values, pl_svec *out);

#endif
