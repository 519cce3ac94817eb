/* Organisations, manifests and descriptors: what is made, what is refused, by field and by time. It
 * could be wrong where two files of a folder are exchanged in a way that no row here tries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/charter/descriptor.h"
#include "node/crypto/cert.h"
#include "node/crypto/signed.h"
#include "proto/common.pb-c.h"
#include "tests/unit/federation_fixture.h"
#include "tests/unit/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))
#define DAY 86400

static fixture world;

static void path_in(const char *org, const char *file, char out[200]) {
    char name[100];
    snprintf(name, sizeof name, "%s%s%s", org, file == NULL ? "" : "/", file == NULL ? "" : file);
    fixture_path(&world, name, out, 200);
}

static unsigned mode_of(const char *org, const char *file) {
    struct stat st;
    char path[200];
    path_in(org, file, path);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static pl_status load(const char *org) {
    char path[200];
    pl_org *out = NULL;
    path_in(org, NULL, path);
    pl_status status = pl_org_load(path, &out);
    pl_org_free(out);
    return status;
}

static void make(const char *org, uint32_t days) {
    char path[200];
    path_in(org, NULL, path);
    must(pl_org_create(path, &(pl_org_params){.org = org, .now = FIXTURE_NOW, .node_days = days}));
}

/* ---- the folder ---- */

static void keys_are_private_and_complete(void **state) {
    (void)state;
    static const char *const keys[] = {"root.key", "node.key", "seal.key", "tls.key"};
    assert_int_equal(mode_of("tax", NULL), 0700);
    for (size_t i = 0; i < N(keys); i++)
        assert_int_equal(mode_of("tax", keys[i]), 0600);
    assert_string_equal(pl_org_name(world.orgs[TAX]), "tax");
    const Parley__V1__Descriptor *d = pl_org_descriptor(world.orgs[TAX]);
    assert_int_equal(d->serial, 1);
    assert_string_equal(d->endpoints[0], "127.0.0.1:7001");
    assert_non_null(strstr(pl_org_tls_cert_pem(world.orgs[TAX]), "BEGIN CERTIFICATE"));
    assert_non_null(strstr(pl_org_tls_key_pem(world.orgs[TAX]), "PRIVATE KEY"));
}

static void a_folder_is_never_overwritten(void **state) {
    (void)state;
    char path[200], partial[210];
    path_in("tax", NULL, path);
    pl_org_params params = {.org = "tax", .now = FIXTURE_NOW};
    must_refuse(pl_org_create(path, &params), PL_ALREADY_EXISTS, "keys are never overwritten");
    must(load("tax"));
    snprintf(partial, sizeof partial, "%s.partial", path);
    assert_int_equal(access(partial, F_OK), -1); /* nothing half made is left */
    assert_int_equal(mkdir(partial, 0700), 0);
    must_refuse(pl_org_create(path, &params), PL_ALREADY_EXISTS, "remove it");
    assert_int_equal(rmdir(partial), 0);
}

static void what_an_organisation_may_not_be(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", "Tax", "1tax", "tax-office", "a234567890123456789012345678901x", "t\xc3\xa4x"};
    char path[200];
    path_in("new", NULL, path);
    for (size_t i = 0; i < N(bad); i++) {
        pl_org_params params = {.org = bad[i], .now = FIXTURE_NOW};
        must_refuse(pl_org_create(path, &params), PL_INVALID_ARGUMENT,
                    "cannot name an organisation");
    }
    static const char *const endpoints[] = {"host",       "host:0",    "host:65536", ":7001",
                                            "ho st:7001", "[::1:7001", "host:7001x", "[]:7001"};
    for (size_t i = 0; i < N(endpoints); i++) {
        pl_org_params params = {
            .org = "new", .now = FIXTURE_NOW, .endpoints = &endpoints[i], .n_endpoints = 1};
        must_refuse(pl_org_create(path, &params), PL_INVALID_ARGUMENT, "endpoints[0]");
        assert_int_equal(access(path, F_OK), -1);
    }
    static const char *const good[] = {"[2001:db8::1]:7001", "node.tax.example:65535",
                                       "10.0.0.1:1"};
    pl_org_params params = {.org = "new", .now = FIXTURE_NOW, .endpoints = good, .n_endpoints = 3};
    must(pl_org_create(path, &params));
    params.group = "";
    path_in("new2", NULL, path);
    must_refuse(pl_org_create(path, &params), PL_INVALID_ARGUMENT, "group is empty");
}

static void a_key_open_to_others_is_refused(void **state) {
    (void)state;
    static const char *const keys[] = {"node.key", "seal.key", "tls.key"};
    make("open", 0);
    for (size_t i = 0; i < N(keys); i++) {
        char path[200];
        path_in("open", keys[i], path);
        assert_int_equal(chmod(path, 0640), 0);
        must_refuse(load("open"), PL_REFUSED, "mode 0640");
        must_refuse(load("open"), PL_REFUSED, "run chmod 0600");
        must_refuse(load("open"), PL_REFUSED, keys[i]);
        assert_int_equal(chmod(path, 0600), 0);
    }
    must(load("open"));
}

static void a_node_needs_no_root_key(void **state) {
    (void)state;
    char path[200], *org = NULL;
    pl_key *key = NULL;
    make("rootless", 0);
    path_in("rootless", "root.key", path);
    assert_int_equal(unlink(path), 0);
    must(load("rootless"));
    path_in("rootless", NULL, path);
    must_refuse(pl_org_load_root(path, &key, &org), PL_IO, "root.key");
    must_refuse(pl_org_renew(path, FIXTURE_NOW, 0), PL_IO, "root.key");
    must(load("rootless")); /* as it was before */
}

static void files_of_two_folders_do_not_mix(void **state) {
    (void)state;
    static const struct {
        const char *file, *text;
    } rows[] = {
        {"node.key", "node.key is not the sign_key"},
        {"seal.key", "seal.key is not the seal_key"},
        {"tls.key", "tls.key is not the tls_cert"},
        {"tls.crt", "tls.crt is not the tls_cert"},
    };
    make("one", 0);
    make("two", 0);
    for (size_t i = 0; i < N(rows); i++) {
        char own[200], other[200], kept[200];
        path_in("one", rows[i].file, own);
        path_in("one", "kept", kept);
        path_in("two", rows[i].file, other);
        assert_int_equal(rename(own, kept), 0);
        assert_int_equal(link(other, own), 0);
        must_refuse(load("one"), PL_CORRUPT, rows[i].text);
        assert_int_equal(unlink(own), 0);
        must_refuse(load("one"), i == 3 ? PL_NOT_FOUND : PL_IO, rows[i].file);
        assert_int_equal(rename(kept, own), 0);
    }
    must(load("one"));
}

static void renewed_keys_have_the_next_serial(void **state) {
    (void)state;
    char path[200], kept[220];
    pl_org *before, *after;
    make("renewed", 0);
    path_in("renewed", NULL, path);
    must(pl_org_load(path, &before));
    must(pl_org_renew(path, FIXTURE_NOW + DAY, 30));
    must(pl_org_load(path, &after));
    const Parley__V1__Descriptor *old = pl_org_descriptor(before), *new = pl_org_descriptor(after);
    assert_int_equal(new->serial, 2);
    assert_int_equal(new->not_after, FIXTURE_NOW + 31 * DAY);
    assert_string_equal(new->org, old->org);
    assert_memory_not_equal(new->sign_key.data, old->sign_key.data, old->sign_key.len);
    assert_memory_not_equal(new->seal_key.data, old->seal_key.data, 32);
    snprintf(kept, sizeof kept, "%s.serial1", path);
    pl_org *again;
    must(pl_org_load(kept, &again)); /* what is sealed to the old key can still be opened */
    pl_org_free(again);
    must(pl_org_renew(path, FIXTURE_NOW + 2 * DAY, 30)); /* the root is still there */
    pl_org_free(before);
    pl_org_free(after);
}

/* ---- the manifest ---- */

static pl_status parse(pl_view view) {
    pl_manifest *out = NULL;
    pl_status status = pl_manifest_parse(view, &out);
    pl_manifest_free(out);
    return status;
}

static void a_manifest_says_who_belongs(void **state) {
    (void)state;
    const pl_manifest *m = world.manifest;
    assert_int_equal(pl_manifest_n_members(m), FIXTURE_ORGS);
    for (size_t i = 0; i < FIXTURE_ORGS; i++)
        assert_string_equal(pl_manifest_member_name(m, i), fixture_names[i]); /* sorted */
    assert_string_equal(pl_manifest_member(m, "twin")->group, "tax");
    assert_null(pl_manifest_member(m, "nobody"));
    assert_string_equal(pl_manifest_name(m), "regions");
    must(pl_manifest_signed_by(m, "health"));
    must_refuse(pl_manifest_signed_by(m, "tax"), PL_UNAUTHENTICATED, "no signature of root:tax");
    must_refuse(pl_manifest_signed_by(m, "nobody"), PL_NOT_FOUND, "nobody is no member");
}

static void m_of_n_roots_must_sign(void **state) {
    (void)state;
    pl_bytes bytes = {0}, more;
    pl_manifest *shown;
    fixture_manifest(&world, 1, 3, NULL, 0, &bytes);
    must_refuse(parse(pl_bytes_view(&bytes)), PL_UNAUTHENTICATED,
                "epoch 1 is signed by 0 of the 3 needed");
    must(pl_manifest_inspect(pl_bytes_view(&bytes), &shown)); /* but it can be shown */
    pl_manifest_free(shown);
    pl_bytes_done(&bytes);
    fixture_manifest(&world, 1, 3, NULL, 1u << TAX | 1u << TWIN, &bytes);
    must_refuse(parse(pl_bytes_view(&bytes)), PL_UNAUTHENTICATED, "signed by 2 of the 3 needed");
    /* one root twice is one root */
    must(pl_manifest_sign(pl_bytes_view(&bytes), NULL, "tax", world.roots[TAX], &more));
    must_refuse(parse(pl_bytes_view(&more)), PL_UNAUTHENTICATED, "signed by 2 of the 3 needed");
    pl_bytes_done(&more);
    /* a node key is no root, and another's root is not one's own */
    must_refuse(pl_manifest_sign(pl_bytes_view(&bytes), NULL, "north", world.roots[SOUTH], &more),
                PL_UNAUTHENTICATED, "another root_cert for north");
    must_refuse(pl_manifest_sign(pl_bytes_view(&bytes), NULL, "nobody", world.roots[SOUTH], &more),
                PL_NOT_FOUND, "nobody is no member");
    must(pl_sign_add(pl_org_sign_key(world.orgs[NORTH]), "manifest", "root:north",
                     pl_bytes_view(&bytes), &more));
    must_refuse(parse(pl_bytes_view(&more)), PL_UNAUTHENTICATED, "signed by 2 of the 3 needed");
    pl_bytes_done(&more);
    must(pl_manifest_sign(pl_bytes_view(&bytes), NULL, "north", world.roots[NORTH], &more));
    must(parse(pl_bytes_view(&more)));
    pl_bytes_done(&more);
    pl_bytes_done(&bytes);
}

typedef struct resign {
    Parley__V1__Manifest *body;
} resign;

/* Signed again by two roots, as two dishonest members could: what is refused then is the form. */
static pl_status manifest_resigned(void *ctx) {
    resign *r = ctx;
    pl_bytes one = {0}, two;
    fixture_sign(r->body, "manifest", "root:health", world.roots[HEALTH], &one);
    must(pl_sign_add(world.roots[NORTH], "manifest", "root:north", pl_bytes_view(&one), &two));
    pl_status status = parse(pl_bytes_view(&two));
    pl_bytes_done(&one);
    pl_bytes_done(&two);
    return status;
}

static void every_field_of_a_manifest(void **state) {
    (void)state;
    static const sweep_row rows[] = {
        {"federation changed", NULL},
        {"epoch +1", "previous_digest has 0 bytes, not 32"},
        {"epoch large", "previous_digest has 0 bytes, not 32"},
        {"threshold +1", "signed by 2 of the 3 needed"},
        {"not_before +1", NULL},
        {"not_before large", "not_after is not after not_before"},
        {"not_after +1", NULL},
        {"not_after large", NULL},
        {"members dropped", NULL},
        {"members doubled", "members are not sorted by org"},
        {"members[0].org changed", "signed by 1 of the 2 needed"},
        {"members[1].org changed", "signed by 1 of the 2 needed"},
        {"members[2].org changed", NULL},
        {"members[3].org changed", NULL},
        {"members[4].org changed", NULL},
        {"members[0].display_name changed", NULL},
        {"members[1].display_name changed", NULL},
        {"members[2].display_name changed", NULL},
        {"members[3].display_name changed", NULL},
        {"members[4].display_name changed", NULL},
        {"members[0].group changed", NULL},
        {"members[1].group changed", NULL},
        {"members[2].group changed", NULL},
        {"members[3].group changed", NULL},
        {"members[4].group changed", NULL},
    };
    pl_bytes body;
    must(pl_signed_body(pl_bytes_view(&world.signed_manifest), &body));
    resign r = {parley__v1__manifest__unpack(NULL, body.len, body.data)};
    sweep s = {.name = "manifest",
               .attempt = manifest_resigned,
               .ctx = &r,
               .rows = rows,
               .n_rows = N(rows)};
    sweep_run(&s, &r.body->base, 40);
    parley__v1__manifest__free_unpacked(r.body, NULL);
    pl_bytes_done(&body);
}

static void members_are_distinct(void **state) {
    (void)state;
    pl_bytes body;
    must(pl_signed_body(pl_bytes_view(&world.signed_manifest), &body));
    resign r = {parley__v1__manifest__unpack(NULL, body.len, body.data)};
    Parley__V1__Member *last = r.body->members[4], *south = r.body->members[2];
    r.body->members[4] = r.body->members[3];
    must_refuse(manifest_resigned(&r), PL_INVALID_ARGUMENT, "members name tax twice");
    r.body->members[4] = last;
    ProtobufCBinaryData cert = last->root_cert;
    last->root_cert = south->root_cert; /* one root, two votes */
    must_refuse(manifest_resigned(&r), PL_INVALID_ARGUMENT,
                "root_cert of twin has the key of south");
    last->root_cert = cert;
    r.body->threshold = 6;
    must_refuse(manifest_resigned(&r), PL_INVALID_ARGUMENT, "threshold is 6 of 5");
    parley__v1__manifest__free_unpacked(r.body, NULL);
    pl_bytes_done(&body);
}

static void a_manifest_is_valid_for_a_time(void **state) {
    (void)state;
    const pl_manifest *m = world.manifest;
    must(pl_manifest_accept(m, NULL, FIXTURE_NOW));
    must(pl_manifest_accept(m, NULL, FIXTURE_NOW + 30 * DAY));
    must_refuse(pl_manifest_accept(m, NULL, FIXTURE_NOW + 30 * DAY + 1), PL_FAILED_PRECONDITION,
                "epoch 1 expired on 2026-12-18 11:06:40 UTC");
    must(pl_manifest_accept(m, NULL, FIXTURE_NOW - 3720));
    must_refuse(pl_manifest_accept(m, NULL, FIXTURE_NOW - 3721), PL_FAILED_PRECONDITION,
                "not_before");
    char path[200];
    fixture_path(&world, "manifest.pb", path, sizeof path);
    FILE *file = fopen(path, "wb");
    assert_int_equal(fwrite(world.signed_manifest.data, 1, world.signed_manifest.len, file),
                     world.signed_manifest.len);
    fclose(file);
    pl_manifest *loaded;
    must(pl_manifest_load(path, FIXTURE_NOW, &loaded));
    pl_manifest_free(loaded);
    must_refuse(pl_manifest_load(path, FIXTURE_NOW + 31 * DAY, &loaded), PL_FAILED_PRECONDITION,
                "expired on");
    fixture_path(&world, "nothing.pb", path, sizeof path);
    must_refuse(pl_manifest_load(path, FIXTURE_NOW, &loaded), PL_NOT_FOUND, "nothing.pb");
}

/* What of (epoch 1 accepted) + another manifest. */
static pl_status accept_after(const pl_manifest *previous, pl_bytes *bytes) {
    pl_manifest *next;
    PL_TRY(pl_manifest_parse(pl_bytes_view(bytes), &next));
    pl_status status = pl_manifest_accept(next, previous, FIXTURE_NOW);
    pl_manifest_free(next);
    pl_bytes_done(bytes);
    return status;
}

static void epochs_go_forward_only(void **state) {
    (void)state;
    pl_bytes bytes;
    pl_manifest *second;
    must(pl_manifest_accept(world.manifest, world.manifest, FIXTURE_NOW)); /* a restart */
    fixture_manifest(&world, 2, 1, world.manifest, 1u << HEALTH | 1u << TAX, &bytes);
    must(pl_manifest_parse(pl_bytes_view(&bytes), &second));
    must(accept_after(world.manifest, &bytes));
    must_refuse(pl_manifest_accept(world.manifest, second, FIXTURE_NOW), PL_REFUSED,
                "epoch 1 is older than 2");
    /* epoch 2 lowers the threshold to 1, but one signature is not m of the epoch before */
    fixture_manifest(&world, 2, 1, world.manifest, 1u << TAX, &bytes);
    must_refuse(accept_after(world.manifest, &bytes), PL_UNAUTHENTICATED,
                "epoch 2 is signed by 1 of the 2 needed from the members of the epoch before");
    pl_bytes_done(&bytes);
    /* another manifest of the same epoch: the view is split */
    fixture_manifest(&world, 1, 1, NULL, 1u << HEALTH | 1u << TAX, &bytes);
    must_refuse(accept_after(world.manifest, &bytes), PL_REFUSED,
                "two different manifests of epoch 1");
    pl_bytes_done(&bytes);
    /* epoch 2 of another line of manifests */
    fixture_manifest(&world, 3, 1, second, 1u << HEALTH | 1u << TAX, &bytes);
    must(accept_after(second, &bytes));
    fixture_manifest(&world, 2, 2, second, 1u << HEALTH | 1u << TAX, &bytes);
    must_refuse(accept_after(world.manifest, &bytes), PL_PROTOCOL, "previous_digest differs");
    pl_bytes_done(&bytes);
    pl_manifest_free(second);
}

/* ---- the descriptor ---- */

typedef struct describe {
    Parley__V1__Descriptor *body;
    uint64_t serial_seen;
    int64_t now;
    const pl_key *key;
} describe;

static pl_status descriptor_resigned(void *ctx) {
    describe *t = ctx;
    pl_bytes bytes = {0};
    Parley__V1__Descriptor *out = NULL;
    fixture_sign(t->body, "descriptor", "root:tax", t->key, &bytes);
    pl_status status = pl_descriptor_verify(pl_bytes_view(&bytes), world.manifest, "tax",
                                            t->serial_seen, t->now, &out);
    if (out != NULL)
        parley__v1__descriptor__free_unpacked(out, NULL);
    pl_bytes_done(&bytes);
    return status;
}

static Parley__V1__Descriptor *tax_descriptor(void) {
    pl_bytes body;
    must(pl_signed_body(pl_org_signed_descriptor(world.orgs[TAX]), &body));
    Parley__V1__Descriptor *d = parley__v1__descriptor__unpack(NULL, body.len, body.data);
    pl_bytes_done(&body);
    return d;
}

static void every_field_of_a_descriptor(void **state) {
    (void)state;
    static const sweep_row rows[] = {
        {"node changed", NULL},
        {"seal_key changed", NULL},
        {"serial +1", NULL},
        {"serial large", NULL},
        {"not_before +1", NULL},
        {"not_after +1", NULL},
        {"not_after large", NULL},
        {"not_before large", "not_after is not after not_before"},
        {"endpoints dropped", NULL},
        {"endpoints doubled", NULL},
        {"protocol_versions doubled", NULL},
        {"protocol_versions[0] +1", NULL},
        {"protocol_versions[0] large", NULL},
        {"planner_versions doubled", NULL},
        {"planner_versions[0] +1", NULL},
        {"planner_versions[0] large", NULL},
    };
    describe t = {tax_descriptor(), 1, FIXTURE_NOW, world.roots[TAX]};
    sweep s = {.name = "descriptor",
               .attempt = descriptor_resigned,
               .ctx = &t,
               .rows = rows,
               .n_rows = N(rows)};
    sweep_run(&s, &t.body->base, 30);
    parley__v1__descriptor__free_unpacked(t.body, NULL);
}

static void serials_and_dates_of_a_descriptor(void **state) {
    (void)state;
    describe t = {tax_descriptor(), 2, FIXTURE_NOW, world.roots[TAX]};
    must_refuse(descriptor_resigned(&t), PL_UNAUTHENTICATED,
                "descriptor of tax: serial 1 is older than 2");
    t.serial_seen = 0;
    t.now = t.body->not_after;
    must_refuse(descriptor_resigned(&t), PL_UNAUTHENTICATED,
                "tls_cert: the certificate has expired");
    t.now = t.body->not_after + 1;
    must_refuse(descriptor_resigned(&t), PL_FAILED_PRECONDITION, "not_after, 2027-12-20");
    t.body->not_after = FIXTURE_NOW + (int64_t)20 * 365 * DAY;
    t.now = t.body->not_after - 1;
    must_refuse(descriptor_resigned(&t), PL_UNAUTHENTICATED,
                "root_cert: the certificate has expired");
    t.now = FIXTURE_NOW;
    t.key = world.roots[SOUTH];
    must_refuse(descriptor_resigned(&t), PL_UNAUTHENTICATED,
                "the signature of root:tax is by another key");
    t.key = pl_org_sign_key(world.orgs[TAX]); /* a node cannot renew itself */
    must_refuse(descriptor_resigned(&t), PL_UNAUTHENTICATED,
                "the signature of root:tax is by another key");
    parley__v1__descriptor__free_unpacked(t.body, NULL);
}

static void a_descriptor_is_of_its_organisation(void **state) {
    (void)state;
    Parley__V1__Descriptor *out;
    pl_view tax = pl_org_signed_descriptor(world.orgs[TAX]);
    must_refuse(pl_descriptor_verify(tax, world.manifest, "south", 0, FIXTURE_NOW, &out),
                PL_UNAUTHENTICATED, "no signature of root:south");
    must_refuse(pl_descriptor_verify(tax, world.manifest, "nobody", 0, FIXTURE_NOW, &out),
                PL_UNAUTHENTICATED, "nobody is not a member of federation regions");
    describe t = {tax_descriptor(), 0, FIXTURE_NOW, world.roots[TAX]};
    ProtobufCBinaryData own = t.body->tls_cert;
    t.body->tls_cert = pl_org_descriptor(world.orgs[SOUTH])->tls_cert;
    must_refuse(descriptor_resigned(&t), PL_UNAUTHENTICATED,
                "tls_cert: the certificate was not issued");
    t.body->tls_cert = own;
    char *none = t.body->federation;
    t.body->federation = (char[]){"regions"};
    must(descriptor_resigned(&t));
    t.body->federation = (char[]){"others"};
    must_refuse(descriptor_resigned(&t), PL_UNAUTHENTICATED, "federation is others, not regions");
    t.body->federation = none;
    parley__v1__descriptor__free_unpacked(t.body, NULL);
}

static int open_world(void **state) {
    (void)state;
    fixture_open(&world);
    return 0;
}

static int close_world(void **state) {
    (void)state;
    fixture_close(&world);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_private_and_complete),
        cmocka_unit_test(a_folder_is_never_overwritten),
        cmocka_unit_test(what_an_organisation_may_not_be),
        cmocka_unit_test(a_key_open_to_others_is_refused),
        cmocka_unit_test(a_node_needs_no_root_key),
        cmocka_unit_test(files_of_two_folders_do_not_mix),
        cmocka_unit_test(renewed_keys_have_the_next_serial),
        cmocka_unit_test(a_manifest_says_who_belongs),
        cmocka_unit_test(m_of_n_roots_must_sign),
        cmocka_unit_test(every_field_of_a_manifest),
        cmocka_unit_test(members_are_distinct),
        cmocka_unit_test(a_manifest_is_valid_for_a_time),
        cmocka_unit_test(epochs_go_forward_only),
        cmocka_unit_test(every_field_of_a_descriptor),
        cmocka_unit_test(serials_and_dates_of_a_descriptor),
        cmocka_unit_test(a_descriptor_is_of_its_organisation),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
