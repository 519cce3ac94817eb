/* parley-bench-mul [n] [--json]: three processes on this machine multiply n shared elements with
 * rep3 over TLS, and before and after it, in the same run, send the same bytes through the same TLS
 * without any protocol: the limit. Every product is checked. */
#include "node/link/session_mesh.h"
#include "node/link/tls.h"
#include "protocols/share/party.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N_PARTIES 3
#define N_RUNS 5
#define N_DEFAULT 10000000
#define N_MAX 50000000
#define DEADLINE_MS 600000u
#define CHUNK_BYTES_MAX (512u << 10)

typedef struct bench {
    size_t rank, n;
    bool json;
    int mesh_fds[N_PARTIES][N_PARTIES]; /* [rank][peer] */
    int ring_fds[N_PARTIES][2];         /* [rank]: to the next, from the previous */
    uint8_t psk[32];
    double mul_s[N_RUNS], limit_s; /* limit: the fastest */
} bench;

/* Two connections, one each way round the ring, and a chunk to send and one to receive. */
typedef struct limit {
    pl_tls *next, *prev;
    uint8_t *out, *in;
} limit;

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values) {
    qsort(values, N_RUNS, sizeof *values, by_value);
    return values[N_RUNS / 2];
}

/* Test data: public, the same in every run (an odd multiplier spreads the counter over 64 bits). */
static uint64_t element(size_t owner, size_t i) {
    uint64_t v = (i + 1 + owner * UINT64_C(0x100000001)) * UINT64_C(0x9E3779B97F4A7C15);
    return v ^ (v >> 29);
}

/* ---- sockets, made before the processes part ---- */

static pl_status tcp_pair(int out[2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    out[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 1) == 0 &&
              getsockname(listener, (struct sockaddr *)&address, &len) == 0 &&
              connect(out[0], (struct sockaddr *)&address, len) == 0;
    out[1] = ok ? accept(listener, NULL, NULL) : -1;
    close(listener);
    for (size_t i = 0; i < 2 && out[1] >= 0; i++) {
        setsockopt(out[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(out[i], F_SETFL, O_NONBLOCK);
    }
    return out[1] >= 0 ? PL_OK : pl_fail(PL_IO, "cannot connect to this machine itself");
}

static pl_status make_sockets(bench *b) {
    int pair[2];
    for (size_t i = 0; i < N_PARTIES; i++) {
        for (size_t j = 0; j < i; j++) {
            PL_TRY(tcp_pair(pair));
            b->mesh_fds[i][j] = pair[0];
            b->mesh_fds[j][i] = pair[1];
        }
        PL_TRY(tcp_pair(pair));
        b->ring_fds[i][0] = pair[0];
        b->ring_fds[(i + 1) % N_PARTIES][1] = pair[1];
        b->mesh_fds[i][i] = -1;
    }
    return PL_OK;
}

/* A descriptor that another process's party holds would keep a lost peer's connection open. */
static void close_others(const bench *b) {
    for (size_t i = 0; i < N_PARTIES; i++) {
        if (i == b->rank)
            continue;
        for (size_t j = 0; j < N_PARTIES; j++) {
            if (b->mesh_fds[i][j] >= 0)
                close(b->mesh_fds[i][j]);
        }
        close(b->ring_fds[i][0]);
        close(b->ring_fds[i][1]);
    }
}

/* ---- the limit: n * 8 bytes to the next party and from the previous one, and nothing else. The
 * same few kilobytes are sent again and again, so that nothing but TLS and the kernel is at work;
 * the best of several sizes, each tried before and after the multiplications. ---- */

static pl_status wait_both(pl_tls *next, pl_tls *prev, bool sending) {
    struct pollfd fds[2] = {{pl_tls_fd(next), POLLIN, 0}, {pl_tls_fd(prev), POLLIN, 0}};
    if (sending || !pl_tls_is_flushed(next))
        fds[0].events = POLLOUT;
    return poll(fds, 2, (int)DEADLINE_MS) > 0
               ? PL_OK
               : pl_fail(PL_TIMEOUT, "the other parties keep silent");
}

static pl_status shake_ring(pl_tls *next, pl_tls *prev) {
    bool a = false, b = false;
    for (;;) {
        if (!a)
            PL_TRY(pl_tls_handshake(next, &a));
        if (!b)
            PL_TRY(pl_tls_handshake(prev, &b));
        if (a && b)
            return PL_OK;
        struct pollfd fds[2] = {{a ? -1 : pl_tls_fd(next), POLLIN, 0},
                                {b ? -1 : pl_tls_fd(prev), POLLIN, 0}};
        if (poll(fds, 2, (int)DEADLINE_MS) <= 0)
            return pl_fail(PL_TIMEOUT, "the other parties keep silent");
    }
}

/* Passes total bytes in pieces of a chunk; what comes is what the previous party sends. */
static pl_status stream(const limit *l, size_t chunk, size_t total) {
    size_t sent = 0, got = 0, n;
    for (;;) {
        size_t before = sent + got, out = sent % chunk, in = got % chunk;
        size_t can_send = chunk - out < total - sent ? chunk - out : total - sent;
        size_t can_get = chunk - in < total - got ? chunk - in : total - got;
        PL_TRY(pl_tls_send(l->next, l->out + out, can_send, &n));
        sent += n;
        PL_TRY(pl_tls_flush(l->next));
        PL_TRY(pl_tls_recv(l->prev, l->in + in, can_get, &n));
        got += n;
        if (sent == total && got == total && pl_tls_is_flushed(l->next))
            return PL_OK;
        if (sent + got == before)
            PL_TRY(wait_both(l->next, l->prev, sent < total));
    }
}

static pl_status try_chunk(bench *b, const limit *l, size_t chunk) {
    for (size_t run = 0; run < N_RUNS; run++) {
        PL_TRY(stream(l, chunk, 8)); /* all start together */
        PL_TRY(stream(l, chunk, 8));
        double start = now_s();
        PL_TRY(stream(l, chunk, 8 * b->n));
        double took = now_s() - start;
        b->limit_s = b->limit_s == 0 || took < b->limit_s ? took : b->limit_s;
    }
    size_t before = (b->rank + N_PARTIES - 1) % N_PARTIES;
    size_t n_checked = 8 * b->n < chunk ? b->n : chunk / 8;
    for (size_t i = 0; i < n_checked; i++) {
        if (pl_get_u64(l->in + 8 * i) != element(before, i))
            return pl_fail(PL_INTERNAL, "element %zu arrived wrong", i);
    }
    return PL_OK;
}

static pl_status measure_limit(bench *b, const limit *l) {
    static const size_t chunks[] = {32768, 131072, CHUNK_BYTES_MAX};
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        PL_TRY(try_chunk(b, l, chunks[i]));
    return PL_OK;
}

static pl_status limit_open(bench *b, limit *l) {
    pl_tls_params params = {
        .fd = b->ring_fds[b->rank][0], .dialler = true, .psk = b->psk, .identity = "bench"};
    PL_TRY(pl_tls_new(&params, &l->next));
    params.fd = b->ring_fds[b->rank][1];
    params.dialler = false;
    PL_TRY(pl_tls_new(&params, &l->prev));
    PL_TRY(pl_alloc(CHUNK_BYTES_MAX, 1, &l->out));
    PL_TRY(pl_alloc(CHUNK_BYTES_MAX, 1, &l->in));
    for (size_t i = 0; i < CHUNK_BYTES_MAX / 8; i++)
        pl_put_u64(l->out + 8 * i, element(b->rank, i));
    return shake_ring(l->next, l->prev);
}

static void limit_done(limit *l) {
    free(l->out);
    free(l->in);
    pl_tls_free(l->next);
    pl_tls_free(l->prev);
}

/* ---- the multiplication ---- */

static pl_status share(bench *b, pl_party *p, size_t owner, uint64_t *values, pl_svec *out) {
    for (size_t i = 0; i < b->n; i++)
        values[i] = element(owner, i);
    return pl_input(p, owner, PL_ARITH_64, b->n, owner == b->rank ? values : NULL, out);
}

static pl_status check_products(const bench *b, const uint64_t *products) {
    for (size_t i = 0; i < b->n; i++) {
        if (products[i] != element(0, i) * element(1, i))
            return pl_fail(PL_INTERNAL, "product %zu is wrong", i);
    }
    return PL_OK;
}

static pl_status multiply(bench *b, pl_party *p, uint64_t *values) {
    pl_svec x = {0}, y = {0}, z = {0};
    uint8_t mine = 0, theirs;
    size_t next = (b->rank + 1) % N_PARTIES, prev = (b->rank + 2) % N_PARTIES;
    pl_status status;
    PL_CHECK(status, share(b, p, 0, values, &x));
    PL_CHECK(status, share(b, p, 1, values, &y));
    for (size_t run = 0; run < N_RUNS; run++) {
        for (size_t i = 0; i < 2; i++) /* all start together */
            PL_CHECK(status, pl_mesh_exchange(pl_party_mesh(p), next, &mine, 1, prev, &theirs, 1));
        double start = now_s();
        PL_CHECK(status, pl_mul(p, &x, &y, &z));
        b->mul_s[run] = now_s() - start;
    }
    PL_CHECK(status, pl_open(p, &z, PL_ARITH_64, b->n, 1, "check of the benchmark", values));
    if (b->rank == 0)
        status = check_products(b, values);
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_svec_done(&z);
    return status;
}

static pl_status measure_mul(bench *b) {
    static const uint8_t session_id[16] = "parley-bench-mul", charter[32] = "parley-bench-mul";
    static const size_t compute[N_PARTIES] = {0, 1, 2};
    pl_link_peer peers[N_PARTIES] = {0};
    for (size_t i = 0; i < N_PARTIES; i++)
        memcpy(peers[i].psk, b->psk, sizeof b->psk);
    pl_link_mesh_params params = {.rank = b->rank,
                                  .n_parties = N_PARTIES,
                                  .session_id = session_id,
                                  .peers = peers,
                                  .connections_fd = -1,
                                  .first_message = charter,
                                  .connect_ms = 10000,
                                  .deadline_ms = DEADLINE_MS,
                                  .tls = true};
    pl_mesh *mesh = NULL;
    pl_party *p = NULL;
    uint64_t *values = NULL;
    pl_status status;
    PL_CHECK(status, pl_link_mesh_from_fds(&params, b->mesh_fds[b->rank], &mesh));
    pl_party_params party = {.mesh = mesh, .scheme = "rep3", .compute = compute, .n_compute = 3};
    if (RAND_priv_bytes(party.seed, sizeof party.seed) != 1)
        PL_CHECK(status, pl_fail(PL_INTERNAL, "no randomness"));
    PL_CHECK(status, pl_party_new(&party, &p));
    PL_CHECK(status, pl_alloc(b->n, sizeof *values, &values));
    status = multiply(b, p, values);
out:
    free(values);
    pl_party_free(p);
    pl_mesh_free(mesh);
    return status;
}

/* ---- the run ---- */

static void print_result(bench *b) {
    double fastest = b->mul_s[0], n = (double)b->n;
    double middle = median(b->mul_s); /* sorts */
    fastest = b->mul_s[0] < fastest ? b->mul_s[0] : fastest;
    if (b->json) {
        printf("{\"op\":\"mul\",\"n\":%zu,\"runs\":%d,\"seconds_min\":%.6f,"
               "\"seconds_median\":%.6f,\"per_second\":%.0f,\"bytes_sent_per_party\":%zu,"
               "\"limit_seconds\":%.6f,\"limit_ratio\":%.3f}\n",
               b->n, N_RUNS, fastest, middle, n / middle, 8 * b->n, b->limit_s,
               b->limit_s / middle);
        return;
    }
    printf("rep3 multiplication of %zu elements, three processes, TLS, %d runs\n", b->n, N_RUNS);
    printf("  %-38s %10s %14s %10s\n", "", "seconds", "elements/s", "MB/s sent");
    printf("  %-38s %10.4f %14.0f %10.0f\n", "multiplication, median", middle, n / middle,
           8 * n / middle / 1e6);
    printf("  %-38s %10.4f %14.0f %10.0f\n", "multiplication, fastest", fastest, n / fastest,
           8 * n / fastest / 1e6);
    printf("  %-38s %10.4f %14.0f %10.0f\n", "limit: the same bytes and nothing else", b->limit_s,
           n / b->limit_s, 8 * n / b->limit_s / 1e6);
    printf("  median at %.2f of the limit, fastest at %.2f; every product checked\n",
           b->limit_s / middle, b->limit_s / fastest);
}

static pl_status measure(bench *b) {
    limit l = {0};
    pl_status status;
    PL_CHECK(status, limit_open(b, &l));
    PL_CHECK(status, measure_limit(b, &l));
    PL_CHECK(status, measure_mul(b));
    PL_CHECK(status, measure_limit(b, &l));
out:
    limit_done(&l);
    return status;
}

static int run_rank(bench *b) {
    close_others(b);
    pl_status status = measure(b);
    if (pl_is_ok(status) && b->rank == 0)
        print_result(b);
    if (!pl_is_ok(status))
        fprintf(stderr, "parley-bench-mul: party %zu: %s\n", b->rank, pl_status_message(status));
    int code = pl_code_describe(pl_status_code(status))->exit_code;
    pl_status_done(&status);
    fflush(stdout);
    return code;
}

static int run_all(bench *b) {
    int worst = 0;
    pid_t children[N_PARTIES];
    for (b->rank = 0; b->rank < N_PARTIES; b->rank++) {
        children[b->rank] = fork();
        if (children[b->rank] == 0)
            exit(run_rank(b));
    }
    b->rank = N_PARTIES;
    close_others(b); /* a party that dies is seen by the others */
    for (size_t i = 0; i < N_PARTIES; i++) {
        int state = 0;
        bool ended = children[i] > 0 && waitpid(children[i], &state, 0) == children[i];
        int code = ended && WIFEXITED(state) ? WEXITSTATUS(state) : 1;
        worst = code > worst ? code : worst;
    }
    return worst;
}

int main(int argc, char **argv) {
    bench b = {.n = N_DEFAULT};
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        unsigned long long n = strtoull(argv[i], &end, 10);
        if (strcmp(argv[i], "--json") == 0) {
            b.json = true;
        } else if (*end == 0 && n >= 1 && n <= N_MAX) {
            b.n = (size_t)n;
        } else {
            fprintf(stderr, "usage: parley-bench-mul [n, 1 to %d] [--json]\n", N_MAX);
            return 2;
        }
    }
    pl_status status = make_sockets(&b);
    if (!pl_is_ok(status) || RAND_priv_bytes(b.psk, sizeof b.psk) != 1) {
        fprintf(stderr, "parley-bench-mul: %s\n", pl_status_message(status));
        pl_status_done(&status);
        return 1;
    }
    return run_all(&b);
}
