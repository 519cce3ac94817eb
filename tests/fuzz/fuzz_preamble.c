/* The one cleartext message of a session connection, which parleyd itself reads. */
#include "node/link/preamble.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pl_preamble preamble;
    pl_status status = pl_preamble_decode(pl_view_of(data, size), &preamble);
    if (pl_is_ok(status)) { /* there is one form only */
        uint8_t again[PL_PREAMBLE_BYTES];
        pl_preamble_encode(&preamble, again);
        if (size != sizeof again || memcmp(again, data, size) != 0)
            abort();
    }
    fuzz_settle(status);
    return 0;
}
