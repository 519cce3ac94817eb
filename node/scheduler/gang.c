/* gang.c: a job's way through the scheduler. All parties reserve or none starts; who is missing is
 * said. */
#include "node/log/log.h"
#include "node/scheduler/scheduler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pl_queued_job *find(pl_scheduler *s, pl_view id) {
    for (pl_queued_job *job = s->jobs; job != NULL; job = job->next) {
        if (pl_view_equal(id, pl_view_of(job->id, sizeof job->id)))
            return job;
    }
    return NULL;
}

static size_t party_index(const pl_queued_job *job, const char *org) {
    size_t i = 0;
    while (i < job->n_parties && strcmp(job->parties[i], org) != 0)
        i++;
    return i;
}

/* ---- words to the parties ---- */

static void send_all(pl_scheduler *s, const pl_queued_job *job,
                     const Parley__V1__SchedulerMessage *message) {
    for (size_t i = 0; i < job->n_parties; i++) {
        pl_node_link *node = pl_scheduler_node(s, job->parties[i]);
        if (node != NULL)
            pl_scheduler_send(node, message);
    }
}

static void send_update(pl_scheduler *s, pl_queued_job *job) {
    Parley__V1__JobUpdate update = PARLEY__V1__JOB_UPDATE__INIT;
    Parley__V1__SchedulerMessage message = PARLEY__V1__SCHEDULER_MESSAGE__INIT;
    update.job_id = (ProtobufCBinaryData){sizeof job->id, job->id};
    update.phase = job->phase;
    update.reason = job->reason;
    message.kind_case = PARLEY__V1__SCHEDULER_MESSAGE__KIND_JOB;
    message.job = &update;
    send_all(s, job, &message);
}

static void set_phase(pl_scheduler *s, pl_queued_job *job, Parley__V1__JobPhase phase,
                      const char *reason) {
    if (job->phase == phase && strcmp(job->reason, reason) == 0)
        return;
    job->phase = phase;
    snprintf(job->reason, sizeof job->reason, "%s", reason);
    send_update(s, job);
}

static void remove_job(pl_scheduler *s, pl_queued_job *job) {
    pl_queued_job **link = &s->jobs;
    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    free(job);
}

static void end_in_store(pl_scheduler *s, const pl_queued_job *job) {
    pl_log_status("queue.failed", NULL,
                  pl_queue_end_job(s->store, pl_view_of(job->id, sizeof job->id)));
}

static void finish(pl_scheduler *s, pl_queued_job *job, Parley__V1__JobPhase phase,
                   const char *reason) {
    set_phase(s, job, phase, reason);
    end_in_store(s, job);
    remove_job(s, job);
}

/* ---- gang start ---- */

static void start_reserving(pl_scheduler *s, pl_queued_job *job) {
    job->attempt++;
    pl_status status =
        pl_queue_set_attempt(s->store, pl_view_of(job->id, sizeof job->id), job->attempt);
    if (!pl_is_ok(status)) {
        job->attempt--;
        pl_log_status("queue.failed", NULL, status);
        return;
    }
    job->deadline_ms = uv_now(s->loop) + PL_SCHEDULER_RESERVE_MS;
    Parley__V1__Reserve reserve = PARLEY__V1__RESERVE__INIT;
    Parley__V1__SchedulerMessage message = PARLEY__V1__SCHEDULER_MESSAGE__INIT;
    reserve.job_id = (ProtobufCBinaryData){sizeof job->id, job->id};
    reserve.attempt = job->attempt;
    message.kind_case = PARLEY__V1__SCHEDULER_MESSAGE__KIND_RESERVE;
    message.reserve = &reserve;
    set_phase(s, job, PARLEY__V1__JOB_PHASE__JOB_PHASE_RESERVING,
              "all parties are there: reserving");
    send_all(s, job, &message);
}

/* None starts: every reservation of this attempt is given back, and after a while there is another.
 */
static void release(pl_scheduler *s, pl_queued_job *job, const char *reason) {
    Parley__V1__Release body = PARLEY__V1__RELEASE__INIT;
    Parley__V1__SchedulerMessage message = PARLEY__V1__SCHEDULER_MESSAGE__INIT;
    body.job_id = (ProtobufCBinaryData){sizeof job->id, job->id};
    body.attempt = job->attempt;
    body.reason = (char *)(uintptr_t)reason;
    message.kind_case = PARLEY__V1__SCHEDULER_MESSAGE__KIND_RELEASE;
    message.release = &body;
    send_all(s, job, &message);
    for (size_t i = 0; i < job->n_parties; i++) {
        if (job->party_phases[i] == PL_PARTY_RESERVED)
            job->party_phases[i] = PL_PARTY_APPROVED;
    }
    job->retry_ms = job->retry_ms == 0 ? PL_SCHEDULER_RETRY_MS_MIN : 2 * job->retry_ms;
    if (job->retry_ms > PL_SCHEDULER_RETRY_MS_MAX)
        job->retry_ms = PL_SCHEDULER_RETRY_MS_MAX;
    job->deadline_ms = uv_now(s->loop) + job->retry_ms;
    set_phase(s, job, PARLEY__V1__JOB_PHASE__JOB_PHASE_WAITING, reason);
}

/* The first party that is not there, as a reason; false: all are. */
static bool somebody_missing(pl_scheduler *s, const pl_queued_job *job, char *reason, size_t size) {
    for (size_t i = 0; i < job->n_parties; i++) {
        const pl_node_link *node = pl_scheduler_node(s, job->parties[i]);
        if (node != NULL && node->call != NULL)
            continue;
        char since[32] = "";
        if (node != NULL) {
            time_t at = (time_t)node->since;
            struct tm parts;
            gmtime_r(&at, &parts);
            strftime(since, sizeof since, " since %Y-%m-%d %H:%M:%S", &parts);
        }
        snprintf(reason, size, "waiting for %s: %s%s", job->parties[i],
                 node == NULL ? "not connected yet" : "offline", since);
        return true;
    }
    return false;
}

/* How many sessions an organisation holds or runs, as far as it has told. */
static uint32_t sessions_in_use(const pl_scheduler *s, const char *org) {
    uint32_t n = 0;
    for (const pl_queued_job *job = s->jobs; job != NULL; job = job->next) {
        size_t party = party_index(job, org);
        bool live = job->phase == PARLEY__V1__JOB_PHASE__JOB_PHASE_RESERVING ||
                    job->phase == PARLEY__V1__JOB_PHASE__JOB_PHASE_RUNNING ||
                    job->phase == PARLEY__V1__JOB_PHASE__JOB_PHASE_ENDED;
        n += live && party < job->n_parties && job->party_phases[party] != PL_PARTY_ENDED;
    }
    return n;
}

/* The first party that has no session to spare, as a reason; false: all have. Older jobs are looked
 * at first, so none waits for ever. */
static bool somebody_full(const pl_scheduler *s, const pl_queued_job *job, char *reason,
                          size_t size) {
    for (size_t i = 0; i < job->n_parties; i++) {
        const pl_node_link *node = pl_scheduler_node((pl_scheduler *)(uintptr_t)s, job->parties[i]);
        uint32_t limit = node == NULL ? 0 : node->sessions;
        if (limit == 0 || sessions_in_use(s, job->parties[i]) < limit)
            continue;
        snprintf(reason, size, "waiting for %s: all of its %u sessions are in use", job->parties[i],
                 limit);
        return true;
    }
    return false;
}

static bool all_at_least(const pl_queued_job *job, pl_party_phase phase, size_t *out_missing) {
    for (*out_missing = 0; *out_missing < job->n_parties; (*out_missing)++) {
        if (job->party_phases[*out_missing] < phase)
            return false;
    }
    return true;
}

static void look_at(pl_scheduler *s, pl_queued_job *job) {
    char reason[160];
    size_t missing;
    uint64_t now = uv_now(s->loop);
    if (job->phase == PARLEY__V1__JOB_PHASE__JOB_PHASE_ENDED) {
        if (now >= job->deadline_ms)
            remove_job(s, job);
        return;
    }
    if (job->not_after < (int64_t)time(NULL) &&
        job->phase != PARLEY__V1__JOB_PHASE__JOB_PHASE_RUNNING) {
        finish(s, job, PARLEY__V1__JOB_PHASE__JOB_PHASE_EXPIRED, "the job's window has passed");
        return;
    }
    if (job->phase == PARLEY__V1__JOB_PHASE__JOB_PHASE_RUNNING)
        return;
    if (job->phase == PARLEY__V1__JOB_PHASE__JOB_PHASE_RESERVING) {
        if (now >= job->deadline_ms)
            release(s, job, "not all parties reserved in time: trying again");
        return;
    }
    if (!all_at_least(job, PL_PARTY_APPROVED, &missing)) {
        const pl_node_link *node = pl_scheduler_node(s, job->parties[missing]);
        snprintf(reason, sizeof reason, "waiting for the answer of %s%s", job->parties[missing],
                 node == NULL || node->call == NULL ? ", which is offline" : "");
        set_phase(s, job, PARLEY__V1__JOB_PHASE__JOB_PHASE_APPROVING, reason);
    } else if (somebody_missing(s, job, reason, sizeof reason)) {
        set_phase(s, job, PARLEY__V1__JOB_PHASE__JOB_PHASE_WAITING, reason);
    } else if (now < job->deadline_ms) {
        return;
    } else if (somebody_full(s, job, reason, sizeof reason)) {
        set_phase(s, job, PARLEY__V1__JOB_PHASE__JOB_PHASE_WAITING, reason);
    } else {
        start_reserving(s, job);
    }
}

void pl_gang_look(pl_scheduler *s) {
    for (pl_queued_job *job = s->jobs, *next; job != NULL; job = next) {
        next = job->next;
        look_at(s, job);
    }
}

/* ---- what parties say ---- */

static void on_reserved(pl_scheduler *s, pl_queued_job *job, size_t party,
                        const Parley__V1__Progress *p) {
    size_t missing;
    if (p->attempt != job->attempt || job->phase != PARLEY__V1__JOB_PHASE__JOB_PHASE_RESERVING)
        return;
    if (p->phase == PARLEY__V1__PHASE__PHASE_RESERVE_FAILED) {
        char reason[120];
        snprintf(reason, sizeof reason, "%s could not reserve (%.20s): trying again",
                 job->parties[party], p->code);
        release(s, job, reason);
        return;
    }
    job->party_phases[party] = PL_PARTY_RESERVED;
    if (all_at_least(job, PL_PARTY_RESERVED, &missing))
        job->deadline_ms = uv_now(s->loop) + PL_SCHEDULER_START_MS;
}

static void on_ended(pl_scheduler *s, pl_queued_job *job, size_t party) {
    size_t missing;
    job->party_phases[party] = PL_PARTY_ENDED;
    bool proposer = strcmp(job->parties[party], job->proposer) == 0;
    bool all = all_at_least(job, PL_PARTY_ENDED, &missing);
    if ((proposer || all) && job->phase != PARLEY__V1__JOB_PHASE__JOB_PHASE_ENDED) {
        set_phase(s, job, PARLEY__V1__JOB_PHASE__JOB_PHASE_ENDED, "ended");
        end_in_store(s, job);
        job->deadline_ms = uv_now(s->loop) + PL_SCHEDULER_ENDING_MS;
    }
    if (all)
        remove_job(s, job);
    pl_gang_look(s); /* somebody has a session to spare now */
}

pl_status pl_gang_progress(pl_scheduler *s, const char *org, const Parley__V1__Progress *p) {
    pl_queued_job *job = find(s, pl_view_of(p->job_id.data, p->job_id.len));
    if (job == NULL)
        return PL_OK; /* ended: nodes say again what they said before */
    size_t party = party_index(job, org);
    if (party == job->n_parties)
        return pl_fail(PL_REFUSED, "%s is no party of that job", org);
    if (job->phase == PARLEY__V1__JOB_PHASE__JOB_PHASE_ENDED &&
        p->phase != PARLEY__V1__PHASE__PHASE_ENDED &&
        p->phase != PARLEY__V1__PHASE__PHASE_CANCELLED)
        return PL_OK;
    switch (p->phase) {
    case PARLEY__V1__PHASE__PHASE_APPROVED:
        if (job->party_phases[party] == PL_PARTY_ASKED)
            job->party_phases[party] = PL_PARTY_APPROVED;
        break;
    case PARLEY__V1__PHASE__PHASE_REFUSED:
        finish(s, job, PARLEY__V1__JOB_PHASE__JOB_PHASE_REFUSED, "a party refused");
        return PL_OK;
    case PARLEY__V1__PHASE__PHASE_RESERVED:
    case PARLEY__V1__PHASE__PHASE_RESERVE_FAILED:
        on_reserved(s, job, party, p);
        break;
    case PARLEY__V1__PHASE__PHASE_STARTED:
        job->party_phases[party] = PL_PARTY_STARTED;
        set_phase(s, job, PARLEY__V1__JOB_PHASE__JOB_PHASE_RUNNING, "running");
        break;
    case PARLEY__V1__PHASE__PHASE_ENDED:
    case PARLEY__V1__PHASE__PHASE_CANCELLED:
        on_ended(s, job, party);
        return PL_OK;
    default:
        return pl_fail(PL_INVALID_ARGUMENT, "progress: phase %d is not known", (int)p->phase);
    }
    bool approved = p->phase == PARLEY__V1__PHASE__PHASE_APPROVED;
    if (approved)
        send_update(s, job); /* a node shows why a job waits only once it has approved */
    look_at(s, job);
    return PL_OK;
}

pl_status pl_gang_cancel(pl_scheduler *s, const char *org, pl_view job_id) {
    pl_queued_job *job = find(s, job_id);
    if (job == NULL)
        return PL_OK;
    if (strcmp(job->proposer, org) != 0)
        return pl_fail(PL_REFUSED, "%s did not propose that job", org);
    finish(s, job, PARLEY__V1__JOB_PHASE__JOB_PHASE_CANCELLED, "cancelled by its proposer");
    return PL_OK;
}

/* ---- the queue ---- */

static pl_status add(pl_scheduler *s, const char *proposer, const Parley__V1__Enqueue *e,
                     uint32_t attempt, pl_queued_job **out) {
    pl_queued_job *job;
    PL_TRY(pl_alloc(1, sizeof *job, &job));
    memcpy(job->id, e->job_id.data, sizeof job->id);
    snprintf(job->proposer, sizeof job->proposer, "%s", proposer);
    for (size_t i = 0; i < e->n_parties; i++)
        snprintf(job->parties[i], sizeof job->parties[i], "%s", e->parties[i]);
    job->n_parties = e->n_parties;
    job->not_after = e->not_after;
    job->attempt = attempt;
    job->phase = PARLEY__V1__JOB_PHASE__JOB_PHASE_APPROVING;
    pl_queued_job **link = &s->jobs;
    while (*link != NULL)
        link = &(*link)->next;
    *link = job;
    *out = job;
    return PL_OK;
}

static pl_status check_enqueue(const pl_scheduler *s, const char *org,
                               const Parley__V1__Enqueue *e) {
    bool names_proposer = false;
    if (e->job_id.len != 16)
        return pl_fail(PL_INVALID_ARGUMENT, "enqueue: job_id has %zu bytes, not 16", e->job_id.len);
    if (e->n_parties == 0 || e->n_parties > PL_SCHEDULER_PARTIES_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "enqueue: %zu parties, 1 to %d are possible",
                       e->n_parties, PL_SCHEDULER_PARTIES_MAX);
    for (size_t i = 0; i < e->n_parties; i++) {
        if (pl_manifest_member(s->manifest, e->parties[i]) == NULL)
            return pl_fail(PL_INVALID_ARGUMENT, "enqueue: party %.63s is no member", e->parties[i]);
        names_proposer = names_proposer || strcmp(e->parties[i], org) == 0;
    }
    return names_proposer
               ? PL_OK
               : pl_fail(PL_INVALID_ARGUMENT, "enqueue: parties do not name %s itself", org);
}

pl_status pl_gang_enqueue(pl_scheduler *s, const char *org, const Parley__V1__Enqueue *e) {
    PL_TRY(check_enqueue(s, org, e));
    pl_status status = pl_queue_put_job(s->store, org, e);
    if (pl_status_code(status) == PL_ALREADY_EXISTS) {
        pl_status_done(&status); /* the proposer did not hear that it is stored: it is told again */
        return PL_OK;
    }
    PL_TRY(status);
    pl_queued_job *job;
    PL_TRY(add(s, org, e, 0, &job));
    look_at(s, job);
    return PL_OK;
}

static pl_status load_one(const char *proposer, const Parley__V1__Enqueue *e, uint32_t attempt,
                          void *ctx) {
    pl_queued_job *job;
    return add(ctx, proposer, e, attempt, &job);
}

pl_status pl_gang_load(pl_scheduler *s) {
    return pl_queue_each_job(s->store, load_one, s);
}

void pl_gang_free(pl_scheduler *s) {
    while (s->jobs != NULL) {
        pl_queued_job *job = s->jobs;
        s->jobs = job->next;
        free(job);
    }
}
