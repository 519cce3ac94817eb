#include "protocols/share/permutation.h"

#include "protocols/base/secret.h"
#include "protocols/ring/ring.h"

#define NUMBERS ((size_t)512) /* drawn at a time */
#define AHEAD 16              /* exchanges whose memory is asked for ahead */

typedef struct draws {
    pl_prg *stream;
    size_t left;
    uint64_t numbers[NUMBERS];
} draws;

static pl_status draw(draws *d, uint64_t *out) {
    if (d->left == 0) {
        PL_TRY(pl_prg_fill(d->stream, d->numbers, sizeof d->numbers));
        d->left = NUMBERS;
    }
    *out = d->numbers[NUMBERS - d->left--];
    return PL_OK;
}

/* A number below bound, without bias. */
static pl_status draw_below(draws *d, uint64_t bound, uint64_t *out) {
    for (;;) {
        uint64_t number;
        PL_TRY(draw(d, &number));
        pl_u128 product = (pl_u128)number * bound;
        if ((uint64_t)product >= bound || (uint64_t)product >= (0 - bound) % bound) {
            *out = (uint64_t)(product >> 64);
            return PL_OK;
        }
    }
}

static pl_status exchange_all(draws *d, size_t n, uint32_t *order) {
    uint64_t ahead[AHEAD] = {0};
    for (size_t i = 0; i < n + AHEAD; i++) {
        if (i >= AHEAD) {
            size_t at = n - 1 - (i - AHEAD);
            uint64_t with = ahead[i % AHEAD];
            uint32_t moved = order[at];
            order[at] = order[with];
            order[with] = moved;
        }
        if (i < n) {
            PL_TRY(draw_below(d, n - i, &ahead[i % AHEAD]));
            __builtin_prefetch(&order[ahead[i % AHEAD]], 1);
        }
    }
    return PL_OK;
}

pl_status pl_permutation_draw(pl_prg *stream, size_t n, uint32_t *order) {
    draws *d;
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    PL_TRY(pl_secret_alloc(sizeof *d, &d));
    d->stream = stream;
    pl_status status = exchange_all(d, n, order);
    pl_secret_free(d, sizeof *d);
    return status;
}
