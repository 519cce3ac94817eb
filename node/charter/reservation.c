#include "node/charter/reservation.h"

#include "node/charter/document.h"
#include "node/charter/head.h"

#include <string.h>

/* An all-zero point would make the session's secret zero too (RFC 7748, section 6.1). */
static pl_status check_session_key(ProtobufCBinaryData key) {
    static const uint8_t zero[32];
    PL_TRY(pl_check_len("session_key", key, 32));
    return memcmp(key.data, zero, 32) != 0 ? PL_OK
                                           : pl_fail(PL_INVALID_ARGUMENT, "session_key is zero");
}

static pl_status check_form(const Parley__V1__Reservation *r) {
    PL_TRY(pl_check_version(r->version));
    PL_TRY(pl_check_len("job_id", r->job_id, 16));
    PL_TRY(pl_check_len("proposal_digest", r->proposal_digest, 32));
    if (!pl_name_is_org(r->org))
        return pl_fail(PL_INVALID_ARGUMENT, "org is no name of an organisation");
    if (r->attempt == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "attempt is 0: attempts count from 1");
    PL_TRY(check_session_key(r->session_key));
    PL_TRY(pl_check_len("input_commitment", r->input_commitment, 32));
    if (r->memory_bytes == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "memory_bytes is 0");
    if (r->lanes > PL_RESERVATION_LANES_MAX)
        return pl_fail(PL_LIMIT, "lanes are %u: at most %d", r->lanes, PL_RESERVATION_LANES_MAX);
    if (r->reserved_at <= 0 || r->not_after <= r->reserved_at)
        return pl_fail(PL_INVALID_ARGUMENT, "not_after is not after reserved_at");
    if (r->not_after - r->reserved_at > PL_RESERVATION_SECONDS_MAX)
        return pl_fail(PL_LIMIT, "not_after is more than %d seconds after reserved_at",
                       PL_RESERVATION_SECONDS_MAX);
    if (r->n_endpoints == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "endpoints are empty");
    PL_TRY(pl_check_endpoints("endpoints", r->endpoints, r->n_endpoints));
    if (r->audit_head.len == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "audit_head is missing");
    return pl_head_check_seen(r->audit_seen, r->n_audit_seen);
}

static pl_status check_head(const Parley__V1__Reservation *r, const Parley__V1__Descriptor *d) {
    Parley__V1__AuditHead *head;
    PL_TRY(pl_wrap(pl_head_verify(pl_binary_view(r->audit_head), d, &head), "audit_head"));
    pl_status status = pl_head_check_links(r->audit_links, r->n_audit_links, head->size);
    pl_document_free(head);
    return status;
}

pl_status pl_reservation_sign(const Parley__V1__Reservation *reservation, const pl_key *key,
                              pl_bytes *out_signed) {
    PL_TRY(pl_wrap(check_form(reservation), "reservation"));
    return pl_document_sign(reservation, "reservation", reservation->org, key, out_signed);
}

static pl_status check(const Parley__V1__Reservation *r, const Parley__V1__Descriptor *d,
                       int64_t now) {
    PL_TRY(check_form(r));
    if (strcmp(r->org, d->org) != 0)
        return pl_fail(PL_UNAUTHENTICATED, "org is %s, but %s signed it", r->org, d->org);
    PL_TRY(check_head(r, d));
    PL_TRY(pl_check_not_future("reserved_at", r->reserved_at, now));
    return pl_check_not_past("not_after", r->not_after, now, PL_CLOCK_SKEW_SECONDS);
}

pl_status pl_reservation_verify(pl_view signed_bytes, const Parley__V1__Descriptor *descriptor,
                                int64_t now, Parley__V1__Reservation **out) {
    Parley__V1__Reservation *r;
    PL_TRY(pl_document_open(signed_bytes, "reservation", descriptor->org,
                            pl_binary_view(descriptor->sign_key),
                            &parley__v1__reservation__descriptor, &r));
    pl_status status = check(r, descriptor, now);
    if (pl_is_ok(status))
        *out = r;
    else
        pl_document_free(r);
    return pl_wrap(status, "reservation of %s", descriptor->org);
}

pl_status pl_reservation_attempt(pl_view signed_bytes, uint32_t *out_attempt) {
    Parley__V1__Reservation *r;
    PL_TRY(pl_document_peek(signed_bytes, "reservation", &parley__v1__reservation__descriptor, &r));
    *out_attempt = r->attempt;
    pl_document_free(r);
    return PL_OK;
}
