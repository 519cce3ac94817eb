#include "node/charter/proposal.h"

#include "node/charter/document.h"

#include <inttypes.h>
#include <string.h>

#define SUBMITTER_BYTES_MAX 200
#define PURPOSE_BYTES_MAX 500
#define NAME_BYTES_MAX 63
#define CATALOG_MAX 64

pl_status pl_proposal_sign(const Parley__V1__Proposal *proposal, const pl_key *key,
                           pl_bytes *out_signed) {
    return pl_document_sign(proposal, "proposal", proposal->proposer, key, out_signed);
}

pl_status pl_proposal_digest(pl_view signed_bytes, uint8_t out[32]) {
    return pl_document_digest(signed_bytes, "proposal", out);
}

const Parley__V1__Party *pl_proposal_party(const Parley__V1__Proposal *proposal, const char *org) {
    for (size_t i = 0; i < proposal->n_parties; i++) {
        if (strcmp(proposal->parties[i]->org, org) == 0)
            return proposal->parties[i];
    }
    return NULL;
}

/* ---- federation ---- */

static pl_status check_federation(const Parley__V1__Proposal *p, const pl_manifest *manifest) {
    uint8_t digest[32];
    if (strcmp(p->federation, pl_manifest_name(manifest)) != 0)
        return pl_fail(PL_PROTOCOL, "federation is not %s", pl_manifest_name(manifest));
    if (p->epoch != pl_manifest_epoch(manifest))
        return pl_fail(PL_PROTOCOL,
                       "epoch is %" PRIu64 ", but this node's manifest has %" PRIu64
                       ": both nodes need the same manifest",
                       p->epoch, pl_manifest_epoch(manifest));
    pl_manifest_digest(manifest, digest);
    return pl_check_equal("manifest_digest", p->manifest_digest, pl_view_of(digest, sizeof digest),
                          "this node's manifest");
}

/* ---- task ---- */

static pl_status check_orgs(const char *field, char **orgs, size_t n) {
    if (n == 0 || n > PL_PARTIES_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "%s names %zu parties: at least 1, at most %d", field,
                       n, PL_PARTIES_MAX);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(orgs[i], orgs[k]) == 0)
                return pl_fail(PL_INVALID_ARGUMENT, "%s names %s twice", field, orgs[i]);
        }
    }
    return PL_OK;
}

static pl_status check_task(const Parley__V1__Task *task) {
    if (task == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "task is missing");
    PL_TRY(pl_check_text("task.kind", task->kind, NAME_BYTES_MAX));
    PL_TRY(pl_check_text("task.text", task->text, PL_TASK_BYTES_MAX));
    PL_TRY(pl_check_text("task.purpose", task->purpose, PURPOSE_BYTES_MAX));
    PL_TRY(pl_check_text("task.protocol", task->protocol, NAME_BYTES_MAX));
    PL_TRY(check_orgs("task.compute", task->compute, task->n_compute));
    PL_TRY(check_orgs("task.recipients", task->recipients, task->n_recipients));
    if (strcmp(task->protocol, "rep3") == 0 && task->n_compute != 3)
        return pl_fail(PL_INVALID_ARGUMENT, "task.compute names %zu parties, but rep3 needs 3",
                       task->n_compute);
    return PL_OK;
}

/* ---- parties ---- */

static bool names(char **orgs, size_t n, const char *org) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(orgs[i], org) == 0)
            return true;
    }
    return false;
}

static pl_status check_party(const Parley__V1__Proposal *p, uint32_t rank,
                             const pl_manifest *manifest) {
    const Parley__V1__Party *party = p->parties[rank];
    const Parley__V1__Task *task = p->task;
    if (party->rank != rank)
        return pl_fail(PL_INVALID_ARGUMENT, "rank is %u in place %u: ranks count from 0 in order",
                       party->rank, rank);
    if (pl_manifest_member(manifest, party->org) == NULL)
        return pl_fail(PL_UNAUTHENTICATED, "org is no member of federation %s",
                       pl_manifest_name(manifest));
    if (pl_proposal_party(p, party->org) != party)
        return pl_fail(PL_INVALID_ARGUMENT, "org %s stands there twice", party->org);
    PL_TRY(pl_check_text("node", party->node, NAME_BYTES_MAX));
    PL_TRY(pl_check_len("sign_key_id", party->sign_key_id, 32));
    if (party->compute != names(task->compute, task->n_compute, party->org))
        return pl_fail(PL_INVALID_ARGUMENT, "compute of %s differs from task.compute", party->org);
    if (party->recipient != names(task->recipients, task->n_recipients, party->org))
        return pl_fail(PL_INVALID_ARGUMENT, "recipient of %s differs from task.recipients",
                       party->org);
    if (!party->owner && !party->compute && !party->recipient &&
        strcmp(party->org, p->proposer) != 0)
        return pl_fail(PL_INVALID_ARGUMENT, "%s has none of the roles owner, compute, recipient",
                       party->org);
    return PL_OK;
}

/* The line that refuses a compute set: independence groups as the manifest gives them. */
static pl_status check_groups(const Parley__V1__Proposal *p, const pl_manifest *manifest) {
    for (size_t i = 0; i < p->task->n_compute; i++) {
        const char *group = pl_manifest_member(manifest, p->task->compute[i])->group;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(group, pl_manifest_member(manifest, p->task->compute[k])->group) == 0)
                return pl_fail(PL_REFUSED,
                               "task.compute: %s and %s are both of independence group %s, so they "
                               "may not compute together",
                               p->task->compute[k], p->task->compute[i], group);
        }
    }
    return PL_OK;
}

/* Each name in a list of the task is a party: together with check_party, lists and roles are equal.
 */
static pl_status check_listed(const Parley__V1__Proposal *p, const char *field, char **orgs,
                              size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (pl_proposal_party(p, orgs[i]) == NULL)
            return pl_fail(PL_INVALID_ARGUMENT, "%s[%zu] is not among the parties", field, i);
    }
    return PL_OK;
}

static pl_status check_parties(const Parley__V1__Proposal *p, const pl_manifest *manifest) {
    if (p->n_parties == 0 || p->n_parties > PL_PARTIES_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "parties are %zu: at least 1, at most %d", p->n_parties,
                       PL_PARTIES_MAX);
    for (uint32_t rank = 0; rank < p->n_parties; rank++)
        PL_TRY(pl_wrap(check_party(p, rank, manifest), "parties[%u]", rank));
    PL_TRY(check_listed(p, "task.compute", p->task->compute, p->task->n_compute));
    PL_TRY(check_listed(p, "task.recipients", p->task->recipients, p->task->n_recipients));
    return check_groups(p, manifest);
}

static bool knows(const uint32_t *versions, size_t n, uint32_t version) {
    for (size_t i = 0; i < n; i++) {
        if (versions[i] == version)
            return true;
    }
    return false;
}

static pl_status check_proposer(const Parley__V1__Proposal *p, const Parley__V1__Descriptor *d) {
    uint8_t key_id[32];
    if (strcmp(p->proposer, d->org) != 0)
        return pl_fail(PL_UNAUTHENTICATED, "proposer is '%.40s', but %s signed it", p->proposer,
                       d->org);
    const Parley__V1__Party *party = pl_proposal_party(p, p->proposer);
    if (party == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "parties do not name the proposer %s", p->proposer);
    PL_TRY(pl_key_id(pl_binary_view(d->sign_key), key_id));
    PL_TRY(pl_wrap(pl_check_equal("sign_key_id", party->sign_key_id, pl_view_of(key_id, 32),
                                  "the key of the proposer's descriptor"),
                   "parties[%u]", party->rank));
    if (strcmp(party->node, d->node) != 0)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "parties[%u]: node differs from the proposer's descriptor", party->rank);
    return pl_check_text("submitter", p->submitter, SUBMITTER_BYTES_MAX);
}

static pl_status check_versions(const Parley__V1__Proposal *p, const Parley__V1__Descriptor *d) {
    if (p->protocol_version != PL_PROTOCOL_VERSION)
        return pl_fail(PL_UNSUPPORTED, "protocol_version %u is unknown here: this node knows %u",
                       p->protocol_version, PL_PROTOCOL_VERSION);
    if (p->planner_version != PL_PLANNER_VERSION_KNOWN)
        return pl_fail(PL_UNSUPPORTED, "planner_version %u is unknown here: this node knows %u",
                       p->planner_version, PL_PLANNER_VERSION_KNOWN);
    if (!knows(d->protocol_versions, d->n_protocol_versions, p->protocol_version))
        return pl_fail(PL_UNSUPPORTED,
                       "protocol_version %u is none that the descriptor of %s names",
                       p->protocol_version, d->org);
    if (!knows(d->planner_versions, d->n_planner_versions, p->planner_version))
        return pl_fail(PL_UNSUPPORTED, "planner_version %u is none that the descriptor of %s names",
                       p->planner_version, d->org);
    return PL_OK;
}

/* ---- catalogue and window ---- */

static pl_status check_ref(const Parley__V1__Proposal *p, size_t at) {
    const Parley__V1__CatalogRef *ref = p->catalog[at];
    const Parley__V1__Party *owner = pl_proposal_party(p, ref->org);
    if (owner == NULL || !owner->owner)
        return pl_fail(PL_INVALID_ARGUMENT, "org is no party with the role owner");
    PL_TRY(pl_check_text("dataset", ref->dataset, NAME_BYTES_MAX));
    if (ref->schema_version == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "schema_version is 0: versions count from 1");
    PL_TRY(pl_check_len("digest", ref->digest, 32));
    for (size_t i = 0; i < at; i++) {
        if (strcmp(p->catalog[i]->org, ref->org) == 0 &&
            strcmp(p->catalog[i]->dataset, ref->dataset) == 0)
            return pl_fail(PL_INVALID_ARGUMENT, "dataset %s.%s stands there twice", ref->org,
                           ref->dataset);
    }
    return PL_OK;
}

static pl_status check_catalog(const Parley__V1__Proposal *p) {
    if (p->n_catalog > CATALOG_MAX)
        return pl_fail(PL_LIMIT, "catalog names %zu datasets: at most %d", p->n_catalog,
                       CATALOG_MAX);
    for (size_t i = 0; i < p->n_catalog; i++)
        PL_TRY(pl_wrap(check_ref(p, i), "catalog[%zu]", i));
    return PL_OK;
}

/* A proposal may wait for days at the scheduler for a node that is down: it is too old only when
 * its own window says so. */
static pl_status check_window(const Parley__V1__Proposal *p, int64_t now) {
    PL_TRY(pl_check_not_future("created_at", p->created_at, now));
    if (p->created_at <= 0 || p->not_after <= p->created_at)
        return pl_fail(PL_INVALID_ARGUMENT, "not_after is not after created_at");
    if (p->not_after - p->created_at > PL_JOB_SECONDS_MAX)
        return pl_fail(PL_LIMIT, "not_after is more than %d days after created_at",
                       PL_JOB_SECONDS_MAX / 86400);
    PL_TRY(pl_check_not_past("not_after", p->not_after, now, 0));
    if (p->session_seconds == 0 || p->session_seconds > PL_SESSION_SECONDS_MAX)
        return pl_fail(PL_LIMIT, "session_seconds is %u: at least 1, at most %d",
                       p->session_seconds, PL_SESSION_SECONDS_MAX);
    return PL_OK;
}

/* ---- all of it ---- */

static pl_status check(const Parley__V1__Proposal *p, const pl_manifest *manifest,
                       const Parley__V1__Descriptor *proposer, int64_t now) {
    PL_TRY(pl_check_version(p->version));
    PL_TRY(pl_check_len("job_id", p->job_id, 16));
    PL_TRY(check_federation(p, manifest));
    PL_TRY(check_task(p->task));
    PL_TRY(check_parties(p, manifest));
    PL_TRY(check_proposer(p, proposer));
    PL_TRY(check_versions(p, proposer));
    PL_TRY(check_catalog(p));
    PL_TRY(pl_check_len("plan_digest", p->plan_digest, 32));
    return check_window(p, now);
}

pl_status pl_proposal_verify(pl_view signed_bytes, const pl_manifest *manifest,
                             const Parley__V1__Descriptor *proposer, int64_t now,
                             Parley__V1__Proposal **out) {
    Parley__V1__Proposal *p;
    PL_TRY(pl_document_open(signed_bytes, "proposal", proposer->org,
                            pl_binary_view(proposer->sign_key), &parley__v1__proposal__descriptor,
                            &p));
    pl_status status = check(p, manifest, proposer, now);
    if (pl_is_ok(status))
        *out = p;
    else
        pl_document_free(p);
    return pl_wrap(status, "proposal");
}
