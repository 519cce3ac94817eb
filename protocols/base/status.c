#include "protocols/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pl_error {
    pl_code code;
    const char *message; /* in the same allocation, behind the struct */
};

/* What stands in for an error that there was no memory to build. Never freed. */
static pl_error out_of_memory = {PL_LIMIT, "out of memory"};

/* The numbers in the second column are gRPC's (grpc/status.h); protocols/ does not include gRPC. */
static const pl_code_info code_table[PL_CODE_COUNT] = {
    [PL_CODE_OK] = {"OK", 0, 0, "ok", false},
    [PL_INVALID_ARGUMENT] = {"INVALID_ARGUMENT", 3, 2, "the request is malformed", false},
    [PL_UNSUPPORTED] = {"UNSUPPORTED", 12, 3, "this is not supported", false},
    [PL_NOT_FOUND] = {"NOT_FOUND", 5, 4, "no such object", false},
    [PL_ALREADY_EXISTS] = {"ALREADY_EXISTS", 6, 5, "this was seen before", false},
    [PL_REFUSED] = {"REFUSED", 7, 6, "refused by policy", false},
    [PL_UNAUTHENTICATED] = {"UNAUTHENTICATED", 16, 7, "not authenticated", false},
    [PL_FAILED_PRECONDITION] = {"FAILED_PRECONDITION", 9, 8, "not possible in this state", false},
    [PL_LIMIT] = {"LIMIT", 8, 9, "a limit was reached", true},
    [PL_OUT_OF_RANGE] = {"OUT_OF_RANGE", 11, 10, "a value is out of range", false},
    [PL_UNAVAILABLE] = {"UNAVAILABLE", 14, 11, "not available now", true},
    [PL_TIMEOUT] = {"TIMEOUT", 4, 12, "a deadline passed", true},
    [PL_CANCELLED] = {"CANCELLED", 1, 13, "cancelled", false},
    [PL_PEER_LOST] = {"PEER_LOST", 14, 14, "a party was lost", true},
    [PL_PROTOCOL] = {"PROTOCOL", 9, 15, "the protocol was not followed", false},
    [PL_CORRUPT] = {"CORRUPT", 15, 16, "data does not verify", false},
    [PL_IO] = {"IO", 13, 17, "an input or output operation failed", true},
    [PL_INTERNAL] = {"INTERNAL", 13, 18, "internal error", false},
};

const pl_code_info *pl_code_describe(pl_code code) {
    PL_ASSERT(code < PL_CODE_COUNT);
    return &code_table[code];
}

pl_code pl_code_from_name(const char *name) {
    for (int code = 0; code < PL_CODE_COUNT; code++) {
        if (strcmp(code_table[code].name, name) == 0)
            return (pl_code)code;
    }
    return PL_INTERNAL;
}

static pl_error *error_new(pl_code code, const char *tail, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int head_len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (head_len < 0)
        return &out_of_memory;
    size_t tail_len = tail == NULL ? 0 : strlen(tail) + 2;
    pl_error *error = malloc(sizeof *error + (size_t)head_len + tail_len + 1);
    if (error == NULL)
        return &out_of_memory;
    char *message = (char *)(error + 1);
    vsnprintf(message, (size_t)head_len + 1, format, args);
    if (tail != NULL)
        snprintf(message + head_len, tail_len + 1, ": %s", tail);
    *error = (pl_error){code, message};
    return error;
}

pl_status pl_fail(pl_code code, const char *format, ...) {
    PL_ASSERT(code != PL_CODE_OK);
    va_list args;
    va_start(args, format);
    pl_status status = {error_new(code, NULL, format, args)};
    va_end(args);
    return status;
}

pl_status pl_wrap(pl_status cause, const char *format, ...) {
    if (pl_is_ok(cause))
        return cause;
    va_list args;
    va_start(args, format);
    pl_status status = {error_new(cause.error->code, cause.error->message, format, args)};
    va_end(args);
    pl_status_done(&cause);
    return status;
}

pl_code pl_status_code(pl_status status) {
    return status.error == NULL ? PL_CODE_OK : status.error->code;
}

const char *pl_status_message(pl_status status) {
    return status.error == NULL ? "ok" : status.error->message;
}

pl_status pl_status_dup(pl_status status) {
    if (pl_is_ok(status))
        return PL_OK;
    return pl_fail(status.error->code, "%s", status.error->message);
}

void pl_status_done(pl_status *status) {
    if (status->error != &out_of_memory)
        free(status->error);
    status->error = NULL;
}

void pl_assert_failed(const char *expression, const char *file, int line) {
    fprintf(stderr, "parley: assertion failed: %s (%s:%d)\n", expression, file, line);
    abort();
}
