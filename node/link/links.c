/* links.c: one link, from dialling to the echoed charter digest. */
#include "node/link/links.h"

#include "protocols/base/secret.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKOFF_MS_MIN 20
#define BACKOFF_MS_MAX 500
/* For a connection that came in to prove that it is the peer's; and how many may fail to. */
#define HANDSHAKE_MS 3000
#define FAILED_MAX 100

pl_link_name pl_link_name_of(const pl_links *links, size_t peer) {
    pl_link_name name;
    if (links->lane == 0)
        snprintf(name.text, sizeof name.text, "rank %zu", peer);
    else
        snprintf(name.text, sizeof name.text, "lane %zu of rank %zu", links->lane, peer);
    return name;
}

/* ---- dialling ---- */

static pl_status parse_endpoint(const char *text, struct sockaddr_storage *out,
                                socklen_t *out_len) {
    char host[64];
    const char *colon = strrchr(text, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);
    char *end = NULL;
    long port = colon == NULL ? 0 : strtol(colon + 1, &end, 10);
    if (end == NULL || *end != 0)
        port = 0;
    bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
    *out = (struct sockaddr_storage){0};
    if (len > 0 && len < sizeof host && port > 0 && port < 65536) {
        memcpy(host, text + bracketed, len - 2 * (size_t)bracketed);
        host[len - 2 * (size_t)bracketed] = 0;
        struct sockaddr_in *in4 = (struct sockaddr_in *)out;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
        if (!bracketed && inet_pton(AF_INET, host, &in4->sin_addr) == 1) {
            in4->sin_family = AF_INET;
            in4->sin_port = htons((uint16_t)port);
            *out_len = sizeof *in4;
            return PL_OK;
        }
        if (bracketed && inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
            in6->sin6_family = AF_INET6;
            in6->sin6_port = htons((uint16_t)port);
            *out_len = sizeof *in6;
            return PL_OK;
        }
    }
    return pl_fail(PL_INVALID_ARGUMENT, "endpoint %.80s is not a numeric address with a port",
                   text);
}

static void set_options(int fd) {
    int one = 1;
    unsigned user_timeout_ms = 20000;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
}

static void dial_later(pl_link *link) {
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
    link->state = PL_LINK_WAITING;
    link->dial_at_ms = pl_monotonic_ms() + link->backoff_ms;
    link->backoff_ms =
        2 * link->backoff_ms < BACKOFF_MS_MAX ? 2 * link->backoff_ms : BACKOFF_MS_MAX;
}

static pl_status dial(pl_links *links, size_t peer) {
    pl_link *link = &links->links[peer];
    const pl_link_peer *to = &links->params.peers[peer];
    struct sockaddr_storage address;
    socklen_t len = 0;
    if (to->n_endpoints == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "rank %zu has no endpoint", peer);
    PL_TRY(parse_endpoint(to->endpoints[link->next_endpoint++ % to->n_endpoints], &address, &len));
    link->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (link->fd < 0)
        return pl_fail(PL_LIMIT, "no socket to dial rank %zu: %s", peer, strerror(errno));
    set_options(link->fd);
    link->state = PL_LINK_CONNECTING;
    if (connect(link->fd, (struct sockaddr *)&address, len) != 0 && errno != EINPROGRESS)
        dial_later(link);
    return PL_OK;
}

static void finish_connect(pl_link *link) {
    struct pollfd ready = {link->fd, POLLOUT, 0};
    int error = 0;
    socklen_t len = sizeof error;
    if (poll(&ready, 1, 0) != 1)
        return;
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0)
        dial_later(link);
    else
        link->state = PL_LINK_PREAMBLE;
}

/* ---- preamble and TLS ---- */

static pl_status start_tls(pl_links *links, size_t peer) {
    pl_link *link = &links->links[peer];
    size_t own = links->params.rank;
    char session[33], identity[80];
    pl_hex_encode(pl_view_of(links->params.session_id, 16), session);
    snprintf(identity, sizeof identity, "%s/%zu/%zu/%zu", session, own > peer ? own : peer,
             own > peer ? peer : own, links->lane);
    pl_tls_params params = {
        .fd = link->fd,
        .dialler = link->dials,
        .psk = links->params.peers == NULL ? NULL : links->params.peers[peer].psk[links->lane],
        .identity = identity,
        .plain = !links->params.tls,
    };
    PL_TRY(pl_tls_new(&params, &link->tls));
    link->fd = -1;
    link->state = PL_LINK_HANDSHAKE;
    link->handshake_until_ms = pl_monotonic_ms() + HANDSHAKE_MS;
    return PL_OK;
}

pl_status pl_link_adopt(pl_links *links, size_t peer) {
    return start_tls(links, peer);
}

static pl_status send_preamble(pl_links *links, size_t peer) {
    pl_link *link = &links->links[peer];
    pl_preamble preamble = {.from_rank = (uint16_t)links->params.rank,
                            .to_rank = (uint16_t)peer,
                            .lane = (uint16_t)links->lane};
    memcpy(preamble.session_id, links->params.session_id, 16);
    pl_preamble_encode(&preamble, link->preamble);
    ssize_t n = send(link->fd, link->preamble + link->preamble_sent,
                     PL_PREAMBLE_BYTES - link->preamble_sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return PL_OK;
    if (n < 0) {
        link->preamble_sent = 0;
        dial_later(link); /* the port closed at once: its node may be starting */
        return PL_OK;
    }
    link->preamble_sent += (size_t)n;
    return link->preamble_sent == PL_PREAMBLE_BYTES ? start_tls(links, peer) : PL_OK;
}

/* Every link takes one connection at a time, so there are never more than links. */
static bool is_expected(pl_links *const *lanes, size_t n_lanes, const pl_preamble *preamble) {
    if (preamble->lane >= n_lanes)
        return false;
    const pl_links *links = lanes[preamble->lane];
    return preamble->from_rank < links->params.n_parties &&
           preamble->from_rank > links->params.rank && preamble->to_rank == links->params.rank &&
           pl_view_equal(pl_view_of(preamble->session_id, 16),
                         pl_view_of(links->params.session_id, 16)) &&
           links->links[preamble->from_rank].state == PL_LINK_WAITING;
}

pl_status pl_link_take(pl_links *const *lanes, size_t n_lanes, int fd,
                       const uint8_t preamble_bytes[PL_PREAMBLE_BYTES]) {
    pl_preamble preamble;
    pl_status status = pl_preamble_decode(pl_view_of(preamble_bytes, PL_PREAMBLE_BYTES), &preamble);
    if (pl_is_ok(status) && !is_expected(lanes, n_lanes, &preamble))
        status = pl_fail(PL_PROTOCOL, "preamble: a connection that this session does not expect");
    if (!pl_is_ok(status)) {
        close(fd);
        return status;
    }
    pl_links *links = lanes[preamble.lane];
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    set_options(fd);
    links->links[preamble.from_rank].fd = fd;
    return start_tls(links, preamble.from_rank);
}

/* ---- the charter digest, both ways ---- */

static pl_status greet(pl_links *links, size_t peer) {
    pl_link *link = &links->links[peer];
    const uint8_t *mine = links->params.first_message;
    size_t n = 0;
    PL_TRY(pl_tls_send(link->tls, mine + link->greeting_sent, 32 - link->greeting_sent, &n));
    link->greeting_sent += n;
    PL_TRY(pl_tls_flush(link->tls));
    PL_TRY(
        pl_tls_recv(link->tls, link->greeting + link->greeting_got, 32 - link->greeting_got, &n));
    link->greeting_got += n;
    if (link->greeting_got < 32 || link->greeting_sent < 32 || !pl_tls_is_flushed(link->tls))
        return PL_OK;
    if (!pl_secret_equal(link->greeting, mine, 32))
        return pl_fail(PL_PROTOCOL, "%s holds another charter", pl_link_name_of(links, peer).text);
    link->state = PL_LINK_UP;
    return PL_OK;
}

static pl_status step(pl_links *links, size_t peer) {
    pl_link *link = &links->links[peer];
    bool done = false;
    if (link->state == PL_LINK_WAITING && link->dials && pl_monotonic_ms() >= link->dial_at_ms)
        PL_TRY(dial(links, peer));
    if (link->state == PL_LINK_CONNECTING)
        finish_connect(link);
    if (link->state == PL_LINK_PREAMBLE)
        PL_TRY(send_preamble(links, peer));
    if (link->state == PL_LINK_HANDSHAKE) {
        PL_TRY(pl_tls_handshake(link->tls, &done));
        if (!done && !link->dials && pl_monotonic_ms() >= link->handshake_until_ms)
            return pl_fail(PL_TIMEOUT, "no handshake within %d ms", HANDSHAKE_MS);
        if (done)
            link->state = PL_LINK_GREETING;
    }
    return link->state == PL_LINK_GREETING ? greet(links, peer) : PL_OK;
}

/* A stranger that knows the session's number can connect in a party's name; it cannot end the
 * session: the link waits for the next connection, until connect_ms. */
static bool may_wait_again(const pl_links *links, const pl_link *link) {
    return !link->dials && links->params.connections_fd >= 0 && link->state == PL_LINK_HANDSHAKE &&
           link->n_failed < FAILED_MAX;
}

static void wait_again(pl_link *link, pl_status why) {
    pl_tls_free(link->tls);
    link->tls = NULL;
    link->state = PL_LINK_WAITING;
    link->n_failed++;
    pl_status_done(&link->failure);
    link->failure = why;
}

pl_status pl_link_step(pl_links *links, size_t peer) {
    pl_link *link = &links->links[peer];
    pl_status status = step(links, peer);
    if (!pl_is_ok(status) && may_wait_again(links, link)) {
        wait_again(link, status);
        return PL_OK;
    }
    /* Before TLS stood, a dialled connection may be cut by a node that has not reached the session
     * yet: dial again. */
    if (pl_status_code(status) == PL_PEER_LOST && link->dials && link->state == PL_LINK_HANDSHAKE) {
        pl_status_done(&status);
        pl_tls_free(link->tls);
        link->tls = NULL;
        link->preamble_sent = 0;
        dial_later(link);
    }
    return pl_wrap(status, "link to %s", pl_link_name_of(links, peer).text);
}

short pl_link_events(const pl_link *link) {
    switch (link->state) {
    case PL_LINK_CONNECTING:
    case PL_LINK_PREAMBLE:
        return POLLOUT;
    case PL_LINK_HANDSHAKE:
    case PL_LINK_GREETING:
        return (short)(POLLIN | (pl_tls_is_flushed(link->tls) ? 0 : POLLOUT));
    default:
        return 0;
    }
}
