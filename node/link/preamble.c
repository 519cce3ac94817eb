#include "node/link/preamble.h"

#include <string.h>

static const uint8_t magic[4] = {'P', 'L', 'Y', '1'};
enum {
    AT_VERSION = 4,
    AT_SUITE = 6,
    AT_SESSION = 8,
    AT_FROM = 24,
    AT_TO = 26,
    AT_LANE = 28,
    AT_ZERO = 30
};

void pl_preamble_encode(const pl_preamble *p, uint8_t out[PL_PREAMBLE_BYTES]) {
    memset(out, 0, PL_PREAMBLE_BYTES);
    memcpy(out, magic, sizeof magic);
    pl_put_u16(out + AT_VERSION, PL_PREAMBLE_VERSION);
    pl_put_u16(out + AT_SUITE, PL_PREAMBLE_SUITE);
    memcpy(out + AT_SESSION, p->session_id, sizeof p->session_id);
    pl_put_u16(out + AT_FROM, p->from_rank);
    pl_put_u16(out + AT_TO, p->to_rank);
    pl_put_u16(out + AT_LANE, p->lane);
}

pl_status pl_preamble_decode(pl_view bytes, pl_preamble *out) {
    if (bytes.len != PL_PREAMBLE_BYTES)
        return pl_fail(PL_PROTOCOL, "preamble: %zu bytes, not %d", bytes.len, PL_PREAMBLE_BYTES);
    if (!pl_view_equal(pl_view_of(bytes.data, sizeof magic), pl_view_of(magic, sizeof magic)))
        return pl_fail(PL_PROTOCOL, "preamble: magic is not Parley's");
    if (pl_get_u16(bytes.data + AT_VERSION) != PL_PREAMBLE_VERSION)
        return pl_fail(PL_UNSUPPORTED, "preamble: version %u is not known",
                       pl_get_u16(bytes.data + AT_VERSION));
    if (pl_get_u16(bytes.data + AT_SUITE) != PL_PREAMBLE_SUITE)
        return pl_fail(PL_UNSUPPORTED, "preamble: suite %u is not known",
                       pl_get_u16(bytes.data + AT_SUITE));
    memcpy(out->session_id, bytes.data + AT_SESSION, sizeof out->session_id);
    out->from_rank = pl_get_u16(bytes.data + AT_FROM);
    out->to_rank = pl_get_u16(bytes.data + AT_TO);
    out->lane = pl_get_u16(bytes.data + AT_LANE);
    if (out->from_rank >= PL_PREAMBLE_RANKS_MAX || out->to_rank >= out->from_rank)
        return pl_fail(PL_PROTOCOL, "preamble: from_rank %u does not dial to_rank %u",
                       out->from_rank, out->to_rank);
    if (out->lane >= PL_PREAMBLE_LANES_MAX)
        return pl_fail(PL_PROTOCOL, "preamble: lane %u: a session has lanes 0 to %d at most",
                       out->lane, PL_PREAMBLE_LANES_MAX - 1);
    for (size_t i = AT_ZERO; i < PL_PREAMBLE_BYTES; i++) {
        if (bytes.data[i] != 0)
            return pl_fail(PL_PROTOCOL, "preamble: reserved bytes are not zero");
    }
    return PL_OK;
}
