/* parley-scheduler-hostile: the scheduler, turned against its nodes. It has no member's key. What
 * it relays it can flip, misattribute, redirect, relabel, drop, repeat; what it says by itself it
 * can invent. The file PARLEY_HOSTILE_ORDERS is read anew for every message. One line:
 *
 *     flip|from|to|kind|drop|repeat|replay|giant <relay kind>
 *     peer descriptor|dataset|stranger|swapped      lies about a member
 *     hint reserve|release|job|error|ended          words of its own, about this job and unknown
 * ones
 *
 * What was done is appended to <orders>.done. For tests only; never installed. */
#include "node/scheduler/scheduler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pl_status __real_pl_queue_put_message(pl_queue_store *store, const Parley__V1__Relay *relay);
pl_status __wrap_pl_queue_put_message(pl_queue_store *store, const Parley__V1__Relay *relay);
void __real_pl_scheduler_connect(pl_rpc_call *call, pl_view request, void *ctx);
void __wrap_pl_scheduler_connect(pl_rpc_call *call, pl_view request, void *ctx);

static pl_scheduler *scheduler;
static pl_bytes kept[8]; /* by relay kind: a message of an earlier job, packed */

static const char *const kinds[] = {"none",    "proposal", "approval", "reservation",
                                    "charter", "receipt",  "abort"};

void __wrap_pl_scheduler_connect(pl_rpc_call *call, pl_view request, void *ctx) {
    scheduler = ctx;
    __real_pl_scheduler_connect(call, request, ctx);
}

static const char *orders_path(void) {
    const char *path = getenv("PARLEY_HOSTILE_ORDERS");
    return path == NULL ? "/dev/null" : path;
}

static bool read_order(char action[32], char object[32]) {
    FILE *file = fopen(orders_path(), "r");
    int n = file == NULL ? 0 : fscanf(file, "%31s %31s", action, object);
    if (file != NULL)
        fclose(file);
    return n == 2;
}

static void done(const char *action, const char *object, const char *to) {
    char path[1100];
    snprintf(path, sizeof path, "%s.done", orders_path());
    FILE *file = fopen(path, "a");
    if (file == NULL)
        abort();
    fprintf(file, "%s %s to %s\n", action, object, to);
    fclose(file);
}

static void deliver(const Parley__V1__Relay *relay) {
    Parley__V1__SchedulerMessage message = PARLEY__V1__SCHEDULER_MESSAGE__INIT;
    message.kind_case = PARLEY__V1__SCHEDULER_MESSAGE__KIND_DELIVER;
    message.deliver = (Parley__V1__Relay *)(uintptr_t)relay;
    pl_node_link *to = pl_scheduler_node(scheduler, relay->to);
    if (to != NULL)
        pl_scheduler_send(to, &message);
}

/* ---- what it does to a message ---- */

static void again(const Parley__V1__Relay *relay, uint8_t salt) {
    uint8_t id[16];
    Parley__V1__Relay copy = *relay;
    memcpy(id, relay->message_id.data, sizeof id);
    id[0] ^= salt;
    copy.message_id = (ProtobufCBinaryData){sizeof id, id};
    deliver(&copy);
}

static void replay(const Parley__V1__Relay *relay) {
    pl_bytes *old = &kept[relay->kind];
    Parley__V1__Relay *before = parley__v1__relay__unpack(NULL, old->len, old->data);
    if (before == NULL)
        return;
    again(before, 0x5a);
    parley__v1__relay__free_unpacked(before, NULL);
}

static void keep(const Parley__V1__Relay *relay) {
    pl_bytes *slot = &kept[relay->kind];
    pl_bytes_done(slot);
    slot->len = parley__v1__relay__get_packed_size(relay);
    slot->data = malloc(slot->len);
    parley__v1__relay__pack(relay, slot->data);
}

static void giant(const Parley__V1__Relay *relay) {
    Parley__V1__Relay copy = *relay;
    copy.body.len = 1u << 20;
    copy.body.data = calloc(1, copy.body.len);
    memcpy(copy.body.data, relay->body.data, relay->body.len);
    again(&copy, 0x77);
    free(copy.body.data);
}

/* ---- what it says by itself ---- */

static void hint(const char *what, const Parley__V1__Relay *relay) {
    static uint8_t unknown[16] = "no such job 1234";
    const ProtobufCBinaryData ids[] = {relay->job_id, {sizeof unknown, unknown}};
    pl_node_link *to = pl_scheduler_node(scheduler, relay->to);
    for (int i = 0; to != NULL && i < 2; i++) {
        Parley__V1__SchedulerMessage message = PARLEY__V1__SCHEDULER_MESSAGE__INIT;
        Parley__V1__Reserve reserve = PARLEY__V1__RESERVE__INIT;
        Parley__V1__Release release = PARLEY__V1__RELEASE__INIT;
        Parley__V1__JobUpdate job = PARLEY__V1__JOB_UPDATE__INIT;
        Parley__V1__SchedulerError error = PARLEY__V1__SCHEDULER_ERROR__INIT;
        reserve.job_id = release.job_id = job.job_id = error.job_id = ids[i];
        reserve.attempt = release.attempt = 1;
        release.reason = job.reason = error.message = (char[]){"\x1b[2Jbelieve me"};
        error.code = (char[]){"INTERNAL"};
        job.phase = strcmp(what, "ended") == 0 ? PARLEY__V1__JOB_PHASE__JOB_PHASE_ENDED
                                               : PARLEY__V1__JOB_PHASE__JOB_PHASE_RUNNING;
        if (strcmp(what, "reserve") == 0) {
            message.kind_case = PARLEY__V1__SCHEDULER_MESSAGE__KIND_RESERVE;
            message.reserve = &reserve;
        } else if (strcmp(what, "release") == 0) {
            message.kind_case = PARLEY__V1__SCHEDULER_MESSAGE__KIND_RELEASE;
            message.release = &release;
        } else if (strcmp(what, "error") == 0) {
            message.kind_case = PARLEY__V1__SCHEDULER_MESSAGE__KIND_ERROR;
            message.error = &error;
        } else {
            message.kind_case = PARLEY__V1__SCHEDULER_MESSAGE__KIND_JOB;
            message.job = &job;
        }
        pl_scheduler_send(to, &message);
    }
}

/* A lie about the member that sent the message, told to its receiver. */
static void peer(const char *what, const Parley__V1__Relay *relay) {
    pl_node_link *about = pl_scheduler_node(scheduler, relay->from);
    pl_node_link *to = pl_scheduler_node(scheduler, relay->to);
    Parley__V1__Peer lie = PARLEY__V1__PEER__INIT;
    Parley__V1__SchedulerMessage message = PARLEY__V1__SCHEDULER_MESSAGE__INIT;
    if (about == NULL || to == NULL || about->n_datasets == 0)
        return;
    ProtobufCBinaryData dataset = {about->datasets[0].len, about->datasets[0].data};
    lie.org = strcmp(what, "stranger") == 0 ? (char[]){"mallory"} : about->org;
    lie.online = true;
    lie.descriptor = (ProtobufCBinaryData){about->descriptor.len, about->descriptor.data};
    if (strcmp(what, "swapped") == 0)
        lie.descriptor = (ProtobufCBinaryData){to->descriptor.len, to->descriptor.data};
    lie.datasets = &dataset;
    lie.n_datasets = 1;
    uint8_t *flipped = strcmp(what, "descriptor") == 0 ? &lie.descriptor.data[40]
                       : strcmp(what, "dataset") == 0  ? &dataset.data[20]
                                                       : NULL;
    if (flipped != NULL)
        *flipped ^= 1;
    message.kind_case = PARLEY__V1__SCHEDULER_MESSAGE__KIND_PEER;
    message.peer = &lie;
    pl_scheduler_send(to, &message); /* packs at once */
    if (flipped != NULL)
        *flipped ^= 1;
}

/* ---- */

/* True: the message itself goes nowhere. */
static bool act(const char *action, Parley__V1__Relay *relay) {
    if (strcmp(action, "flip") == 0)
        relay->body.data[relay->body.len / 2] ^= 1;
    else if (strcmp(action, "kind") == 0)
        relay->kind = relay->kind % 6 + 1;
    else if (strcmp(action, "repeat") == 0)
        again(relay, 0x33);
    else if (strcmp(action, "replay") == 0)
        replay(relay);
    else if (strcmp(action, "giant") == 0)
        giant(relay);
    return strcmp(action, "drop") == 0;
}

/* Another member's name for the sender or the receiver. */
static char *another(const char *org) {
    for (pl_node_link *node = scheduler->nodes; node != NULL; node = node->next) {
        if (strcmp(node->org, org) != 0)
            return node->org;
    }
    abort();
}

pl_status __wrap_pl_queue_put_message(pl_queue_store *store, const Parley__V1__Relay *relay) {
    char action[32] = "", object[32] = "";
    Parley__V1__Relay *mine = (Parley__V1__Relay *)(uintptr_t)relay;
    if (!read_order(action, object)) {
        keep(relay);
        return __real_pl_queue_put_message(store, relay);
    }
    bool of_kind = relay->kind < 7 && strcmp(object, kinds[relay->kind]) == 0;
    if (strcmp(action, "hint") == 0) {
        done(action, object, relay->to);
        hint(object, relay);
    } else if (strcmp(action, "peer") == 0) {
        done(action, object, relay->to);
        peer(object, relay);
    } else if (of_kind && (strcmp(action, "from") == 0 || strcmp(action, "to") == 0)) {
        done(action, object, relay->to);
        Parley__V1__Relay lie = *relay;
        if (*action == 'f')
            lie.from = another(relay->from);
        else
            lie.to = another(relay->to);
        again(&lie, 0x11);
        mine->to[0] = 0; /* the honest one is lost */
        return PL_OK;
    } else if (of_kind) {
        done(action, object, relay->to);
        if (act(action, mine)) {
            mine->to[0] = 0; /* nobody's: not delivered after this */
            return PL_OK;
        }
    }
    return __real_pl_queue_put_message(store, relay);
}
