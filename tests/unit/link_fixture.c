#include "tests/unit/link_fixture.h"

#include "node/link/fd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

void link_expect(pl_status status, pl_code code, const char *text) {
    if (pl_status_code(status) != code || strstr(pl_status_message(status), text) == NULL)
        fail_msg("wanted %s \"%s\", got: %s", pl_code_describe(code)->name, text,
                 pl_status_message(status));
    pl_status_done(&status);
}

void link_port_open(link_port *p) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    *p = (link_port){.drop_lane = LINK_PORT_NO_LANE, .keep_lane = LINK_PORT_NO_LANE, .kept = -1};
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(p->listener, 64), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p->pass), 0);
    snprintf(p->endpoint, sizeof p->endpoint, "127.0.0.1:%u", ntohs(address.sin_port));
}

/* parleyd's part: read the preamble, pass the connection on. */
static void pass_on(link_port *p, int fd) {
    uint8_t bytes[PL_PREAMBLE_BYTES];
    pl_preamble preamble;
    if (recv(fd, bytes, sizeof bytes, MSG_WAITALL) != PL_PREAMBLE_BYTES)
        return;
    pl_status status = pl_preamble_decode(pl_view_of(bytes, sizeof bytes), &preamble);
    if (pl_is_ok(status) && preamble.lane != p->drop_lane)
        status = pl_fd_send(p->pass[0], fd, pl_view_of(bytes, sizeof bytes));
    if (pl_is_ok(status) && preamble.lane == p->keep_lane && p->kept < 0)
        p->kept = dup(fd);
    pl_status_done(&status); /* the party at the other end says it better */
}

static void *serve(void *arg) {
    link_port *p = arg;
    for (;;) {
        int fd = accept(p->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        pass_on(p, fd);
        close(fd);
    }
}

void link_port_serve(link_port *p) {
    assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
}

void link_port_close(link_port *p) {
    shutdown(p->listener, SHUT_RDWR); /* wakes accept */
    if (p->thread != 0)
        pthread_join(p->thread, NULL);
    close(p->listener), close(p->pass[0]), close(p->pass[1]);
    if (p->kept >= 0)
        close(p->kept);
}

int link_port_stranger(const link_port *p, const pl_preamble *preamble) {
    uint8_t wire[PL_PREAMBLE_BYTES];
    int fds[2];
    pl_preamble_encode(preamble, wire);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    link_expect(pl_fd_send(p->pass[0], fds[0], pl_view_of(wire, sizeof wire)), PL_CODE_OK, "ok");
    assert_int_equal(write(fds[1], "no handshake of TLS", 19), 19);
    close(fds[0]);
    return fds[1];
}
