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

#define POLL_FDS_MAX (PL_PREAMBLE_LANES_MAX * PL_PREAMBLE_RANKS_MAX + 2)
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
    snprintf(path, sizeof path, "%s/%d-%zu-%zu-%zu-%s.bin", folder, (int)getpid(), links->lane,
             links->params.rank, peer, direction);
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

static bool has_link(const pl_links *links, size_t peer) {
    return links->links[peer].state != PL_LINK_ABSENT;
}

/* Has the peer closed its side, though nothing was read from it yet? */
static bool has_hung_up(const pl_links *links, size_t peer) {
    struct pollfd fd = {pl_tls_fd(links->links[peer].tls), POLLRDHUP, 0};
    return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* One party's end makes the others end: whoever is waited for then looks like the cause. All who
 * have hung up are named, so that nobody is blamed for another. */
static pl_status link_failed(const pl_links *links, size_t peer, pl_status cause) {
    char others[24 * PL_PREAMBLE_RANKS_MAX] = "";
    size_t len = 0;
    if (pl_is_ok(cause))
        return cause;
    pl_status status = pl_wrap(cause, "link to %s", pl_link_name_of(links, peer).text);
    if (pl_status_code(status) != PL_PEER_LOST)
        return status;
    for (size_t i = 0; i < links->params.n_parties; i++) {
        if (i != peer && has_link(links, i) && has_hung_up(links, i))
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

static pl_status check_link(const pl_links *links, size_t peer) {
    return has_link(links, peer)
               ? PL_OK
               : pl_fail(PL_INVALID_ARGUMENT, "there is no link to %s: it has no part in the lane",
                         pl_link_name_of(links, peer).text);
}

static pl_status try_send(void *ctx, size_t peer, const void *data, size_t len, size_t *out_done) {
    pl_links *links = ctx;
    PL_TRY(check_link(links, peer));
    PL_TRY(link_failed(links, peer, pl_tls_send(links->links[peer].tls, data, len, out_done)));
    capture(links->links[peer].capture_sent, data, *out_done);
    return PL_OK;
}

static pl_status try_recv(void *ctx, size_t peer, void *data, size_t len, size_t *out_done) {
    pl_links *links = ctx;
    PL_TRY(check_link(links, peer));
    PL_TRY(link_failed(links, peer, pl_tls_recv(links->links[peer].tls, data, len, out_done)));
    capture(links->links[peer].capture_received, data, *out_done);
    return PL_OK;
}

/* Also moves what OpenSSL had accepted and the socket did not take then. */
static bool is_flushed(void *ctx, size_t peer) {
    pl_links *links = ctx;
    if (!has_link(links, peer))
        return true;
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
    pl_link_name waited_for = {"nobody"};
    uint64_t now = pl_monotonic_ms();
    for (size_t peer = 0; peer < links->params.n_parties; peer++) {
        if (!has_link(links, peer))
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
        waited_for = pl_link_name_of(links, peer);
    }
    if (now >= links->deadline_ms)
        return pl_fail(PL_TIMEOUT, "the session's deadline passed while waiting for %s",
                       waited_for.text);
    if (pl_interrupt_fd() >= 0)
        fds[n++] = (struct pollfd){pl_interrupt_fd(), POLLIN, 0};
    return poll_until(fds, n,
                      (int)(links->deadline_ms - now < 60000 ? links->deadline_ms - now : 60000));
}

static void links_free(void *ctx) {
    pl_links *links = ctx;
    if (links == NULL)
        return;
    for (size_t i = 0; i < links->params.n_parties; i++) {
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

/* ---- coming up: all links of all lanes at once ---- */

typedef struct lanes {
    pl_links *of[PL_PREAMBLE_LANES_MAX]; /* [n] */
    size_t n;
    size_t n_parties;
    uint64_t until_ms;
} lanes;

static pl_status step_all(lanes *all) {
    for (size_t lane = 0; lane < all->n; lane++) {
        for (size_t peer = 0; peer < all->n_parties; peer++) {
            if (has_link(all->of[lane], peer))
                PL_TRY(pl_link_step(all->of[lane], peer));
        }
    }
    return PL_OK;
}

/* Otherwise says which link is missing, the first of them. */
static bool all_up(const lanes *all, const pl_links **out_links, size_t *out_peer) {
    for (size_t lane = 0; lane < all->n; lane++) {
        const pl_links *links = all->of[lane];
        for (size_t peer = 0; peer < all->n_parties; peer++) {
            *out_links = links;
            *out_peer = peer;
            if (has_link(links, peer) && links->links[peer].state != PL_LINK_UP)
                return false;
        }
    }
    return true;
}

static pl_status take_passed(lanes *all, const struct pollfd *ready) {
    if (ready == NULL || (ready->revents & (POLLIN | POLLHUP)) == 0)
        return PL_OK;
    uint8_t preamble[PL_PREAMBLE_BYTES];
    int fd;
    PL_TRY(pl_fd_recv(ready->fd, preamble, sizeof preamble, &fd));
    pl_status status = pl_link_take(all->of, all->n, fd, preamble);
    pl_status_done(&status); /* a stranger's connection must not end the session: it was closed */
    return PL_OK;
}

static size_t add_events(const pl_links *links, struct pollfd *fds) {
    size_t n = 0;
    for (size_t peer = 0; peer < links->params.n_parties; peer++) {
        const pl_link *link = &links->links[peer];
        short events = pl_link_events(link);
        if (events != 0)
            fds[n++] =
                (struct pollfd){link->tls != NULL ? pl_tls_fd(link->tls) : link->fd, events, 0};
    }
    return n;
}

static pl_status wait_coming_up(lanes *all) {
    struct pollfd fds[POLL_FDS_MAX];
    size_t n = 0, passed = POLL_FDS_MAX;
    int connections_fd = all->of[0]->params.connections_fd;
    for (size_t lane = 0; lane < all->n; lane++)
        n += add_events(all->of[lane], fds + n);
    if (connections_fd >= 0) {
        passed = n;
        fds[n++] = (struct pollfd){connections_fd, POLLIN, 0};
    }
    if (pl_interrupt_fd() >= 0)
        fds[n++] = (struct pollfd){pl_interrupt_fd(), POLLIN, 0};
    uint64_t now = pl_monotonic_ms(), left = all->until_ms > now ? all->until_ms - now : 0;
    PL_TRY(poll_until(fds, n, left > 0 && left < RETRY_POLL_MS ? (int)left : RETRY_POLL_MS));
    return take_passed(all, passed < n ? &fds[passed] : NULL);
}

static pl_status did_not_connect(const pl_links *links, size_t peer) {
    const pl_link *link = &links->links[peer];
    const pl_link_name name = pl_link_name_of(links, peer);
    if (link->n_failed == 0)
        return pl_fail(PL_TIMEOUT, "%s did not connect within %u ms", name.text,
                       links->params.connect_ms);
    return pl_wrap(pl_status_dup(link->failure),
                   "%s did not connect within %u ms; of %u connections in its name the last "
                   "one failed",
                   name.text, links->params.connect_ms, link->n_failed);
}

static pl_status bring_up(lanes *all) {
    const pl_links *missing;
    size_t peer;
    for (;;) {
        PL_TRY(step_all(all));
        if (all_up(all, &missing, &peer))
            return PL_OK;
        if (pl_monotonic_ms() >= all->until_ms)
            return did_not_connect(missing, peer);
        PL_TRY(wait_coming_up(all));
    }
}

static pl_status come_up(lanes *all) {
    all->until_ms = pl_monotonic_ms() + all->of[0]->params.connect_ms;
    pl_status status = bring_up(all);
    for (size_t lane = 0; lane < all->n; lane++) {
        pl_links *links = all->of[lane];
        capture_all(links);
        /* What was borrowed for coming up is not needed any more. */
        links->params.peers = NULL;
        links->params.first_message = NULL;
        links->params.session_id = NULL;
    }
    return status;
}

/* ---- making ---- */

static size_t n_lanes_of(size_t stated) {
    return stated == 0 ? 1 : stated;
}

static pl_status check_params(const pl_link_mesh_params *params) {
    if (params->n_parties < 2 || params->n_parties > PL_PREAMBLE_RANKS_MAX ||
        params->rank >= params->n_parties)
        return pl_fail(PL_INVALID_ARGUMENT, "a session has 2 to %d parties", PL_PREAMBLE_RANKS_MAX);
    if (params->n_lanes > PL_PREAMBLE_LANES_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "a session has 1 to %d lanes", PL_PREAMBLE_LANES_MAX);
    for (size_t peer = 0; params->peers != NULL && peer < params->n_parties; peer++) {
        if (peer != params->rank && params->peers[peer].n_lanes > n_lanes_of(params->n_lanes))
            return pl_fail(PL_INVALID_ARGUMENT,
                           "rank %zu has %zu lanes with this party, which has %zu", peer,
                           params->peers[peer].n_lanes, n_lanes_of(params->n_lanes));
    }
    return PL_OK;
}

static bool has_part(const pl_link_mesh_params *params, size_t peer, size_t lane) {
    return peer != params->rank &&
           (lane == 0 || (params->peers != NULL && lane < params->peers[peer].n_lanes));
}

static pl_status links_new(const pl_link_mesh_params *params, size_t lane, pl_links **out) {
    pl_links *links;
    PL_TRY(pl_alloc(1, sizeof *links, &links));
    links->params = *params;
    links->lane = lane;
    links->deadline_ms = pl_monotonic_ms() + params->deadline_ms;
    pl_status status = pl_alloc(params->n_parties, sizeof *links->links, &links->links);
    if (!pl_is_ok(status)) {
        free(links);
        return status;
    }
    for (size_t i = 0; i < params->n_parties; i++) {
        links->links[i].state = has_part(params, i, lane) ? PL_LINK_WAITING : PL_LINK_ABSENT;
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

static pl_status make_lanes(const pl_link_mesh_params *params, lanes *out) {
    PL_TRY(check_params(params));
    out->n = n_lanes_of(params->n_lanes);
    out->n_parties = params->n_parties;
    for (size_t lane = 0; lane < out->n; lane++)
        PL_TRY(links_new(params, lane, &out->of[lane]));
    return come_up(out);
}

pl_status pl_link_mesh_new(const pl_link_mesh_params *params, pl_mesh **out) {
    lanes all = {.n = 0};
    pl_mesh *meshes[PL_PREAMBLE_LANES_MAX] = {NULL};
    pl_status status = make_lanes(params, &all);
    for (size_t lane = 0; lane < all.n && pl_is_ok(status); lane++) {
        status = pl_mesh_new(params->rank, params->n_parties, &link_transport, all.of[lane],
                             &meshes[lane]);
        all.of[lane] = NULL; /* taken, on failure too */
    }
    for (size_t lane = 0; lane < all.n; lane++) {
        if (pl_is_ok(status)) {
            out[lane] = meshes[lane];
        } else {
            pl_mesh_free(meshes[lane]);
            links_free(all.of[lane]);
        }
    }
    return status;
}

static pl_status adopt_all(pl_links *links, const int *fds) {
    for (size_t peer = 0; peer < links->params.n_parties; peer++) {
        if (!has_link(links, peer))
            continue;
        fcntl(fds[peer], F_SETFL, fcntl(fds[peer], F_GETFL) | O_NONBLOCK);
        links->links[peer].fd = fds[peer];
        links->links[peer].preamble_sent = PL_PREAMBLE_BYTES;
    }
    for (size_t peer = 0; peer < links->params.n_parties; peer++) {
        if (has_link(links, peer))
            PL_TRY(pl_link_adopt(links, peer));
    }
    return PL_OK;
}

pl_status pl_link_transport_from_fds(const pl_link_mesh_params *params, const int *fds,
                                     pl_transport *out_transport, void **out_ctx) {
    lanes one = {.n = 1, .n_parties = params->n_parties};
    PL_TRY(check_params(params));
    PL_TRY(links_new(params, 0, &one.of[0]));
    one.of[0]->params.connections_fd = -1;
    pl_status status = adopt_all(one.of[0], fds);
    if (pl_is_ok(status))
        status = come_up(&one);
    if (!pl_is_ok(status)) {
        links_free(one.of[0]);
        return status;
    }
    *out_transport = link_transport;
    *out_ctx = one.of[0];
    return PL_OK;
}

pl_status pl_link_mesh_from_fds(const pl_link_mesh_params *params, const int *fds, pl_mesh **out) {
    pl_transport transport;
    void *ctx;
    PL_TRY(pl_link_transport_from_fds(params, fds, &transport, &ctx));
    return pl_mesh_new(params->rank, params->n_parties, &transport, ctx, out);
}
