#include "protocols/net/memory.h"

#include <pthread.h>
#include <string.h>

#define PARTIES_MAX 64

typedef struct seat {
    pthread_t thread;
    bool started;
    size_t rank;
    pl_mesh *mesh;
    pl_party_body body;
    void *ctx;
    pl_status status;
} seat;

/* The mesh goes as soon as the body is done: a party that failed does not keep the others waiting.
 */
static void *sit(void *arg) {
    seat *s = arg;
    s->status = s->body(s->rank, s->mesh, s->ctx);
    pl_mesh_free(s->mesh);
    return NULL;
}

static void start(seat *s) {
    int error = pthread_create(&s->thread, NULL, sit, s);
    s->started = error == 0;
    if (!s->started) {
        s->status = pl_fail(PL_LIMIT, "cannot start a thread: %s", strerror(error));
        pl_mesh_free(s->mesh);
    }
}

/* A lost peer is a consequence: any other failure is told instead. */
static pl_status first_cause(seat *seats, size_t n) {
    pl_status first = PL_OK;
    for (size_t i = 0; i < n; i++) {
        pl_status status = seats[i].status;
        bool better = pl_is_ok(first) || (pl_status_code(first) == PL_PEER_LOST &&
                                          pl_status_code(status) != PL_PEER_LOST);
        if (!pl_is_ok(status) && better) {
            pl_status_done(&first);
            first = status;
        } else {
            pl_status_done(&status); /* the one that is told stands for it */
        }
    }
    return first;
}

pl_status pl_parties_run(size_t n, unsigned timeout_ms, pl_party_body body, void *ctx) {
    pl_mesh *meshes[PARTIES_MAX];
    PL_TRY(pl_memory_meshes(n, timeout_ms, meshes));
    seat seats[PARTIES_MAX] = {0};
    for (size_t i = 0; i < n; i++) {
        seats[i] = (seat){.rank = i, .mesh = meshes[i], .body = body, .ctx = ctx};
        start(&seats[i]);
    }
    for (size_t i = 0; i < n; i++) {
        if (seats[i].started)
            pthread_join(seats[i].thread, NULL);
    }
    return first_cause(seats, n);
}
