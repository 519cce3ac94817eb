#include "node/worker/oneshot.h"

#include "node/crypto/digest.h"
#include "node/session/session.h"
#include "node/worker/attempt.h"
#include "node/worker/frame.h"
#include "node/worker/sandbox.h"
#include "protocols/base/secret.h"

#include <iconv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLAN_MEMORY_BYTES (512u << 20)
#define SOURCE_MEMORY_BYTES (2048u << 20)
#define SOURCE_FD 3
#define KEPT_FD 4 /* to the session's worker, for a source child that stays */

static pl_status send_message(int fd, const ProtobufCMessage *message) {
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed;
    PL_TRY(pl_alloc(len + 1, 1, &packed));
    protobuf_c_message_pack(message, packed);
    pl_status status = pl_frame_write(fd, pl_view_of(packed, len));
    pl_wipe(packed, len);
    free(packed);
    return status;
}

static int answer(const ProtobufCMessage *message) {
    pl_status status = send_message(STDOUT_FILENO, message);
    int code = pl_code_describe(pl_status_code(status))->exit_code;
    pl_status_done(&status); /* nobody is left to tell but by exit code */
    return code;
}

static void error_of(pl_status status, Parley__V1__Error *out) {
    parley__v1__error__init(out);
    out->code = (char *)(uintptr_t)pl_code_describe(pl_status_code(status))->name;
    out->message = (char *)(uintptr_t)pl_status_message(status);
}

static pl_status read_request(const ProtobufCMessageDescriptor *descriptor,
                              ProtobufCMessage **out) {
    pl_bytes bytes;
    PL_TRY(pl_frame_read(STDIN_FILENO, &bytes));
    *out = protobuf_c_message_unpack(descriptor, NULL, bytes.len, bytes.data);
    pl_bytes_done(&bytes);
    return *out == NULL ? pl_fail(PL_INVALID_ARGUMENT, "the request cannot be read") : PL_OK;
}

static pl_status find_kind(const char *name, const pl_session_kind **out) {
    *out = pl_session_kind_find(name);
    return *out == NULL
               ? pl_fail(PL_UNSUPPORTED, "sessions of the kind \"%.40s\" are not known", name)
               : PL_OK;
}

/* ---- plan ---- */

static pl_status unpack_datasets(const Parley__V1__PlanRequest *request,
                                 Parley__V1__Dataset **out) {
    for (size_t i = 0; i < request->n_datasets; i++) {
        out[i] =
            parley__v1__dataset__unpack(NULL, request->datasets[i].len, request->datasets[i].data);
        if (out[i] == NULL)
            return pl_fail(PL_INVALID_ARGUMENT, "dataset %zu of the request cannot be read", i);
    }
    return PL_OK;
}

static pl_status make_plan(const Parley__V1__PlanRequest *request, Parley__V1__Dataset **datasets,
                           pl_bytes *out_plan, pl_bytes *out_explain) {
    const pl_session_kind *kind;
    Parley__V1__Plan *plan = NULL;
    pl_buf text = {0};
    if (request->task == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "the request has no task");
    PL_TRY(find_kind(request->task->kind, &kind));
    pl_plan_context context = {
        .datasets = (const Parley__V1__Dataset *const *)datasets,
        .n_datasets = request->n_datasets,
        .members = (const char *const *)request->members,
        .n_members = request->n_members,
        .proposer = request->proposer,
    };
    pl_status status;
    PL_CHECK(status, kind->plan(&context, request->task, &plan));
    PL_CHECK(status, kind->explain(plan, &text));
    PL_CHECK(status, pl_buf_take(&text, out_explain));
    size_t len = parley__v1__plan__get_packed_size(plan);
    PL_CHECK(status, pl_alloc(len + 1, 1, &out_plan->data));
    out_plan->len = len;
    parley__v1__plan__pack(plan, out_plan->data);
out:
    pl_buf_done(&text);
    if (plan != NULL)
        parley__v1__plan__free_unpacked(plan, NULL);
    return status;
}

static pl_status plan_request(const Parley__V1__PlanRequest *request, pl_bytes *out_plan,
                              pl_bytes *out_explain) {
    Parley__V1__Dataset **datasets;
    PL_TRY(pl_alloc(request->n_datasets, sizeof *datasets, &datasets));
    pl_status status = unpack_datasets(request, datasets);
    if (pl_is_ok(status))
        status = make_plan(request, datasets, out_plan, out_explain);
    for (size_t i = 0; i < request->n_datasets; i++) {
        if (datasets[i] != NULL)
            parley__v1__dataset__free_unpacked(datasets[i], NULL);
    }
    free(datasets);
    return status;
}

int pl_worker_plan(void) {
    ProtobufCMessage *request = NULL;
    pl_bytes plan = {0}, explain = {0};
    Parley__V1__PlanReply reply = PARLEY__V1__PLAN_REPLY__INIT;
    Parley__V1__Error error;
    pl_status status;
    PL_CHECK(status, pl_sandbox_prepare(3));
    PL_CHECK(status, pl_sandbox_enter(PL_SANDBOX_COMPUTE, PLAN_MEMORY_BYTES));
    PL_CHECK(status, read_request(&parley__v1__plan_request__descriptor, &request));
    pl_attempt("plan");
    PL_CHECK(status, plan_request((Parley__V1__PlanRequest *)request, &plan, &explain));
    reply.plan = (ProtobufCBinaryData){plan.len, plan.data};
    reply.explain = (char *)explain.data;
out:
    if (!pl_is_ok(status)) {
        error_of(status, &error);
        reply.error = &error;
    }
    int code = answer(&reply.base);
    pl_status_done(&status); /* told in the reply */
    if (request != NULL)
        protobuf_c_message_free_unpacked(request, NULL);
    pl_bytes_done(&plan);
    pl_bytes_done(&explain);
    return code;
}

/* ---- source ---- */

/* OpenSSL reads its configuration and iconv its module on first use: now, while files may still be
 * opened. */
static void warm_source(void) {
    uint8_t ignored[32];
    pl_digest("warm", pl_view_of(NULL, 0), ignored);
    static iconv_t converter; /* held open, so that the next iconv_open finds the module loaded */
    converter = iconv_open("UTF-8", "GB18030");
    (void)converter;
}

/* Test builds only: a trainer that dies at a round. */
static void stop_at_request(unsigned number) {
#ifdef PARLEY_TEST_HOOKS
    char point[32];
    const char *wanted = getenv("PARLEY_STOP_AT");
    snprintf(point, sizeof point, "kept-%u", number);
    if (wanted != NULL && strcmp(wanted, point) == 0)
        raise(SIGKILL);
#else
    (void)number;
#endif
}

static pl_status answer_request(const pl_session_kind *kind, pl_kept *kept, pl_view request) {
    Parley__V1__KeptReply reply = PARLEY__V1__KEPT_REPLY__INIT;
    Parley__V1__Error error;
    pl_bytes body = {0};
    pl_status served = kind->serve(kept, request, &body);
    if (pl_is_ok(served)) {
        reply.body = (ProtobufCBinaryData){body.len, body.data};
    } else {
        error_of(served, &error);
        reply.error = &error;
    }
    pl_status status = send_message(KEPT_FD, &reply.base);
    pl_status_done(&served); /* told in the reply */
    if (body.data != NULL)
        pl_wipe(body.data, body.len);
    pl_bytes_done(&body);
    return status;
}

/* Answers the session's worker until it hangs up. */
static pl_status serve(const pl_session_kind *kind, pl_kept *kept) {
    stop_at_request(0);
    for (unsigned number = 1;; number++) {
        pl_bytes request = {0};
        pl_status status = pl_frame_read(KEPT_FD, &request);
        if (pl_status_code(status) == PL_NOT_FOUND) {
            pl_status_done(&status); /* the session is over */
            return PL_OK;
        }
        PL_TRY(status);
        stop_at_request(number);
        status = answer_request(kind, kept, pl_bytes_view(&request));
        pl_bytes_done(&request);
        PL_TRY(status);
    }
}

static pl_status read_source(const Parley__V1__SourceRequest *request, const pl_session_kind **kind,
                             Parley__V1__SourceReply *reply, pl_kept **kept) {
    if (request->plan == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "the request has no plan");
    PL_TRY(find_kind(request->plan->kind, kind));
    if ((*kind)->keep == NULL)
        return (*kind)->load(request, SOURCE_FD, reply);
    reply->keeps = 1;
    return (*kind)->keep(request, SOURCE_FD, reply, kept);
}

static int answer_source(pl_status status, const Parley__V1__SourceReply *reply) {
    Parley__V1__SourceReply refusal = PARLEY__V1__SOURCE_REPLY__INIT;
    Parley__V1__Error error;
    if (pl_is_ok(status))
        return answer(&reply->base);
    error_of(status, &error);
    refusal.error = &error;
    return answer(&refusal.base);
}

int pl_worker_source(void) {
    ProtobufCMessage *message = NULL;
    const pl_session_kind *kind = NULL;
    Parley__V1__SourceReply *reply = NULL;
    pl_kept *kept = NULL;
    pl_status status;
    PL_CHECK(status, pl_sandbox_prepare(KEPT_FD + 1));
    warm_source();
    PL_CHECK(status, pl_sandbox_enter(PL_SANDBOX_COMPUTE, SOURCE_MEMORY_BYTES));
    PL_CHECK(status, read_request(&parley__v1__source_request__descriptor, &message));
    PL_CHECK(status, pl_alloc(1, sizeof *reply, &reply));
    parley__v1__source_reply__init(reply);
    pl_attempt("source");
    status = read_source((Parley__V1__SourceRequest *)message, &kind, reply, &kept);
out:;
    int code = answer_source(status, reply);
    if (pl_is_ok(status) && kept != NULL) {
        pl_status served = serve(kind, kept);
        code = pl_code_describe(pl_status_code(served))->exit_code;
        pl_status_done(&served); /* the worker that asked is gone */
        kind->let_go(kept);
    }
    pl_status_done(&status); /* told in the reply */
    if (reply != NULL)
        parley__v1__source_reply__free_unpacked(reply, NULL);
    if (message != NULL)
        protobuf_c_message_free_unpacked(message, NULL);
    return code;
}
