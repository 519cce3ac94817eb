#include "bench/run.h"

#include "bench/shim.h"
#include "bench/tap.h"
#include "node/link/session_mesh.h"
#include "protocols/net/memory.h"
#include "protocols/net/memory_transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N_PARTIES 3
#define LIMIT_RUNS 6 /* half of them before the results are checked, half after */
#define ERROR_BYTES 600

/* What the parties write and the one that started them reads: memory of them all. */
typedef struct shared {
    /* When each party began and ended each run, by the clock that they have in common. A run takes
     * from the last begin to the last end. */
    double begin[N_PARTIES][PL_BENCH_RUNS_MAX], end[N_PARTIES][PL_BENCH_RUNS_MAX];
    double limit_begin[N_PARTIES][LIMIT_RUNS], limit_end[N_PARTIES][LIMIT_RUNS];
    pl_counters used[N_PARTIES];
    uint64_t lane_bytes[N_PARTIES][PL_LANES_MAX]; /* sent in the last run */
    uint64_t rss_bytes[N_PARTIES];
    uint8_t transcript[N_PARTIES][PL_TAP_BYTES];
    int code[N_PARTIES]; /* a pl_code */
    char error[N_PARTIES][ERROR_BYTES];
} shared;

typedef struct job {
    const pl_bench_setting *setting;
    size_t rank, n_parties;
    int fds[PL_LANES_MAX][N_PARTIES];
    uint8_t psk[PL_LANES_MAX][32];
    pl_transport transport; /* memory only */
    void *ctx[PL_LANES_MAX];
    pl_tap *taps[PL_LANES_MAX]; /* with a seed */
    pl_mesh *meshes[PL_LANES_MAX];
    shared *shared;
} job;

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The links' deadline is that of everything that goes over them: warm-up, runs, limits, and as much
 * for the inputs and for the check as for a run. */
static unsigned deadline_ms_of(const pl_bench_setting *s) {
    uint64_t ms = UINT64_C(1000) * s->deadline_s * (s->n_runs + 1 + LIMIT_RUNS + 2);
    return ms < INT_MAX ? (unsigned)ms : INT_MAX;
}

static size_t n_parties_of(const pl_bench_setting *s) {
    return strcmp(s->scheme, "plain") == 0 ? 1 : N_PARTIES;
}

/* ---- one party ---- */

static uint64_t ring_of(const pl_mesh *mesh) {
    return (UINT64_C(1) << pl_mesh_n_parties(mesh)) - 1;
}

/* All start together: two rounds of one byte. */
static pl_status barrier(pl_mesh *mesh) {
    PL_TRY(pl_trial_stream(mesh, ring_of(mesh), 1, 1));
    return pl_trial_stream(mesh, ring_of(mesh), 1, 1);
}

/* Nobody is at work on the lanes when they are counted. */
static void count_lanes(const job *j, uint64_t sent[PL_LANES_MAX]) {
    for (size_t lane = 0; lane < j->setting->n_lanes; lane++)
        sent[lane] = pl_mesh_counters(j->meshes[lane]).bytes_sent;
}

static void note_use(job *j, pl_counters begin, pl_counters end,
                     const uint64_t sent_before[PL_LANES_MAX]) {
    uint64_t *sent = j->shared->lane_bytes[j->rank];
    j->shared->used[j->rank] =
        (pl_counters){end.bytes_sent - begin.bytes_sent, end.bytes_received - begin.bytes_received,
                      end.rounds - begin.rounds};
    count_lanes(j, sent);
    for (size_t lane = 0; lane < j->setting->n_lanes; lane++)
        sent[lane] -= sent_before[lane];
}

/* The last of several runs counts bytes and rounds: they are the same in all. */
static pl_status measure_op(job *j, pl_trial *b) {
    uint64_t sent_before[PL_LANES_MAX];
    for (unsigned run = 0; run <= j->setting->n_runs; run++) { /* the first one warms up */
        PL_TRY(barrier(pl_party_mesh(b->p)));
        count_lanes(j, sent_before);
        pl_counters begin = pl_party_counters(b->p);
        double start = now_s();
        PL_TRY(b->op->run(b));
        if (run > 0) {
            j->shared->begin[j->rank][run - 1] = start;
            j->shared->end[j->rank][run - 1] = now_s();
        }
        b->n_done++;
        note_use(j, begin, pl_party_counters(b->p), sent_before);
    }
    return PL_OK;
}

typedef struct limit {
    const job *j;
    const uint64_t *bytes; /* of each lane */
    uint64_t rounds;       /* 0: as one stream */
} limit;

static pl_status limit_lane(pl_party *lane, size_t number, void *ctx) {
    const limit *l = ctx;
    return pl_trial_stream(pl_party_mesh(lane), ring_of(l->j->meshes[0]), l->bytes[number],
                           l->bytes[number] == 0 ? 0 : l->rounds);
}

/* The bytes of the operation, by everybody as many as by the one that sends most, over the lanes by
 * which that one sent them, and nothing else. A chain is limited by its rounds. */
static pl_status measure_limit(job *j, pl_trial *b, unsigned first_run) {
    size_t most = 0;
    bool is_chain = strcmp(b->op->name, "chain") == 0;
    for (size_t i = 1; i < j->n_parties; i++) { /* the others' are there: all have met since */
        if (j->shared->used[i].bytes_sent > j->shared->used[most].bytes_sent)
            most = i;
    }
    limit l = {j, j->shared->lane_bytes[most], is_chain ? j->shared->used[most].rounds : 0};
    if (j->shared->used[most].bytes_sent == 0)
        return PL_OK;
    for (unsigned run = first_run; run < first_run + LIMIT_RUNS / 2; run++) {
        PL_TRY(barrier(pl_party_mesh(b->p)));
        j->shared->limit_begin[j->rank][run] = now_s();
        PL_TRY(pl_party_each_lane(b->p, limit_lane, &l));
        j->shared->limit_end[j->rank][run] = now_s();
    }
    return PL_OK;
}

static uint64_t peak_rss(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

static pl_status measure(job *j, pl_party *p) {
    pl_trial b = {.op = j->setting->op,
                  .p = p,
                  .rank = j->rank,
                  .owners = {0, 1 % j->n_parties},
                  .n = j->setting->n,
                  .bits = j->setting->bits};
    size_t *positions = NULL, n_positions = 0;
    pl_status status;
    PL_CHECK(status, b.op->prepare(&b));
    PL_CHECK(status, measure_op(j, &b));
    j->shared->rss_bytes[j->rank] = peak_rss();
    PL_CHECK(status, barrier(pl_party_mesh(p)));
    PL_CHECK(status, measure_limit(j, &b, 0));
    PL_CHECK(status, pl_trial_positions(&b, 0, &positions, &n_positions));
    PL_CHECK(status, pl_trial_check(&b, positions, n_positions, 1, "result of the benchmark"));
    PL_CHECK(status, measure_limit(j, &b, LIMIT_RUNS / 2));
out:
    free(positions);
    pl_trial_done(&b);
    return status;
}

static pl_status connect_links(job *j, size_t lane, pl_transport *transport, void **ctx) {
    static const uint8_t charter[32] = "parley-bench";
    uint8_t session_id[16] = "parley-bench";
    pl_link_peer peers[N_PARTIES] = {0};
    session_id[15] = (uint8_t)lane;
    for (size_t i = 0; i < N_PARTIES; i++)
        memcpy(peers[i].psk[0], j->psk[lane], sizeof j->psk[lane]);
    pl_link_mesh_params params = {.rank = j->rank,
                                  .n_parties = j->n_parties,
                                  .session_id = session_id,
                                  .peers = peers,
                                  .connections_fd = -1,
                                  .first_message = charter,
                                  .connect_ms = 10000,
                                  .deadline_ms = deadline_ms_of(j->setting),
                                  .tls = j->setting->transport == PL_BENCH_TLS};
    return pl_link_transport_from_fds(&params, j->fds[lane], transport, ctx);
}

/* The lanes between two parties share one line: each has its part of the rate. */
static pl_status make_mesh(job *j, size_t lane, pl_mesh **out) {
    pl_transport transport = j->transport;
    void *ctx = j->ctx[lane];
    pl_net net = j->setting->net;
    net.bytes_per_second /= (double)j->setting->n_lanes;
    if (j->setting->transport != PL_BENCH_MEMORY)
        PL_TRY(connect_links(j, lane, &transport, &ctx));
    if (j->setting->has_net) {
        pl_status status = pl_shim_wrap(&net, j->n_parties, &transport, &ctx);
        if (!pl_is_ok(status)) {
            transport.free(ctx);
            return status;
        }
    }
    if (j->setting->seed != 0) {
        pl_status status = pl_tap_wrap(j->n_parties, &transport, &ctx, &j->taps[lane]);
        if (!pl_is_ok(status)) {
            transport.free(ctx);
            return status;
        }
    }
    return pl_mesh_new(j->rank, j->n_parties, &transport, ctx, out);
}

/* Lane by lane, in the same order at all parties: a link comes up when both sides see to it. */
static pl_status make_meshes(job *j) {
    pl_status status = PL_OK;
    for (size_t lane = 0; lane < j->setting->n_lanes; lane++) {
        if (pl_is_ok(status))
            status = make_mesh(j, lane, &j->meshes[lane]);
        else if (j->setting->transport == PL_BENCH_MEMORY) /* the others see that nobody is there */
            j->transport.free(j->ctx[lane]);
    }
    return status;
}

static pl_status run_party(job *j) {
    static const size_t compute[N_PARTIES] = {0, 1, 2};
    pl_party *p = NULL;
    pl_status status;
    PL_CHECK(status, make_meshes(j));
    pl_party_params params = {.mesh = j->meshes[0],
                              .scheme = j->setting->scheme,
                              .compute = compute,
                              .n_compute = j->n_parties,
                              .net = j->setting->net,
                              .lanes = j->meshes + 1,
                              .n_lanes = j->setting->n_lanes};
    if (j->setting->seed != 0) {
        pl_put_u64(params.seed, j->setting->seed);
        params.seed[8] = (uint8_t)(j->rank + 1);
    } else if (RAND_priv_bytes(params.seed, sizeof params.seed) != 1) {
        PL_CHECK(status, pl_fail(PL_INTERNAL, "no randomness"));
    }
    PL_CHECK(status, pl_party_new(&params, &p));
    status = measure(j, p);
    if (pl_is_ok(status) && j->setting->seed != 0)
        status = pl_tap_digest((const pl_tap *const *)j->taps, j->setting->n_lanes,
                               j->shared->transcript[j->rank]);
out:
    pl_party_free(p);
    for (size_t lane = 0; lane < PL_LANES_MAX; lane++)
        pl_mesh_free(j->meshes[lane]);
    return status;
}

/* The error goes to who started the party, in words. */
static void *sit(void *arg) {
    job *j = arg;
    pl_status status = run_party(j);
    j->shared->code[j->rank] = (int)pl_status_code(status);
    snprintf(j->shared->error[j->rank], ERROR_BYTES, "party %zu: %s", j->rank,
             pl_status_message(status));
    pl_status_done(&status);
    return NULL;
}

/* ---- parties as threads ---- */

static void leave(job *j, size_t n_lanes) {
    for (size_t lane = 0; lane < n_lanes; lane++)
        j->transport.free(j->ctx[lane]);
}

static pl_status make_transports(job *jobs, size_t n) {
    const pl_bench_setting *s = jobs[0].setting;
    void *ctx[N_PARTIES];
    for (size_t lane = 0; lane < s->n_lanes; lane++) {
        pl_transport transport;
        pl_status status = pl_memory_transports(n, deadline_ms_of(s), &transport, ctx);
        for (size_t i = 0; i < n && !pl_is_ok(status); i++)
            leave(&jobs[i], lane);
        PL_TRY(status);
        for (size_t i = 0; i < n; i++) {
            jobs[i].transport = transport;
            jobs[i].ctx[lane] = ctx[i];
        }
    }
    return PL_OK;
}

static pl_status run_threads(job *jobs, size_t n) {
    pthread_t threads[N_PARTIES];
    PL_TRY(make_transports(jobs, n));
    size_t started = 0;
    while (started < n && pthread_create(&threads[started], NULL, sit, &jobs[started]) == 0)
        started++;
    for (size_t i = started; i < n; i++) /* the others see that nobody is there */
        leave(&jobs[i], jobs[i].setting->n_lanes);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return started == n ? PL_OK : pl_fail(PL_LIMIT, "cannot start a thread");
}

/* ---- parties as processes ---- */

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
    for (size_t i = 0; i < 2 && out[1] >= 0; i++)
        setsockopt(out[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return out[1] >= 0
               ? PL_OK
               : pl_fail(PL_IO, "cannot connect to this machine itself: %s", strerror(errno));
}

static pl_status make_sockets(job *jobs) {
    int pair[2];
    for (size_t lane = 0; lane < jobs[0].setting->n_lanes; lane++) {
        for (size_t i = 0; i < N_PARTIES; i++) {
            jobs[i].fds[lane][i] = -1;
            for (size_t k = 0; k < i; k++) {
                PL_TRY(tcp_pair(pair));
                jobs[i].fds[lane][k] = pair[0];
                jobs[k].fds[lane][i] = pair[1];
            }
        }
    }
    return PL_OK;
}

/* Descriptors that another process's party holds would keep a lost peer's connection open. */
static void close_all_but(const job *jobs, size_t rank) {
    for (size_t i = 0; i < N_PARTIES; i++) {
        for (size_t lane = 0; lane < jobs[i].setting->n_lanes && i != rank; lane++) {
            for (size_t k = 0; k < N_PARTIES; k++) {
                if (jobs[i].fds[lane][k] >= 0)
                    close(jobs[i].fds[lane][k]);
            }
        }
    }
}

/* A party does not outlive the one that started it, however that one ends. */
static void sit_in_child(job *jobs, size_t rank, pid_t parent) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    close_all_but(jobs, rank);
    sit(&jobs[rank]);
    _exit(0);
}

/* How a party ended that could not say so itself: the others know only that its links closed. */
static void note_end(const job *j, int state) {
    char *error = j->shared->error[j->rank];
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return;
    j->shared->code[j->rank] = PL_INTERNAL;
    if (WIFSIGNALED(state) && WTERMSIG(state) == SIGKILL) {
        j->shared->code[j->rank] = PL_LIMIT;
        snprintf(error, ERROR_BYTES,
                 "party %zu was killed by signal %d: perhaps the system ran out of memory; take a "
                 "smaller --n",
                 j->rank, WTERMSIG(state));
    } else if (WIFSIGNALED(state)) {
        snprintf(error, ERROR_BYTES, "party %zu was killed by signal %d (%s)", j->rank,
                 WTERMSIG(state), strsignal(WTERMSIG(state)));
    } else {
        snprintf(error, ERROR_BYTES, "party %zu ended with exit code %d", j->rank,
                 WEXITSTATUS(state));
    }
}

static pl_status run_processes(job *jobs) {
    pid_t children[N_PARTIES], parent = getpid();
    int state = 0;
    PL_TRY(make_sockets(jobs));
    if (RAND_priv_bytes(&jobs[0].psk[0][0], sizeof jobs[0].psk) != 1)
        return pl_fail(PL_INTERNAL, "no randomness");
    fflush(NULL);
    for (size_t i = 0; i < N_PARTIES; i++) {
        memcpy(jobs[i].psk, jobs[0].psk, sizeof jobs[0].psk);
        children[i] = fork();
        if (children[i] == 0)
            sit_in_child(jobs, i, parent);
    }
    close_all_but(jobs, N_PARTIES);
    pl_status status = PL_OK;
    for (size_t i = 0; i < N_PARTIES; i++) {
        if (children[i] > 0 && waitpid(children[i], &state, 0) == children[i])
            note_end(&jobs[i], state);
        else if (pl_is_ok(status))
            status = pl_fail(PL_LIMIT, "cannot start a process");
    }
    return status;
}

/* ---- the result ---- */

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double last_of(const double *of_party, size_t n_parties, size_t stride) {
    double last = of_party[0];
    for (size_t i = 1; i < n_parties; i++)
        last = of_party[i * stride] > last ? of_party[i * stride] : last;
    return last;
}

static void take_times(const job *jobs, size_t n, unsigned n_runs, pl_bench_result *out) {
    double runs[PL_BENCH_RUNS_MAX];
    const shared *s = jobs[0].shared;
    for (unsigned r = 0; r < n_runs; r++)
        runs[r] = last_of(&s->end[0][r], n, PL_BENCH_RUNS_MAX) -
                  last_of(&s->begin[0][r], n, PL_BENCH_RUNS_MAX);
    qsort(runs, n_runs, sizeof *runs, by_value);
    out->seconds_min = runs[0];
    out->seconds_median = (runs[(n_runs - 1) / 2] + runs[n_runs / 2]) / 2;
    for (unsigned r = 0; r < LIMIT_RUNS; r++) {
        double took = last_of(&s->limit_end[0][r], n, LIMIT_RUNS) -
                      last_of(&s->limit_begin[0][r], n, LIMIT_RUNS);
        if (r == 0 || took < out->limit_seconds)
            out->limit_seconds = took;
    }
}

static void take_counters(const job *jobs, size_t n, pl_bench_result *out) {
    const shared *s = jobs[0].shared;
    for (size_t i = 0; i < n; i++) {
        out->rounds = s->used[i].rounds > out->rounds ? s->used[i].rounds : out->rounds;
        out->bytes_sent[i] = s->used[i].bytes_sent;
        out->peak_rss_bytes =
            s->rss_bytes[i] > out->peak_rss_bytes ? s->rss_bytes[i] : out->peak_rss_bytes;
    }
}

static void take_prediction(const pl_bench_setting *setting, const pl_trial *b,
                            pl_bench_result *out) {
    pl_cost cost;
    if (n_parties_of(setting) != N_PARTIES || !pl_op_predict(b, &setting->net, &cost))
        return;
    out->is_predicted = true;
    out->rounds_predicted = cost.rounds;
    memcpy(out->bytes_predicted, cost.bytes_sent, sizeof cost.bytes_sent);
}

static pl_status first_cause(const job *jobs, size_t n) {
    const shared *s = jobs[0].shared;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        bool better = s->code[at] == PL_CODE_OK || s->code[at] == PL_PEER_LOST;
        if (s->code[i] != PL_CODE_OK && better && (s->code[i] != PL_PEER_LOST || s->code[at] == 0))
            at = i;
    }
    const char *advice =
        s->code[at] == PL_TIMEOUT ? ": raise --deadline, or lower --n or --runs" : "";
    return s->code[at] == PL_CODE_OK ? PL_OK
                                     : pl_fail((pl_code)s->code[at], "%s%s", s->error[at], advice);
}

pl_status pl_bench_run(const pl_bench_setting *setting, pl_bench_result *out) {
    job jobs[N_PARTIES];
    size_t n = n_parties_of(setting);
    shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *out = (pl_bench_result){0};
    if (s == MAP_FAILED)
        return pl_fail(PL_LIMIT, "no memory");
    for (size_t i = 0; i < N_PARTIES; i++)
        jobs[i] = (job){.setting = setting, .rank = i, .n_parties = n, .shared = s};
    pl_status status = setting->transport == PL_BENCH_MEMORY || n == 1 ? run_threads(jobs, n)
                                                                       : run_processes(jobs);
    if (pl_is_ok(status))
        status = first_cause(jobs, n);
    if (pl_is_ok(status)) {
        pl_trial b = {
            .op = setting->op, .n = setting->n, .bits = setting->bits, .n_lanes = setting->n_lanes};
        take_times(jobs, n, setting->n_runs, out);
        take_counters(jobs, n, out);
        take_prediction(setting, &b, out);
        for (size_t i = 0; i < n && setting->seed != 0; i++)
            pl_hex_encode(pl_view_of(s->transcript[i], PL_TAP_BYTES), out->transcript[i]);
        double work = setting->op->work != NULL ? setting->op->work(&b) : (double)setting->n;
        out->per_second = out->seconds_median > 0 ? work / out->seconds_median : 0;
    }
    munmap(s, sizeof *s);
    return status;
}
