#define _GNU_SOURCE /* pipe2 */
#include "node/link/session_mesh.h"

#include "node/link/fd.h"
#include "node/link/links.h"
#include "protocols/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_FDS_MAX (PL_PREAMBLE_RANKS_MAX + 2)
#define RETRY_POLL_MS 20

static int interrupt_pipe[2] = {-1, -1};

uint64_t pl_monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int pl_interrupt_fd(void) {
    return interrupt_pipe[0];
}

pl_status pl_link_library_warm(void) {
    if (interrupt_pipe[0] < 0 && pipe2(interrupt_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return pl_fail(PL_LIMIT, "no pipe for interruptions");
    return pl_tls_warm();
}

void pl_link_mesh_interrupt(void) {
    static const char byte = 1;
    if (interrupt_pipe[1] >= 0 && write(interrupt_pipe[1], &byte, 1) < 0)
        return; /* full: it is interrupted already */
}

/* ---- capture: test builds write what crosses each link, decrypted, for the leak test ---- */

#ifdef PARLEY_TEST_HOOKS
static int capture_open(const pl_links *links, size_t peer, const char *direction) {
    const char *folder = getenv("PARLEY_CAPTURE");
    char path[600];
    if (folder == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/%d-%zu-%zu-%s.bin", folder, (int)getpid(), links->params.rank,
             peer, direction);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void capture(int fd, const void *data, size_t len) {
    if (fd >= 0 && write(fd, data, len) < 0)
        abort(); /* a capture with holes would prove nothing */
}

/* Sanitizer builds, in which tests run, may open files in the sandbox. */
static void capture_all(pl_links *links) {
    for (size_t peer = 0; peer < links->params.n_parties; peer++) {
        links->links[peer].capture_sent = capture_open(links, peer, "sent");
        links->links[peer].capture_received = capture_open(links, peer, "received");
    }
}
#else
#define capture(fd, data, len) ((void)0)
#define capture_all(links) ((void)0)
#endif

/* ---- the transport under pl_mesh ---- */

/* Has the peer closed its side, though nothing was read from it yet? */
static bool has_hung_up(const pl_links *links, size_t peer) {
    struct pollfd fd = {pl_tls_fd(links->links[peer].tls), POLLRDHUP, 0};
    return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* One party's end makes the others end: whoever is waited for then looks like the cause. All who
 * have hung up are named, so that nobody is blamed for another. */
static pl_status link_failed(const pl_links *links, size_t peer, pl_status cause) {
    pl_status status = pl_wrap(cause, "link to rank %zu", peer);
    char others[24 * PL_PREAMBLE_RANKS_MAX] = "";
    size_t len = 0;
    if (pl_status_code(status) != PL_PEER_LOST)
        return status;
    for (size_t i = 0; i < links->params.n_parties; i++) {
        if (i != links->params.rank && i != peer && has_hung_up(links, i))
            len += (size_t)snprintf(others + len, sizeof others - len, "%srank %zu",
                                    len > 0 ? ", " : "", i);
    }
    if (len == 0)
        return status;
    pl_status named = pl_fail(PL_PEER_LOST, "%s; closed as well, and perhaps first: %s",
                              pl_status_message(status), others);
    pl_status_done(&status);
    return named;
}

static pl_status try_send(void *ctx, size_t peer, const void *data, size_t len, size_t *out_done) {
    pl_links *links = ctx;
    PL_TRY(link_failed(links, peer, pl_tls_send(links->links[peer].tls, data, len, out_done)));
    capture(links->links[peer].capture_sent, data, *out_done);
    return PL_OK;
}

static pl_status try_recv(void *ctx, size_t peer, void *data, size_t len, size_t *out_done) {
    pl_links *links = ctx;
    PL_TRY(link_failed(links, peer, pl_tls_recv(links->links[peer].tls, data, len, out_done)));
    capture(links->links[peer].capture_received, data, *out_done);
    return PL_OK;
}

/* Also moves what OpenSSL had accepted and the socket did not take then. */
static bool is_flushed(void *ctx, size_t peer) {
    pl_links *links = ctx;
    pl_status status = pl_tls_flush(links->links[peer].tls);
    pl_status_done(&status); /* a broken connection shows in wait_links */
    return pl_tls_is_flushed(links->links[peer].tls);
}

static pl_status poll_until(struct pollfd *fds, size_t n, int timeout_ms) {
    int ready = poll(fds, n, timeout_ms);
    if (ready < 0 && errno != EINTR)
        return pl_fail(PL_IO, "cannot wait for the links: %s", strerror(errno));
    for (size_t i = 0; ready > 0 && i < n; i++) {
        if (fds[i].fd == pl_interrupt_fd() && fds[i].revents != 0)
            return pl_fail(PL_CANCELLED, "the session was interrupted");
    }
    return PL_OK;
}

static pl_status wait_links(void *ctx, const uint8_t *want) {
    pl_links *links = ctx;
    struct pollfd fds[POLL_FDS_MAX];
    size_t n = 0;
    char waited_for[32] = "nobody";
    uint64_t now = pl_monotonic_ms();
    for (size_t peer = 0; peer < links->params.n_parties; peer++) {
        if (peer == links->params.rank)
            continue;
        pl_tls *tls = links->links[peer].tls;
        /* Here, not in is_flushed, a connection that broke with records held back is reported: poll
         * would call it ready for ever. */
        PL_TRY(link_failed(links, peer, pl_tls_flush(tls)));
        short events = 0;
        if ((want[peer] & PL_WANT_RECV) != 0)
            events |= POLLIN;
        if ((want[peer] & PL_WANT_SEND) != 0 || !pl_tls_is_flushed(tls))
            events |= POLLOUT;
        if (events == 0)
            continue;
        fds[n++] = (struct pollfd){pl_tls_fd(tls), events, 0};
        snprintf(waited_for, sizeof waited_for, "rank %zu", peer);
    }
    if (now >= links->deadline_ms)
        return pl_fail(PL_TIMEOUT, "the session's deadline passed while waiting for %s",
                       waited_for);
    if (pl_interrupt_fd() >= 0)
        fds[n++] = (struct pollfd){pl_interrupt_fd(), POLLIN, 0};
    return poll_until(fds, n,
                      (int)(links->deadline_ms - now < 60000 ? links->deadline_ms - now : 60000));
}

static void links_free(void *ctx) {
    pl_links *links = ctx;
    for (size_t i = 0; links->links != NULL && i < links->params.n_parties; i++) {
        pl_tls_free(links->links[i].tls);
        pl_status_done(&links->links[i].failure);
        if (links->links[i].fd >= 0)
            close(links->links[i].fd);
#ifdef PARLEY_TEST_HOOKS
        if (links->links[i].capture_sent >= 0)
            close(links->links[i].capture_sent);
        if (links->links[i].capture_received >= 0)
            close(links->links[i].capture_received);
#endif
    }
    free(links->links);
    free(links);
}

static const pl_transport link_transport = {try_send, try_recv, is_flushed, wait_links, links_free};

/* ---- coming up ---- */

static bool all_up(const pl_links *links, size_t *out_missing) {
    for (size_t peer = 0; peer < links->params.n_parties; peer++) {
        *out_missing = peer;
        if (peer != links->params.rank && links->links[peer].state != PL_LINK_UP)
            return false;
    }
    return true;
}

static pl_status take_passed(pl_links *links, const struct pollfd *ready) {
    if (ready == NULL || (ready->revents & (POLLIN | POLLHUP)) == 0)
        return PL_OK;
    uint8_t preamble[PL_PREAMBLE_BYTES];
    int fd;
    PL_TRY(pl_fd_recv(links->params.connections_fd, preamble, sizeof preamble, &fd));
    pl_status status = pl_link_take(links, fd, preamble);
    pl_status_done(&status); /* a stranger's connection must not end the session: it was closed */
    return PL_OK;
}

static pl_status wait_coming_up(pl_links *links, uint64_t until_ms) {
    struct pollfd fds[POLL_FDS_MAX];
    size_t n = 0, passed = POLL_FDS_MAX;
    for (size_t peer = 0; peer < links->params.n_parties; peer++) {
        const pl_link *link = &links->links[peer];
        short events = peer == links->params.rank ? 0 : pl_link_events(link);
        if (events != 0)
            fds[n++] =
                (struct pollfd){link->tls != NULL ? pl_tls_fd(link->tls) : link->fd, events, 0};
    }
    if (links->params.connections_fd >= 0) {
        passed = n;
        fds[n++] = (struct pollfd){links->params.connections_fd, POLLIN, 0};
    }
    if (pl_interrupt_fd() >= 0)
        fds[n++] = (struct pollfd){pl_interrupt_fd(), POLLIN, 0};
    uint64_t now = pl_monotonic_ms();
    int timeout =
        (int)(until_ms > now && until_ms - now < RETRY_POLL_MS ? until_ms - now : RETRY_POLL_MS);
    PL_TRY(poll_until(fds, n, timeout));
    return take_passed(links, passed < n ? &fds[passed] : NULL);
}

static pl_status did_not_connect(const pl_links *links, size_t missing) {
    const pl_link *link = &links->links[missing];
    if (link->n_failed == 0)
        return pl_fail(PL_TIMEOUT, "rank %zu did not connect within %u ms", missing,
                       links->params.connect_ms);
    return pl_wrap(pl_status_dup(link->failure),
                   "rank %zu did not connect within %u ms; of %u connections in its name the last "
                   "one failed",
                   missing, links->params.connect_ms, link->n_failed);
}

static pl_status bring_up(pl_links *links) {
    uint64_t until_ms = pl_monotonic_ms() + links->params.connect_ms;
    size_t missing;
    for (;;) {
        for (size_t peer = 0; peer < links->params.n_parties; peer++) {
            if (peer != links->params.rank)
                PL_TRY(pl_link_step(links, peer));
        }
        if (all_up(links, &missing))
            return PL_OK;
        if (pl_monotonic_ms() >= until_ms)
            return did_not_connect(links, missing);
        PL_TRY(wait_coming_up(links, until_ms));
    }
}

static pl_status links_new(const pl_link_mesh_params *params, pl_links **out) {
    if (params->n_parties < 2 || params->n_parties > PL_PREAMBLE_RANKS_MAX ||
        params->rank >= params->n_parties)
        return pl_fail(PL_INVALID_ARGUMENT, "a session has 2 to %d parties", PL_PREAMBLE_RANKS_MAX);
    pl_links *links;
    PL_TRY(pl_alloc(1, sizeof *links, &links));
    links->params = *params;
    links->deadline_ms = pl_monotonic_ms() + params->deadline_ms;
    pl_status status = pl_alloc(params->n_parties, sizeof *links->links, &links->links);
    if (!pl_is_ok(status)) {
        free(links);
        return status;
    }
    for (size_t i = 0; i < params->n_parties; i++) {
        links->links[i].fd = -1;
        links->links[i].dials = params->rank > i;
        links->links[i].backoff_ms = 20;
#ifdef PARLEY_TEST_HOOKS
        links->links[i].capture_sent = links->links[i].capture_received = -1;
#endif
    }
    *out = links;
    return PL_OK;
}

/* On failure links are gone. */
static pl_status come_up(pl_links *links) {
    pl_status status = bring_up(links);
    capture_all(links);
    if (!pl_is_ok(status)) {
        links_free(links);
        return status;
    }
    /* What was borrowed for coming up is not needed any more. */
    links->params.peers = NULL;
    links->params.first_message = NULL;
    links->params.session_id = NULL;
    return PL_OK;
}

pl_status pl_link_mesh_new(const pl_link_mesh_params *params, pl_mesh **out) {
    pl_links *links;
    PL_TRY(links_new(params, &links));
    PL_TRY(come_up(links));
    return pl_mesh_new(params->rank, params->n_parties, &link_transport, links, out);
}

pl_status pl_link_transport_from_fds(const pl_link_mesh_params *params, const int *fds,
                                     pl_transport *out_transport, void **out_ctx) {
    pl_links *links;
    PL_TRY(links_new(params, &links));
    links->params.connections_fd = -1;
    for (size_t peer = 0; peer < params->n_parties; peer++) {
        if (peer == params->rank)
            continue;
        fcntl(fds[peer], F_SETFL, fcntl(fds[peer], F_GETFL) | O_NONBLOCK);
        links->links[peer].fd = fds[peer];
        links->links[peer].dials = params->rank > peer;
        links->links[peer].preamble_sent = PL_PREAMBLE_BYTES;
    }
    pl_status status = PL_OK;
    for (size_t peer = 0; peer < params->n_parties && pl_is_ok(status); peer++) {
        if (peer != params->rank)
            status = pl_link_adopt(links, peer);
    }
    if (!pl_is_ok(status)) {
        links_free(links);
        return status;
    }
    PL_TRY(come_up(links));
    *out_transport = link_transport;
    *out_ctx = links;
    return PL_OK;
}

pl_status pl_link_mesh_from_fds(const pl_link_mesh_params *params, const int *fds, pl_mesh **out) {
    pl_transport transport;
    void *ctx;
    PL_TRY(pl_link_transport_from_fds(params, fds, &transport, &ctx));
    return pl_mesh_new(params->rank, params->n_parties, &transport, ctx, out);
}
