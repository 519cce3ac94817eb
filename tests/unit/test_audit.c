/* The audit log: what was appended is read back in order, and every change of the file shows with
 * its kind and the record's number: each byte changed, each record deleted, doubled, moved, forged
 * or cut off at the end, a log written anew, each place at which a crash may cut the last record.
 * It could be wrong where chain, tree and heads are all replaced alike: then nothing here can tell,
 * and the last test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/audit/audit.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define N_RECORDS 4

/* The clock can be put back. */
static int64_t clock_shift_s;
int __real_clock_gettime(clockid_t id, struct timespec *out);
int __wrap_clock_gettime(clockid_t id, struct timespec *out);
int __wrap_clock_gettime(clockid_t id, struct timespec *out) {
    int result = __real_clock_gettime(id, out);
    out->tv_sec += clock_shift_s;
    return result;
}

static void must(pl_status status) {
    if (!pl_is_ok(status))
        fail_msg("%s", pl_status_message(status));
}

static void must_fail(pl_status status, pl_code code, const char *text) {
    if (pl_status_code(status) != code || strstr(pl_status_message(status), text) == NULL)
        fail_msg("got \"%s\" (%s), wanted \"%s\"", pl_status_message(status),
                 pl_code_describe(pl_status_code(status))->name, text);
    pl_status_done(&status);
}

/* ---- a log in a folder of its own ---- */

typedef struct fixture {
    char dir[64], path[80], tree[90], point[90];
    pl_bytes whole;           /* the file as written */
    size_t at[N_RECORDS + 1]; /* where record i begins */
} fixture;

static pl_audit_event event_of(const char *object) {
    return (pl_audit_event){.user = "anna",
                            .address = "local",
                            .object = object,
                            .content = "-",
                            .action = "job.propose",
                            .result = "ok",
                            .system = "parley test",
                            .method = "propose",
                            .job_id = "00ff",
                            .charter_digest = NULL};
}

static void append(pl_audit *audit, const char *object) {
    pl_audit_event event = event_of(object);
    must(pl_audit_append(audit, &event));
}

static void read_whole(fixture *f) {
    FILE *file = fopen(f->path, "rb");
    assert_non_null(file);
    uint8_t data[65536];
    size_t len = fread(data, 1, sizeof data, file);
    assert_true(len < sizeof data);
    fclose(file);
    pl_bytes_done(&f->whole);
    must(pl_bytes_dup(pl_view_of(data, len), &f->whole));
}

static void write_file(const fixture *f, const void *data, size_t len) {
    FILE *file = fopen(f->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/parley-audit-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/audit.log", f->dir);
    snprintf(f->tree, sizeof f->tree, "%s.tree", f->path);
    snprintf(f->point, sizeof f->point, "%s.point", f->path);
    pl_audit *audit;
    must(pl_audit_open(f->path, &audit));
    for (int i = 0; i < N_RECORDS; i++) {
        char object[20];
        snprintf(object, sizeof object, "job:%d", i);
        append(audit, object);
        read_whole(f);
        f->at[i + 1] = f->whole.len;
    }
    pl_audit_close(audit);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    unlink(f->path);
    unlink(f->tree);
    unlink(f->point);
    assert_int_equal(rmdir(f->dir), 0);
    pl_bytes_done(&f->whole);
    free(f);
    return 0;
}

/* A crash leaves the tree no longer than the log: n leaves, here. */
static void cut_tree(const fixture *f, uint64_t n) {
    assert_int_equal(truncate(f->tree, (off_t)(2 * n - (uint64_t)__builtin_popcountll(n)) * 32), 0);
}

static void expect_good(const fixture *f, uint64_t records) {
    Parley__V1__AuditVerdict *verdict;
    must(pl_audit_verify(f->path, NULL, 0, &verdict));
    if (!verdict->ok)
        fail_msg("%s", verdict->fault);
    assert_int_equal(verdict->records, records);
    assert_int_equal(strlen(verdict->head), 64);
    parley__v1__audit_verdict__free_unpacked(verdict, NULL);
}

/* The verdict names the record, and the log is neither opened for writing nor touched. */
static void expect_bad(const fixture *f, uint64_t record, const char *why) {
    char wanted[40];
    struct stat before, after;
    Parley__V1__AuditVerdict *verdict;
    snprintf(wanted, sizeof wanted, "record %llu: ", (unsigned long long)record);
    must(pl_audit_verify(f->path, NULL, 0, &verdict));
    assert_false(verdict->ok);
    if (strncmp(verdict->fault, wanted, strlen(wanted)) != 0 || strstr(verdict->fault, why) == NULL)
        fail_msg("\"%s\", wanted \"%s%s\"", verdict->fault, wanted, why);
    parley__v1__audit_verdict__free_unpacked(verdict, NULL);
    pl_audit *audit = NULL;
    assert_int_equal(stat(f->path, &before), 0);
    must_fail(pl_audit_open(f->path, &audit), PL_CORRUPT, wanted);
    assert_null(audit);
    assert_int_equal(stat(f->path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
}

/* ---- writing and reading ---- */

typedef struct visited {
    uint64_t n, first;
    uint8_t previous[32], hash[32];
    int64_t time_ms;
    uint64_t stop_after;
} visited;

static pl_status visit(const Parley__V1__AuditRecord *record, void *ctx) {
    visited *v = ctx;
    char object[20];
    snprintf(object, sizeof object, "job:%llu", (unsigned long long)record->seq);
    if (v->n == 0)
        v->first = record->seq;
    else
        assert_memory_equal(record->previous.data, v->hash, 32);
    assert_int_equal(record->seq, v->first + v->n);
    assert_string_equal(record->object, object);
    assert_string_equal(record->user, "anna");
    assert_string_equal(record->address, "local");
    assert_string_equal(record->content, "-");
    assert_string_equal(record->action, "job.propose");
    assert_string_equal(record->result, "ok");
    assert_string_equal(record->system, "parley test");
    assert_string_equal(record->method, "propose");
    assert_string_equal(record->job_id, "00ff");
    assert_string_equal(record->charter_digest, "");
    assert_true(record->time_ms >= v->time_ms && record->time_ms > 1600000000000);
    v->time_ms = record->time_ms;
    memcpy(v->previous, record->previous.data, 32);
    memcpy(v->hash, record->hash.data, 32);
    return ++v->n == v->stop_after ? pl_fail(PL_CANCELLED, "enough") : PL_OK;
}

static void test_append_and_read(void **state) {
    fixture *f = *state;
    static const uint8_t zero[32] = {0};
    visited all = {0}, one = {0}, tail = {0}, none = {0}, stopped = {.stop_after = 2};
    struct stat info;
    expect_good(f, N_RECORDS);
    must(pl_audit_read(f->path, 0, 0, visit, &all));
    assert_int_equal(all.n, N_RECORDS);
    must(pl_audit_read(f->path, 0, 1, visit, &one));
    assert_int_equal(one.n, 1);
    assert_memory_equal(one.previous, zero, 32);
    must(pl_audit_read(f->path, 2, 9, visit, &tail));
    assert_int_equal(tail.n, 2);
    assert_int_equal(tail.first, 2);
    must(pl_audit_read(f->path, N_RECORDS, 0, visit, &none));
    assert_int_equal(none.n, 0);
    must_fail(pl_audit_read(f->path, 0, 0, visit, &stopped), PL_CANCELLED, "enough");
    assert_int_equal(stopped.n, 2);
    assert_int_equal(stat(f->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void test_goes_on_after_reopening(void **state) {
    fixture *f = *state;
    pl_audit *audit;
    visited all = {0};
    uint8_t head[32];
    must(pl_audit_open(f->path, &audit));
    assert_int_equal(pl_audit_count(audit), N_RECORDS);
    assert_string_equal(pl_audit_path(audit), f->path);
    append(audit, "job:4");
    assert_int_equal(pl_audit_count(audit), N_RECORDS + 1);
    pl_audit_head(audit, head);
    pl_audit_close(audit);
    expect_good(f, N_RECORDS + 1);
    must(pl_audit_read(f->path, 0, 0, visit, &all));
    assert_memory_equal(all.hash, head, 32);
}

static void test_mandatory_fields(void **state) {
    fixture *f = *state;
    pl_audit *audit;
    must(pl_audit_open(f->path, &audit));
    static const struct {
        const char *name;
        size_t offset;
    } fields[] = {
        {"user", offsetof(pl_audit_event, user)},
        {"address", offsetof(pl_audit_event, address)},
        {"object", offsetof(pl_audit_event, object)},
        {"content", offsetof(pl_audit_event, content)},
        {"action", offsetof(pl_audit_event, action)},
        {"result", offsetof(pl_audit_event, result)},
        {"system", offsetof(pl_audit_event, system)},
        {"method", offsetof(pl_audit_event, method)},
    };
    for (size_t i = 0; i < 2 * sizeof fields / sizeof *fields; i++) {
        pl_audit_event event = event_of("job:x");
        const char *missing = i % 2 == 0 ? NULL : "";
        memcpy((char *)&event + fields[i / 2].offset, &missing, sizeof missing);
        must_fail(pl_audit_append(audit, &event), PL_INTERNAL, fields[i / 2].name);
    }
    assert_int_equal(pl_audit_count(audit), N_RECORDS);
    pl_audit_close(audit);
    expect_good(f, N_RECORDS);
}

static void test_too_large(void **state) {
    fixture *f = *state;
    pl_audit *audit;
    char *long_text = calloc(1, PL_AUDIT_RECORD_BYTES_MAX + 1);
    assert_non_null(long_text);
    memset(long_text, 'x', PL_AUDIT_RECORD_BYTES_MAX);
    must(pl_audit_open(f->path, &audit));
    pl_audit_event event = event_of(long_text);
    must_fail(pl_audit_append(audit, &event), PL_LIMIT, "too large");
    append(audit, "job:4");
    pl_audit_close(audit);
    free(long_text);
    expect_good(f, N_RECORDS + 1);
}

/* ---- tampering ---- */

static size_t record_of(const fixture *f, size_t byte) {
    size_t i = 0;
    while (byte >= f->at[i + 1])
        i++;
    return i;
}

static void test_every_byte(void **state) {
    fixture *f = *state;
    assert_true(f->whole.len > 400);
    for (size_t i = 0; i < f->whole.len; i++) {
        for (int bit = 0; bit < 8; bit += 1 + (int)(i % 3)) {
            f->whole.data[i] ^= (uint8_t)(1 << bit);
            write_file(f, f->whole.data, f->whole.len);
            f->whole.data[i] ^= (uint8_t)(1 << bit);
            expect_bad(f, record_of(f, i), "");
        }
    }
    write_file(f, f->whole.data, f->whole.len);
    expect_good(f, N_RECORDS);
}

/* Writes the records in the given order. */
static void write_order(const fixture *f, const int *order, int n) {
    pl_buf buf = {0};
    pl_bytes bytes;
    for (int i = 0; i < n; i++)
        pl_buf_append(&buf, f->whole.data + f->at[order[i]], f->at[order[i] + 1] - f->at[order[i]]);
    must(pl_buf_take(&buf, &bytes));
    write_file(f, bytes.data, bytes.len);
    pl_bytes_done(&bytes);
}

static void test_order(void **state) {
    fixture *f = *state;
    static const struct {
        int order[5], n;
        uint64_t record;
        const char *why;
    } cases[] = {
        {{1, 2, 3}, 3, 0, "deleted (records 0 to 0 are missing"},
        {{0, 2, 3}, 3, 1, "deleted (records 1 to 1 are missing"},
        {{0, 1, 3}, 3, 2, "deleted (records 2 to 2 are missing"},
        {{0, 3}, 2, 1, "deleted (records 1 to 2 are missing"},
        {{3}, 1, 0, "deleted (records 0 to 2 are missing"},
        {{0, 2, 1, 3}, 4, 1, "1 record was inserted or moved in front of it"},
        {{0, 1, 1, 2, 3}, 5, 2, "1 record was inserted or moved in front of it"},
        {{0, 3, 0, 1, 2}, 5, 1, "2 records were inserted or moved in front of it"},
        {{0, 1, 2, 3, 0}, 5, 4, "it is record 0"},
        {{0, 1, 2}, 3, 3, "the end was cut off (the tree beside the log has 4 records, the log 3)"},
        {{0}, 1, 1, "the end was cut off"},
        {{0}, 0, 0, "the end was cut off"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_order(f, cases[i].order, cases[i].n);
        expect_bad(f, cases[i].record, cases[i].why);
    }
}

/* A record of another log with the right number and a right hash of its own does not fit in. */
static void test_foreign_record(void **state) {
    fixture *f = *state;
    fixture *other;
    void *other_state;
    clock_shift_s = 1000; /* written within a millisecond, the two would begin alike */
    assert_int_equal(set_up(&other_state), 0);
    clock_shift_s = 0;
    other = other_state;
    pl_buf buf = {0};
    pl_bytes bytes;
    pl_buf_append(&buf, f->whole.data, f->at[2]);
    pl_buf_append(&buf, other->whole.data + other->at[2], other->at[4] - other->at[2]);
    must(pl_buf_take(&buf, &bytes));
    write_file(f, bytes.data, bytes.len);
    expect_bad(f, 2, "it does not follow the record before it");
    visited good = {0};
    must_fail(pl_audit_read(f->path, 0, 0, visit, &good), PL_CORRUPT, "record 2");
    assert_int_equal(good.n, 2);
    pl_bytes_done(&bytes);
    tear_down(&other_state);
}

/* ---- crashes ---- */

typedef struct last_record {
    char action[40], content[100];
    uint64_t seq;
} last_record;

static pl_status keep_last(const Parley__V1__AuditRecord *record, void *ctx) {
    last_record *last = ctx;
    snprintf(last->action, sizeof last->action, "%s", record->action);
    snprintf(last->content, sizeof last->content, "%s", record->content);
    last->seq = record->seq;
    return PL_OK;
}

static void test_torn(void **state) {
    fixture *f = *state;
    for (size_t cut = f->at[3] + 1; cut < f->at[4]; cut++) {
        Parley__V1__AuditVerdict *verdict;
        char wanted[40];
        write_file(f, f->whole.data, cut);
        expect_bad(f, 3, "the end was cut off"); /* the tree knows record 3: no crash did this */
        cut_tree(f, 3);
        must(pl_audit_verify(f->path, NULL, 0, &verdict));
        assert_false(verdict->ok);
        assert_string_equal(verdict->fault, "record 3: the file ends inside it");
        parley__v1__audit_verdict__free_unpacked(verdict, NULL);
        pl_audit *audit;
        must(pl_audit_open(f->path, &audit));
        assert_int_equal(pl_audit_count(audit), 4);
        pl_audit_close(audit);
        last_record last = {0};
        snprintf(wanted, sizeof wanted, "of %zu bytes was cut off", cut - f->at[3]);
        must(pl_audit_read(f->path, 3, 0, keep_last, &last));
        assert_string_equal(last.action, "audit.recover");
        assert_non_null(strstr(last.content, wanted));
        assert_int_equal(last.seq, 3);
        expect_good(f, 4);
    }
}

/* A length made larger looks like a torn end, but the records under it are whole: nothing is cut.
 */
static void test_false_torn(void **state) {
    fixture *f = *state;
    for (size_t i = 0; i < N_RECORDS; i++) {
        uint32_t len = pl_get_u32(f->whole.data + f->at[i]);
        pl_put_u32(f->whole.data + f->at[i], (uint32_t)f->whole.len);
        write_file(f, f->whole.data, f->whole.len);
        expect_bad(f, i, "its length was changed");
        pl_put_u32(f->whole.data + f->at[i], len);
    }
    write_file(f, f->whole.data, f->whole.len);
    FILE *file = fopen(f->path, "ab");
    assert_non_null(file);
    assert_int_equal(fwrite("\x60\0\0\0rubbish", 1, 11, file), 11);
    fclose(file);
    expect_bad(f, N_RECORDS, "its length was changed");
}

/* No room: the append fails, half a record is taken back, and later appends go on. */
static void test_disk_full(void **state) {
    fixture *f = *state;
    pl_audit *audit;
    struct rlimit before, small;
    must(pl_audit_open(f->path, &audit));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = f->whole.len + 10;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    pl_audit_event event = event_of("job:4");
    pl_status status = pl_audit_append(audit, &event);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    must_fail(status, PL_IO, "cannot write to the audit log");
    assert_int_equal(pl_audit_count(audit), N_RECORDS);
    expect_good(f, N_RECORDS);
    append(audit, "job:4");
    pl_audit_close(audit);
    expect_good(f, N_RECORDS + 1);
}

/* ---- the tree, heads, checkpoints ---- */

static pl_merkle_hash root_of(const fixture *f, uint64_t size) {
    pl_audit *audit;
    pl_merkle_hash root, now;
    must(pl_audit_open(f->path, &audit));
    must(pl_audit_root_at(audit, size, &root));
    now = pl_audit_root(audit);
    assert_true(size != pl_audit_count(audit) || pl_merkle_equal(&root, &now));
    must_fail(pl_audit_root_at(audit, pl_audit_count(audit) + 1, &now), PL_FAILED_PRECONDITION,
              "records, not");
    pl_audit_close(audit);
    return root;
}

/* The leaves are the records' bytes as they stand in the file: anybody can make the tree again. */
static void test_root(void **state) {
    fixture *f = *state;
    pl_merkle tree = {0};
    for (uint64_t i = 0; i <= N_RECORDS; i++) {
        pl_merkle_hash root = pl_merkle_root(&tree), same = root_of(f, i);
        assert_true(pl_merkle_equal(&root, &same));
        if (i == N_RECORDS)
            break;
        pl_merkle_hash leaf =
            pl_merkle_leaf(pl_view_of(f->whole.data + f->at[i] + 4, f->at[i + 1] - f->at[i] - 4));
        pl_merkle_add(&tree, &leaf, NULL);
    }
}

static void test_proofs(void **state) {
    fixture *f = *state;
    pl_audit *audit;
    pl_merkle_path path;
    pl_merkle_hash old;
    must(pl_audit_open(f->path, &audit));
    for (uint64_t n = 1; n <= N_RECORDS; n++) {
        pl_merkle_hash now = pl_audit_root(audit);
        must(pl_audit_root_at(audit, n, &old));
        must(pl_audit_consistency(audit, n, &path));
        assert_true(pl_merkle_check_consistency(n, N_RECORDS, &old, &now, &path));
        pl_merkle_hash leaf = pl_merkle_leaf(
            pl_view_of(f->whole.data + f->at[n - 1] + 4, f->at[n] - f->at[n - 1] - 4));
        must(pl_audit_inclusion(audit, n - 1, &path));
        assert_true(pl_merkle_check_inclusion(n - 1, N_RECORDS, &leaf, &path, &now));
    }
    must_fail(pl_audit_consistency(audit, N_RECORDS + 1, &path), PL_FAILED_PRECONDITION, "records");
    must_fail(pl_audit_inclusion(audit, N_RECORDS, &path), PL_NOT_FOUND, "no record 4");
    /* A tree that was damaged on disk gives no false proof. */
    FILE *file = fopen(f->tree, "r+b");
    assert_non_null(file);
    assert_int_equal(fwrite("spoilt", 1, 6, file), 6);
    assert_int_equal(fclose(file), 0);
    must_fail(pl_audit_inclusion(audit, 1, &path), PL_CORRUPT, "was damaged: remove it");
    pl_audit_close(audit);
    must_fail(pl_audit_open(f->path, &audit), PL_CORRUPT, "fork: record 0");
    unlink(f->tree);
    must(pl_audit_open(f->path, &audit));
    must(pl_audit_inclusion(audit, 1, &path));
    pl_audit_close(audit);
}

/* Somebody who can write everything but what others hold: the log anew, chain, tree and all. */
static void write_anew(fixture *f, uint64_t first_other, uint64_t n) {
    unlink(f->path);
    unlink(f->tree);
    FILE *file = fopen(f->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(f->whole.data, 1, f->at[first_other], file), f->at[first_other]);
    fclose(file);
    pl_audit *audit;
    must(pl_audit_open(f->path, &audit));
    for (uint64_t i = first_other; i < n; i++)
        append(audit, "job:forged");
    pl_audit_close(audit);
}

static void expect_claims(const fixture *f, const pl_audit_claim *claims, size_t n,
                          const char *kind, uint64_t record, const char *why) {
    Parley__V1__AuditVerdict *verdict;
    must(pl_audit_verify(f->path, claims, n, &verdict));
    if (strcmp(verdict->kind, kind) != 0 || verdict->record != record ||
        strstr(verdict->fault, why) == NULL)
        fail_msg("%s: %s; wanted %s: %s", verdict->kind, verdict->fault, kind, why);
    assert_int_equal(verdict->ok, *kind == 0);
    assert_int_equal(verdict->heads_held, n);
    parley__v1__audit_verdict__free_unpacked(verdict, NULL);
}

static void test_claims(void **state) {
    fixture *f = *state;
    pl_audit_claim claims[] = {{4, root_of(f, 4), 0, "south"},
                               {2, root_of(f, 2), 0, "north"},
                               {2, root_of(f, 2), 0, "east"}};
    expect_claims(f, claims, 3, "", 0, "");
    write_anew(f, 2, 4); /* records 2 and 3 exchanged */
    expect_good(f, 4);
    expect_claims(f, claims, 3, "fork", 2, "to record 3 something is not what it was: south has");
    expect_claims(f, claims, 1, "fork", 0, "to record 3");
    expect_claims(f, claims + 1, 2, "", 0, "");
    write_anew(f, 0, 7); /* another log, longer */
    expect_claims(f, claims, 3, "fork", 0, "to record 1 something is not what it was: ");
    write_file(f, f->whole.data, f->at[2]); /* cut off, the tree too */
    unlink(f->tree);
    expect_good(f, 2);
    expect_claims(f, claims, 3, "truncation", 2, "(south has seen 4 records, the log has 2)");
    expect_claims(f, claims + 1, 2, "", 0, "");
    write_file(f, f->whole.data, 0);
    expect_claims(f, claims + 1, 1, "truncation", 0, "north has seen 2 records, the log has 0");
}

/* The same forgery while the tree beside the log stands: the very record is named. */
static void test_tree_names_the_record(void **state) {
    fixture *f = *state;
    char kept[100];
    snprintf(kept, sizeof kept, "%s/kept", f->dir);
    for (uint64_t first = 0; first < N_RECORDS; first++) {
        assert_int_equal(rename(f->tree, kept), 0);
        write_anew(f, first, N_RECORDS);
        assert_int_equal(rename(kept, f->tree), 0);
        expect_bad(f, first, "the log was written anew");
        expect_claims(f, NULL, 0, "fork", first, "");
    }
}

/* A forged record, whole and with the right number and predecessor, put in. */
static void test_forged_insertion(void **state) {
    fixture *f = *state;
    for (uint64_t at = 0; at < N_RECORDS; at++) {
        pl_bytes forged, all;
        pl_buf buf = {0};
        write_anew(f, at, at + 1);
        FILE *file = fopen(f->path, "rb");
        uint8_t data[4096];
        size_t len = fread(data, 1, sizeof data, file);
        fclose(file);
        must(pl_bytes_dup(pl_view_of(data, len), &forged));
        pl_buf_append(&buf, forged.data, forged.len);
        pl_buf_append(&buf, f->whole.data + f->at[at], f->whole.len - f->at[at]);
        must(pl_buf_take(&buf, &all));
        write_file(f, all.data, all.len);
        unlink(f->tree);
        expect_claims(f, NULL, 0, "insertion", at, "it was inserted");
        pl_bytes_done(&forged);
        pl_bytes_done(&all);
    }
}

/* After a checkpoint a start reads only what follows; what stands before is for the verifier. */
static void test_checkpoint(void **state) {
    fixture *f = *state;
    pl_audit *audit;
    must(pl_audit_open(f->path, &audit));
    assert_int_equal(access(f->point, F_OK), -1);
    pl_audit_checkpoint_every(audit, 2);
    append(audit, "job:4");
    assert_int_equal(access(f->point, F_OK), 0);
    append(audit, "job:5");
    pl_merkle_hash root = pl_audit_root(audit);
    pl_audit_close(audit);
    read_whole(f);
    f->whole.data[10] ^= 1;
    write_file(f, f->whole.data, f->whole.len);
    expect_claims(f, NULL, 0, "change", 0, "");
    must(pl_audit_open(f->path, &audit)); /* not read again */
    assert_int_equal(pl_audit_count(audit), 6);
    pl_merkle_hash again = pl_audit_root(audit);
    assert_true(pl_merkle_equal(&root, &again));
    append(audit, "job:6");
    pl_audit_close(audit);
    f->whole.data[10] ^= 1;
    f->whole.data[f->whole.len - 1] ^= 1; /* behind the checkpoint */
    write_file(f, f->whole.data, f->whole.len);
    must_fail(pl_audit_open(f->path, &audit), PL_CORRUPT, "record 5");
    write_file(f, f->whole.data, f->at[3]); /* before the checkpoint's place: all is read */
    must_fail(pl_audit_open(f->path, &audit), PL_CORRUPT, "truncation: record 3");
}

/* A checkpoint that is torn, forged or of another log only costs time. */
static void test_bad_checkpoint(void **state) {
    fixture *f = *state;
    pl_audit *audit;
    must(pl_audit_open(f->path, &audit));
    pl_audit_checkpoint_every(audit, 1);
    append(audit, "job:4");
    pl_audit_close(audit);
    read_whole(f);
    uint8_t point[200];
    FILE *file = fopen(f->point, "rb");
    assert_non_null(file);
    size_t len = fread(point, 1, sizeof point, file);
    fclose(file);
    assert_int_equal(len, 112);
    f->whole.data[10] ^= 1; /* so that reading all of it shows */
    write_file(f, f->whole.data, f->whole.len);
    for (size_t i = 0; i <= len; i++) {
        file = fopen(f->point, "wb");
        assert_non_null(file);
        point[i % len] ^= 4;
        assert_int_equal(fwrite(point, 1, i == len ? 50 : len, file), i == len ? 50 : len);
        point[i % len] ^= 4;
        fclose(file);
        must_fail(pl_audit_open(f->path, &audit), PL_CORRUPT, "record 0");
    }
}

static void test_clock_steps(void **state) {
    fixture *f = *state;
    static const int64_t shifts[] = {-60, -300, -300, 0, -1000};
    pl_audit *audit;
    Parley__V1__AuditVerdict *verdict;
    must(pl_audit_open(f->path, &audit));
    for (size_t i = 0; i < 5; i++) {
        clock_shift_s = shifts[i];
        append(audit, "job:x");
    }
    clock_shift_s = 0;
    pl_audit_close(audit);
    must(pl_audit_verify(f->path, NULL, 0, &verdict));
    assert_true(verdict->ok);
    assert_int_equal(verdict->clock_steps, 2);
    assert_int_equal(verdict->clock_step, N_RECORDS + 1);
    parley__v1__audit_verdict__free_unpacked(verdict, NULL);
}

/* What this cannot show: log and tree replaced alike, and nobody holds a head. */
static void test_what_nobody_can_tell(void **state) {
    fixture *f = *state;
    write_anew(f, 0, 4);
    expect_good(f, 4);
}

/* ---- opening ---- */

static void test_open_faults(void **state) {
    fixture *f = *state;
    pl_audit *audit, *second = NULL;
    char link[100];
    must(pl_audit_open(f->path, &audit));
    must_fail(pl_audit_open(f->path, &second), PL_FAILED_PRECONDITION, "is in use");
    pl_audit_close(audit);
    snprintf(link, sizeof link, "%s/link", f->dir);
    assert_int_equal(symlink(f->path, link), 0);
    must_fail(pl_audit_open(link, &second), PL_IO, "cannot open the audit log");
    unlink(link);
    must_fail(pl_audit_open(f->dir, &second), PL_IO, "cannot open the audit log");
    must_fail(pl_audit_open("/nowhere/audit.log", &second), PL_IO, "No such file");
    assert_int_equal(mkfifo(link, 0600), 0);
    must_fail(pl_audit_open(link, &second), PL_IO, "not a plain file");
    unlink(link);
    assert_null(second);
    Parley__V1__AuditVerdict *verdict;
    must_fail(pl_audit_verify("/nowhere/audit.log", NULL, 0, &verdict), PL_IO,
              "cannot read the audit log");
    pl_audit_close(NULL);
}

static void test_closed_to_others(void **state) {
    fixture *f = *state;
    pl_audit *audit;
    struct stat info;
    assert_int_equal(chmod(f->path, 0644), 0);
    must(pl_audit_open(f->path, &audit));
    pl_audit_close(audit);
    assert_int_equal(stat(f->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_root),
        TEST(test_proofs),
        TEST(test_claims),
        TEST(test_tree_names_the_record),
        TEST(test_forged_insertion),
        TEST(test_checkpoint),
        TEST(test_bad_checkpoint),
        TEST(test_clock_steps),
        TEST(test_what_nobody_can_tell),
        TEST(test_append_and_read),
        TEST(test_goes_on_after_reopening),
        TEST(test_mandatory_fields),
        TEST(test_too_large),
        TEST(test_every_byte),
        TEST(test_order),
        TEST(test_foreign_record),
        TEST(test_torn),
        TEST(test_false_torn),
        TEST(test_disk_full),
        TEST(test_open_faults),
        TEST(test_closed_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
