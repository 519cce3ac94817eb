#include "node/daemon/spare.h"

#include "node/log/log.h"

#include <stdlib.h>

/* Long enough that a spare is not started while the question it was taken for still runs. */
#define REFILL_MS 500

struct pl_spares {
    uv_loop_t *loop;
    const char *program;
    pl_child *waiting[PL_SPARE_MODES];
    uv_timer_t refill;
};

static const char *const mode_names[PL_SPARE_MODES] = {"plan", "session"};

static pl_status start(pl_spares *spares, pl_spare_mode mode, unsigned deadline_ms,
                       const pl_child_callbacks *callbacks, pl_child **out) {
    pl_child_params params = {
        .program = spares->program,
        .mode = mode_names[mode],
        .source_fd = -1,
        .session = mode == PL_SPARE_SESSION,
        .deadline_ms = deadline_ms,
    };
    return pl_child_start(spares->loop, &params, callbacks, out);
}

/* A spare that ends unasked is not replaced before the next one is wanted: no circle of failures.
 */
static void on_spare_end(pl_child *child, pl_status why, void *ctx) {
    pl_spares *spares = ctx;
    for (int mode = 0; mode < PL_SPARE_MODES; mode++) {
        if (spares->waiting[mode] == child)
            spares->waiting[mode] = NULL;
    }
    PL_LOG_WARN("spare.ended", {"message", pl_is_ok(why) ? "exit code 0" : pl_status_message(why)});
}

static void on_refill(uv_timer_t *timer) {
    pl_spares *spares = timer->data;
    pl_child_callbacks callbacks = {NULL, on_spare_end, spares};
    for (int mode = 0; mode < PL_SPARE_MODES; mode++) {
        if (spares->waiting[mode] == NULL)
            pl_log_status(
                "spare.failed", NULL,
                start(spares, (pl_spare_mode)mode, 0, &callbacks, &spares->waiting[mode]));
    }
}

static void refill_later(pl_spares *spares) {
    uv_timer_start(&spares->refill, on_refill, REFILL_MS, 0);
    uv_unref((uv_handle_t *)&spares->refill);
}

pl_status pl_spares_open(uv_loop_t *loop, const char *program, pl_spares **out) {
    pl_spares *spares;
    PL_TRY(pl_alloc(1, sizeof *spares, &spares));
    spares->loop = loop;
    spares->program = program;
    uv_timer_init(loop, &spares->refill);
    spares->refill.data = spares;
    refill_later(spares);
    *out = spares;
    return PL_OK;
}

static void on_timer_closed(uv_handle_t *handle) {
    free(handle->data);
}

void pl_spares_close(pl_spares *spares) {
    if (spares == NULL)
        return;
    for (int mode = 0; mode < PL_SPARE_MODES; mode++) {
        if (spares->waiting[mode] != NULL)
            pl_child_forget(spares->waiting[mode]);
    }
    uv_close((uv_handle_t *)&spares->refill, on_timer_closed);
}

pl_status pl_spares_take(pl_spares *spares, pl_spare_mode mode, unsigned deadline_ms,
                         const pl_child_callbacks *callbacks, pl_child **out) {
    if (spares == NULL)
        return pl_fail(PL_UNAVAILABLE, "the node is stopping");
    pl_child *child = spares->waiting[mode];
    refill_later(spares);
    if (child == NULL)
        return start(spares, mode, deadline_ms, callbacks, out);
    spares->waiting[mode] = NULL;
    pl_child_adopt(child, callbacks, deadline_ms);
    *out = child;
    return PL_OK;
}
