/* What a worker sends to parleyd: frames in pieces of any size, and the messages in them. */
#include "node/worker/frame.h"
#include "proto/session.pb-c.h"
#include "tests/fuzz/fuzz.h"

static void read_message(pl_view frame) {
    Parley__V1__WorkerMessage *worker =
        parley__v1__worker_message__unpack(NULL, frame.len, frame.data);
    if (worker != NULL)
        parley__v1__worker_message__free_unpacked(worker, NULL);
    Parley__V1__PlanReply *plan = parley__v1__plan_reply__unpack(NULL, frame.len, frame.data);
    if (plan != NULL)
        parley__v1__plan_reply__free_unpacked(plan, NULL);
    Parley__V1__SourceReply *source = parley__v1__source_reply__unpack(NULL, frame.len, frame.data);
    if (source != NULL)
        parley__v1__source_reply__free_unpacked(source, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pl_frame_decoder decoder = {0};
    size_t piece = size == 0 ? 1 : 1 + data[0];
    pl_status status = PL_OK;
    for (size_t at = size == 0 ? 0 : 1; at < size && pl_is_ok(status); at += piece) {
        size_t n = piece < size - at ? piece : size - at;
        status = pl_frame_decoder_feed(&decoder, pl_view_of(data + at, n));
        for (bool complete = true; pl_is_ok(status) && complete;) {
            pl_view frame;
            status = pl_frame_decoder_next(&decoder, &frame, &complete);
            if (pl_is_ok(status) && complete)
                read_message(frame);
        }
    }
    pl_frame_decoder_done(&decoder);
    fuzz_settle(status);
    return 0;
}
