#include "node/worker/session.h"

#include "node/crypto/digest.h"
#include "node/link/measure.h"
#include "node/link/session_mesh.h"
#include "node/session/session.h"
#include "node/worker/attempt.h"
#include "node/worker/control.h"
#include "node/worker/frame.h"
#include "node/worker/sandbox.h"
#include "node/worker/threads.h"
#include "protocols/base/secret.h"
#include "protocols/share/party.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONTROL_FD 3
#define CONNECTIONS_FD 4
#define KEPT_FD 5 /* to this party's own source child, if it stays for the session */
#define TAG_BYTES 32

_Static_assert(PL_LANES_MAX == PL_PREAMBLE_LANES_MAX, "as many as links can name");

typedef struct worker {
    bool has_kept; /* KEPT_FD is there */
    pl_control *control;
    Parley__V1__SessionStart *start;
    Parley__V1__Plan *plan;
    size_t n_lanes;                   /* of the session */
    pl_mesh *meshes[PL_LANES_MAX];    /* by lane; this party's own */
    pl_threads *threads;              /* of lanes 1, 2, ..., made before the sandbox closed */
    pl_lane_threads threads_of_lanes; /* the same, as the party wants them */
    pl_party *party;
    Parley__V1__ResultTable *result;
    uint8_t salt[32];
    uint8_t (*disclosed)[32]; /* result digest by rank; zero: none */
    uint8_t seed[32];
    struct timespec began;
} worker;

/* Test builds only: the process kills itself at a named point. */
#ifdef PARLEY_TEST_HOOKS
static void stop_point(const char *point) {
    const char *wanted = getenv("PARLEY_STOP_AT");
    if (wanted != NULL && strcmp(wanted, point) == 0)
        raise(SIGKILL);
}
#else
#define stop_point(point) ((void)0)
#endif

/* ---- links ---- */

static void on_stop(void *ctx) {
    const worker *w = ctx;
    if (w->has_kept)
        shutdown(KEPT_FD, SHUT_RDWR);
    pl_link_mesh_interrupt();
}

/* This party's lanes: those of the session if it computes, else one. */
static size_t own_lanes(const worker *w) {
    const Parley__V1__SessionStart *s = w->start;
    return s->rank < s->n_parties && s->parties[s->rank]->compute ? w->n_lanes : 1;
}

static pl_status fill_peer(const worker *w, const Parley__V1__SessionPeer *from, pl_link_peer *to) {
    if (from->n_psks == 0 || from->n_psks > own_lanes(w))
        return pl_fail(PL_INVALID_ARGUMENT, "the orders of the session give a peer %zu keys",
                       from->n_psks);
    to->endpoints = (const char *const *)from->endpoints;
    to->n_endpoints = from->n_endpoints;
    to->n_lanes = from->n_psks;
    for (size_t lane = 0; lane < from->n_psks; lane++) {
        if (from->psks[lane].len != PL_PSK_BYTES)
            return pl_fail(PL_INVALID_ARGUMENT, "the orders of the session hold a key of %zu bytes",
                           from->psks[lane].len);
        memcpy(to->psk[lane], from->psks[lane].data, PL_PSK_BYTES);
    }
    return PL_OK;
}

static pl_status connect_links(worker *w) {
    const Parley__V1__SessionStart *s = w->start;
    if (s->session_id.len != 16 || s->charter_digest.len != 32 || s->rank >= s->n_parties ||
        s->n_peers + 1 != s->n_parties)
        return pl_fail(PL_INVALID_ARGUMENT, "the orders of the session are not complete");
    pl_link_peer *peers;
    PL_TRY(pl_alloc(s->n_parties, sizeof *peers, &peers));
    pl_status status = PL_OK;
    for (size_t i = 0; i < s->n_peers && pl_is_ok(status); i++) {
        const Parley__V1__SessionPeer *peer = s->peers[i];
        status = peer->rank >= s->n_parties
                     ? pl_fail(PL_INVALID_ARGUMENT, "the orders of the session name a peer wrongly")
                     : fill_peer(w, peer, &peers[peer->rank]);
    }
    pl_link_mesh_params params = {
        .rank = s->rank,
        .n_parties = s->n_parties,
        .n_lanes = own_lanes(w),
        .session_id = s->session_id.data,
        .peers = peers,
        .connections_fd = CONNECTIONS_FD,
        .first_message = s->charter_digest.data,
        .connect_ms = s->connect_ms,
        .deadline_ms = s->deadline_ms,
        .tls = true,
    };
    if (pl_is_ok(status))
        status = pl_link_mesh_new(&params, w->meshes);
    pl_wipe(peers, s->n_parties * sizeof *peers);
    free(peers);
    return status;
}

/* What the operations choose their form by; of more than one compute party only. */
static pl_status measure_links(worker *w, pl_party_params *params) {
    for (size_t i = 0; i < params->n_compute && params->n_compute > 1; i++) {
        if (params->compute[i] == w->start->rank)
            return pl_link_measure(w->meshes[0], params->compute, params->n_compute, &params->net);
    }
    return PL_OK;
}

static pl_status make_party(worker *w) {
    const Parley__V1__SessionStart *s = w->start;
    size_t compute[PL_PARTIES_MAX];
    if (w->plan->n_compute > PL_PARTIES_MAX)
        return pl_fail(PL_LIMIT, "too many compute parties");
    for (size_t i = 0; i < w->plan->n_compute; i++) {
        size_t rank = 0;
        while (rank < s->n_parties && strcmp(s->parties[rank]->org, w->plan->compute[i]) != 0)
            rank++;
        if (rank == s->n_parties)
            return pl_fail(PL_INVALID_ARGUMENT, "compute party %s is no party",
                           w->plan->compute[i]);
        compute[i] = rank;
    }
    pl_party_params params = {.mesh = w->meshes[0],
                              .scheme = w->plan->protocol,
                              .compute = compute,
                              .n_compute = w->plan->n_compute,
                              .lanes = w->meshes + 1,
                              .n_lanes = own_lanes(w),
                              .threads = &w->threads_of_lanes};
    memcpy(params.seed, w->seed, sizeof params.seed);
    pl_status status = measure_links(w, &params);
    if (pl_is_ok(status))
        status = pl_party_new(&params, &w->party);
    pl_wipe(&params, sizeof params);
    return status;
}

/* ---- all with all ---- */

/* Every party sends its block to all others and receives theirs: blocks [n_parties][len], own one
 * filled in. */
static pl_status exchange_all(worker *w, uint8_t *blocks, size_t len) {
    size_t own = w->start->rank;
    for (size_t rank = 0; rank < w->start->n_parties; rank++) {
        if (rank == own)
            continue;
        PL_TRY(pl_mesh_send(w->meshes[0], rank, blocks + own * len, len));
        PL_TRY(pl_mesh_recv(w->meshes[0], rank, blocks + rank * len, len));
    }
    return pl_mesh_finish(w->meshes[0]);
}

/* All parties say the same word, bound to the charter; another word is a protocol error. */
static pl_status barrier(worker *w, const char *word) {
    size_t n = w->start->n_parties;
    uint8_t *blocks, expected[TAG_BYTES];
    PL_TRY(pl_alloc(n, TAG_BYTES, &blocks));
    pl_digest(word, pl_view_of(w->start->charter_digest.data, 32), expected);
    memcpy(blocks + w->start->rank * TAG_BYTES, expected, TAG_BYTES);
    pl_status status = exchange_all(w, blocks, TAG_BYTES);
    for (size_t rank = 0; rank < n && pl_is_ok(status); rank++) {
        if (!pl_secret_equal(blocks + rank * TAG_BYTES, expected, TAG_BYTES))
            status =
                pl_fail(PL_PROTOCOL, "%s did not say \"%s\"", w->start->parties[rank]->org, word);
    }
    free(blocks);
    return status;
}

/* Before it, a failure costs nothing; after it every party has OPENING on disk. */
static pl_status agree_opening(pl_session_run *run) {
    worker *w = run->ctx;
    stop_point("before-opening");
    PL_TRY(barrier(w, "ready-to-open"));
    PL_TRY(pl_control_opening(w->control));
    stop_point("opening-recorded");
    return barrier(w, "opening-recorded");
}

/* ---- what a kind needs while it runs ---- */

static pl_status take_reply(pl_view packed, pl_bytes *out_body) {
    Parley__V1__KeptReply *reply = parley__v1__kept_reply__unpack(NULL, packed.len, packed.data);
    if (reply == NULL)
        return pl_fail(PL_INTERNAL, "this node's source child answered what cannot be read");
    pl_status status =
        reply->error != NULL
            ? pl_fail(pl_code_from_name(reply->error->code), "%s", reply->error->message)
            : pl_bytes_dup(pl_view_of(reply->body.data, reply->body.len), out_body);
    if (reply->body.data != NULL)
        pl_wipe(reply->body.data, reply->body.len);
    parley__v1__kept_reply__free_unpacked(reply, NULL);
    return status;
}

static pl_status ask(pl_session_run *run, pl_view request, pl_bytes *out_body) {
    pl_bytes frame = {0};
    (void)run;
    pl_status status = pl_frame_write(KEPT_FD, request);
    if (pl_is_ok(status))
        status = pl_frame_read(KEPT_FD, &frame);
    if (!pl_is_ok(status)) {
        pl_status_done(&status); /* said better */
        return pl_fail(PL_UNAVAILABLE, "the child that keeps this node's rows has ended");
    }
    status = take_reply(pl_bytes_view(&frame), out_body);
    pl_wipe(frame.data, frame.len);
    pl_bytes_done(&frame);
    return status;
}

static pl_status progress(pl_session_run *run, uint32_t round, const char *what) {
    worker *w = run->ctx;
#ifdef PARLEY_TEST_HOOKS
    char point[32];
    snprintf(point, sizeof point, "round-%u", round);
    stop_point(point);
#else
    (void)round;
#endif
    return pl_control_progress(w->control, what);
}

/* ---- disclosures ---- */

/* SHA-256 over salt and packed result: the recipient can show later what it received, others can
 * check it then. */
static pl_status result_digest(worker *w, uint8_t out[32]) {
    size_t len = parley__v1__result_table__get_packed_size(w->result);
    uint8_t *salted;
    PL_TRY(pl_alloc(32 + len, 1, &salted));
    memcpy(salted, w->salt, 32);
    parley__v1__result_table__pack(w->result, salted + 32);
    pl_digest("result", pl_view_of(salted, 32 + len), out);
    pl_wipe(salted, 32 + len);
    free(salted);
    return PL_OK;
}

static pl_status disclose(worker *w) {
    size_t n = w->start->n_parties;
    PL_TRY(pl_alloc(n, 32, &w->disclosed));
    if (w->result != NULL)
        PL_TRY(result_digest(w, w->disclosed[w->start->rank]));
    return exchange_all(w, w->disclosed[0], 32);
}

/* ---- the session ---- */

static pl_status run_kind(worker *w) {
    const pl_session_kind *kind = pl_session_kind_find(w->plan->kind);
    if (kind == NULL)
        return pl_fail(PL_UNSUPPORTED, "sessions of the kind \"%.40s\" are not known",
                       w->plan->kind);
    pl_session_run run = {
        .party = w->party,
        .mesh = w->meshes[0],
        .plan = w->plan,
        .own_rank = w->start->rank,
        .parties = (const Parley__V1__Party *const *)w->start->parties,
        .n_parties = w->start->n_parties,
        .n_lanes = w->n_lanes,
        .inputs = (const Parley__V1__InputVector *const *)w->start->inputs,
        .n_inputs = w->start->n_inputs,
        .agree_opening = agree_opening,
        .ask = w->has_kept ? ask : NULL,
        .progress = progress,
        .ctx = w,
        .out_result = &w->result,
    };
    return kind->run(&run);
}

#ifdef PARLEY_LEAK
/* A deliberate leak, for the test that must find it: raw inputs go to rank 0. */
static pl_status leak_inputs(worker *w) {
    uint8_t sizes[8] = {0};
    for (size_t rank = 1; rank < w->start->n_parties; rank++) {
        if (w->start->rank == rank && w->start->n_inputs > 0) {
            const Parley__V1__InputVector *input = w->start->inputs[w->start->n_inputs - 1];
            pl_put_u64(sizes, input->values.len);
            PL_TRY(pl_mesh_send(w->meshes[0], 0, sizes, 8));
            PL_TRY(pl_mesh_send(w->meshes[0], 0, input->values.data, input->values.len));
            PL_TRY(pl_mesh_finish(w->meshes[0]));
        } else if (w->start->rank == rank) {
            PL_TRY(pl_mesh_send(w->meshes[0], 0, sizes, 8));
            PL_TRY(pl_mesh_finish(w->meshes[0]));
        } else if (w->start->rank == 0) {
            PL_TRY(pl_mesh_recv(w->meshes[0], rank, sizes, 8));
            PL_TRY(pl_mesh_finish(w->meshes[0]));
            uint8_t *raw;
            PL_TRY(pl_alloc(pl_get_u64(sizes) + 1, 1, &raw));
            PL_TRY(pl_mesh_recv(w->meshes[0], rank, raw, pl_get_u64(sizes)));
            PL_TRY(pl_mesh_finish(w->meshes[0]));
            free(raw);
        }
    }
    return PL_OK;
}
#endif

static pl_status run_session(worker *w) {
    w->plan = parley__v1__plan__unpack(NULL, w->start->plan.len, w->start->plan.data);
    if (w->plan == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "the plan of the session cannot be read");
    stop_point("start");
    pl_attempt("dialling");
    PL_TRY(pl_wrap(connect_links(w), "cannot connect"));
    close(CONNECTIONS_FD); /* what parleyd still hands over would wait, open, until the end */
    PL_TRY(pl_sandbox_end_dialling());
    pl_attempt("session");
    stop_point("connected");
    PL_TRY(pl_control_progress(w->control, "connected"));
    PL_TRY(make_party(w));
    PL_TRY(pl_control_progress(w->control, "computing"));
    stop_point("inputs");
#ifdef PARLEY_LEAK
    PL_TRY(leak_inputs(w));
#endif
    PL_TRY(run_kind(w));
    stop_point("after-opening");
    return disclose(w);
}

/* ---- the last word ---- */

/* Protocol and links know ranks; people know organisations: "rank 2" becomes "south (rank 2)". */
static pl_status name_ranks(const worker *w, pl_status status) {
    pl_buf text = {0};
    pl_bytes named = {0};
    if (pl_is_ok(status))
        return status;
    const char *at = pl_status_message(status), *found;
    for (; (found = strstr(at, "rank ")) != NULL; at = found) {
        size_t digits = strspn(found + 5, "0123456789");
        size_t rank = digits > 0 && digits < 4 ? (size_t)atoi(found + 5) : SIZE_MAX;
        pl_buf_append(&text, at, (size_t)(found - at));
        if (rank < w->start->n_parties)
            pl_buf_printf(&text, "%s (rank %zu)", w->start->parties[rank]->org, rank);
        else
            pl_buf_append(&text, found, 5 + digits);
        found += 5 + digits;
    }
    pl_buf_printf(&text, "%s", at);
    pl_status taken = pl_buf_take(&text, &named);
    if (pl_is_ok(taken)) {
        pl_code code = pl_status_code(status);
        pl_status_done(&status);
        status = pl_fail(code, "%s", (char *)named.data);
    }
    pl_status_done(&taken); /* no memory: ranks will do */
    pl_bytes_done(&named);
    return status;
}

static double seconds_since(const struct timespec *began) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - began->tv_sec) + 1e-9 * (double)(now.tv_nsec - began->tv_nsec);
}

static pl_status fill_disclosures(worker *w, Parley__V1__Disclosure *disclosures,
                                  Parley__V1__Disclosure **list, size_t *out_n) {
    for (size_t rank = 0; rank < w->start->n_parties; rank++) {
        if (!w->start->parties[rank]->recipient)
            continue;
        Parley__V1__Disclosure *d = &disclosures[*out_n];
        parley__v1__disclosure__init(d);
        d->recipient = w->start->parties[rank]->org;
        d->state = PARLEY__V1__RECIPIENT_STATE__RECIPIENT_STATE_RELEASED;
        d->result_digest = (ProtobufCBinaryData){32, w->disclosed[rank]};
        list[(*out_n)++] = d;
    }
    return PL_OK;
}

static pl_status say_end(worker *w, pl_status outcome) {
    Parley__V1__SessionEnd end = PARLEY__V1__SESSION_END__INIT;
    Parley__V1__Error error = PARLEY__V1__ERROR__INIT;
    Parley__V1__SessionStats stats = PARLEY__V1__SESSION_STATS__INIT;
    Parley__V1__Disclosure disclosures[PL_PARTIES_MAX], *list[PL_PARTIES_MAX];
    if (!pl_is_ok(outcome)) {
        error.code = (char *)(uintptr_t)pl_code_describe(pl_status_code(outcome))->name;
        error.message = (char *)(uintptr_t)pl_status_message(outcome);
        end.error = &error;
    } else {
        pl_counters counters = pl_party_counters(w->party);
        stats.lanes = (uint32_t)w->n_lanes;
        stats.rounds = counters.rounds;
        stats.bytes_sent = counters.bytes_sent;
        stats.seconds = seconds_since(&w->began);
        end.stats = &stats;
        end.disclosures = list;
        PL_TRY(fill_disclosures(w, disclosures, list, &end.n_disclosures));
        end.result = w->result;
        if (w->result != NULL)
            end.result_salt = (ProtobufCBinaryData){32, w->salt};
    }
    stop_point("end");
    return pl_control_end(w->control, &end);
}

static void wipe_keys(Parley__V1__SessionPeer *peer) {
    for (size_t lane = 0; lane < peer->n_psks; lane++)
        pl_wipe(peer->psks[lane].data, peer->psks[lane].len);
}

static void worker_done(worker *w) {
    /* The party's lanes end before the threads that they run on, and before their meshes. */
    pl_party_free(w->party);
    pl_threads_free(w->threads);
    for (size_t lane = 0; lane < PL_LANES_MAX; lane++)
        pl_mesh_free(w->meshes[lane]);
    pl_control_close(w->control);
    if (w->plan != NULL)
        parley__v1__plan__free_unpacked(w->plan, NULL);
    if (w->result != NULL)
        parley__v1__result_table__free_unpacked(w->result, NULL);
    for (size_t i = 0; w->start != NULL && i < w->start->n_peers; i++)
        wipe_keys(w->start->peers[i]);
    for (size_t i = 0; w->start != NULL && i < w->start->n_inputs; i++)
        pl_wipe(w->start->inputs[i]->values.data, w->start->inputs[i]->values.len);
    if (w->start != NULL)
        parley__v1__session_start__free_unpacked(w->start, NULL);
    free(w->disclosed);
    pl_wipe(w, sizeof *w);
}

/* What parleyd said comes before what the links then showed. */
static pl_status true_cause(worker *w, pl_status seen) {
    pl_status told = pl_control_cause(w->control);
    if (pl_is_ok(told) || pl_is_ok(seen)) {
        pl_status_done(&told);
        return seen;
    }
    pl_status_done(&seen);
    return told;
}

/* Before the sandbox closes: afterwards there can be no thread. */
static pl_status make_threads(worker *w) {
    w->n_lanes = w->start->lanes == 0 ? 1 : w->start->lanes;
    if (w->n_lanes > PL_LANES_MAX)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "the orders of the session are for %zu lanes: at most "
                       "%d",
                       w->n_lanes, PL_LANES_MAX);
    PL_TRY(pl_threads_new(own_lanes(w) - 1, &w->threads));
    w->threads_of_lanes = pl_threads_for_lanes(w->threads);
    return PL_OK;
}

static pl_status begin(worker *w) {
    PL_TRY(pl_sandbox_prepare(w->has_kept ? KEPT_FD + 1 : KEPT_FD));
    PL_TRY(pl_random(w->seed, sizeof w->seed));
    PL_TRY(pl_random(w->salt, sizeof w->salt));
    PL_TRY(pl_link_library_warm());
    PL_TRY(pl_control_open(CONTROL_FD, on_stop, w, &w->control));
    PL_TRY(pl_control_start(w->control, &w->start)); /* a spare worker waits here for long */
    clock_gettime(CLOCK_MONOTONIC, &w->began);
    PL_TRY(make_threads(w));
    PL_TRY(pl_control_watch(w->control));
    return pl_sandbox_enter(PL_SANDBOX_SESSION, w->start->memory_bytes);
}

int pl_worker_session(bool has_kept) {
    worker w = {.has_kept = has_kept};
    pl_status status = begin(&w);
    if (pl_is_ok(status))
        status = run_session(&w);
    pl_status said = PL_OK;
    if (w.control != NULL && w.start != NULL) {
        status = name_ranks(&w, true_cause(&w, status));
        said = say_end(&w, status);
    }
    int code = pl_code_describe(pl_status_code(said))->exit_code;
    if (w.control == NULL || w.start == NULL)
        code = pl_code_describe(pl_status_code(status))->exit_code;
    pl_status_done(&said); /* nobody is left to tell but by exit code */
    pl_status_done(&status);
    worker_done(&w);
    return code;
}
