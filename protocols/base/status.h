/* Status: the one error type. A pl_status is either OK or owns an error: a code, a message for the
 * person who reads it, and, folded into the message, its causes ("cannot open dataset income:
 * cannot read income.csv: no such file").
 *
 * A status is returned, wrapped with what was being attempted, reported, or dropped with a comment
 * that says why. Whoever does not pass it on frees it with pl_status_done. Messages never hold
 * secrets or values of rows. */
#ifndef PL_BASE_STATUS_H
#define PL_BASE_STATUS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum pl_code {
    PL_CODE_OK = 0,
    PL_INVALID_ARGUMENT,    /* the request is malformed or names something that cannot be */
    PL_UNSUPPORTED,         /* well-formed, but outside what this version does */
    PL_NOT_FOUND,           /* no such job, dataset, column, file */
    PL_ALREADY_EXISTS,      /* a thing of that name or number is there already (replays too) */
    PL_REFUSED,             /* policy or a role says no */
    PL_UNAUTHENTICATED,     /* a key, signature or certificate is unknown, wrong or expired */
    PL_FAILED_PRECONDITION, /* right request, wrong moment or state */
    PL_LIMIT,               /* a stated limit of size, memory, count or depth was reached */
    PL_OUT_OF_RANGE,        /* a value or a sum may leave its declared range */
    PL_UNAVAILABLE,         /* a process that should answer is not there; try later */
    PL_TIMEOUT,             /* a deadline passed */
    PL_CANCELLED,           /* somebody with the right to do so stopped it */
    PL_PEER_LOST,           /* a party of the session went away: the session is dead */
    PL_PROTOCOL,            /* a peer broke the protocol: the session is dead */
    PL_CORRUPT,             /* stored or signed data does not verify */
    PL_IO,                  /* the operating system refused a file or socket operation */
    PL_INTERNAL,            /* our own bug */
    PL_CODE_COUNT
} pl_code;

/* One row per code: what other layers show for it. */
typedef struct pl_code_info {
    const char *name;      /* "INVALID_ARGUMENT" */
    int grpc_status;       /* the gRPC status it maps to */
    int exit_code;         /* of the command line */
    const char *peer_text; /* all that a peer is ever told */
    bool retryable;        /* the same request may succeed later */
} pl_code_info;

const pl_code_info *pl_code_describe(pl_code code);

/* pl_code_from_name is the inverse of pl_code_describe()->name; unknown names give PL_INTERNAL. */
pl_code pl_code_from_name(const char *name);

typedef struct pl_error pl_error;
typedef struct pl_status {
    pl_error *error; /* NULL: OK */
} pl_status;

#define PL_MUST_USE __attribute__((warn_unused_result))
#define PL_STATUS PL_MUST_USE pl_status
#define PL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#define PL_OK ((pl_status){NULL})

static inline bool pl_is_ok(pl_status status) {
    return status.error == NULL;
}

/* pl_fail makes an error. Messages: lower case, no full stop: what failed, on what, why, what to do
 * next. */
PL_STATUS pl_fail(pl_code code, const char *format, ...) PL_PRINTF(2, 3);

/* pl_wrap puts "<format>: " before the message of cause and keeps its code; OK stays OK. Takes
 * cause. */
PL_STATUS pl_wrap(pl_status cause, const char *format, ...) PL_PRINTF(2, 3);

pl_code pl_status_code(pl_status status);

/* pl_status_message is the whole message, causes included; borrowed from status; "ok" for OK. */
const char *pl_status_message(pl_status status);

/* pl_status_dup copies a status (two owners). */
PL_STATUS pl_status_dup(pl_status status);

/* pl_status_done frees a status and makes it OK. */
void pl_status_done(pl_status *status);

/* PL_TRY returns a failure upward. */
#define PL_TRY(expr)                                                                               \
    do {                                                                                           \
        pl_status pl_try_status_ = (expr);                                                         \
        if (!pl_is_ok(pl_try_status_))                                                             \
            return pl_try_status_;                                                                 \
    } while (0)

/* PL_CHECK stores a status and leaves by the function's `out:` label when it is a failure. */
#define PL_CHECK(status, expr)                                                                     \
    do {                                                                                           \
        (status) = (expr);                                                                         \
        if (!pl_is_ok(status))                                                                     \
            goto out;                                                                              \
    } while (0)

/* PL_ASSERT is for our own bugs only and stays on in release. It prints the expression, never a
 * value. */
#define PL_ASSERT(cond) ((cond) ? (void)0 : pl_assert_failed(#cond, __FILE__, __LINE__))
_Noreturn void pl_assert_failed(const char *expression, const char *file, int line);

#endif
