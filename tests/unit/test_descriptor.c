/* Descriptors: every field that an organisation could sign wrongly, serials, dates, whose it is. It
 * could be wrong in what nodes do with a descriptor that verifies. */
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

static void what_a_descriptor_must_say(void **state) {
    (void)state;
    describe t = {tax_descriptor(), 0, FIXTURE_NOW, world.roots[TAX]};
    Parley__V1__Descriptor *d = t.body, *out;
    char *node = d->node;
    char *none = (char *)(uintptr_t) "";
    d->node = none;
    must_refuse(descriptor_resigned(&t), PL_INVALID_ARGUMENT, "descriptor of tax: node is empty");
    d->node = node;
    d->serial = 0;
    must_refuse(descriptor_resigned(&t), PL_INVALID_ARGUMENT, "serial is 0");
    d->serial = 1;
    int64_t from = d->not_before;
    d->not_before = FIXTURE_NOW + 120;
    must(descriptor_resigned(&t));
    d->not_before = FIXTURE_NOW + 121;
    must_refuse(descriptor_resigned(&t), PL_FAILED_PRECONDITION,
                "descriptor of tax: not_before is ");
    d->not_before = from;
    /* years later, as evidence: dates do not count, everything else does */
    pl_bytes bytes = {0};
    d->not_after = d->not_before + 1;
    fixture_sign(d, "descriptor", "root:tax", t.key, &bytes);
    must(pl_descriptor_verify_past(pl_bytes_view(&bytes), world.manifest, "tax", &out));
    parley__v1__descriptor__free_unpacked(out, NULL);
    ProtobufCBinaryData own = d->tls_cert;
    d->tls_cert = pl_org_descriptor(world.orgs[SOUTH])->tls_cert;
    fixture_sign(d, "descriptor", "root:tax", t.key, &bytes);
    must_refuse(pl_descriptor_verify_past(pl_bytes_view(&bytes), world.manifest, "tax", &out),
                PL_UNAUTHENTICATED, "tls_cert: the certificate was not issued");
    d->tls_cert = own;
    pl_bytes_done(&bytes);
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
        cmocka_unit_test(every_field_of_a_descriptor),
        cmocka_unit_test(serials_and_dates_of_a_descriptor),
        cmocka_unit_test(what_a_descriptor_must_say),
        cmocka_unit_test(a_descriptor_is_of_its_organisation),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
