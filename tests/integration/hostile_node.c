/* parleyd-hostile: parleyd of a member that colludes with a hostile scheduler. It is the honest
 * program but for one thing: what it seals to others is altered as the file PARLEY_HOSTILE_ORDERS
 * says (read anew for every document), and signed again with the node's own key (folder
 * PARLEY_HOSTILE_KEYS), or left with the signature it had. One line:
 *
 *     <kind> <change> <recipient or *> signed|unsigned      change: its number, as mutate_each
 * counts <kind> list                                           nothing is altered, changes are
 * listed
 *
 * What was done is appended to <orders>.done. For tests only; never installed. */
#include "node/charter/envelope.h"
#include "node/charter/org.h"
#include "node/crypto/signed.h"
#include "proto/common.pb-c.h"
#include "proto/job.pb-c.h"
#include "tests/unit/mutate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pl_status __real_pl_envelope_seal(const char *sender, const char *recipient, pl_view seal_key,
                                  pl_view body, pl_bytes *out);
pl_status __wrap_pl_envelope_seal(const char *sender, const char *recipient, pl_view seal_key,
                                  pl_view body, pl_bytes *out);

static const struct {
    const char *kind;
    const ProtobufCMessageDescriptor *type;
} documents[] = {
    {"proposal", &parley__v1__proposal__descriptor},
    {"approval", &parley__v1__approval__descriptor},
    {"reservation", &parley__v1__reservation__descriptor},
    {"charter", &parley__v1__charter__descriptor},
};
#define N_DOCUMENTS (sizeof documents / sizeof *documents)

typedef struct order {
    char kind[32], recipient[64], how[16];
    size_t change; /* SIZE_MAX: list */
} order;

/* One alteration in the making: mutate_each calls back at every change, one of them is wanted. */
typedef struct alteration {
    const order *order;
    ProtobufCMessage *message;
    size_t n;
    char what[256];
    FILE *done;
    uint8_t *packed;
    size_t len;
} alteration;

static const char *orders_path(void) {
    const char *path = getenv("PARLEY_HOSTILE_ORDERS");
    return path == NULL ? "/dev/null" : path;
}

static bool read_order(order *out) {
    FILE *file = fopen(orders_path(), "r");
    char change[32] = "";
    *out = (order){0};
    int n = file == NULL
                ? 0
                : fscanf(file, "%31s %31s %63s %15s", out->kind, change, out->recipient, out->how);
    if (file != NULL)
        fclose(file);
    out->change = strcmp(change, "list") == 0 ? SIZE_MAX : strtoul(change, NULL, 10);
    return n >= 2;
}

static FILE *open_done(void) {
    char path[1100];
    snprintf(path, sizeof path, "%s.done", orders_path());
    FILE *file = fopen(path, "a");
    if (file == NULL)
        abort();
    return file;
}

static void on_change(const char *what, void *ctx) {
    alteration *a = ctx;
    if (a->order->change == SIZE_MAX) {
        fprintf(a->done, "%zu %s\n", a->n, what);
    } else if (a->n == a->order->change) {
        snprintf(a->what, sizeof a->what, "%s", what);
        a->len = protobuf_c_message_get_packed_size(a->message);
        a->packed = malloc(a->len + 1);
        protobuf_c_message_pack(a->message, a->packed);
    }
    a->n++;
}

static const pl_org *own_keys(void) {
    static pl_org *org;
    if (org == NULL) {
        pl_status status = pl_org_load(getenv("PARLEY_HOSTILE_KEYS"), &org);
        if (!pl_is_ok(status))
            abort();
    }
    return org;
}

/* The Signed of before, with another body. */
static void keep_signature(pl_view before, const alteration *a, pl_bytes *out) {
    Parley__V1__Signed *message = parley__v1__signed__unpack(NULL, before.len, before.data);
    ProtobufCBinaryData body = message->body;
    message->body = (ProtobufCBinaryData){a->len, a->packed};
    out->len = parley__v1__signed__get_packed_size(message);
    out->data = malloc(out->len);
    parley__v1__signed__pack(message, out->data);
    message->body = body;
    parley__v1__signed__free_unpacked(message, NULL);
}

static void put_together(const order *o, pl_view before, const alteration *a, pl_bytes *out) {
    if (strcmp(o->how, "unsigned") == 0) {
        keep_signature(before, a, out);
        return;
    }
    pl_status status = pl_sign(pl_org_sign_key(own_keys()), o->kind, pl_org_name(own_keys()),
                               pl_view_of(a->packed, a->len), out);
    if (!pl_is_ok(status))
        abort();
}

/* Alters body, if it is a document of the order's kind that we signed. */
static bool alter(const order *o, size_t which, pl_view signed_body, pl_bytes *out) {
    const Parley__V1__Descriptor *d = pl_org_descriptor(own_keys());
    pl_bytes body = {0};
    pl_status status = pl_signed_verify(signed_body, o->kind, pl_org_name(own_keys()),
                                        pl_view_of(d->sign_key.data, d->sign_key.len), &body);
    bool ours = pl_is_ok(status);
    pl_status_done(&status); /* another kind of document */
    if (!ours)
        return false;
    alteration a = {.order = o, .done = open_done()};
    a.message = protobuf_c_message_unpack(documents[which].type, NULL, body.len, body.data);
    mutate_each(a.message, on_change, &a);
    if (a.packed != NULL) {
        put_together(o, signed_body, &a, out);
        fprintf(a.done, "%s: %s\n", o->kind, a.what);
    }
    fclose(a.done);
    protobuf_c_message_free_unpacked(a.message, NULL);
    pl_bytes_done(&body);
    free(a.packed);
    return a.len > 0;
}

pl_status __wrap_pl_envelope_seal(const char *sender, const char *recipient, pl_view seal_key,
                                  pl_view body, pl_bytes *out) {
    order o;
    pl_bytes altered = {0};
    bool wanted = read_order(&o) && (o.recipient[0] == 0 || strcmp(o.recipient, "*") == 0 ||
                                     strcmp(o.recipient, recipient) == 0);
    for (size_t i = 0; wanted && i < N_DOCUMENTS; i++) {
        if (strcmp(documents[i].kind, o.kind) == 0 && alter(&o, i, body, &altered))
            body = pl_bytes_view(&altered);
    }
    pl_status status = __real_pl_envelope_seal(sender, recipient, seal_key, body, out);
    pl_bytes_done(&altered);
    return status;
}
