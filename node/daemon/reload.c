/* reload.c: SIGHUP makes the node read its configuration, keys, manifest, policy and datasets
 * again: a renewed key, a new epoch or a new policy takes effect without a stop. All of it is
 * valid, or none of it is taken. A running session keeps what it started with: the change waits
 * until none runs. */
#include "node/daemon/node.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What cannot change under a running daemon. */
static pl_status check_fixed(const pl_config *before, const pl_config *after) {
    static const struct {
        const char *name;
        const char *(*get)(const pl_config *config);
    } fixed[] = {
        {"state", pl_config_state},
        {"sockets", pl_config_sockets},
        {"session.listen", pl_config_session_listen},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        if (strcmp(fixed[i].get(before), fixed[i].get(after)) != 0)
            return pl_fail(PL_FAILED_PRECONDITION,
                           "%s has changed in the configuration: that needs a restart",
                           fixed[i].name);
    }
    return PL_OK;
}

static pl_status load(pl_node *node, pl_node *fresh) {
    PL_TRY(pl_config_load(node->config_path, &fresh->config));
    PL_TRY(check_fixed(node->config, fresh->config));
    PL_TRY(pl_org_load(pl_config_org(fresh->config), &fresh->org));
    fresh->own = pl_org_name(fresh->org);
    if (strcmp(fresh->own, node->own) != 0)
        return pl_fail(PL_FAILED_PRECONDITION,
                       "the keys are now those of %s: another organisation needs a node of its own",
                       fresh->own);
    return pl_node_open_documents(fresh);
}

/* Peers are told again by the scheduler, under the new manifest. */
static void forget_peers(pl_node *node) {
    while (node->peers != NULL) {
        pl_peer *peer = node->peers;
        node->peers = peer->next;
        pl_peer_free(peer);
    }
}

static void swap(pl_node *node, pl_node *fresh) {
    pl_node before = *node;
    node->config = fresh->config;
    node->org = fresh->org;
    node->own = fresh->own;
    node->manifest = fresh->manifest;
    node->policy = fresh->policy;
    node->catalog = fresh->catalog;
    node->own_datasets = fresh->own_datasets;
    node->n_own_datasets = fresh->n_own_datasets;
    fresh->config = before.config;
    fresh->org = before.org;
    fresh->manifest = before.manifest;
    fresh->policy = before.policy;
    fresh->catalog = before.catalog;
    fresh->own_datasets = before.own_datasets;
    fresh->n_own_datasets = before.n_own_datasets;
}

static void tell(pl_node *node, pl_status why) {
    char content[160];
    snprintf(content, sizeof content, "epoch %" PRIu64 ", key serial %" PRIu64 ", policy %" PRIu64,
             pl_manifest_epoch(node->manifest), pl_org_descriptor(node->org)->serial,
             pl_policy_version(node->policy));
    const char *result = pl_is_ok(why) ? "ok" : pl_code_describe(pl_status_code(why))->name;
    pl_log_status("audit.failed", NULL,
                  pl_step_audit(node, NULL, "operator", NULL, "node.reload",
                                pl_is_ok(why) ? content : pl_status_message(why), result));
    if (pl_is_ok(why))
        PL_LOG_INFO("node.reloaded", {"message", content});
    pl_log_status("node.reload_failed", NULL, why);
}

static void reload_now(pl_node *node) {
    pl_node fresh = {.loop = node->loop, .jobs = node->jobs, .audit = node->audit};
    node->reload_wanted = false;
    pl_status status = load(node, &fresh);
    bool taken = pl_is_ok(status);
    if (taken)
        swap(node, &fresh);
    tell(node, status);
    if (taken && node->uplink != NULL) {
        forget_peers(node);
        pl_uplink_drop(node->uplink); /* and says hello again, with the new key */
    }
    pl_node_free_documents(&fresh);
}

void pl_reload_want(pl_node *node) {
    node->reload_wanted = true;
    pl_reload_if_idle(node);
}

void pl_reload_if_idle(pl_node *node) {
    if (node->reload_wanted && pl_live_sessions(node) == 0)
        reload_now(node);
}
