#include "tests/unit/mutate.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct walk {
    mutate_then then;
    void *ctx;
    size_t n;
} walk;

static void tell(walk *w, const char *path, const char *how) {
    char what[256];
    snprintf(what, sizeof what, "%s %s", path, how);
    w->n++;
    w->then(what, w->ctx);
}

static void walk_message(walk *w, ProtobufCMessage *message, const char *path);

static void mutate_u32(walk *w, uint32_t *at, const char *path) {
    uint32_t before = *at;
    *at = before + 1;
    tell(w, path, "+1");
    *at = before ^ (1u << 30);
    tell(w, path, "large");
    *at = before;
}

static void mutate_u64(walk *w, uint64_t *at, const char *path) {
    uint64_t before = *at;
    *at = before + 1;
    tell(w, path, "+1");
    *at = before ^ (UINT64_C(1) << 40);
    tell(w, path, "large");
    *at = before;
}

static void mutate_string(walk *w, char **at, const char *path) {
    char *before = *at, longer[9000];
    snprintf(longer, sizeof longer, "%sx", before);
    *at = longer;
    tell(w, path, "changed");
    snprintf(longer, sizeof longer, "%s\x1b[2J", before);
    tell(w, path, "escaped");
    *at = before;
}

static void mutate_bytes(walk *w, ProtobufCBinaryData *at, const char *path) {
    ProtobufCBinaryData before = *at;
    uint8_t *copy = malloc(before.len + 1);
    if (before.len != 0)
        memcpy(copy, before.data, before.len);
    copy[before.len] = 7;
    *at = (ProtobufCBinaryData){before.len + 1, copy};
    tell(w, path, "longer");
    if (before.len != 0) {
        copy[before.len / 2] ^= 1;
        at->len = before.len;
        tell(w, path, "changed");
    }
    free(copy);
    *at = before;
}

static void mutate_value(walk *w, const ProtobufCFieldDescriptor *field, void *at,
                         const char *path) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)at = !*(protobuf_c_boolean *)at;
        tell(w, path, "flipped");
        *(protobuf_c_boolean *)at = !*(protobuf_c_boolean *)at;
        break;
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_UINT32:
        mutate_u32(w, at, path);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        mutate_u64(w, at, path);
        break;
    case PROTOBUF_C_TYPE_STRING:
        mutate_string(w, at, path);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        mutate_bytes(w, at, path);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        if (*(ProtobufCMessage **)at != NULL)
            walk_message(w, *(ProtobufCMessage **)at, path);
        break;
    default:
        fprintf(stderr, "mutate: %s has a type this test does not know\n", path);
        abort();
    }
}

static size_t size_of(const ProtobufCFieldDescriptor *field) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
        return sizeof(uint32_t);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default: /* strings and messages */
        return sizeof(void *);
    }
}

/* The list itself: shorter, longer, in another order. */
static void mutate_list(walk *w, size_t *n, char **list, size_t size, const char *path) {
    char *before = *list, *copy = malloc((*n + 1) * size);
    size_t n_before = *n;
    if (n_before == 0) {
        free(copy);
        return;
    }
    memcpy(copy, before, n_before * size);
    memcpy(copy + n_before * size, before, size);
    *list = copy;
    *n = n_before - 1;
    tell(w, path, "dropped");
    *n = n_before + 1;
    tell(w, path, "doubled");
    *n = n_before;
    if (n_before > 1) {
        memcpy(copy, before + size, size);
        memcpy(copy + size, before, size);
        tell(w, path, "swapped");
    }
    *list = before;
    free(copy);
}

static void mutate_repeated(walk *w, ProtobufCMessage *message,
                            const ProtobufCFieldDescriptor *field, const char *path) {
    char *base = (char *)message, inner[200];
    size_t *n = (size_t *)(void *)(base + field->quantifier_offset);
    char **list = (char **)(void *)(base + field->offset);
    mutate_list(w, n, list, size_of(field), path);
    for (size_t i = 0; i < *n; i++) {
        snprintf(inner, sizeof inner, "%s[%zu]", path, i);
        mutate_value(w, field, *list + i * size_of(field), inner);
    }
}

static void walk_message(walk *w, ProtobufCMessage *message, const char *path) {
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        char inner[200], *at = (char *)message + field->offset;
        snprintf(inner, sizeof inner, "%s%s%s", path, *path == 0 ? "" : ".", field->name);
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            mutate_repeated(w, message, field, inner);
            continue;
        }
        ProtobufCMessage **child = (ProtobufCMessage **)(void *)at;
        if (field->type == PROTOBUF_C_TYPE_MESSAGE && *child != NULL) {
            ProtobufCMessage *before = *child;
            *child = NULL;
            tell(w, inner, "absent");
            *child = before;
        }
        mutate_value(w, field, at, inner);
    }
}

size_t mutate_each(ProtobufCMessage *message, mutate_then then, void *ctx) {
    walk w = {.then = then, .ctx = ctx};
    walk_message(&w, message, "");
    return w.n;
}

void mutate_field(const char *what, char *out, size_t size) {
    const char *end = what + strcspn(what, " "), *start = end;
    while (start > what && start[-1] != '.')
        start--;
    size_t len = strcspn(start, "[ ");
    snprintf(out, size, "%.*s", (int)len, start);
}
