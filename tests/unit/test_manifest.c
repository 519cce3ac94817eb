/* Manifests: m of n roots, every field that two dishonest members could sign, time, epochs. It
 * could be wrong in a history of manifests longer than the three tried here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/charter/descriptor.h"
#include "node/crypto/signed.h"
#include "tests/unit/federation_fixture.h"
#include "tests/unit/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))
#define DAY 86400

static fixture world;

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

static void what_a_member_must_say(void **state) {
    (void)state;
    pl_bytes body;
    must(pl_signed_body(pl_bytes_view(&world.signed_manifest), &body));
    resign r = {parley__v1__manifest__unpack(NULL, body.len, body.data)};
    Parley__V1__Member *twin = r.body->members[TWIN];
    char *before = twin->org;
    twin->org = (char[]){"twin-2"};
    must_refuse(manifest_resigned(&r), PL_INVALID_ARGUMENT, "members[4]: org 'twin-2' is no name");
    twin->org = before;
    before = twin->display_name;
    twin->display_name = (char[]){""};
    must_refuse(manifest_resigned(&r), PL_INVALID_ARGUMENT,
                "members[4]: twin: display_name is empty");
    twin->display_name = before;
    before = twin->group;
    twin->group = (char[]){""};
    must_refuse(manifest_resigned(&r), PL_INVALID_ARGUMENT, "members[4]: twin: group is empty");
    twin->group = before;
    ProtobufCBinaryData root = twin->root_cert;
    twin->root_cert = pl_org_descriptor(world.orgs[TWIN])->tls_cert; /* a leaf is no root */
    must_refuse(manifest_resigned(&r), PL_UNAUTHENTICATED, "members[4]: twin: root_cert");
    twin->root_cert = root;
    before = r.body->federation;
    r.body->federation = (char[]){""};
    must_refuse(manifest_resigned(&r), PL_INVALID_ARGUMENT, "manifest: federation is empty");
    r.body->federation = before;
    r.body->epoch = 0;
    must_refuse(manifest_resigned(&r), PL_INVALID_ARGUMENT, "epoch is 0");
    r.body->epoch = 1;
    r.body->threshold = 0;
    must_refuse(manifest_resigned(&r), PL_INVALID_ARGUMENT, "threshold is 0 of 5");
    r.body->threshold = 2;
    r.body->not_after = r.body->not_before;
    must_refuse(manifest_resigned(&r), PL_INVALID_ARGUMENT, "not_after is not after not_before");
    size_t n = r.body->n_members;
    r.body->n_members = 0;
    must_refuse(manifest_resigned(&r), PL_INVALID_ARGUMENT, "members are 0");
    r.body->n_members = n;
    parley__v1__manifest__free_unpacked(r.body, NULL);
    pl_bytes_done(&body);
}

static void a_federation_keeps_its_name(void **state) {
    (void)state;
    pl_bytes body, one = {0}, two;
    pl_manifest *other;
    must(pl_signed_body(pl_bytes_view(&world.signed_manifest), &body));
    Parley__V1__Manifest *m = parley__v1__manifest__unpack(NULL, body.len, body.data);
    char *before = m->federation;
    m->federation = (char[]){"others"};
    fixture_sign(m, "manifest", "root:health", world.roots[HEALTH], &one);
    must(pl_sign_add(world.roots[NORTH], "manifest", "root:north", pl_bytes_view(&one), &two));
    must(pl_manifest_parse(pl_bytes_view(&two), &other));
    must_refuse(pl_manifest_accept(other, world.manifest, FIXTURE_NOW), PL_REFUSED,
                "federation is others, but this node belongs to regions");
    pl_manifest_free(other);
    m->federation = before;
    parley__v1__manifest__free_unpacked(m, NULL);
    pl_bytes_done(&one);
    pl_bytes_done(&two);
    pl_bytes_done(&body);
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
        cmocka_unit_test(a_manifest_says_who_belongs),
        cmocka_unit_test(m_of_n_roots_must_sign),
        cmocka_unit_test(every_field_of_a_manifest),
        cmocka_unit_test(members_are_distinct),
        cmocka_unit_test(a_manifest_is_valid_for_a_time),
        cmocka_unit_test(epochs_go_forward_only),
        cmocka_unit_test(what_a_member_must_say),
        cmocka_unit_test(a_federation_keeps_its_name),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
