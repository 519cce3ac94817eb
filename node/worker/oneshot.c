#include "node/worker/oneshot.h"

#include "node/crypto/digest.h"
#include "node/session/session.h"
#include "node/worker/frame.h"
#include "node/worker/sandbox.h"
#include "protocols/base/secret.h"

#include <iconv.h>
#include <stdlib.h>
#include <unistd.h>

#define PLAN_MEMORY_BYTES (512u << 20)
#define SOURCE_MEMORY_BYTES (2048u << 20)
#define SOURCE_FD 3

static int answer(const ProtobufCMessage *message) {
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed;
    pl_status status = pl_alloc(len + 1, 1, &packed);
    if (pl_is_ok(status)) {
        protobuf_c_message_pack(message, packed);
        status = pl_frame_write(STDOUT_FILENO, pl_view_of(packed, len));
        pl_wipe(packed, len);
        free(packed);
    }
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

int pl_worker_source(void) {
    ProtobufCMessage *message = NULL;
    const pl_session_kind *kind = NULL;
    Parley__V1__SourceReply *reply = NULL;
    Parley__V1__Error error;
    pl_status status;
    PL_CHECK(status, pl_sandbox_prepare(SOURCE_FD + 1));
    warm_source();
    PL_CHECK(status, pl_sandbox_enter(PL_SANDBOX_COMPUTE, SOURCE_MEMORY_BYTES));
    PL_CHECK(status, read_request(&parley__v1__source_request__descriptor, &message));
    const Parley__V1__SourceRequest *request = (Parley__V1__SourceRequest *)message;
    PL_CHECK(status, request->plan == NULL ? pl_fail(PL_INVALID_ARGUMENT, "the request has no plan")
                                           : PL_OK);
    PL_CHECK(status, find_kind(request->plan->kind, &kind));
    PL_CHECK(status, pl_alloc(1, sizeof *reply, &reply));
    parley__v1__source_reply__init(reply);
    PL_CHECK(status, kind->load(request, SOURCE_FD, reply));
out:;
    int code;
    if (pl_is_ok(status)) {
        code = answer(&reply->base);
    } else {
        Parley__V1__SourceReply refusal = PARLEY__V1__SOURCE_REPLY__INIT;
        error_of(status, &error);
        refusal.error = &error;
        code = answer(&refusal.base);
    }
    pl_status_done(&status); /* told in the reply */
    if (reply != NULL)
        parley__v1__source_reply__free_unpacked(reply, NULL);
    if (message != NULL)
        protobuf_c_message_free_unpacked(message, NULL);
    return code;
}
