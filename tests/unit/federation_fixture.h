/* A federation of five organisations in a temporary folder, and a job between four of them:
 *
 *   health  asks: proposer and only recipient
 *   north, south, tax  own data and compute
 *   twin    member, no party; of the same independence group as tax */
#ifndef PL_TESTS_FEDERATION_FIXTURE_H
#define PL_TESTS_FEDERATION_FIXTURE_H

#include "node/charter/charter.h"
#include "node/charter/manifest.h"
#include "node/charter/org.h"
#include "node/charter/proposal.h"

#define FIXTURE_NOW INT64_C(1795000000)
#define FIXTURE_ORGS 5
#define FIXTURE_PARTIES 4

enum { HEALTH, NORTH, SOUTH, TAX, TWIN };
extern const char *const fixture_names[FIXTURE_ORGS];

typedef struct fixture {
    char root[64];
    pl_org *orgs[FIXTURE_ORGS];
    pl_key *roots[FIXTURE_ORGS];
    pl_bytes members[FIXTURE_ORGS]; /* member.pb */
    pl_bytes signed_manifest;       /* epoch 1, 2 of 5, signed by health and north */
    pl_manifest *manifest;
} fixture;

void fixture_open(fixture *f);
void fixture_close(fixture *f);
void fixture_path(const fixture *f, const char *name, char *out, size_t size);
const Parley__V1__Descriptor *fixture_descriptor(const fixture *f, int org);

/* A manifest of all five, epoch and threshold given, signed by those whose bit is set. */
void fixture_manifest(const fixture *f, uint64_t epoch, uint32_t threshold,
                      const pl_manifest *previous, unsigned signers, pl_bytes *out);

/* Signs what the room's own functions would refuse to sign. */
void fixture_sign(const void *message, const char *domain, const char *signer, const pl_key *key,
                  pl_bytes *out);

/* The messages of a job, all pointers into the struct: free to be changed between signing. */
typedef struct fixture_job {
    Parley__V1__Proposal proposal;
    Parley__V1__Task task;
    Parley__V1__Party party[FIXTURE_PARTIES], *parties[FIXTURE_PARTIES];
    Parley__V1__CatalogRef ref[3], *refs[3];
    char *compute[3], *recipients[1];
    uint8_t job_id[16], manifest_digest[32], plan_digest[32], key_id[FIXTURE_PARTIES][32],
        dataset_digest[32];

    uint8_t proposal_digest[32];
    Parley__V1__Approval approval[FIXTURE_PARTIES];
    Parley__V1__Reservation reservation[FIXTURE_PARTIES];
    uint8_t policy_digest[32], session_key[FIXTURE_PARTIES][32], commitment[FIXTURE_PARTIES][32];
    char *endpoints[1];
    uint8_t root[FIXTURE_PARTIES][32], old_root[32], path[64];
    Parley__V1__AuditLink link, *links[1];
    Parley__V1__AuditSeen seen, *seens[1];
    pl_bytes signed_head[FIXTURE_PARTIES];

    pl_bytes signed_proposal, signed_approval[FIXTURE_PARTIES], signed_reservation[FIXTURE_PARTIES];
} fixture_job;

void fixture_job_init(const fixture *f, fixture_job *job);
/* Signs all of it as the messages now stand. */
void fixture_job_sign(const fixture *f, fixture_job *job);
void fixture_job_sign_approval(const fixture *f, fixture_job *job, int party);
/* The head of the party's audit log, of that size. */
void fixture_job_sign_head(const fixture *f, fixture_job *job, int party, uint64_t size);
void fixture_job_sign_reservation(const fixture *f, fixture_job *job, int party);
void fixture_job_charter(const fixture *f, const fixture_job *job, pl_bytes *out);
void fixture_job_done(fixture_job *job);

#endif
