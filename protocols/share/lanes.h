/* Lanes: one operation on several threads, each with links and keys of its own. Lane 0 is the party
 * itself and runs in the calling thread; every other lane is a pl_party of the same rank over a
 * mesh of its own, with a thread that waits for work. Lanes share nothing that is written: an
 * operation that goes element by element gives each of them a range of the elements.
 *
 * Between two parties there is one line, however many lanes: n lanes at work have an n-th of the
 * net's rate each, and choose their forms by that.
 *
 * Private to share/. */
#ifndef PL_SHARE_LANES_H
#define PL_SHARE_LANES_H

#include "protocols/share/party.h"

typedef struct pl_lanes pl_lanes;

/* pl_lanes_add makes `lane` the next lane of p, which takes it, on failure too. Without a thread it
 * is the calling thread that does its work, after that of lane 0; with one it is one of `threads`,
 * or, NULL, a new one.
 * Errors: LIMIT (no memory, no thread). */
PL_STATUS pl_lanes_add(pl_party *p, pl_party *lane, bool has_thread,
                       const pl_lane_threads *threads);
void pl_lanes_free(pl_lanes *lanes); /* ends the threads; lane 0 stays */

/* pl_lanes_other gives the party that is lane `number` of p, 1 at least. */
pl_party *pl_lanes_other(const pl_party *p, size_t number);

/* pl_lanes_run runs body on the first n lanes at once and waits for all. It returns the first
 * failure by lane, which ends the session: then all meshes are dead, those of lanes that had
 * nothing to do too. Each lane finishes its part first, so a lane that waits for a party which has
 * failed in another one learns of it when that party frees its meshes. */
PL_STATUS pl_lanes_run(pl_party *p, size_t n, pl_lane_body body, void *ctx);

/* Whether pl_lanes_run is under way: then a failure concerns the mesh of its own lane only. */
bool pl_lanes_are_at_work(const pl_party *p);

/* Rounds are those of lane 0, and where another lane had more of them in one run, those of that
 * one: so many more. */
uint64_t pl_lanes_rounds_more(const pl_party *p);

/* Ranges: n elements are cut at multiples of grain among n_lanes. Lane 0 has the last range, with
 * what is less than a grain, and no lane has more. pl_lanes_for says among how many lanes: each has
 * a grain at least. */
typedef struct pl_range {
    size_t begin, n;
} pl_range;
size_t pl_lanes_for(size_t n_lanes, size_t n, size_t grain);
pl_range pl_lanes_range(size_t n_lanes, size_t number, size_t n, size_t grain);

/* The share of a net that one of n_lanes has. */
pl_net pl_lanes_net(const pl_net *net, size_t n_lanes);

#endif
