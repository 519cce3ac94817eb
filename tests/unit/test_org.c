/* An organisation's folder: what is made, who may read it, what is refused. It could be wrong where
 * two files of a folder are exchanged in a way that no row here tries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
