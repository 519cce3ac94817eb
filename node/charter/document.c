#include "node/charter/document.h"

#include "node/crypto/digest.h"
#include "node/crypto/signed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEPTH_MAX 8
#define ENDPOINTS_MAX 16

/* ---- strict decoding ---- */

/* The length of the UTF-8 sequence at text, 0 when it is none: overlong forms, surrogates and
 * everything above U+10FFFF are none (RFC 3629, section 4). */
static size_t utf8_len(const uint8_t *text) {
    static const struct {
        uint8_t first_min, first_max, second_min, second_max, len;
    } rows[] = {
        {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (text[0] < rows[i].first_min || text[0] > rows[i].first_max)
            continue;
        if (rows[i].len > 1 && (text[1] < rows[i].second_min || text[1] > rows[i].second_max))
            return 0;
        for (size_t k = 2; k < rows[i].len; k++) {
            if ((text[k] & 0xc0) != 0x80)
                return 0;
        }
        return rows[i].len;
    }
    return 0;
}

/* Control characters could make a terminal show an approver something else than what she signs. */
static bool is_control(const uint8_t *text, size_t len) {
    if (len == 1)
        return (text[0] < 0x20 && strchr("\t\n\r", text[0]) == NULL) || text[0] == 0x7f;
    return len == 2 && text[0] == 0xc2 && text[1] < 0xa0;
}

static pl_status check_string(const char *path, const char *text) {
    for (const uint8_t *at = (const uint8_t *)text; at != NULL && *at != 0;) {
        size_t len = utf8_len(at);
        if (len == 0)
            return pl_fail(PL_INVALID_ARGUMENT, "%s is not text in UTF-8", path);
        if (is_control(at, len))
            return pl_fail(PL_INVALID_ARGUMENT, "%s holds control characters", path);
        at += len;
    }
    return PL_OK;
}

static pl_status check_message(const ProtobufCMessage *message, const char *path, int depth);

static pl_status check_element(const ProtobufCFieldDescriptor *field, const void *element,
                               const char *path, int depth) {
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return check_string(path, *(char *const *)element);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE && *(ProtobufCMessage *const *)element != NULL)
        return check_message(*(ProtobufCMessage *const *)element, path, depth + 1);
    return PL_OK;
}

static pl_status check_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                             const char *path, int depth) {
    const char *base = (const char *)message;
    char inner[160];
    const char *dot = *path == 0 ? "" : ".";
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        snprintf(inner, sizeof inner, "%s%s%s", path, dot, field->name);
        return check_element(field, base + field->offset, inner, depth);
    }
    if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
        return PL_OK;
    size_t n = *(const size_t *)(const void *)(base + field->quantifier_offset);
    const void *const *list = *(const void *const *const *)(const void *)(base + field->offset);
    for (size_t i = 0; i < n; i++) {
        snprintf(inner, sizeof inner, "%s%s%s[%zu]", path, dot, field->name, i);
        PL_TRY(check_element(field, &list[i], inner, depth));
    }
    return PL_OK;
}

static pl_status check_message(const ProtobufCMessage *message, const char *path, int depth) {
    if (depth > DEPTH_MAX)
        return pl_fail(PL_LIMIT, "%s is nested too deeply", path);
    if (message->n_unknown_fields != 0)
        return pl_fail(PL_UNSUPPORTED, "unknown field %u%s%s: is its writer's version newer?",
                       message->unknown_fields[0].tag, *path == 0 ? "" : " in ", path);
    for (unsigned i = 0; i < message->descriptor->n_fields; i++)
        PL_TRY(check_field(message, &message->descriptor->fields[i], path, depth));
    return PL_OK;
}

static pl_status check_canonical(const ProtobufCMessage *message, pl_view body) {
    pl_bytes again;
    PL_TRY(pl_document_pack(message, &again));
    bool same = pl_view_equal(pl_bytes_view(&again), body);
    pl_bytes_done(&again);
    return same ? PL_OK
                : pl_fail(PL_INVALID_ARGUMENT,
                          "its bytes are not the encoding that version %u of the document has",
                          PL_DOCUMENT_VERSION);
}

pl_status pl_document_decode(pl_view body, const ProtobufCMessageDescriptor *type, const char *name,
                             void *out) {
    if (body.len > PL_DOCUMENT_BYTES_MAX)
        return pl_fail(PL_LIMIT, "%s: %zu bytes are more than the %u that are read", name, body.len,
                       PL_DOCUMENT_BYTES_MAX);
    ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, body.len, body.data);
    if (message == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "%s: cannot be read: it is malformed or cut off", name);
    pl_status status = check_message(message, "", 0);
    if (pl_is_ok(status))
        status = check_canonical(message, body);
    if (pl_is_ok(status))
        memcpy(out, &message, sizeof message);
    else
        protobuf_c_message_free_unpacked(message, NULL);
    return pl_wrap(status, "%s", name);
}

/* ---- signed bytes in and out ---- */

pl_status pl_document_open(pl_view signed_bytes, const char *domain, const char *signer,
                           pl_view spki, const ProtobufCMessageDescriptor *type, void *out) {
    pl_bytes body;
    PL_TRY(pl_signed_verify(signed_bytes, domain, signer, spki, &body));
    pl_status status = pl_document_decode(pl_bytes_view(&body), type, domain, out);
    pl_bytes_done(&body);
    return status;
}

pl_status pl_document_peek(pl_view signed_bytes, const char *domain,
                           const ProtobufCMessageDescriptor *type, void *out) {
    pl_bytes body;
    PL_TRY(pl_wrap(pl_signed_body(signed_bytes, &body), "%s", domain));
    pl_status status = pl_document_decode(pl_bytes_view(&body), type, domain, out);
    pl_bytes_done(&body);
    return status;
}

pl_status pl_document_pack(const void *message, pl_bytes *out) {
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *data;
    PL_TRY(pl_alloc(len + 1, 1, &data));
    protobuf_c_message_pack(message, data);
    *out = (pl_bytes){data, len};
    return PL_OK;
}

pl_status pl_document_sign(const void *message, const char *domain, const char *signer,
                           const pl_key *key, pl_bytes *out_signed) {
    pl_bytes body;
    PL_TRY(pl_wrap(check_message(message, "", 0), "%s", domain));
    PL_TRY(pl_document_pack(message, &body));
    pl_status status = pl_sign(key, domain, signer, pl_bytes_view(&body), out_signed);
    pl_bytes_done(&body);
    return status;
}

pl_status pl_document_digest(pl_view signed_bytes, const char *domain, uint8_t out[32]) {
    pl_bytes body;
    PL_TRY(pl_wrap(pl_signed_body(signed_bytes, &body), "%s", domain));
    pl_digest(domain, pl_bytes_view(&body), out);
    pl_bytes_done(&body);
    return PL_OK;
}

void pl_document_free(void *message) {
    if (message != NULL)
        protobuf_c_message_free_unpacked(message, NULL);
}

/* ---- checks ---- */

pl_time_text pl_time_format(int64_t seconds) {
    pl_time_text out;
    struct tm parts;
    time_t at = (time_t)seconds;
    if (gmtime_r(&at, &parts) == NULL ||
        strftime(out.text, sizeof out.text, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
        snprintf(out.text, sizeof out.text, "second %" PRId64, seconds);
    return out;
}

pl_status pl_check_version(uint32_t version) {
    return version == PL_DOCUMENT_VERSION
               ? PL_OK
               : pl_fail(PL_UNSUPPORTED, "version %u is unknown, this version knows %u", version,
                         PL_DOCUMENT_VERSION);
}

pl_status pl_check_len(const char *field, ProtobufCBinaryData data, size_t len) {
    return data.len == len
               ? PL_OK
               : pl_fail(PL_INVALID_ARGUMENT, "%s has %zu bytes, not %zu", field, data.len, len);
}

pl_status pl_check_equal(const char *field, ProtobufCBinaryData data, pl_view wanted,
                         const char *differs_from) {
    return pl_view_equal(pl_binary_view(data), wanted)
               ? PL_OK
               : pl_fail(PL_PROTOCOL, "%s differs from %s", field, differs_from);
}

pl_status pl_check_text(const char *field, const char *text, size_t len_max) {
    if (*text == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "%s is empty", field);
    if (strlen(text) > len_max)
        return pl_fail(PL_LIMIT, "%s has %zu bytes: at most %zu are allowed", field, strlen(text),
                       len_max);
    return PL_OK;
}

pl_status pl_check_not_future(const char *field, int64_t at, int64_t now) {
    if (at <= now || at - now <= PL_CLOCK_SKEW_SECONDS)
        return PL_OK;
    return pl_fail(PL_FAILED_PRECONDITION,
                   "%s is %s, more than %d seconds after this node's clock (%s): are both clocks "
                   "right?",
                   field, pl_time_format(at).text, PL_CLOCK_SKEW_SECONDS, pl_time_format(now).text);
}

pl_status pl_check_not_past(const char *field, int64_t at, int64_t now, int64_t grace) {
    if (at >= now || at >= now - grace)
        return PL_OK;
    return pl_fail(PL_FAILED_PRECONDITION, "%s, %s, has passed: expired", field,
                   pl_time_format(at).text);
}

/* "host:port" or "[v6]:port" */
static bool is_endpoint(const char *text) {
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon - text > 255 || colon[1] < '1' || colon[1] > '9')
        return false;
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end != 0 || port > 65535)
        return false;
    size_t len = (size_t)(colon - text);
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    if (text[0] != '[')
        return strspn(text, letters) == len;
    return len > 3 && text[len - 1] == ']' &&
           strspn(text + 1, "0123456789abcdefABCDEF:.%") == len - 2;
}

pl_status pl_check_endpoints(const char *field, char **endpoints, size_t n) {
    if (n > ENDPOINTS_MAX)
        return pl_fail(PL_LIMIT, "%s are %zu: at most %d are read", field, n, ENDPOINTS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!is_endpoint(endpoints[i]))
            return pl_fail(PL_INVALID_ARGUMENT, "%s[%zu] is not host:port or [v6]:port", field, i);
    }
    return PL_OK;
}

bool pl_name_is_org(const char *name) {
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return name[0] >= 'a' && name[0] <= 'z' && len <= 31 && name[len] == 0;
}
