#include "protocols/share/lanes.h"

#include "protocols/share/scheme.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct lane {
    pl_party *party;
    size_t number;
    bool has_thread;
    const pl_lane_threads *threads; /* NULL: it is this one */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    pl_lane_body body; /* what there is to do; NULL: nothing, or it is done */
    void *ctx;
    pl_status status; /* of what is done */
    bool leaves;
} lane;

struct pl_lanes {
    size_t n; /* lane 0 among them */
    lane others[PL_LANES_MAX - 1];
    bool are_at_work;
    uint64_t rounds_more;
};

/* ---- one lane's thread ---- */

static void *work(void *arg) {
    lane *l = arg;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (l->body == NULL && !l->leaves)
            pthread_cond_wait(&l->changed, &l->lock);
        if (l->leaves)
            break;
        pthread_mutex_unlock(&l->lock);
        pl_status status = l->body(l->party, l->number, l->ctx);
        pthread_mutex_lock(&l->lock);
        l->status = status;
        l->body = NULL;
        pthread_cond_signal(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static void start(lane *l, pl_lane_body body, void *ctx) {
    pthread_mutex_lock(&l->lock);
    l->body = body;
    l->ctx = ctx;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

static pl_status finish(lane *l) {
    pthread_mutex_lock(&l->lock);
    while (l->has_thread && l->body != NULL)
        pthread_cond_wait(&l->changed, &l->lock);
    if (!l->has_thread) {
        l->status = l->body(l->party, l->number, l->ctx);
        l->body = NULL;
    }
    pthread_mutex_unlock(&l->lock);
    return pl_wrap(l->status, "lane %zu", l->number);
}

/* ---- life ---- */

static pl_status start_thread(lane *l) {
    if (l->threads != NULL)
        return l->threads->start(l->threads->ctx, l->number, work, l);
    int error = pthread_create(&l->thread, NULL, work, l);
    return error == 0
               ? PL_OK
               : pl_fail(PL_LIMIT, "cannot start a thread for lane %zu: %s; take fewer lanes",
                         l->number, strerror(error));
}

static void join_thread(const lane *l) {
    if (l->threads != NULL)
        l->threads->join(l->threads->ctx, l->number);
    else
        pthread_join(l->thread, NULL);
}

static void lane_done(lane *l) {
    if (l->has_thread) {
        pthread_mutex_lock(&l->lock);
        l->leaves = true;
        pthread_cond_signal(&l->changed);
        pthread_mutex_unlock(&l->lock);
        join_thread(l);
    }
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    pl_party_free(l->party);
}

static void lane_init(lane *l, pl_party *party, size_t number, const pl_lane_threads *threads) {
    *l = (lane){.party = party, .number = number, .threads = threads};
    pthread_mutex_init(&l->lock, NULL); /* without attributes these cannot fail */
    pthread_cond_init(&l->changed, NULL);
}

pl_status pl_lanes_add(pl_party *p, pl_party *party, bool has_thread,
                       const pl_lane_threads *threads) {
    pl_status status = PL_OK;
    if (p->lanes == NULL) {
        status = pl_alloc(1, sizeof *p->lanes, &p->lanes);
        if (!pl_is_ok(status)) {
            pl_party_free(party);
            return status;
        }
        p->lanes->n = 1;
    }
    PL_ASSERT(p->lanes->n < PL_LANES_MAX);
    lane *l = &p->lanes->others[p->lanes->n - 1];
    lane_init(l, party, p->lanes->n, threads);
    if (has_thread)
        status = start_thread(l);
    l->has_thread = has_thread && pl_is_ok(status);
    if (pl_is_ok(status))
        p->lanes->n++;
    else
        lane_done(l);
    return status;
}

void pl_lanes_free(pl_lanes *lanes) {
    if (lanes == NULL)
        return;
    for (size_t i = 1; i < lanes->n; i++)
        lane_done(&lanes->others[i - 1]);
    free(lanes);
}

size_t pl_party_n_lanes(const pl_party *p) {
    return p->lanes == NULL ? 1 : p->lanes->n;
}

pl_party *pl_lanes_other(const pl_party *p, size_t number) {
    return p->lanes->others[number - 1].party;
}

bool pl_lanes_are_at_work(const pl_party *p) {
    return p->lanes != NULL && p->lanes->are_at_work;
}

/* ---- counting ---- */

uint64_t pl_lanes_rounds_more(const pl_party *p) {
    return p->lanes == NULL ? 0 : p->lanes->rounds_more;
}

pl_counters pl_party_counters(const pl_party *p) {
    pl_counters sum = pl_mesh_counters(p->mesh);
    for (size_t i = 1; i < pl_party_n_lanes(p); i++) {
        pl_counters one = pl_mesh_counters(pl_lanes_other(p, i)->mesh);
        sum.bytes_sent += one.bytes_sent;
        sum.bytes_received += one.bytes_received;
    }
    sum.rounds += pl_lanes_rounds_more(p);
    return sum;
}

static uint64_t rounds_of(const pl_party *p) {
    return p->scheme->rounds != NULL ? p->scheme->rounds(p) : pl_mesh_counters(p->mesh).rounds;
}

/* ---- running ---- */

static pl_status run(pl_party *p, size_t n, pl_lane_body body, void *ctx) {
    pl_lanes *lanes = p->lanes;
    uint64_t before[PL_LANES_MAX] = {rounds_of(p)}, own, most;
    for (size_t i = 1; i < n; i++) {
        before[i] = rounds_of(pl_lanes_other(p, i));
        start(&lanes->others[i - 1], body, ctx);
    }
    pl_status status = body(p, 0, ctx);
    most = own = rounds_of(p) - before[0];
    for (size_t i = 1; i < n; i++) {
        pl_status other = finish(&lanes->others[i - 1]);
        uint64_t rounds = rounds_of(pl_lanes_other(p, i)) - before[i];
        most = rounds > most ? rounds : most;
        if (pl_is_ok(status))
            status = other;
        else
            pl_status_done(&other); /* the first failure stands for it */
    }
    lanes->rounds_more += most - own;
    return status;
}

pl_status pl_lanes_run(pl_party *p, size_t n, pl_lane_body body, void *ctx) {
    const pl_net line = p->net;
    if (n == 1)
        return pl_party_settle(p, body(p, 0, ctx));
    PL_ASSERT(n <= pl_party_n_lanes(p));
    p->net = pl_lanes_net(&line, n);
    for (size_t i = 1; i < n; i++)
        pl_lanes_other(p, i)->net = p->net;
    p->lanes->are_at_work = true;
    pl_status status = run(p, n, body, ctx);
    p->lanes->are_at_work = false;
    p->net = line;
    return pl_party_settle(p, status);
}

pl_status pl_party_each_lane(pl_party *p, pl_lane_body body, void *ctx) {
    return pl_lanes_run(p, pl_party_n_lanes(p), body, ctx);
}

/* ---- ranges ---- */

size_t pl_lanes_for(size_t n_lanes, size_t n, size_t grain) {
    size_t n_grains = n / grain;
    return n_grains < 2 || n_lanes < 2 ? 1 : n_grains < n_lanes ? n_grains : n_lanes;
}

pl_range pl_lanes_range(size_t n_lanes, size_t number, size_t n, size_t grain) {
    size_t share = n / grain / n_lanes, rest = n / grain % n_lanes;
    size_t n_before = (n_lanes - 1 - number) * share + (number + 1 < rest ? rest - 1 - number : 0);
    size_t begin = grain * n_before;
    return (pl_range){begin, number == 0 ? n - begin : grain * (share + (number < rest))};
}

pl_net pl_lanes_net(const pl_net *net, size_t n_lanes) {
    return (pl_net){net->round_trip_us, net->bytes_per_second / (double)n_lanes};
}
