/* One connection: preamble, passed descriptors, session keys, TLS by PSK. Wrong if a handshake that
 * must fail never ran: each refusal is told apart by code and text, next to one that succeeds. */
#include "node/link/fd.h"
#include "node/link/preamble.h"
#include "node/link/psk.h"
#include "node/link/tls.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void expect(pl_status status, pl_code code, const char *text) {
    if (pl_status_code(status) != code || strstr(pl_status_message(status), text) == NULL)
        fail_msg("wanted %s \"%s\", got: %s", pl_code_describe(code)->name, text,
                 pl_status_message(status));
    pl_status_done(&status);
}

static void ok(pl_status status) {
    expect(status, PL_CODE_OK, "ok");
}

/* ---- preamble ---- */

static void preamble_round_trip(void **state) {
    (void)state;
    pl_preamble in = {.session_id = "0123456789abcde", .from_rank = 4, .to_rank = 2, .lane = 3};
    pl_preamble out = {0};
    uint8_t wire[PL_PREAMBLE_BYTES];
    pl_preamble_encode(&in, wire);
    assert_memory_equal(wire, "PLY1\1\0\1\0", 8);
    ok(pl_preamble_decode(pl_view_of(wire, sizeof wire), &out));
    assert_memory_equal(&in, &out, sizeof in);
}

static void preamble_faults_name_the_field(void **state) {
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
        pl_code code;
        const char *text;
    } faults[] = {
        {0, 'Q', PL_PROTOCOL, "magic"},    {4, 9, PL_UNSUPPORTED, "version"},
        {6, 9, PL_UNSUPPORTED, "suite"},   {24, 2, PL_PROTOCOL, "from_rank"},
        {25, 1, PL_PROTOCOL, "from_rank"}, {26, 4, PL_PROTOCOL, "to_rank"},
        {28, 8, PL_PROTOCOL, "lane 8"},    {29, 1, PL_PROTOCOL, "lane 256"},
        {30, 1, PL_PROTOCOL, "reserved"},  {63, 1, PL_PROTOCOL, "reserved"},
    };
    pl_preamble good = {.from_rank = 4, .to_rank = 2}, out;
    uint8_t wire[PL_PREAMBLE_BYTES];
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        pl_preamble_encode(&good, wire);
        wire[faults[i].at] = faults[i].value;
        expect(pl_preamble_decode(pl_view_of(wire, sizeof wire), &out), faults[i].code,
               faults[i].text);
    }
    expect(pl_preamble_decode(pl_view_of(wire, 63), &out), PL_PROTOCOL, "63 bytes");
}

/* ---- passing a descriptor ---- */

static void fd_passes(void **state) {
    (void)state;
    int way[2], pipe_fds[2], got = -1;
    uint8_t text[4];
    char byte = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, way), 0);
    assert_int_equal(pipe(pipe_fds), 0);
    ok(pl_fd_send(way[0], pipe_fds[1], pl_view_of("abcd", 4)));
    ok(pl_fd_recv(way[1], text, 4, &got));
    assert_memory_equal(text, "abcd", 4);
    assert_true((fcntl(got, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(write(got, "x", 1), 1);
    assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(way[0]);
    expect(pl_fd_recv(way[1], text, 4, &got), PL_NOT_FOUND, "no more connections");
    close(got), close(way[1]), close(pipe_fds[0]), close(pipe_fds[1]);
}

static int lowest_free_fd(void) {
    int fd = dup(0);
    close(fd);
    return fd;
}

/* Sends n descriptors in one message, which pl_fd_send cannot. */
static void send_several(int socket, int fd, size_t n) {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {0};
    struct iovec iov = {(char[4]){"abcd"}, 4};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = CMSG_SPACE(n * sizeof fd)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(n * sizeof fd);
    for (size_t i = 0; i < n; i++)
        memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
    assert_int_equal(sendmsg(socket, &message, 0), 4);
}

static void fd_faults_leave_nothing_open(void **state) {
    (void)state;
    int way[2], got = -1;
    uint8_t text[4];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, way), 0);
    int before = lowest_free_fd();
    assert_int_equal(send(way[0], "abcd", 4, 0), 4);
    expect(pl_fd_recv(way[1], text, 4, &got), PL_PROTOCOL, "wrong form");
    ok(pl_fd_send(way[0], way[0], pl_view_of("abcde", 5)));
    expect(pl_fd_recv(way[1], text, 4, &got), PL_PROTOCOL, "wrong form");
    ok(pl_fd_send(way[0], way[0], pl_view_of("abc", 3)));
    expect(pl_fd_recv(way[1], text, 4, &got), PL_PROTOCOL, "wrong form");
    for (size_t n = 2; n <= 8; n += 3) {
        send_several(way[0], way[0], n);
        expect(pl_fd_recv(way[1], text, 4, &got), PL_PROTOCOL, "wrong form");
    }
    assert_int_equal(got, -1);
    assert_int_equal(lowest_free_fd(), before);
    close(way[0]), close(way[1]);
    expect(pl_fd_send(way[0], 0, pl_view_of("abcd", 4)), PL_UNAVAILABLE, "hand a connection over");
}

/* ---- session keys ---- */

static void psk_is_symmetrical_and_bound(void **state) {
    (void)state;
    uint8_t private_a[32], public_a[32], private_b[32], public_b[32], digest[32] = {7};
    uint8_t a[32], b[32], other[5][32];
    ok(pl_x25519_generate(private_a, public_a));
    ok(pl_x25519_generate(private_b, public_b));
    ok(pl_link_psk(private_a, public_b, digest, 2, 1, 0, a));
    ok(pl_link_psk(private_b, public_a, digest, 2, 1, 0, b));
    assert_memory_equal(a, b, 32);
    ok(pl_link_psk(private_a, public_b, digest, 2, 1, 1, other[0]));
    ok(pl_link_psk(private_a, public_b, digest, 1, 2, 0, other[1]));
    ok(pl_link_psk(private_a, public_b, digest, 3, 1, 0, other[2]));
    digest[31] = 1;
    ok(pl_link_psk(private_a, public_b, digest, 2, 1, 0, other[3]));
    digest[31] = 0;
    ok(pl_link_psk(private_a, public_a, digest, 2, 1, 0, other[4]));
    for (size_t i = 0; i < 5; i++) {
        assert_memory_not_equal(a, other[i], 32);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(other[i], other[j], 32);
    }
}

/* The points 0 and 1 are of low order: every private key gives the secret 0 with them. */
static void psk_refuses_low_order_keys(void **state) {
    (void)state;
    uint8_t own[32], public_key[32], digest[32] = {0}, out[32] = {0}, low[32] = {0};
    static const uint8_t untouched[32];
    ok(pl_x25519_generate(own, public_key));
    for (uint8_t i = 0; i < 2; i++) {
        low[0] = i;
        expect(pl_link_psk(own, low, digest, 1, 0, 0, out), PL_UNAUTHENTICATED, "one-time key");
        assert_memory_equal(out, untouched, 32);
    }
}

/* ---- TLS over a socket pair; both ends in this thread ---- */

typedef struct ends {
    pl_tls *dialler, *answerer;
    pl_status dialler_status, answerer_status;
} ends;

static const uint8_t key_a[32] = {1, 2, 3}, key_b[32] = {1, 2, 4};

static void socket_pair(int fds[2]) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

static pl_tls *new_end(int fd, bool dialler, const uint8_t *psk, const char *identity) {
    pl_tls *tls = NULL;
    pl_tls_params params = {.fd = fd, .dialler = dialler, .psk = psk, .identity = identity};
    ok(pl_tls_new(&params, &tls));
    return tls;
}

/* Runs both handshakes until each is done or failed; an end that failed is closed. */
static ends shake(const uint8_t *psk, const char *identity) {
    int fds[2];
    socket_pair(fds);
    ends e = {.dialler = new_end(fds[0], true, key_a, "session/1/0/0"),
              .answerer = new_end(fds[1], false, psk, identity)};
    bool done[2] = {false, false};
    for (size_t turn = 0; turn < 100 && !(done[0] && done[1]); turn++) {
        if (!done[0])
            e.dialler_status = pl_tls_handshake(e.dialler, &done[0]);
        done[0] = done[0] || !pl_is_ok(e.dialler_status);
        if (!done[1])
            e.answerer_status = pl_tls_handshake(e.answerer, &done[1]);
        done[1] = done[1] || !pl_is_ok(e.answerer_status);
    }
    assert_true(done[0] && done[1]);
    return e;
}

static void done_ends(ends *e) {
    pl_tls_free(e->dialler);
    pl_tls_free(e->answerer);
}

/* Moves len bytes from one end to the other in uneven chunks and compares them. */
static void move_bytes(pl_tls *from, pl_tls *to, size_t len) {
    static const size_t chunks[] = {1, 16384, 16385, 77, 300000, 5};
    uint8_t *sent = test_malloc(len + 1), *got = test_malloc(len + 1);
    size_t at_sent = 0, at_got = 0, n, turn = 0;
    for (size_t i = 0; i < len; i++)
        sent[i] = (uint8_t)(i * 31 + i / 251);
    while (at_got < len) {
        size_t chunk = chunks[turn++ % 6];
        ok(pl_tls_send(from, sent + at_sent, chunk < len - at_sent ? chunk : len - at_sent, &n));
        at_sent += n;
        ok(pl_tls_flush(from));
        chunk = chunks[turn % 6];
        ok(pl_tls_recv(to, got + at_got, chunk < len - at_got ? chunk : len - at_got, &n));
        at_got += n;
    }
    assert_memory_equal(sent, got, len);
    test_free(sent);
    test_free(got);
}

static void same_key_connects(void **state) {
    (void)state;
    ends e = shake(key_a, "session/1/0/0");
    ok(e.dialler_status);
    ok(e.answerer_status);
    move_bytes(e.dialler, e.answerer, 3000000);
    move_bytes(e.answerer, e.dialler, 1000001);
    done_ends(&e);
}

static void other_key_is_refused(void **state) {
    (void)state;
    ends e = shake(key_b, "session/1/0/0");
    expect(e.dialler_status, PL_UNAUTHENTICATED, "does not hold this session's key");
    expect(e.answerer_status, PL_UNAUTHENTICATED, "does not hold this session's key");
    done_ends(&e);
}

static void other_session_or_rank_is_refused(void **state) {
    (void)state;
    static const char *const identities[] = {"another/1/0/0", "session/2/0/0", "session/1/0/1",
                                             "session/1/0/00", ""};
    for (size_t i = 0; i < 5; i++) {
        ends e = shake(key_a, identities[i]);
        expect(e.dialler_status, PL_UNAUTHENTICATED, "does not hold this session's key");
        expect(e.answerer_status, PL_UNAUTHENTICATED, "does not hold this session's key");
        done_ends(&e);
    }
}

#ifdef PARLEY_TEST_HOOKS
/* Wrong if no key changed: with 3 records a key, 3 MB change keys about sixty times, both ways. */
static void keys_change_under_way(void **state) {
    (void)state;
    ends e = shake(key_a, "session/1/0/0");
    pl_tls_set_records_max(e.dialler, 3);
    pl_tls_set_records_max(e.answerer, 2);
    move_bytes(e.dialler, e.answerer, 3000000);
    move_bytes(e.answerer, e.dialler, 3000000);
    done_ends(&e);
}

static void key_log_is_written(void **state) {
    (void)state;
    char path[] = "/tmp/parley-keylog-XXXXXX", text[4096] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    setenv("PARLEY_KEYLOG", path, 1);
    ends e = shake(key_a, "session/1/0/0");
    unsetenv("PARLEY_KEYLOG");
    done_ends(&e);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "CLIENT_TRAFFIC_SECRET_0 "));
    close(fd);
    unlink(path);
}
#endif

/* What OpenSSL complained of elsewhere in this thread is not this connection's failure. */
static void foreign_errors_do_not_matter(void **state) {
    (void)state;
    ends e = shake(key_a, "session/1/0/0");
    uint8_t byte;
    size_t n;
    assert_null(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, key_a, 3));
    ok(pl_tls_recv(e.answerer, &byte, 1, &n));
    assert_int_equal(n, 0);
    done_ends(&e);
}

/* ---- peers that are no Parley ---- */

static pl_status answer_bytes(const void *bytes, size_t len) {
    int fds[2];
    bool done;
    socket_pair(fds);
    pl_tls *answerer = new_end(fds[1], false, key_a, "session/1/0/0");
    assert_int_equal(write(fds[0], bytes, len), len);
    close(fds[0]);
    pl_status status = pl_tls_handshake(answerer, &done);
    pl_tls_free(answerer);
    return status;
}

static void garbage_is_refused(void **state) {
    (void)state;
    static const uint8_t oversize[] = {22, 3, 1, 0xff, 0xff, 1, 2, 3};
    static const uint8_t cut[] = {22, 3, 1, 1, 0, 1, 0, 0, 252};
    expect(answer_bytes("GET / HTTP/1.1\r\n\r\n", 18), PL_PROTOCOL, "does not speak TLS 1.3");
    expect(answer_bytes(oversize, sizeof oversize), PL_PROTOCOL, "does not speak TLS 1.3");
    expect(answer_bytes(cut, sizeof cut), PL_PEER_LOST, "closed during the handshake");
}

static void tls_1_2_is_refused(void **state) {
    (void)state;
    int fds[2];
    bool done = false;
    socket_pair(fds);
    pl_tls *answerer = new_end(fds[1], false, key_a, "session/1/0/0");
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION), 1);
    SSL *client = SSL_new(ctx);
    SSL_set_fd(client, fds[0]);
    assert_int_equal(SSL_connect(client), -1); /* the hello is on its way */
    expect(pl_tls_handshake(answerer, &done), PL_PROTOCOL, "does not speak TLS 1.3");
    assert_false(done);
    SSL_free(client);
    SSL_CTX_free(ctx);
    close(fds[0]);
    pl_tls_free(answerer);
}

static void changed_record_is_refused(void **state) {
    (void)state;
    ends e = shake(key_a, "session/1/0/0");
    static const uint8_t forged[] = {23, 3, 3, 0,  17, 1,  2,  3,  4,  5,  6,
                                     7,  8, 9, 10, 11, 12, 13, 14, 15, 16, 17};
    uint8_t byte;
    size_t n;
    assert_int_equal(write(pl_tls_fd(e.dialler), forged, sizeof forged), sizeof forged);
    expect(pl_tls_recv(e.answerer, &byte, 1, &n), PL_PROTOCOL, "broke TLS");
    done_ends(&e);
}

static void closed_in_a_record_is_lost(void **state) {
    (void)state;
    ends e = shake(key_a, "session/1/0/0");
    static const uint8_t begun[] = {23, 3, 3, 0, 100, 1, 2, 3};
    uint8_t byte;
    size_t n;
    assert_int_equal(write(pl_tls_fd(e.dialler), begun, sizeof begun), sizeof begun);
    ok(pl_tls_recv(e.answerer, &byte, 1, &n));
    assert_int_equal(n, 0);
    pl_tls_free(e.dialler);
    e.dialler = NULL;
    expect(pl_tls_recv(e.answerer, &byte, 1, &n), PL_PEER_LOST, "closed by the peer");
    uint8_t more[100] = {0};
    expect(pl_tls_send(e.answerer, more, sizeof more, &n), PL_PEER_LOST, "broke while sending");
    done_ends(&e);
}

static int warm(void **state) {
    (void)state;
    pl_status status = pl_tls_warm();
    return pl_is_ok(status) ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preamble_round_trip),
        cmocka_unit_test(preamble_faults_name_the_field),
        cmocka_unit_test(fd_passes),
        cmocka_unit_test(fd_faults_leave_nothing_open),
        cmocka_unit_test(psk_is_symmetrical_and_bound),
        cmocka_unit_test(psk_refuses_low_order_keys),
        cmocka_unit_test(same_key_connects),
        cmocka_unit_test(other_key_is_refused),
        cmocka_unit_test(other_session_or_rank_is_refused),
#ifdef PARLEY_TEST_HOOKS
        cmocka_unit_test(keys_change_under_way),
        cmocka_unit_test(key_log_is_written),
#endif
        cmocka_unit_test(foreign_errors_do_not_matter),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(tls_1_2_is_refused),
        cmocka_unit_test(changed_record_is_refused),
        cmocka_unit_test(closed_in_a_record_is_lost),
    };
    return cmocka_run_group_tests(tests, warm, NULL);
}
