/* Single documents against whoever carries or writes them: every field changed in transit breaks
 * the signature; every field of a proposal that its own proposer changes is refused by name or is
 * his to say; only one encoding is read; an envelope opens for its recipient only. It could be
 * wrong where two changes together pass that each alone does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/charter/approval.h"
#include "node/charter/envelope.h"
#include "node/charter/reservation.h"
#include "node/crypto/seal.h"
#include "node/crypto/signed.h"
#include "proto/common.pb-c.h"
#include "tests/unit/federation_fixture.h"
#include "tests/unit/relay.h"
#include "tests/unit/sweep.h"

#include <stdlib.h>
#include <string.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))

static fixture world;
static fixture_job job;

static int set_up(void **state) {
    (void)state;
    fixture_job_init(&world, &job);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_job_done(&job);
    return 0;
}

/* ---- a scheduler that changes what it relays ---- */

static pl_status verify_proposal(pl_view signed_bytes) {
    Parley__V1__Proposal *out = NULL;
    pl_status status = pl_proposal_verify(signed_bytes, world.manifest,
                                          fixture_descriptor(&world, HEALTH), FIXTURE_NOW, &out);
    if (out != NULL)
        parley__v1__proposal__free_unpacked(out, NULL);
    return status;
}

static pl_status verify_approval(pl_view signed_bytes) {
    Parley__V1__Approval *out = NULL;
    pl_status status =
        pl_approval_verify(signed_bytes, fixture_descriptor(&world, TAX), FIXTURE_NOW, &out);
    if (out != NULL)
        parley__v1__approval__free_unpacked(out, NULL);
    return status;
}

static pl_status verify_reservation(pl_view signed_bytes) {
    Parley__V1__Reservation *out = NULL;
    pl_status status =
        pl_reservation_verify(signed_bytes, fixture_descriptor(&world, TAX), FIXTURE_NOW, &out);
    if (out != NULL)
        parley__v1__reservation__free_unpacked(out, NULL);
    return status;
}

static void a_changed_body_breaks_its_signature(void **state) {
    (void)state;
    sweep_relay("relayed proposal", &job.signed_proposal, &job.proposal.base, verify_proposal, 100);
    sweep_relay("relayed approval", &job.signed_approval[TAX], &job.approval[TAX].base,
                verify_approval, 20);
    sweep_relay("relayed reservation", &job.signed_reservation[TAX], &job.reservation[TAX].base,
                verify_reservation, 20);
}

typedef struct wrapped {
    Parley__V1__Signed *message;
    pl_status (*verify)(pl_view signed_bytes);
} wrapped;

static pl_status relay_wrapped(void *ctx) {
    wrapped *w = ctx;
    size_t len = parley__v1__signed__get_packed_size(w->message);
    uint8_t *packed = malloc(len + 1);
    parley__v1__signed__pack(w->message, packed);
    pl_status status = w->verify(pl_view_of(packed, len));
    free(packed);
    return status;
}

static void a_changed_signature_is_refused_by_its_field(void **state) {
    (void)state;
    static const sweep_row rows[] = {
        {"body longer", "does not verify"},
        {"body changed", "does not verify"},
        {"signatures dropped", "no signature of tax"},
        {"signatures doubled", NULL}, /* the same signature twice says nothing else */
        {"signatures[0].signer changed", "no signature of tax"},
        {"signatures[0].signer escaped", "no signature of tax"},
        {"signatures[0].key_id longer", "another key"},
        {"signatures[0].key_id changed", "another key"},
        {"signatures[0].value longer", "does not verify"},
        {"signatures[0].value changed", "does not verify"},
    };
    wrapped w = {parley__v1__signed__unpack(NULL, job.signed_approval[TAX].len,
                                            job.signed_approval[TAX].data),
                 verify_approval};
    sweep s = {
        .name = "signature", .attempt = relay_wrapped, .ctx = &w, .rows = rows, .n_rows = N(rows)};
    sweep_run(&s, &w.message->base, 10);
    parley__v1__signed__free_unpacked(w.message, NULL);
}

/* ---- a proposer who signs something that this node cannot join ---- */

static pl_status propose(void *ctx) {
    (void)ctx;
    fixture_sign(&job.proposal, "proposal", "health", pl_org_sign_key(world.orgs[HEALTH]),
                 &job.signed_proposal);
    return verify_proposal(pl_bytes_view(&job.signed_proposal));
}

static void every_field_of_a_proposal(void **state) {
    (void)state;
    /* Accepted is what the text means, not what form it has: the plan digest, the catalogue, the
     * policy and the other parties' descriptors decide on it, outside of this function. */
    static const sweep_row rows[] = {
        {"job_id changed", NULL},
        {"submitter changed", NULL},
        {"task.kind changed", NULL},
        {"task.text changed", NULL},
        {"task.purpose changed", NULL},
        {"task.protocol changed", NULL},
        {"task.compute swapped", NULL},
        {"task.recipients doubled", "names health twice"},
        {"task.recipients[0] changed", "task.recipients"},
        {"parties dropped", "task.compute[2] is not among the parties"},
        {"parties doubled", "rank"},
        {"parties swapped", "rank"},
        {"parties[0].org changed", "org is no member"},
        {"parties[0].compute flipped", "compute of health differs"},
        {"parties[0].owner flipped", NULL},
        {"parties[1].node changed", NULL},
        {"parties[2].node changed", NULL},
        {"parties[3].node changed", NULL},
        {"parties[1].sign_key_id changed", NULL},
        {"parties[2].sign_key_id changed", NULL},
        {"parties[3].sign_key_id changed", NULL},
        {"parties[1].owner flipped", "catalog[0]: org is no party with the role owner"},
        {"parties[2].owner flipped", "catalog[1]: org is no party with the role owner"},
        {"parties[3].owner flipped", "catalog[2]: org is no party with the role owner"},
        {"catalog dropped", NULL},
        {"catalog swapped", NULL},
        {"catalog doubled", "catalog[3]: dataset north.residents stands there twice"},
        {"catalog[0].dataset changed", NULL},
        {"catalog[1].dataset changed", NULL},
        {"catalog[2].dataset changed", NULL},
        {"catalog[0].schema_version +1", NULL},
        {"catalog[1].schema_version +1", NULL},
        {"catalog[2].schema_version +1", NULL},
        {"catalog[0].schema_version large", NULL},
        {"catalog[1].schema_version large", NULL},
        {"catalog[2].schema_version large", NULL},
        {"catalog[0].digest changed", NULL},
        {"catalog[1].digest changed", NULL},
        {"catalog[2].digest changed", NULL},
        {"plan_digest changed", NULL},
        {"created_at +1", NULL},
        {"not_after +1", NULL},
        {"session_seconds +1", NULL},
    };
    sweep s = {.name = "proposal", .attempt = propose, .rows = rows, .n_rows = N(rows)};
    sweep_run(&s, &job.proposal.base, 100);
}

static void a_compute_set_of_one_group_is_refused(void **state) {
    (void)state;
    uint8_t key_id[32];
    const Parley__V1__Descriptor *twin = fixture_descriptor(&world, TWIN);
    must(pl_key_id(pl_view_of(twin->sign_key.data, twin->sign_key.len), key_id));
    job.party[SOUTH].org = job.compute[1] = (char *)(uintptr_t) "twin";
    job.party[SOUTH].sign_key_id = (ProtobufCBinaryData){32, key_id};
    job.proposal.n_catalog = 0;
    must_refuse(propose(NULL), PL_REFUSED,
                "proposal: task.compute: twin and tax are both of independence group tax");
    job.proposal.n_parties = 0;
    must_refuse(propose(NULL), PL_INVALID_ARGUMENT, "parties are 0");
}

static void the_window_of_a_proposal(void **state) {
    (void)state;
    static const struct {
        int64_t created_at, not_after;
        pl_code code;
        const char *text; /* NULL: accepted */
    } rows[] = {
        {120, 3600, PL_CODE_OK, NULL},
        {121, 3600, PL_FAILED_PRECONDITION, "created_at is "},
        {-86400 * 20, 3600, PL_CODE_OK, NULL}, /* waited for a node that was down */
        {-60, 0, PL_CODE_OK, NULL},
        {-60, -1, PL_FAILED_PRECONDITION, "not_after, 2026-11-18"},
        {-60, -60, PL_INVALID_ARGUMENT, "not_after is not after created_at"},
        {-60, 86400 * 90, PL_LIMIT, "not_after is more than 90 days"},
    };
    for (size_t i = 0; i < N(rows); i++) {
        job.proposal.created_at = FIXTURE_NOW + rows[i].created_at;
        job.proposal.not_after = FIXTURE_NOW + rows[i].not_after;
        if (rows[i].text == NULL)
            must(propose(NULL));
        else
            must_refuse(propose(NULL), rows[i].code, rows[i].text);
    }
}

/* ---- strict decoding ---- */

static void sign_body(const uint8_t *body, size_t len, pl_bytes *out) {
    pl_bytes_done(out);
    must(pl_sign(pl_org_sign_key(world.orgs[TAX]), "approval", "tax", pl_view_of(body, len), out));
}

static void only_one_encoding_is_read(void **state) {
    (void)state;
    uint8_t body[600];
    size_t len = parley__v1__approval__pack(&job.approval[TAX], body);
    pl_bytes out = {0};
    memcpy(body + len, "\x98\x06\x01", 3); /* field 99 */
    sign_body(body, len + 3, &out);
    must_refuse(verify_approval(pl_bytes_view(&out)), PL_UNSUPPORTED, "approval: unknown field 99");
    memcpy(body + len, "\x08\x01", 2); /* version once more */
    sign_body(body, len + 2, &out);
    must_refuse(verify_approval(pl_bytes_view(&out)), PL_INVALID_ARGUMENT, "its bytes are not");
    sign_body(body, len - 1, &out);
    must_refuse(verify_approval(pl_bytes_view(&out)), PL_INVALID_ARGUMENT,
                "approval: cannot be read");
    static uint8_t large[(1u << 20) + 10];
    must_refuse(verify_approval(pl_view_of(large, sizeof large)), PL_LIMIT, "too large");
    pl_bytes_done(&out);
}

static void unknown_fields_are_found_at_any_depth(void **state) {
    (void)state;
    uint8_t one[] = {1};
    ProtobufCMessageUnknownField unknown = {
        .tag = 77, .wire_type = PROTOBUF_C_WIRE_TYPE_VARINT, .len = 1, .data = one};
    job.party[2].base.n_unknown_fields = 1;
    job.party[2].base.unknown_fields = &unknown;
    must_refuse(propose(NULL), PL_UNSUPPORTED, "proposal: unknown field 77 in parties[2]");
}

static void text_is_clean_utf8(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *refusal; /* NULL: accepted */
    } rows[] = {
        {"\xe7\xbb\x9f\xe8\xae\xa1 \xf0\x9f\x93\x8a\tok\r\n", NULL},
        {"\xc3", "task.purpose is not text in UTF-8"},
        {"\xc0\xaf", "task.purpose is not text in UTF-8"},         /* overlong */
        {"\xed\xa0\x80", "task.purpose is not text in UTF-8"},     /* surrogate */
        {"\xf4\x90\x80\x80", "task.purpose is not text in UTF-8"}, /* above U+10FFFF */
        {"a\x1b[2Jb", "task.purpose holds control characters"},
        {"a\x7f", "task.purpose holds control characters"},
        {"a\xc2\x9b", "task.purpose holds control characters"}, /* CSI as one character */
        {"", "task.purpose is empty"},
    };
    for (size_t i = 0; i < N(rows); i++) {
        job.task.purpose = (char *)(uintptr_t)rows[i].text;
        if (rows[i].refusal == NULL)
            must(propose(NULL));
        else
            must_refuse(propose(NULL), PL_INVALID_ARGUMENT, rows[i].refusal);
    }
    pl_bytes out;
    job.task.purpose = (char[]){"\x1b"};
    must_refuse(pl_proposal_sign(&job.proposal, pl_org_sign_key(world.orgs[HEALTH]), &out),
                PL_INVALID_ARGUMENT, "task.purpose");
}

/* ---- the envelope ---- */

static pl_status open_at(int org, const char *sender, const char *recipient, pl_view sealed,
                         pl_bytes *out) {
    return pl_envelope_open(pl_org_seal_key(world.orgs[org]), sender, recipient, sealed, out);
}

static void an_envelope_opens_for_its_recipient_only(void **state) {
    (void)state;
    const Parley__V1__Descriptor *tax = fixture_descriptor(&world, TAX);
    pl_view key = pl_view_of(tax->seal_key.data, tax->seal_key.len);
    pl_bytes sealed, out;
    must(pl_envelope_seal("health", "tax", key, pl_bytes_view(&job.signed_proposal), &sealed));
    must(open_at(TAX, "health", "tax", pl_bytes_view(&sealed), &out));
    assert_true(pl_view_equal(pl_bytes_view(&out), pl_bytes_view(&job.signed_proposal)));
    pl_bytes_done(&out);
    must_refuse(open_at(NORTH, "health", "tax", pl_bytes_view(&sealed), &out), PL_UNAUTHENTICATED,
                "key_id");
    must_refuse(open_at(TAX, "south", "tax", pl_bytes_view(&sealed), &out), PL_UNAUTHENTICATED,
                "sender");
    must_refuse(open_at(TAX, "health", "north", pl_bytes_view(&sealed), &out), PL_UNAUTHENTICATED,
                "recipient");
    pl_bytes_done(&sealed);
}

static pl_status relay_sealed(void *ctx) {
    Parley__V1__Sealed *message = ctx;
    pl_bytes out = {0};
    size_t len = parley__v1__sealed__get_packed_size(message);
    uint8_t *packed = malloc(len + 1);
    parley__v1__sealed__pack(message, packed);
    pl_status status = open_at(TAX, "health", "tax", pl_view_of(packed, len), &out);
    pl_bytes_done(&out);
    free(packed);
    return status;
}

static void every_field_of_an_envelope(void **state) {
    (void)state;
    static const sweep_row rows[] = {
        {"ephemeral changed", "ciphertext"}, /* another secret: the tag does not fit */
        {"nonce changed", "ciphertext"},
    };
    const Parley__V1__Descriptor *tax = fixture_descriptor(&world, TAX);
    pl_bytes sealed;
    must(pl_envelope_seal("health", "tax", pl_view_of(tax->seal_key.data, tax->seal_key.len),
                          pl_view_text("SELECT 1"), &sealed));
    Parley__V1__Sealed *message = parley__v1__sealed__unpack(NULL, sealed.len, sealed.data);
    sweep s = {.name = "envelope",
               .attempt = relay_sealed,
               .ctx = message,
               .rows = rows,
               .n_rows = N(rows)};
    sweep_run(&s, &message->base, 10);
    parley__v1__sealed__free_unpacked(message, NULL);
    pl_bytes_done(&sealed);
}

static void an_envelope_hides_small_lengths(void **state) {
    (void)state;
    static uint8_t body[PL_ENVELOPE_STEP_BYTES];
    const Parley__V1__Descriptor *tax = fixture_descriptor(&world, TAX);
    pl_view key = pl_view_of(tax->seal_key.data, tax->seal_key.len);
    size_t lens[3];
    for (size_t i = 0; i < 3; i++) {
        static const size_t body_lens[] = {0, PL_ENVELOPE_STEP_BYTES - 4,
                                           PL_ENVELOPE_STEP_BYTES - 3};
        pl_bytes sealed, out;
        must(pl_envelope_seal("health", "tax", key, pl_view_of(body, body_lens[i]), &sealed));
        must(open_at(TAX, "health", "tax", pl_bytes_view(&sealed), &out));
        assert_int_equal(out.len, body_lens[i]);
        lens[i] = sealed.len;
        pl_bytes_done(&out);
        pl_bytes_done(&sealed);
    }
    assert_int_equal(lens[0], lens[1]);
    assert_int_equal(lens[2], lens[1] + PL_ENVELOPE_STEP_BYTES);
}

static void the_size_of_an_envelope(void **state) {
    (void)state;
    static uint8_t large[(1u << 20) + 1];
    const Parley__V1__Descriptor *tax = fixture_descriptor(&world, TAX);
    pl_view key = pl_view_of(tax->seal_key.data, tax->seal_key.len);
    pl_bytes sealed, out;
    must_refuse(pl_envelope_seal("health", "tax", key, pl_view_of(large, sizeof large), &sealed),
                PL_LIMIT, "to tax is too large");
    must(pl_envelope_seal("health", "tax", key, pl_view_of(large, sizeof large - 1), &sealed));
    must(open_at(TAX, "health", "tax", pl_bytes_view(&sealed), &out));
    pl_bytes_done(&out);
    pl_bytes_done(&sealed);
    /* sealed by somebody who lies about the length inside */
    static const uint8_t liars[][6] = {{3, 0, 0, 0, 1, 2}, {0xff, 0xff, 0xff, 0xff, 1, 2}};
    for (size_t i = 0; i < N(liars); i++) {
        must(pl_seal("health", "tax", key, pl_view_of(liars[i], 6), &sealed));
        must_refuse(open_at(TAX, "health", "tax", pl_bytes_view(&sealed), &out),
                    PL_INVALID_ARGUMENT, "its length is longer than itself");
        pl_bytes_done(&sealed);
    }
    must(pl_seal("health", "tax", key, pl_view_of(liars[0], 3), &sealed));
    must_refuse(open_at(TAX, "health", "tax", pl_bytes_view(&sealed), &out), PL_INVALID_ARGUMENT,
                "its length is longer than itself");
    pl_bytes_done(&sealed);
    /* a file instead of a member */
    pl_view member = pl_view_of(large, sizeof large);
    pl_manifest_params params = {.federation = "regions", .members = &member, .n_members = 1};
    must_refuse(pl_manifest_create(&params, &out), PL_LIMIT,
                "member file 1: member: 1048577 bytes");
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_changed_body_breaks_its_signature),
        TEST(a_changed_signature_is_refused_by_its_field),
        TEST(every_field_of_a_proposal),
        TEST(a_compute_set_of_one_group_is_refused),
        TEST(the_window_of_a_proposal),
        TEST(only_one_encoding_is_read),
        TEST(unknown_fields_are_found_at_any_depth),
        TEST(text_is_clean_utf8),
        TEST(an_envelope_opens_for_its_recipient_only),
        TEST(every_field_of_an_envelope),
        TEST(an_envelope_hides_small_lengths),
        TEST(the_size_of_an_envelope),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
