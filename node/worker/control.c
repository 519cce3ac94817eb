#include "node/worker/control.h"

#include "node/worker/frame.h"
#include "protocols/base/secret.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct pl_control {
    int fd;
    void (*stop)(void *ctx);
    void *ctx;
    pthread_t watcher;
    bool watching;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool opening_recorded;
    bool closing;
    pl_code cause;
};

pl_status pl_control_open(int fd, void (*stop)(void *ctx), void *ctx, pl_control **out) {
    pl_control *control;
    PL_TRY(pl_alloc(1, sizeof *control, &control));
    control->fd = fd;
    control->stop = stop;
    control->ctx = ctx;
    pthread_mutex_init(&control->lock, NULL);
    pthread_cond_init(&control->changed, NULL);
    *out = control;
    return PL_OK;
}

static pl_status read_control(const pl_control *control, Parley__V1__SessionControl **out) {
    pl_bytes frame;
    PL_TRY(pl_frame_read(control->fd, &frame));
    *out = parley__v1__session_control__unpack(NULL, frame.len, frame.data);
    pl_wipe(frame.data, frame.len);
    pl_bytes_done(&frame);
    return *out == NULL ? pl_fail(PL_PROTOCOL, "parleyd sent what cannot be read") : PL_OK;
}

pl_status pl_control_start(pl_control *control, Parley__V1__SessionStart **out) {
    Parley__V1__SessionControl *message;
    PL_TRY(read_control(control, &message));
    pl_status status = PL_OK;
    if (message->kind_case == PARLEY__V1__SESSION_CONTROL__KIND_START) {
        *out = message->start;
        message->kind_case = PARLEY__V1__SESSION_CONTROL__KIND__NOT_SET;
        message->start = NULL;
    } else {
        status = pl_fail(PL_PROTOCOL, "parleyd sent something else than the start of a session");
    }
    parley__v1__session_control__free_unpacked(message, NULL);
    return status;
}

/* ---- the watcher ---- */

static void set_cause(pl_control *control, pl_code cause) {
    pthread_mutex_lock(&control->lock);
    bool first = control->cause == PL_CODE_OK && !control->closing;
    if (first)
        control->cause = cause;
    pthread_cond_broadcast(&control->changed);
    pthread_mutex_unlock(&control->lock);
    if (first)
        control->stop(control->ctx);
}

static void *watch(void *ctx) {
    pl_control *control = ctx;
    for (;;) {
        Parley__V1__SessionControl *message = NULL;
        pl_status status = read_control(control, &message);
        bool readable = pl_is_ok(status);
        pl_status_done(&status); /* told as the cause */
        if (!readable) {
            set_cause(control, PL_UNAVAILABLE);
            return NULL;
        }
        bool cancel = message->kind_case != PARLEY__V1__SESSION_CONTROL__KIND_OPENING_RECORDED;
        parley__v1__session_control__free_unpacked(message, NULL);
        if (cancel) {
            set_cause(control, PL_CANCELLED);
            return NULL;
        }
        pthread_mutex_lock(&control->lock);
        control->opening_recorded = true;
        pthread_cond_broadcast(&control->changed);
        pthread_mutex_unlock(&control->lock);
    }
}

pl_status pl_control_watch(pl_control *control) {
    if (pthread_create(&control->watcher, NULL, watch, control) != 0)
        return pl_fail(PL_LIMIT, "no thread to watch parleyd");
    control->watching = true;
    return PL_OK;
}

void pl_control_close(pl_control *control) {
    if (control == NULL)
        return;
    pthread_mutex_lock(&control->lock);
    control->closing = true;
    pthread_mutex_unlock(&control->lock);
    shutdown(control->fd, SHUT_RDWR);
    if (control->watching)
        pthread_join(control->watcher, NULL);
    close(control->fd);
    pthread_mutex_destroy(&control->lock);
    pthread_cond_destroy(&control->changed);
    free(control);
}

pl_status pl_control_cause(pl_control *control) {
    pthread_mutex_lock(&control->lock);
    pl_code cause = control->cause;
    pthread_mutex_unlock(&control->lock);
    if (cause == PL_CODE_OK)
        return PL_OK;
    return pl_fail(cause, cause == PL_CANCELLED ? "the session was cancelled" : "parleyd is gone");
}

/* ---- the worker's words ---- */

static pl_status send_message(pl_control *control, const Parley__V1__WorkerMessage *message) {
    size_t len = parley__v1__worker_message__get_packed_size(message);
    uint8_t *packed;
    PL_TRY(pl_alloc(len + 1, 1, &packed));
    parley__v1__worker_message__pack(message, packed);
    pl_status status = pl_frame_write(control->fd, pl_view_of(packed, len));
    pl_wipe(packed, len);
    free(packed);
    return status;
}

pl_status pl_control_progress(pl_control *control, const char *what) {
    Parley__V1__WorkerMessage message = PARLEY__V1__WORKER_MESSAGE__INIT;
    message.kind_case = PARLEY__V1__WORKER_MESSAGE__KIND_PROGRESS;
    message.progress = (char *)(uintptr_t)what;
    return send_message(control, &message);
}

pl_status pl_control_opening(pl_control *control) {
    Parley__V1__WorkerMessage message = PARLEY__V1__WORKER_MESSAGE__INIT;
    message.kind_case = PARLEY__V1__WORKER_MESSAGE__KIND_OPENING;
    message.opening = true;
    PL_TRY(send_message(control, &message));
    pthread_mutex_lock(&control->lock);
    while (!control->opening_recorded && control->cause == PL_CODE_OK)
        pthread_cond_wait(&control->changed, &control->lock);
    pthread_mutex_unlock(&control->lock);
    return pl_control_cause(control);
}

pl_status pl_control_end(pl_control *control, const Parley__V1__SessionEnd *end) {
    Parley__V1__WorkerMessage message = PARLEY__V1__WORKER_MESSAGE__INIT;
    message.kind_case = PARLEY__V1__WORKER_MESSAGE__KIND_END;
    message.end = (Parley__V1__SessionEnd *)(uintptr_t)end;
    return send_message(control, &message);
}
