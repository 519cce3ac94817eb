/* What a peer sends on a session link once TLS has let it through: the charter digest, then data.
 */
#include "node/link/session_mesh.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void receive(pl_mesh *mesh, size_t n) {
    uint8_t received[64];
    pl_status status = PL_OK;
    for (size_t left = n; left > 0 && pl_is_ok(status);) {
        size_t piece = left < sizeof received ? left : sizeof received;
        status = pl_mesh_recv(mesh, 0, received, piece);
        if (pl_is_ok(status))
            status = pl_mesh_finish(mesh);
        left -= piece;
    }
    fuzz_settle(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t id[16] = {1}, digest[32] = "the digest of the charter, 32 B.";
    int pair[2];
    if (size > 4096 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return 0;
    if (write(pair[1], data, size) != (ssize_t)size)
        abort();
    shutdown(pair[1], SHUT_WR);
    const pl_link_peer peers[2] = {{0}, {0}};
    int fds[2] = {pair[0], -1};
    pl_link_mesh_params params = {.rank = 1,
                                  .n_parties = 2,
                                  .session_id = id,
                                  .peers = peers,
                                  .connections_fd = -1,
                                  .first_message = digest,
                                  .connect_ms = 1000,
                                  .deadline_ms = 1000};
    pl_mesh *mesh = NULL;
    pl_status status = pl_link_mesh_from_fds(&params, fds, &mesh);
    if (pl_is_ok(status))
        receive(mesh, size);
    fuzz_settle(status);
    pl_mesh_free(mesh);
    close(pair[1]);
    return 0;
}
