#include "node/scheduler/scheduler.h"

#include "node/catalog/yaml.h"
#include "node/crypto/cert.h"
#include "node/log/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define FILE_BYTES_MAX (2u << 20)
#define TICK_MS 250

/* All members' roots: who may open a connection at all. */
static pl_status member_roots(const pl_manifest *manifest, pl_bytes *out) {
    pl_buf all = {0};
    for (size_t i = 0; i < pl_manifest_n_members(manifest); i++) {
        const Parley__V1__Member *member =
            pl_manifest_member(manifest, pl_manifest_member_name(manifest, i));
        pl_bytes pem;
        pl_status status =
            pl_cert_to_pem(pl_view_of(member->root_cert.data, member->root_cert.len), &pem);
        if (!pl_is_ok(status)) {
            pl_buf_done(&all);
            return status;
        }
        pl_buf_append(&all, pem.data, pem.len);
        pl_bytes_done(&pem);
    }
    return pl_buf_take(&all, out);
}

static pl_status open_server(pl_scheduler *s, const pl_scheduler_params *params) {
    pl_bytes roots = {0}, cert = {0}, key = {0};
    int port = 0;
    pl_status status;
    PL_CHECK(status, member_roots(s->manifest, &roots));
    PL_CHECK(status, pl_wrap(pl_text_file_read(params->certificate, FILE_BYTES_MAX, &cert),
                             "the scheduler's certificate"));
    PL_CHECK(status,
             pl_wrap(pl_text_file_read(params->key, FILE_BYTES_MAX, &key), "the scheduler's key"));
    PL_CHECK(status, pl_rpc_server_new(s->loop, &s->server));
    PL_CHECK(status, pl_rpc_server_method(s->server, "/parley.v1.Scheduler/Connect",
                                          PL_RPC_BIDI_STREAM, pl_scheduler_connect, s));
    pl_rpc_tls tls = {.roots_pem = (const char *)roots.data,
                      .cert_pem = (const char *)cert.data,
                      .key_pem = (const char *)key.data};
    PL_CHECK(status, pl_rpc_server_listen_tls(s->server, params->listen, &tls, "node", &port));
    size_t host = (size_t)(strrchr(params->listen, ':') - params->listen);
    snprintf(s->address, sizeof s->address, "%.*s:%d", (int)host, params->listen, port);
    status = pl_rpc_server_start(s->server);
out:
    pl_bytes_done(&key);
    pl_bytes_done(&cert);
    pl_bytes_done(&roots);
    return status;
}

static void on_turn(uv_prepare_t *handle) {
    pl_scheduler_flush(handle->data);
}

static void on_tick(uv_timer_t *timer) {
    pl_scheduler *s = timer->data;
    pl_log_status("queue.write_failed", NULL, pl_queue_flush(s->store, true));
    pl_gang_look(timer->data);
}

static void on_signal(uv_signal_t *handle, int number) {
    (void)number;
    pl_scheduler_stop(handle->data);
}

/* A newer manifest takes effect at once: who is no member any more is disconnected. The port lets
 * in only roots it knew at its start: one that is new needs a restart, which every node survives.
 */
static void on_hangup(uv_signal_t *handle, int number) {
    (void)number;
    pl_scheduler *s = handle->data;
    pl_manifest *fresh = NULL;
    int64_t now = (int64_t)time(NULL);
    pl_status status = pl_manifest_load(s->manifest_path, now, &fresh);
    if (pl_is_ok(status))
        status = pl_manifest_accept(fresh, s->manifest, now);
    if (pl_is_ok(status)) {
        pl_manifest_free(s->manifest);
        s->manifest = fresh;
        pl_scheduler_drop_strangers(s);
        PL_LOG_INFO("manifest.reloaded", {"federation", pl_manifest_name(fresh)});
    } else {
        pl_manifest_free(fresh);
    }
    pl_log_status("manifest.reload_failed", NULL, status);
}

static pl_status open_all(pl_scheduler *s, const pl_scheduler_params *params) {
    char path[1100];
    PL_TRY(pl_manifest_load(params->manifest, (int64_t)time(NULL), &s->manifest));
    if (mkdir(params->state, 0700) != 0 && errno != EEXIST)
        return pl_fail(PL_IO, "cannot make the state folder %s: %s", params->state,
                       strerror(errno));
    snprintf(path, sizeof path, "%s/queue.db", params->state);
    PL_TRY(pl_queue_store_open(path, &s->store));
    PL_TRY(pl_gang_load(s));
    if (strrchr(params->listen, ':') == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "listen is \"%s\": expected host:port", params->listen);
    return open_server(s, params);
}

pl_status pl_scheduler_open(uv_loop_t *loop, const pl_scheduler_params *params,
                            pl_scheduler **out) {
    pl_scheduler *s;
    PL_TRY(pl_alloc(1, sizeof *s, &s));
    s->loop = loop;
    uv_timer_init(loop, &s->tick);
    uv_signal_init(loop, &s->on_term);
    uv_signal_init(loop, &s->on_int);
    uv_signal_init(loop, &s->on_hup);
    uv_prepare_init(loop, &s->turn);
    s->turn.data = s->tick.data = s->on_term.data = s->on_int.data = s->on_hup.data = s;
    uv_prepare_start(&s->turn, on_turn);
    uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
    uv_signal_start(&s->on_term, on_signal, SIGTERM);
    uv_signal_start(&s->on_int, on_signal, SIGINT);
    *out = s;
    PL_TRY(pl_strdup(params->manifest, &s->manifest_path));
    PL_TRY(open_all(s, params));
    uv_signal_start(&s->on_hup, on_hangup, SIGHUP);
    return PL_OK;
}

void pl_scheduler_stop(pl_scheduler *s) {
    if (s->stopping)
        return;
    s->stopping = true;
    if (s->server != NULL)
        pl_rpc_server_stop(s->server);
    pl_scheduler_flush(s);
    uv_close((uv_handle_t *)&s->turn, NULL);
    uv_close((uv_handle_t *)&s->tick, NULL);
    uv_close((uv_handle_t *)&s->on_term, NULL);
    uv_close((uv_handle_t *)&s->on_int, NULL);
    uv_close((uv_handle_t *)&s->on_hup, NULL);
}

void pl_scheduler_free(pl_scheduler *s) {
    if (s == NULL)
        return;
    pl_rpc_server_free(s->server);
    while (s->nodes != NULL) {
        pl_node_link *node = s->nodes;
        s->nodes = node->next;
        pl_bytes_done(&node->descriptor);
        pl_buf_done(&node->pending);
        for (size_t i = 0; i < node->n_datasets; i++)
            pl_bytes_done(&node->datasets[i]);
        free(node->datasets);
        free(node);
    }
    pl_gang_free(s);
    pl_queue_store_close(s->store);
    pl_manifest_free(s->manifest);
    free(s->manifest_path);
    free(s);
}
