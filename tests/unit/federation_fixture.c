#define _XOPEN_SOURCE 700 /* nftw */

#include "tests/unit/federation_fixture.h"

#include "node/charter/head.h"
#include "node/crypto/signed.h"
#include "tests/unit/sweep.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

const char *const fixture_names[FIXTURE_ORGS] = {"health", "north", "south", "tax", "twin"};

void fixture_path(const fixture *f, const char *name, char *out, size_t size) {
    snprintf(out, size, "%s/%s", f->root, name);
}

static void read_member(const char *folder, pl_bytes *out) {
    char path[200];
    uint8_t data[4096];
    snprintf(path, sizeof path, "%s/member.pb", folder);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(data, 1, sizeof data, file);
    fclose(file);
    must(pl_bytes_dup(pl_view_of(data, len), out));
}

void fixture_open(fixture *f) {
    *f = (fixture){0};
    snprintf(f->root, sizeof f->root, "/tmp/parley-test-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    for (int i = 0; i < FIXTURE_ORGS; i++) {
        char folder[128], *name;
        const char *endpoint = "127.0.0.1:7001";
        fixture_path(f, fixture_names[i], folder, sizeof folder);
        pl_org_params params = {.org = fixture_names[i],
                                .display_name = "\xe7\xa8\x8e\xe5\x8a\xa1\xe5\xb1\x80",
                                .group = i == TWIN ? "tax" : NULL,
                                .endpoints = &endpoint,
                                .n_endpoints = 1,
                                .now = FIXTURE_NOW - 3600};
        must(pl_org_create(folder, &params));
        must(pl_org_load(folder, &f->orgs[i]));
        must(pl_org_load_root(folder, &f->roots[i], &name));
        free(name);
        read_member(folder, &f->members[i]);
    }
    fixture_manifest(f, 1, 2, NULL, 1u << HEALTH | 1u << NORTH, &f->signed_manifest);
    must(pl_manifest_parse(pl_bytes_view(&f->signed_manifest), &f->manifest));
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void fixture_close(fixture *f) {
    for (int i = 0; i < FIXTURE_ORGS; i++) {
        pl_org_free(f->orgs[i]);
        pl_key_free(f->roots[i]);
        pl_bytes_done(&f->members[i]);
    }
    pl_manifest_free(f->manifest);
    pl_bytes_done(&f->signed_manifest);
    assert_int_equal(nftw(f->root, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

const Parley__V1__Descriptor *fixture_descriptor(const fixture *f, int org) {
    return pl_org_descriptor(f->orgs[org]);
}

void fixture_manifest(const fixture *f, uint64_t epoch, uint32_t threshold,
                      const pl_manifest *previous, unsigned signers, pl_bytes *out) {
    pl_view members[FIXTURE_ORGS];
    for (int i = 0; i < FIXTURE_ORGS; i++)
        members[i] = pl_bytes_view(&f->members[FIXTURE_ORGS - 1 - i]); /* any order */
    pl_manifest_params params = {.federation = "regions",
                                 .epoch = epoch,
                                 .threshold = threshold,
                                 .not_before = FIXTURE_NOW - 3600,
                                 .not_after = FIXTURE_NOW + 86400 * 30,
                                 .members = members,
                                 .n_members = FIXTURE_ORGS,
                                 .previous = previous};
    must(pl_manifest_create(&params, out));
    for (int i = 0; i < FIXTURE_ORGS; i++) {
        pl_bytes more;
        if ((signers >> i & 1) == 0)
            continue;
        must(pl_manifest_sign(pl_bytes_view(out), previous, fixture_names[i], f->roots[i], &more));
        pl_bytes_done(out);
        *out = more;
    }
}

void fixture_sign(const void *message, const char *domain, const char *signer, const pl_key *key,
                  pl_bytes *out) {
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(len + 1);
    assert_non_null(packed);
    protobuf_c_message_pack(message, packed);
    pl_bytes_done(out);
    must(pl_sign(key, domain, signer, pl_view_of(packed, len), out));
    free(packed);
}

/* ---- a job ---- */

#define TEXT(s) ((char *)(uintptr_t)(s))
#define BYTES(array) ((ProtobufCBinaryData){sizeof(array), (array)})

static void init_parties(const fixture *f, fixture_job *job) {
    for (int i = 0; i < FIXTURE_PARTIES; i++) {
        const Parley__V1__Descriptor *d = fixture_descriptor(f, i);
        parley__v1__party__init(&job->party[i]);
        job->parties[i] = &job->party[i];
        job->party[i].rank = (uint32_t)i;
        job->party[i].org = TEXT(fixture_names[i]);
        job->party[i].node = d->node;
        job->party[i].owner = job->party[i].compute = i != HEALTH;
        job->party[i].recipient = i == HEALTH;
        must(pl_key_id(pl_view_of(d->sign_key.data, d->sign_key.len), job->key_id[i]));
        job->party[i].sign_key_id = BYTES(job->key_id[i]);
    }
    for (int i = 0; i < 3; i++) {
        job->compute[i] = TEXT(fixture_names[i + 1]);
        parley__v1__catalog_ref__init(&job->ref[i]);
        job->refs[i] = &job->ref[i];
        job->ref[i].org = TEXT(fixture_names[i + 1]);
        job->ref[i].dataset = TEXT("residents");
        job->ref[i].schema_version = 3;
        job->ref[i].digest = BYTES(job->dataset_digest);
    }
    job->recipients[0] = TEXT("health");
}

static void init_proposal(const fixture *f, fixture_job *job) {
    parley__v1__task__init(&job->task);
    job->task.kind = TEXT("query");
    job->task.text = TEXT("SELECT sex, COUNT(*)\nFROM residents GROUP BY sex");
    job->task.purpose = TEXT("statistics");
    job->task.protocol = TEXT("rep3");
    job->task.compute = job->compute;
    job->task.n_compute = 3;
    job->task.recipients = job->recipients;
    job->task.n_recipients = 1;
    Parley__V1__Proposal *p = &job->proposal;
    parley__v1__proposal__init(p);
    p->version = 1;
    p->job_id = BYTES(job->job_id);
    p->federation = TEXT("regions");
    p->epoch = 1;
    pl_manifest_digest(f->manifest, job->manifest_digest);
    p->manifest_digest = BYTES(job->manifest_digest);
    p->proposer = TEXT("health");
    p->submitter = TEXT("analyst@health");
    p->task = &job->task;
    p->parties = job->parties;
    p->n_parties = FIXTURE_PARTIES;
    p->catalog = job->refs;
    p->n_catalog = 3;
    p->protocol_version = p->planner_version = 1;
    p->plan_digest = BYTES(job->plan_digest);
    p->created_at = FIXTURE_NOW - 60;
    p->not_after = FIXTURE_NOW + 3600;
    p->session_seconds = 120;
}

static void init_answers(const fixture *f, fixture_job *job, int i) {
    Parley__V1__Approval *a = &job->approval[i];
    parley__v1__approval__init(a);
    a->version = 1;
    a->job_id = BYTES(job->job_id);
    a->proposal_digest = BYTES(job->proposal_digest);
    a->org = TEXT(fixture_names[i]);
    a->granted = true;
    a->plan_digest = BYTES(job->plan_digest);
    a->approver = TEXT("policy");
    a->policy_version = 4;
    a->policy_digest = BYTES(job->policy_digest);
    a->decided_at = FIXTURE_NOW - 30;
    a->not_after = FIXTURE_NOW + 3600;
    Parley__V1__Reservation *r = &job->reservation[i];
    parley__v1__reservation__init(r);
    r->version = 1;
    r->job_id = BYTES(job->job_id);
    r->proposal_digest = BYTES(job->proposal_digest);
    r->org = TEXT(fixture_names[i]);
    r->attempt = 2;
    memset(job->session_key[i], 0x20 + i, 32);
    r->session_key = BYTES(job->session_key[i]);
    memset(job->commitment[i], 0x40 + i, 32);
    r->input_commitment = BYTES(job->commitment[i]);
    r->memory_bytes = 1u << 28;
    r->reserved_at = FIXTURE_NOW - 5;
    r->not_after = FIXTURE_NOW + 55;
    r->endpoints = job->endpoints;
    r->n_endpoints = 1;
    r->audit_links = job->links;
    r->n_audit_links = 1;
    r->audit_seen = job->seens;
    r->n_audit_seen = 1;
    memset(job->root[i], 0x60 + i, 32);
    fixture_job_sign_head(f, job, i, 9);
}

/* What goes with every head: of a log before, and of somebody else's. */
static void init_links(fixture_job *job) {
    memset(job->old_root, 0x70, sizeof job->old_root);
    memset(job->path, 0x71, sizeof job->path);
    parley__v1__audit_link__init(&job->link);
    job->link.size = 6;
    job->link.root = BYTES(job->old_root);
    job->link.path = BYTES(job->path);
    job->links[0] = &job->link;
    parley__v1__audit_seen__init(&job->seen);
    job->seen.org = TEXT("twin");
    job->seen.size = 3;
    job->seen.root = BYTES(job->old_root);
    job->seens[0] = &job->seen;
}

void fixture_job_init(const fixture *f, fixture_job *job) {
    *job = (fixture_job){0};
    memset(job->job_id, 0x11, sizeof job->job_id);
    memset(job->plan_digest, 0x12, sizeof job->plan_digest);
    memset(job->dataset_digest, 0x13, sizeof job->dataset_digest);
    memset(job->policy_digest, 0x14, sizeof job->policy_digest);
    job->endpoints[0] = TEXT("127.0.0.1:7001");
    init_parties(f, job);
    init_proposal(f, job);
    init_links(job);
    for (int i = 0; i < FIXTURE_PARTIES; i++)
        init_answers(f, job, i);
    fixture_job_sign(f, job);
}

void fixture_job_sign_approval(const fixture *f, fixture_job *job, int party) {
    fixture_sign(&job->approval[party], "approval", fixture_names[party],
                 pl_org_sign_key(f->orgs[party]), &job->signed_approval[party]);
}

void fixture_job_sign_head(const fixture *f, fixture_job *job, int party, uint64_t size) {
    Parley__V1__AuditHead head = PARLEY__V1__AUDIT_HEAD__INIT;
    head.org = TEXT(fixture_names[party]);
    head.size = size;
    head.root = BYTES(job->root[party]);
    head.time_ms = (FIXTURE_NOW - 10) * 1000;
    pl_bytes_done(&job->signed_head[party]);
    must(pl_head_sign(&head, pl_org_sign_key(f->orgs[party]), &job->signed_head[party]));
    job->reservation[party].audit_head =
        (ProtobufCBinaryData){job->signed_head[party].len, job->signed_head[party].data};
}

void fixture_job_sign_reservation(const fixture *f, fixture_job *job, int party) {
    fixture_sign(&job->reservation[party], "reservation", fixture_names[party],
                 pl_org_sign_key(f->orgs[party]), &job->signed_reservation[party]);
}

void fixture_job_sign(const fixture *f, fixture_job *job) {
    fixture_sign(&job->proposal, "proposal", "health", pl_org_sign_key(f->orgs[HEALTH]),
                 &job->signed_proposal);
    must(pl_proposal_digest(pl_bytes_view(&job->signed_proposal), job->proposal_digest));
    for (int i = 0; i < FIXTURE_PARTIES; i++) {
        fixture_job_sign_approval(f, job, i);
        fixture_job_sign_reservation(f, job, i);
    }
}

void fixture_job_charter(const fixture *f, const fixture_job *job, pl_bytes *out) {
    pl_charter_parts parts = {.proposal = pl_bytes_view(&job->signed_proposal),
                              .approvals = job->signed_approval,
                              .reservations = job->signed_reservation,
                              .n_parties = FIXTURE_PARTIES,
                              .now = FIXTURE_NOW,
                              .start_before = FIXTURE_NOW + 60};
    pl_bytes_done(out);
    must(pl_charter_assemble(&parts, pl_org_sign_key(f->orgs[HEALTH]), "health", out));
}

void fixture_job_done(fixture_job *job) {
    pl_bytes_done(&job->signed_proposal);
    for (int i = 0; i < FIXTURE_PARTIES; i++) {
        pl_bytes_done(&job->signed_approval[i]);
        pl_bytes_done(&job->signed_reservation[i]);
        pl_bytes_done(&job->signed_head[i]);
    }
}
