/* Flows: operations in blocks, several blocks in flight, of one operation or of several that do not
 * need each other. While one block waits for the others' messages, the next is worked on. */
#include "protocols/share/rep3/rep3.h"

#include <stdlib.h>

struct pl_task {
    pl_task *next;
    pl_flow flow;
    const pl_flow_ops *ops;
    void *op;
    uint8_t *flights; /* [in_flight], once it runs */
    size_t n_started, n_done;
    bool live[PL_FLIGHT_MAX]; /* one is under way */
};

static void task_free(pl_task *t) {
    for (size_t i = 0; t->flights != NULL && t->ops->done != NULL && i < t->flow.in_flight; i++)
        t->ops->done(t->flights + i * t->ops->flight_bytes);
    free(t->flights);
    if (t->ops->release != NULL)
        t->ops->release(t->op);
    free(t->op);
    free(t);
}

pl_status pl_flow_submit(pl_party *p, const pl_flow *flow, const pl_flow_ops *ops, void *op) {
    pl_rep3 *rep3 = p->state;
    pl_task *t;
    pl_status status = pl_alloc(1, sizeof *t, &t);
    if (!pl_is_ok(status)) {
        if (ops->release != NULL)
            ops->release(op);
        free(op);
        return status;
    }
    *t = (pl_task){.flow = *flow, .ops = ops, .op = op};
    if (rep3->tasks == NULL)
        rep3->tasks = t;
    else
        rep3->last_task->next = t;
    rep3->last_task = t;
    return p->step == NULL ? pl_flow_finish(p) : PL_OK;
}

static pl_status make_flights(pl_task *t) {
    size_t words = pl_flow_words_max(&t->flow);
    PL_TRY(pl_alloc(t->flow.in_flight, t->ops->flight_bytes, &t->flights));
    for (size_t i = 0; i < t->flow.in_flight && t->ops->init != NULL; i++)
        PL_TRY(t->ops->init(t->op, t->flights + i * t->ops->flight_bytes, words));
    return PL_OK;
}

/* One step of a flight. The next block begins at once where one has ended: a turn in
 * which a flight does not wait would be one in which others go on. */
static pl_status advance(pl_party *p, pl_task *t, size_t i) {
    void *flight = t->flights + i * t->ops->flight_bytes;
    if (t->live[i]) {
        bool ends = false;
        PL_TRY(t->ops->step(p, t->op, flight, &ends));
        if (!ends)
            return PL_OK;
        t->live[i] = false;
        t->n_done++;
    }
    if (t->n_started == t->flow.n_blocks)
        return PL_OK;
    size_t at = pl_flow_begin(&t->flow, t->n_started);
    size_t end = pl_flow_begin(&t->flow, t->n_started + 1);
    PL_TRY(t->ops->start(p, t->op, flight, at, end - at));
    t->live[i] = true;
    t->n_started++;
    return PL_OK;
}

static pl_status run(pl_party *p, pl_task *tasks) {
    bool runs = true;
    for (pl_task *t = tasks; t != NULL; t = t->next)
        PL_TRY(make_flights(t));
    while (runs) {
        runs = false;
        for (pl_task *t = tasks; t != NULL; t = t->next) {
            for (size_t i = 0; i < t->flow.in_flight; i++)
                PL_TRY(advance(p, t, i));
            runs = runs || t->n_done < t->flow.n_blocks;
        }
    }
    return pl_mesh_finish(p->mesh); /* what is sent last is borrowed from the flights */
}

pl_status pl_flow_finish(pl_party *p) {
    const pl_rep3 *rep3 = p->state;
    pl_status status =
        pl_party_settle(p, run(p, rep3->tasks)); /* the mesh lets go of the flights */
    pl_flow_drop(p);
    return status;
}

void pl_flow_drop(pl_party *p) {
    pl_rep3 *rep3 = p->state;
    while (rep3->tasks != NULL) {
        pl_task *t = rep3->tasks;
        rep3->tasks = t->next;
        task_free(t);
    }
}
