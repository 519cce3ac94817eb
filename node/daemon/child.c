#include "node/daemon/child.h"

#include "node/link/fd.h"
#include "node/worker/frame.h"
#include "protocols/base/secret.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct pl_child {
    uv_process_t process;
    uv_timer_t timer;
    uv_pipe_t input, output; /* session: input is the control socket, both ways; output is unused */
    int pass_fd;             /* -1: none */
    pl_child_callbacks callbacks;
    pl_frame_decoder decoder;
    pl_status why;
    bool session, exited, input_open, output_open, ended, timed_out;
    int n_handles;
    char read_buffer[65536];
};

static size_t n_children;

size_t pl_child_count(void) {
    return n_children;
}

/* ---- the end: the process has exited and its output is read to the end ---- */

static void on_handle_closed(uv_handle_t *handle) {
    pl_child *child = handle->data;
    if (--child->n_handles != 0)
        return;
    if (child->pass_fd >= 0)
        close(child->pass_fd);
    pl_frame_decoder_done(&child->decoder);
    pl_status_done(&child->why);
    free(child);
    n_children--;
}

static void close_handle(pl_child *child, uv_handle_t *handle) {
    (void)child;
    if (!uv_is_closing(handle))
        uv_close(handle, on_handle_closed);
}

static void child_maybe_end(pl_child *child) {
    if (!child->exited || child->output_open || child->ended)
        return;
    child->ended = true;
    if (child->callbacks.on_end != NULL)
        child->callbacks.on_end(child, child->why, child->callbacks.ctx);
    close_handle(child, (uv_handle_t *)&child->process);
    close_handle(child, (uv_handle_t *)&child->timer);
    close_handle(child, (uv_handle_t *)&child->input);
    close_handle(child, (uv_handle_t *)&child->output);
}

static void on_process_exit(uv_process_t *process, int64_t exit_code, int signal_number) {
    pl_child *child = process->data;
    child->exited = true;
    if (child->timed_out)
        child->why = pl_fail(PL_TIMEOUT, "the worker did not end before its deadline");
    else if (signal_number == SIGSYS)
        child->why =
            pl_fail(PL_INTERNAL, "the sandbox ended the worker, which tried what no worker "
                                 "may: look at its input and at what was installed");
    else if (signal_number != 0)
        child->why = pl_fail(PL_INTERNAL, "the worker was killed by signal %d", signal_number);
    else if (exit_code != 0)
        child->why = pl_fail(PL_INTERNAL, "the worker ended with exit code %d", (int)exit_code);
    uv_timer_stop(&child->timer);
    child_maybe_end(child);
}

static void on_deadline(uv_timer_t *timer) {
    pl_child *child = timer->data;
    child->timed_out = true;
    uv_process_kill(&child->process, SIGKILL);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)suggested;
    pl_child *child = handle->data;
    *out = uv_buf_init(child->read_buffer, sizeof child->read_buffer);
}

/* Hands on every complete frame; a child that breaks the framing is killed. */
static void deliver_frames(pl_child *child, const uv_buf_t *buf, size_t n) {
    pl_status status = pl_frame_decoder_feed(&child->decoder, pl_view_of(buf->base, n));
    pl_wipe(buf->base, n);
    while (pl_is_ok(status)) {
        pl_view frame;
        bool complete = false;
        status = pl_frame_decoder_next(&child->decoder, &frame, &complete);
        if (!pl_is_ok(status) || !complete)
            break;
        if (child->callbacks.on_message != NULL)
            child->callbacks.on_message(child, frame, child->callbacks.ctx);
    }
    if (!pl_is_ok(status))
        uv_process_kill(&child->process, SIGKILL);
    pl_status_done(&status); /* the kill is reported by on_end */
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    pl_child *child = stream->data;
    if (n > 0)
        deliver_frames(child, buf, (size_t)n);
    if (n >= 0)
        return;
    uv_read_stop(stream);
    child->output_open = false;
    child_maybe_end(child);
}

/* ---- writing ---- */

typedef struct write_request {
    uv_write_t request;
    pl_child *child;
    size_t len;
    uint8_t bytes[];
} write_request;

static void on_written(uv_write_t *request, int error) {
    (void)error; /* a child that does not read ends, and on_end says so */
    write_request *w = request->data;
    pl_wipe(w->bytes, w->len);
    free(w);
}

pl_status pl_child_send(pl_child *child, pl_view message) {
    if (message.len > PL_FRAME_BYTES_MAX)
        return pl_fail(PL_LIMIT, "a message of %zu bytes to the worker is too large", message.len);
    if (child->ended || uv_is_closing((uv_handle_t *)&child->input))
        return pl_fail(PL_UNAVAILABLE, "the worker has ended");
    write_request *w = malloc(sizeof *w + message.len + 4);
    if (w == NULL)
        return pl_fail(PL_LIMIT, "no memory for a message to the worker");
    w->child = child;
    w->len = message.len + 4;
    w->request.data = w;
    pl_put_u32(w->bytes, (uint32_t)message.len);
    memcpy(w->bytes + 4, message.data, message.len);
    uv_buf_t buf = uv_buf_init((char *)w->bytes, (unsigned)w->len);
    int error = uv_write(&w->request, (uv_stream_t *)&child->input, &buf, 1, on_written);
    if (error != 0) {
        on_written(&w->request, error);
        return pl_fail(PL_UNAVAILABLE, "cannot write to the worker: %s", uv_strerror(error));
    }
    return PL_OK;
}

pl_status pl_child_pass(pl_child *child, int fd, pl_view preamble) {
    pl_status status = child->pass_fd < 0 || child->ended
                           ? pl_fail(PL_UNAVAILABLE, "the worker takes no connections")
                           : pl_fd_send(child->pass_fd, fd, preamble);
    close(fd);
    return status;
}

void pl_child_extend(pl_child *child, unsigned deadline_ms) {
    if (!child->exited)
        uv_timer_start(&child->timer, on_deadline, deadline_ms, 0);
}

void pl_child_kill(pl_child *child) {
    if (!child->exited)
        uv_process_kill(&child->process, SIGKILL);
}

void pl_child_forget(pl_child *child) {
    child->callbacks = (pl_child_callbacks){0};
    pl_child_kill(child);
}

/* ---- starting ---- */

/* Children inherit nothing from the environment but what these names allow (test builds: the hooks
 * too). */
static const char *const allowed_environment[] = {
    "LANG",           "LC_ALL",
#ifdef PARLEY_TEST_HOOKS
    "PARLEY_STOP_AT", "PARLEY_ATTEMPT", "PARLEY_KEYLOG", "PARLEY_CAPTURE",
    "ASAN_OPTIONS",   "UBSAN_OPTIONS",  "LSAN_OPTIONS",  "TSAN_OPTIONS",
#endif
};
#define N_ALLOWED (sizeof allowed_environment / sizeof *allowed_environment)
#define ENVIRONMENT_BYTES 1024

static void child_environment(char texts[N_ALLOWED][ENVIRONMENT_BYTES], char *out[N_ALLOWED + 1]) {
    size_t n = 0;
    for (size_t i = 0; i < N_ALLOWED; i++) {
        const char *value = getenv(allowed_environment[i]);
        if (value == NULL || strlen(value) + strlen(allowed_environment[i]) + 2 > ENVIRONMENT_BYTES)
            continue;
        strcpy(texts[n], allowed_environment[i]);
        strcat(texts[n], "=");
        strcat(texts[n], value);
        out[n] = texts[n];
        n++;
    }
    out[n] = NULL;
}

static void close_if_open(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The descriptors a session child is given: [0] stays here, [1] goes there. */
typedef struct session_sockets {
    int control[2], pass[2];
} session_sockets;

static pl_status session_sockets_open(session_sockets *out) {
    *out = (session_sockets){{-1, -1}, {-1, -1}};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out->control) != 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out->pass) != 0) {
        close_if_open(&out->control[0]);
        close_if_open(&out->control[1]);
        return pl_fail(PL_LIMIT, "no socket pair for a session worker");
    }
    return PL_OK;
}

static pl_status spawn(uv_loop_t *loop, pl_child *child, const pl_child_params *params,
                       session_sockets *sockets) {
    uv_stdio_container_t stdio[6];
    for (int i = 0; i < 6; i++)
        stdio[i].flags = UV_IGNORE;
    stdio[2].flags = UV_INHERIT_FD;
    stdio[2].data.fd = 2;
    int n_stdio = 3;
    if (params->session) {
        for (int i = 3; i < 5; i++)
            stdio[i].flags = UV_INHERIT_FD;
        stdio[3].data.fd = sockets->control[1];
        stdio[4].data.fd = sockets->pass[1];
        n_stdio = 5;
    } else {
        stdio[0].flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_READABLE_PIPE);
        stdio[0].data.stream = (uv_stream_t *)&child->input;
        stdio[1].flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_WRITABLE_PIPE);
        stdio[1].data.stream = (uv_stream_t *)&child->output;
        if (params->source_fd >= 0) {
            stdio[3].flags = UV_INHERIT_FD;
            stdio[3].data.fd = params->source_fd;
            n_stdio = 4;
        }
    }
    if (params->kept_fd > 0) {
        stdio[n_stdio].flags = UV_INHERIT_FD;
        stdio[n_stdio++].data.fd = params->kept_fd;
    }
    bool told = params->session && params->kept_fd > 0; /* a source child always has its end */
    char *arguments[] = {(char *)params->program, (char *)params->mode, told ? "kept" : NULL, NULL};
    static char texts[N_ALLOWED][ENVIRONMENT_BYTES];
    char *environment[N_ALLOWED + 1];
    child_environment(texts, environment);
    uv_process_options_t options = {
        .exit_cb = on_process_exit,
        .file = params->program,
        .args = arguments,
        .env = environment,
        .stdio_count = n_stdio,
        .stdio = stdio,
    };
    int error = uv_spawn(loop, &child->process, &options);
    if (error != 0)
        return pl_fail(PL_UNAVAILABLE, "cannot start %s: %s", params->program, uv_strerror(error));
    return PL_OK;
}

static pl_status child_connect(pl_child *child, session_sockets *sockets) {
    uv_pipe_t *reader = child->session ? &child->input : &child->output;
    if (child->session) {
        int error = uv_pipe_open(&child->input, sockets->control[0]);
        if (error != 0)
            return pl_fail(PL_IO, "cannot talk to the worker: %s", uv_strerror(error));
        sockets->control[0] = -1;
        child->pass_fd = sockets->pass[0];
        sockets->pass[0] = -1;
    }
    child->output_open = true;
    uv_read_start((uv_stream_t *)reader, on_alloc, on_read);
    return PL_OK;
}

pl_status pl_child_start(uv_loop_t *loop, const pl_child_params *params,
                         const pl_child_callbacks *callbacks, pl_child **out) {
    session_sockets sockets = {{-1, -1}, {-1, -1}};
    pl_child *child = NULL;
    pl_status status = params->session ? session_sockets_open(&sockets) : PL_OK;
    if (pl_is_ok(status))
        status = pl_alloc(1, sizeof *child, &child);
    if (!pl_is_ok(status))
        goto out;
    child->pass_fd = -1;
    child->session = params->session;
    child->callbacks = *callbacks;
    child->n_handles = 4;
    n_children++;
    child->process.data = child->timer.data = child->input.data = child->output.data = child;
    uv_pipe_init(loop, &child->input, 0);
    uv_pipe_init(loop, &child->output, 0);
    uv_timer_init(loop, &child->timer);
    status = spawn(loop, child, params, &sockets);
    bool spawned = pl_is_ok(status);
    if (spawned)
        status = child_connect(child, &sockets);
    if (!pl_is_ok(status)) {
        child->callbacks = (pl_child_callbacks){0};
        if (spawned) {
            pl_child_kill(child);
        } else {
            child->exited = true;
            child_maybe_end(child);
        }
        goto out;
    }
    if (params->deadline_ms != 0)
        uv_timer_start(&child->timer, on_deadline, params->deadline_ms, 0);
    *out = child;
out:
    for (int i = 0; i < 2; i++) {
        close_if_open(&sockets.control[i]);
        close_if_open(&sockets.pass[i]);
    }
    if (params->source_fd >= 0)
        close(params->source_fd);
    return status;
}

void pl_child_adopt(pl_child *child, const pl_child_callbacks *callbacks, unsigned deadline_ms) {
    child->callbacks = *callbacks;
    if (deadline_ms != 0)
        uv_timer_start(&child->timer, on_deadline, deadline_ms, 0);
}
