#include "node/daemon/node.h"

#include "node/crypto/digest.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- opening, in order of trust: configuration, own keys, manifest, state, policy, catalogue,
 * network ---- */

static pl_status open_state(pl_node *node) {
    const char *folder = pl_config_state(node->config);
    char path[1200];
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return pl_fail(PL_IO, "cannot make the state folder %s: %s", folder, strerror(errno));
    snprintf(path, sizeof path, "%s/jobs.db", folder);
    PL_TRY(pl_jobs_open(path, &node->jobs));
    snprintf(path, sizeof path, "%s/audit.log", folder);
    return pl_audit_open(path, &node->audit);
}

/* A manifest may only go forward: the epoch that was accepted last is remembered with its exact
 * bytes. */
static pl_status open_manifest(pl_node *node) {
    const char *path = pl_config_manifest(node->config);
    PL_TRY(pl_manifest_load(path, pl_now(), &node->manifest));
    pl_bytes before = {0};
    pl_manifest *previous = NULL;
    pl_status status = pl_jobs_blob_get(node->jobs, "manifest", &before);
    if (pl_status_code(status) == PL_NOT_FOUND)
        pl_status_done(&status); /* the first manifest is the one the operator gave */
    else if (pl_is_ok(status))
        status = pl_manifest_parse(pl_bytes_view(&before), &previous);
    if (pl_is_ok(status))
        status = pl_manifest_accept(node->manifest, previous, pl_now());
    if (pl_is_ok(status))
        status = pl_jobs_blob_put(node->jobs, "manifest", pl_manifest_signed(node->manifest));
    pl_manifest_free(previous);
    pl_bytes_done(&before);
    return pl_wrap(status, "cannot use the manifest %s", path);
}

static pl_status check_membership(pl_node *node) {
    const Parley__V1__Member *member = pl_manifest_member(node->manifest, node->own);
    if (member == NULL)
        return pl_fail(PL_UNAUTHENTICATED, "%s is not a member of federation %s", node->own,
                       pl_manifest_name(node->manifest));
    Parley__V1__Descriptor *descriptor = NULL;
    PL_TRY(pl_wrap(pl_descriptor_verify(pl_org_signed_descriptor(node->org), node->manifest,
                                        node->own, 0, pl_now(), &descriptor),
                   "this node's own descriptor is not valid"));
    pl_status status =
        pl_past_keep_descriptor(node, descriptor, pl_org_signed_descriptor(node->org));
    parley__v1__descriptor__free_unpacked(descriptor, NULL);
    return pl_is_ok(status) ? pl_past_keep_manifest(node) : status;
}

static pl_status open_policy(pl_node *node) {
    const Parley__V1__Descriptor *own = pl_org_descriptor(node->org);
    PL_TRY(pl_policy_load(pl_config_policy(node->config), node->own,
                          pl_view_of(own->sign_key.data, own->sign_key.len), &node->policy));
    uint64_t seen;
    PL_TRY(pl_jobs_high_get(node->jobs, "policy", &seen));
    if (pl_policy_version(node->policy) < seen)
        return pl_fail(PL_REFUSED,
                       "the policy is version %" PRIu64 ", but version %" PRIu64
                       " was in force before: a policy's version must not go back",
                       pl_policy_version(node->policy), seen);
    return pl_jobs_high_raise(node->jobs, "policy", pl_policy_version(node->policy));
}

static pl_status publish_dataset(pl_node *node, const pl_dataset_config *config,
                                 pl_bytes *out_signed) {
    Parley__V1__Dataset dataset = *config->dataset;
    dataset.org = (char *)(uintptr_t)node->own;
    dataset.min_cohort = pl_policy_min_cohort(node->policy, dataset.name);
    size_t len = parley__v1__dataset__get_packed_size(&dataset);
    uint8_t *packed;
    PL_TRY(pl_alloc(len, 1, &packed));
    parley__v1__dataset__pack(&dataset, packed);
    pl_status status = pl_catalog_add(node->catalog, node->own, pl_view_of(packed, len));
    if (pl_is_ok(status))
        status = pl_sign(pl_org_sign_key(node->org), "dataset", node->own, pl_view_of(packed, len),
                         out_signed);
    free(packed);
    return status;
}

static pl_status open_catalog(pl_node *node) {
    PL_TRY(pl_catalog_new(&node->catalog));
    size_t n = pl_config_n_datasets(node->config);
    PL_TRY(pl_alloc(n, sizeof *node->own_datasets, &node->own_datasets));
    for (; node->n_own_datasets < n; node->n_own_datasets++)
        PL_TRY(publish_dataset(node, pl_config_dataset_at(node->config, node->n_own_datasets),
                               &node->own_datasets[node->n_own_datasets]));
    return PL_OK;
}

pl_status pl_node_open_documents(pl_node *node) {
    PL_TRY(open_manifest(node));
    PL_TRY(check_membership(node));
    PL_TRY(open_policy(node));
    return open_catalog(node);
}

static void on_refused(const char *address, pl_status why, void *ctx) {
    pl_node *node = ctx;
    pl_status audited =
        pl_step_audit(node, NULL, "unknown", address, "session.connect", pl_status_message(why),
                      pl_code_describe(pl_status_code(why))->name);
    pl_log_status("audit.failed", NULL, audited);
    pl_log_status("session.connect", NULL, why);
}

/* parley-worker stands beside parleyd. */
static pl_status find_worker(pl_node *node) {
    size_t size = sizeof node->worker_path - 16;
    if (uv_exepath(node->worker_path, &size) != 0)
        return pl_fail(PL_INTERNAL, "cannot tell where parleyd stands");
    char *slash = strrchr(node->worker_path, '/');
    strcpy(slash + 1, "parley-worker");
    if (access(node->worker_path, X_OK) != 0)
        return pl_fail(PL_NOT_FOUND, "%s is not there: parley-worker must stand beside parleyd",
                       node->worker_path);
    return PL_OK;
}

static void on_tick(uv_timer_t *timer) {
    pl_node *node = timer->data;
    pl_log_status("turn.failed", NULL, pl_jobs_flush(node->jobs, true));
    pl_stop_expired(timer->data);
    pl_propose_retry(timer->data);
    pl_reload_if_idle(node);
}

static void on_signal(uv_signal_t *handle, int number) {
    (void)number;
    pl_node_stop(handle->data);
}

static void on_hangup(uv_signal_t *handle, int number) {
    (void)number;
    pl_reload_want(handle->data);
}

static void open_timers(pl_node *node) {
    uv_timer_init(node->loop, &node->tick);
    uv_signal_init(node->loop, &node->on_term);
    uv_signal_init(node->loop, &node->on_int);
    uv_signal_init(node->loop, &node->on_hup);
    node->tick.data = node->on_term.data = node->on_int.data = node->on_hup.data = node;
    uv_timer_start(&node->tick, on_tick, 1000, 1000);
    uv_signal_start(&node->on_term, on_signal, SIGTERM);
    uv_signal_start(&node->on_int, on_signal, SIGINT);
}

static pl_status open_all(pl_node *node, const char *config_path, const char *accept_audit) {
    PL_TRY(pl_config_load(config_path, &node->config));
    PL_TRY(find_worker(node));
    PL_TRY(pl_org_load(pl_config_org(node->config), &node->org));
    node->own = pl_org_name(node->org);
    PL_TRY(open_state(node));
    PL_TRY(pl_node_open_documents(node));
    PL_TRY(pl_heads_open(node, accept_audit));
    PL_TRY(pl_step_audit(node, NULL, "system", NULL, "node.start", PARLEY_VERSION, "ok"));
    pl_port_callbacks callbacks = {pl_session_take, on_refused, node};
    PL_TRY(pl_port_open(node->loop, pl_config_session_listen(node->config), &callbacks, &node->port,
                        node->endpoint));
    PL_TRY(pl_spares_open(node->loop, node->worker_path, &node->spares));
    PL_TRY(pl_stop_after_restart(node));
    PL_TRY(pl_uplink_open(node, &node->uplink));
    PL_TRY(pl_api_open(node));
    uv_signal_start(&node->on_hup, on_hangup, SIGHUP);
    return PL_OK;
}

pl_status pl_node_open(uv_loop_t *loop, const char *config_path, const char *accept_audit,
                       pl_node **out) {
    pl_node *node;
    PL_TRY(pl_alloc(1, sizeof *node, &node));
    node->loop = loop;
    node->started_at = pl_now();
    open_timers(node);
    pl_turn_open(node);
    *out = node;
    PL_TRY(pl_strdup(config_path, &node->config_path));
    return open_all(node, config_path, accept_audit);
}

/* ---- stopping: no new work, children end, handles close, the loop runs empty ---- */

static void close_handle(uv_handle_t *handle) {
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void pl_node_stop(pl_node *node) {
    if (node->stopping)
        return;
    node->stopping = true;
    if (node->audit != NULL)
        pl_log_status("audit.failed", NULL,
                      pl_step_audit(node, NULL, "system", NULL, "node.stop", PARLEY_VERSION, "ok"));
    while (node->live != NULL) {
        if (node->live->submit_call != NULL)
            pl_rpc_fail(node->live->submit_call, pl_fail(PL_UNAVAILABLE, "the node is stopping"));
        pl_live_forget(node->live);
    }
    pl_status stopping = pl_fail(PL_UNAVAILABLE, "the node is stopping");
    pl_api_fail_watchers(node, stopping);
    pl_status_done(&stopping);
    pl_turn_close(node);
    pl_uplink_close(node->uplink);
    node->uplink = NULL;
    pl_spares_close(node->spares);
    node->spares = NULL;
    pl_port_close(node->port);
    node->port = NULL;
    if (node->api != NULL)
        pl_rpc_server_stop(node->api);
    close_handle((uv_handle_t *)&node->tick);
    close_handle((uv_handle_t *)&node->on_term);
    close_handle((uv_handle_t *)&node->on_int);
    close_handle((uv_handle_t *)&node->on_hup);
}

void pl_node_free_documents(pl_node *node) {
    for (size_t i = 0; i < node->n_own_datasets; i++)
        pl_bytes_done(&node->own_datasets[i]);
    free(node->own_datasets);
    pl_catalog_free(node->catalog);
    pl_policy_free(node->policy);
    pl_manifest_free(node->manifest);
    pl_org_free(node->org);
    pl_config_free(node->config);
}

void pl_node_free(pl_node *node) {
    if (node == NULL)
        return;
    pl_rpc_server_free(node->api);
    while (node->peers != NULL) {
        pl_peer *peer = node->peers;
        node->peers = peer->next;
        pl_peer_free(peer);
    }
    pl_node_free_documents(node);
    pl_audit_close(node->audit);
    pl_jobs_close(node->jobs);
    free(node->config_path);
    free(node);
}
