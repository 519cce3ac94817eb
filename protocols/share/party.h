/* Party: one member of a session, with its mesh, the sharing scheme and its keys. A party may be a
 * compute party, an owner of inputs, a recipient of results, or several of these; what it is
 * follows from its rank.
 *
 * Collective operations are called by the parties concerned in the same order with the same public
 * arguments. pl_party_new, pl_input and pl_open concern every party of the mesh; everything else
 * (here, in linear.h and in protocols/mpc) concerns compute parties only, the others skip it.
 *
 * Errors of every collective operation: INVALID_ARGUMENT is found before anything is sent, and the
 * session lives. After any other failure (PEER_LOST, TIMEOUT, PROTOCOL, LIMIT) the session is dead
 * and every later operation returns that failure. */
#ifndef PL_SHARE_PARTY_H
#define PL_SHARE_PARTY_H

#include "protocols/net/mesh.h"
#include "protocols/share/linear.h"
#include "protocols/share/svec.h"

typedef struct pl_party pl_party;
typedef struct pl_scheme pl_scheme; /* scheme.h */

#define PL_PARTIES_MAX 64 /* recipients are a mask of ranks */

typedef struct pl_party_params {
    pl_mesh *mesh;         /* borrowed until pl_party_free */
    const char *scheme;    /* "rep3" or "plain" */
    const size_t *compute; /* ranks of the compute parties, distinct, in the order that all parties
                              agree on */
    size_t n_compute;      /* rep3: 3, plain: 1 */
    uint8_t seed[32];      /* fresh entropy of this party, used for nothing else */
} pl_party_params;

/* pl_party_new agrees on the pairwise keys over the mesh.
 * Cost:    1 round among compute parties; 64 bytes to each.
 * Errors:  INVALID_ARGUMENT (compute set), UNSUPPORTED (scheme), those of the mesh. */
PL_STATUS pl_party_new(const pl_party_params *params, pl_party **out);
void pl_party_free(pl_party *p); /* wipes the keys; the mesh stays */

bool pl_party_computes(const pl_party *p);
size_t pl_party_rank(const pl_party *p);
size_t pl_party_n_parties(const pl_party *p);
pl_mesh *pl_party_mesh(const pl_party *p);
const pl_scheme *pl_party_scheme(const pl_party *p);

/* pl_input shares the owner's vector among the compute parties.
 * Shape:   values: n elements of kind at the owner, NULL elsewhere. out [n] at compute parties;
 * untouched, and may be NULL, at the others. Cost:    pl_cost_input. Secret:  values, out. Public:
 * owner_rank, kind, n. Errors:  PROTOCOL (the copies that the owner gave to different compute
 * parties differ; the owner's rank is named). */
PL_STATUS pl_input(pl_party *p, size_t owner_rank, pl_kind kind, size_t n, const void *values,
                   pl_svec *out);

/* pl_mul multiplies element by element in the ring of the kind (PL_BOOL_64: AND).
 * Shape:   x, y, out [n], of one kind; out may alias x or y. A live out of the same shape that is
 * neither is reused. Cost:    pl_cost_mul: 1 round, one element sent per element and party. Secret:
 * x, y, out. Public: n. */
PL_STATUS pl_mul(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out);
PL_STATUS pl_and(pl_party *p, const pl_svec *x, const pl_svec *y,
                 pl_svec *out); /* PL_BOOL_64 only */

/* pl_open reveals a vector to the named recipients and to nobody else. It is the only way a value
 * leaves the sharing; the reason is what the charter calls this opening, and stands in every error.
 * Shape:   x [n] of kind at compute parties (NULL elsewhere); out_values: n elements of kind at
 * recipients (ignored elsewhere). Cost:    pl_cost_open. Secret:  x, except to recipients. Public:
 * kind, n, recipients (bit r: rank r), reason. Errors:  PROTOCOL (copies of a component from two
 * compute parties differ). out_values is written only on success. */
PL_STATUS pl_open(pl_party *p, const pl_svec *x, pl_kind kind, size_t n, uint64_t recipients,
                  const char *reason, void *out_values);

#endif
