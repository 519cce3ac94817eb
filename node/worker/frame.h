/* Frames: messages between parleyd and its workers: u32 little-endian length, then the body. */
#ifndef PL_NODE_WORKER_FRAME_H
#define PL_NODE_WORKER_FRAME_H

#include "protocols/base/bytes.h"

#define PL_FRAME_BYTES_MAX (64u << 20)

/* Blocking, for workers. pl_frame_read: NOT_FOUND when the other side closed before a frame began.
 */
PL_STATUS pl_frame_write(int fd, pl_view body);
PL_STATUS pl_frame_read(int fd, pl_bytes *out);

/* For loops: feed what came, take complete frames. Valid as {0}. */
typedef struct pl_frame_decoder {
    uint8_t *data;
    size_t begin, len, cap; /* frames stand in data[begin .. begin + len) */
} pl_frame_decoder;

/* LIMIT: a length above PL_FRAME_BYTES_MAX, or no memory. */
PL_STATUS pl_frame_decoder_feed(pl_frame_decoder *decoder, pl_view bytes);
/* The frame is borrowed until the next feed. */
PL_STATUS pl_frame_decoder_next(pl_frame_decoder *decoder, pl_view *out, bool *out_complete);
void pl_frame_decoder_done(pl_frame_decoder *decoder); /* wipes */

#endif
