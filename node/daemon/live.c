#include "node/daemon/node.h"

#include "node/charter/descriptor.h"
#include "protocols/base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- jobs in memory ---- */

pl_live *pl_live_find(pl_node *node, const uint8_t *id) {
    for (pl_live *live = node->live; live != NULL; live = live->next) {
        if (memcmp(live->id, id, PL_JOB_ID_BYTES) == 0)
            return live;
    }
    return NULL;
}

pl_status pl_live_get(pl_node *node, const uint8_t *id, pl_live **out) {
    *out = pl_live_find(node, id);
    if (*out != NULL)
        return PL_OK;
    pl_live *live;
    PL_TRY(pl_alloc(1, sizeof *live, &live));
    live->node = node;
    memcpy(live->id, id, PL_JOB_ID_BYTES);
    live->next = node->live;
    node->live = live;
    *out = live;
    return PL_OK;
}

static void inputs_free(Parley__V1__SourceReply *inputs) {
    if (inputs == NULL)
        return;
    for (size_t i = 0; i < inputs->n_vectors; i++)
        pl_wipe(inputs->vectors[i]->values.data, inputs->vectors[i]->values.len);
    parley__v1__source_reply__free_unpacked(inputs, NULL);
}

void pl_live_drop_reservation(pl_live *live) {
    pl_wipe(live->session_private, sizeof live->session_private);
    inputs_free(live->inputs);
    live->inputs = NULL;
    live->reserved_until = 0;
    if (live->source != NULL)
        pl_child_forget(live->source);
    live->source = NULL;
    if (live->kept_fd > 0)
        close(live->kept_fd);
    live->kept_fd = 0;
}

void pl_live_forget(pl_live *live) {
    pl_live **link = &live->node->live;
    while (*link != live)
        link = &(*link)->next;
    *link = live->next;
    pl_live_drop_reservation(live);
    if (live->planner != NULL)
        pl_child_forget(live->planner);
    if (live->worker != NULL)
        pl_child_forget(live->worker);
    if (live->task != NULL)
        parley__v1__task__free_unpacked(live->task, NULL);
    pl_bytes_done(&live->reply);
    free(live);
}

unsigned pl_live_sessions(const pl_node *node) {
    unsigned n = 0;
    for (const pl_live *live = node->live; live != NULL; live = live->next)
        n += live->worker != NULL || live->reserved_until != 0;
    return n;
}

/* ---- peers ---- */

pl_peer *pl_peer_find(pl_node *node, const char *org) {
    for (pl_peer *peer = node->peers; peer != NULL; peer = peer->next) {
        if (strcmp(peer->org, org) == 0)
            return peer;
    }
    return NULL;
}

void pl_peer_free(pl_peer *peer) {
    if (peer->descriptor != NULL)
        parley__v1__descriptor__free_unpacked(peer->descriptor, NULL);
    pl_bytes_done(&peer->signed_descriptor);
    free(peer);
}

static pl_status peer_get(pl_node *node, const char *org, pl_peer **out) {
    *out = pl_peer_find(node, org);
    if (*out != NULL)
        return PL_OK;
    pl_peer *peer;
    PL_TRY(pl_alloc(1, sizeof *peer, &peer));
    strncpy(peer->org, org, sizeof peer->org - 1);
    peer->next = node->peers;
    node->peers = peer;
    *out = peer;
    return PL_OK;
}

/* A descriptor replaces the one before it only if it verifies and its serial does not go back. */
static pl_status peer_take_descriptor(pl_node *node, pl_peer *peer, pl_view signed_descriptor) {
    char name[96] = "serial:";
    strcat(name, peer->org);
    uint64_t serial_seen;
    PL_TRY(pl_jobs_high_get(node->jobs, name, &serial_seen));
    Parley__V1__Descriptor *descriptor;
    PL_TRY(pl_descriptor_verify(signed_descriptor, node->manifest, peer->org, serial_seen, pl_now(),
                                &descriptor));
    pl_bytes copy = {0};
    pl_status status = pl_jobs_high_raise(node->jobs, name, descriptor->serial);
    if (pl_is_ok(status))
        status = pl_past_keep_descriptor(node, descriptor, signed_descriptor);
    if (pl_is_ok(status))
        status = pl_bytes_dup(signed_descriptor, &copy);
    if (!pl_is_ok(status)) {
        parley__v1__descriptor__free_unpacked(descriptor, NULL);
        return status;
    }
    if (peer->descriptor != NULL)
        parley__v1__descriptor__free_unpacked(peer->descriptor, NULL);
    pl_bytes_done(&peer->signed_descriptor);
    peer->descriptor = descriptor;
    peer->signed_descriptor = copy;
    return PL_OK;
}

static pl_status peer_take_dataset(pl_node *node, const pl_peer *peer, pl_view signed_dataset) {
    pl_bytes body;
    PL_TRY(pl_signed_verify(
        signed_dataset, "dataset", peer->org,
        pl_view_of(peer->descriptor->sign_key.data, peer->descriptor->sign_key.len), &body));
    pl_status status = pl_catalog_add(node->catalog, peer->org, pl_bytes_view(&body));
    pl_bytes_done(&body);
    return status;
}

pl_status pl_peer_update(pl_node *node, const Parley__V1__Peer *told) {
    if (strcmp(told->org, node->own) == 0)
        return PL_OK;
    if (pl_manifest_member(node->manifest, told->org) == NULL)
        return pl_fail(PL_UNAUTHENTICATED, "the scheduler shows a peer that is no member");
    pl_peer *peer;
    PL_TRY(peer_get(node, told->org, &peer));
    peer->online = told->online;
    peer->since = told->since;
    if (told->descriptor.len == 0)
        return PL_OK;
    PL_TRY(
        peer_take_descriptor(node, peer, pl_view_of(told->descriptor.data, told->descriptor.len)));
    for (size_t i = 0; i < told->n_datasets; i++)
        PL_TRY(peer_take_dataset(node, peer,
                                 pl_view_of(told->datasets[i].data, told->datasets[i].len)));
    return PL_OK;
}

pl_status pl_node_descriptor(pl_node *node, const char *org, const Parley__V1__Descriptor **out) {
    if (strcmp(org, node->own) == 0) {
        *out = pl_org_descriptor(node->org);
        return PL_OK;
    }
    pl_peer *peer = pl_peer_find(node, org);
    if (peer == NULL || peer->descriptor == NULL)
        return pl_fail(PL_UNAVAILABLE, "the scheduler has not shown a valid descriptor of %s yet",
                       org);
    if (peer->descriptor->not_after < pl_now())
        return pl_fail(PL_UNAUTHENTICATED, "the node key of %s has expired", org);
    *out = peer->descriptor;
    return PL_OK;
}
