/* An audit log as an auditor is given it, and heads with proofs as a peer sends them. First byte:
 * even, the rest is a log's file; odd, the rest is a Reservation whose session_key stands for the
 * head's root and whose memory_bytes for its size. */
#define _GNU_SOURCE
#include "node/audit/heads.h"
#include "node/charter/head.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pl_status count(const Parley__V1__AuditRecord *record, void *ctx) {
    uint64_t *n = ctx;
    if (record->seq != (*n)++)
        abort();
    return PL_OK;
}

/* Reading and verifying agree on what is sound, and a fault has its kind. */
static void read_log(const uint8_t *data, size_t size) {
    char path[40];
    uint64_t n = 0;
    Parley__V1__AuditVerdict *verdict;
    int fd = fuzz_file(data, size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    pl_status status = pl_audit_verify(path, NULL, 0, &verdict);
    if (!pl_is_ok(status))
        abort();
    pl_status read = pl_audit_read(path, 0, 0, count, &n);
    if ((verdict->ok && !pl_is_ok(read)) || n != verdict->records ||
        verdict->ok != (*verdict->kind == 0) || verdict->ok != (*verdict->fault == 0))
        abort();
    fuzz_settle(read);
    parley__v1__audit_verdict__free_unpacked(verdict, NULL);
    close(fd);
}

/* What is taken once is taken again, and is then the last. */
static void take_head(const Parley__V1__Reservation *r) {
    Parley__V1__AuditPeer *peer = calloc(1, sizeof *peer);
    Parley__V1__AuditHead head = PARLEY__V1__AUDIT_HEAD__INIT;
    if (peer == NULL)
        abort();
    parley__v1__audit_peer__init(peer);
    head.size = r->memory_bytes;
    head.root = r->session_key;
    pl_status status = pl_heads_take(peer, "south", &head, r->audit_links, r->n_audit_links);
    if (pl_is_ok(status)) {
        status = pl_heads_take(peer, "south", &head, r->audit_links, r->n_audit_links);
        if (!pl_is_ok(status) || pl_heads_last(peer)->size != head.size)
            abort();
    }
    fuzz_settle(status);
    parley__v1__audit_peer__free_unpacked(peer, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    if ((data[0] & 1) == 0) {
        read_log(data + 1, size - 1);
        return 0;
    }
    Parley__V1__Reservation *r = parley__v1__reservation__unpack(NULL, size - 1, data + 1);
    if (r == NULL)
        return 0;
    pl_status status = pl_head_check_links(r->audit_links, r->n_audit_links, r->memory_bytes);
    if (pl_is_ok(status))
        status = pl_head_check_seen(r->audit_seen, r->n_audit_seen);
    if (pl_is_ok(status) && r->session_key.len == 32 && r->memory_bytes > 0)
        take_head(r);
    fuzz_settle(status);
    parley__v1__reservation__free_unpacked(r, NULL);
    return 0;
}
