/* What the tests of protocols/ share: a printed seed, random values with edges, and parties that
 * run a program. */
#ifndef TESTS_UNIT_PARTY_FIXTURE_H
#define TESTS_UNIT_PARTY_FIXTURE_H

#include "protocols/base/prg.h"
#include "protocols/mpc/mpc.h"
#include "protocols/net/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FIXTURE_TIMEOUT_MS 30000u

/* Every seed of a test program follows from this one: PARLEY_SEED (a number), or the clock. Printed
 * when it is made. */
uint64_t fixture_seed(void);

/* n elements of kind: edges (0, 1, -1, 2^62, -2^62, the least value) mixed with random ones; the
 * same for the same stream number and seed. */
void fixture_values(pl_kind kind, uint64_t stream, void *out, size_t n);

/* Tests fail with the message of the status. */
void fixture_ok(pl_status status);
void fixture_fails(pl_status status, pl_code code, const char *part_of_message);

typedef struct fixture_set {
    const char *scheme;
    size_t n_parties;
    size_t compute[3], n_compute;
    pl_net net; /* {0}: the default */
} fixture_set;

/* A pl_party over the mesh, seeded by rank; or one with several lanes, over as many meshes. */
PL_STATUS fixture_party(const fixture_set *set, size_t rank, pl_mesh *mesh, pl_party **out);
PL_STATUS fixture_party_of(const fixture_set *set, size_t rank, pl_mesh *const *meshes,
                           size_t n_lanes, pl_party **out);

/* Runs program at every party of the set over an in-memory mesh, or over one for each lane. */
typedef pl_status (*fixture_program)(pl_party *p, void *ctx);
PL_STATUS fixture_run(const fixture_set *set, fixture_program program, void *ctx);
PL_STATUS fixture_run_lanes(const fixture_set *set, size_t n_lanes, fixture_program program,
                            void *ctx);

#endif
