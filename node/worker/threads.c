#include "node/worker/threads.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

/* A lane keeps its vectors on the heap. The stacks of all lanes count against the session's memory,
 * which the usual 8 MiB of each would fill. */
#define STACK_BYTES ((size_t)1 << 20)

typedef struct thread {
    pthread_t id;
    sem_t given;
    void *(*body)(void *arg); /* NULL: there is nothing to do */
    void *arg;
    bool joined;
} thread;

struct pl_threads {
    size_t n;
    thread threads[PL_LANES_MAX - 1];
};

static void *run(void *arg) {
    thread *t = arg;
    while (sem_wait(&t->given) != 0)
        ; /* a signal woke it */
    return t->body == NULL ? NULL : t->body(t->arg);
}

static pl_status start_waiting(thread *t, size_t lane) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sem_init(&t->given, 0, 0);
    int error = pthread_create(&t->id, &attributes, run, t);
    pthread_attr_destroy(&attributes);
    if (error == 0)
        return PL_OK;
    sem_destroy(&t->given);
    return pl_fail(PL_LIMIT, "cannot start a thread for lane %zu: %s; set limits.lanes lower", lane,
                   strerror(error));
}

pl_status pl_threads_new(size_t n, pl_threads **out) {
    pl_threads *threads;
    PL_ASSERT(n < PL_LANES_MAX);
    /* An arena for every thread. Unless it is told how many, the C library counts processors when
     * it has made some, by a call that the sandbox does not allow. */
    mallopt(M_ARENA_MAX, PL_LANES_MAX + 2);
    PL_TRY(pl_alloc(1, sizeof *threads, &threads));
    pl_status status = PL_OK;
    for (size_t i = 0; i < n && pl_is_ok(status); i++) {
        status = start_waiting(&threads->threads[i], i + 1);
        threads->n += pl_is_ok(status);
    }
    if (pl_is_ok(status))
        *out = threads;
    else
        pl_threads_free(threads);
    return status;
}

static void join(thread *t) {
    pthread_join(t->id, NULL);
    sem_destroy(&t->given);
    t->joined = true;
}

void pl_threads_free(pl_threads *threads) {
    if (threads == NULL)
        return;
    for (size_t i = 0; i < threads->n; i++) {
        thread *t = &threads->threads[i];
        if (t->joined)
            continue;
        sem_post(&t->given);
        join(t);
    }
    free(threads);
}

/* ---- as lanes want them ---- */

static pl_status start_lane(void *ctx, size_t number, void *(*body)(void *arg), void *arg) {
    pl_threads *threads = ctx;
    if (number == 0 || number > threads->n)
        return pl_fail(PL_LIMIT, "no thread was made for lane %zu", number);
    thread *t = &threads->threads[number - 1];
    PL_ASSERT(t->body == NULL);
    t->body = body;
    t->arg = arg;
    sem_post(&t->given);
    return PL_OK;
}

static void join_lane(void *ctx, size_t number) {
    pl_threads *threads = ctx;
    join(&threads->threads[number - 1]);
}

pl_lane_threads pl_threads_for_lanes(pl_threads *threads) {
    return (pl_lane_threads){start_lane, join_lane, threads};
}
