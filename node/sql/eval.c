#include "node/sql/eval.h"

#include "node/sql/statistic.h"

#include <stdlib.h>
#include <string.h>

typedef enum eval_op {
    OP_LEAF,
    OP_LITERAL,
    OP_ARITH,
    OP_NEGATE,
    OP_COMPARE,
    OP_AND,
    OP_OR,
    OP_NOT,
    OP_TEST,
    OP_CAST,
    OP_ROUND,
    OP_STATISTIC,
} eval_op;

enum { LESS = 1, EQUAL = 2, GREATER = 4 }; /* which orders make a comparison true */
enum { IF_NULL = 1, IF_TRUE = 2, IF_FALSE = 4, IF_VALUE = 8 }; /* which states make a test true */

/* Every operator of Expr.op: what it does, its variant, and how many arguments it takes. */
static const struct {
    const char *name;
    eval_op op;
    int variant;
    size_t args_min, args_max;
} OPS[] = {
    {"column", OP_LEAF, 0, 0, 0},
    {"key", OP_LEAF, 0, 0, 0},
    {"count", OP_LEAF, 0, 0, 0},
    {"sum", OP_LEAF, 0, 0, 0},
    {"min", OP_LEAF, 0, 0, 0},
    {"max", OP_LEAF, 0, 0, 0},
    {"avg", OP_LEAF, 0, 0, 0},
    {"literal", OP_LITERAL, 0, 0, 0},
    {"null", OP_LITERAL, 1, 0, 0},
    {"+", OP_ARITH, '+', 2, 2},
    {"-", OP_ARITH, '-', 2, 2},
    {"*", OP_ARITH, '*', 2, 2},
    {"/", OP_ARITH, '/', 2, 2},
    {"%", OP_ARITH, '%', 2, 2},
    {"negate", OP_NEGATE, 0, 1, 1},
    {"=", OP_COMPARE, EQUAL, 2, 2},
    {"<>", OP_COMPARE, LESS | GREATER, 2, 2},
    {"<", OP_COMPARE, LESS, 2, 2},
    {"<=", OP_COMPARE, LESS | EQUAL, 2, 2},
    {">", OP_COMPARE, GREATER, 2, 2},
    {">=", OP_COMPARE, GREATER | EQUAL, 2, 2},
    {"and", OP_AND, 0, 1, 1024},
    {"or", OP_OR, 0, 1, 1024},
    {"not", OP_NOT, 0, 1, 1},
    {"is_null", OP_TEST, IF_NULL, 1, 1},
    {"is_not_null", OP_TEST, IF_TRUE | IF_FALSE | IF_VALUE, 1, 1},
    {"is_true", OP_TEST, IF_TRUE, 1, 1},
    {"is_not_true", OP_TEST, IF_NULL | IF_FALSE, 1, 1},
    {"is_false", OP_TEST, IF_FALSE, 1, 1},
    {"is_not_false", OP_TEST, IF_NULL | IF_TRUE, 1, 1},
    {"cast", OP_CAST, 0, 1, 1},
    {"round", OP_ROUND, 0, 1, 2},
};
#define N_OPS (sizeof OPS / sizeof OPS[0])

struct pl_eval {
    eval_op op;
    int variant;
    pl_type type;
    size_t slot;
    pl_datum literal;
    int precision, scale; /* of a cast to numeric(p,s); precision 0: any */
    size_t n_args;
    pl_eval **args;
};

void pl_eval_free(pl_eval *eval) {
    if (eval == NULL)
        return;
    for (size_t i = 0; i < eval->n_args; i++)
        pl_eval_free(eval->args[i]);
    free(eval->args);
    pl_datum_done(&eval->literal);
    free(eval);
}

pl_type pl_eval_type(const pl_eval *eval) {
    return eval->type;
}

/* ---- compiling: a plan is checked here once ---- */

static pl_status malformed(const Parley__V1__Expr *expr, const char *what) {
    return pl_fail(PL_INVALID_ARGUMENT, "malformed plan: operator %.20s %s", expr->op, what);
}

/* What a plan's operator is: the row of OPS, or a statistic with its number as variant. */
static pl_status set_statistic(const Parley__V1__Expr *expr, pl_eval *eval) {
    size_t s = 0;
    pl_status found = pl_statistic_find(expr->op, &s);
    bool known = pl_is_ok(found);
    pl_status_done(&found);
    if (!known)
        return malformed(expr, "is unknown");
    if (expr->n_args != pl_statistic_n_args(s))
        return malformed(expr, "has a wrong number of arguments");
    eval->op = OP_STATISTIC;
    eval->variant = (int)s;
    return PL_OK;
}

static pl_status find_op(const Parley__V1__Expr *expr, pl_eval *eval) {
    for (size_t i = 0; i < N_OPS; i++)
        if (strcmp(OPS[i].name, expr->op) == 0) {
            if (expr->n_args < OPS[i].args_min || expr->n_args > OPS[i].args_max)
                return malformed(expr, "has a wrong number of arguments");
            eval->op = OPS[i].op;
            eval->variant = OPS[i].variant;
            return PL_OK;
        }
    return set_statistic(expr, eval);
}

static bool all_are(const pl_eval *eval, pl_type type) {
    for (size_t i = 0; i < eval->n_args; i++)
        if (eval->args[i]->type != type)
            return false;
    return true;
}

static pl_status check_round(const Parley__V1__Expr *expr, const pl_eval *eval) {
    pl_type type = eval->args[0]->type;
    if (eval->n_args == 1 ? type != PL_TYPE_NUMERIC && type != PL_TYPE_FLOAT8
                          : type != PL_TYPE_NUMERIC || eval->args[1]->type != PL_TYPE_INT4)
        return malformed(expr, "has arguments of a wrong type");
    return PL_OK;
}

/* Types are right when the arguments are what the operator works on and the result is what expr
 * claims. */
static pl_status check_types(const Parley__V1__Expr *expr, const pl_eval *eval) {
    pl_type want = PL_TYPE_BOOL;
    bool fits = true;
    switch (eval->op) {
    case OP_ARITH:
    case OP_NEGATE:
        want = eval->args[0]->type;
        fits = pl_type_is_number(want) && all_are(eval, want) &&
               (eval->variant != '%' || want != PL_TYPE_FLOAT8);
        break;
    case OP_COMPARE:
        fits = all_are(eval, eval->args[0]->type);
        break;
    case OP_AND:
    case OP_OR:
    case OP_NOT:
        fits = all_are(eval, PL_TYPE_BOOL);
        break;
    case OP_TEST:
        fits =
            eval->variant == IF_NULL || (eval->variant & IF_VALUE) || all_are(eval, PL_TYPE_BOOL);
        break;
    case OP_STATISTIC:
        want = pl_statistic_type((size_t)eval->variant);
        fits = eval->args[0]->type == PL_TYPE_INT8;
        for (size_t i = 1; i < eval->n_args; i++)
            fits = fits && eval->args[i]->type == PL_TYPE_NUMERIC;
        break;
    case OP_ROUND:
        PL_TRY(check_round(expr, eval));
        want = eval->args[0]->type;
        break;
    default:
        want = eval->type;
    }
    if (!fits)
        return malformed(expr, "has arguments of a wrong type");
    if (eval->type != want)
        return malformed(expr, "claims a wrong type");
    return PL_OK;
}

/* The type modifier of a cast: "p,s". */
static pl_status read_typmod(const Parley__V1__Expr *expr, pl_eval *eval) {
    if (expr->text[0] == '\0')
        return PL_OK;
    char *end;
    long precision = strtol(expr->text, &end, 10);
    long scale = *end == ',' ? strtol(end + 1, &end, 10) : 0;
    if (*end != '\0' || precision < 1 || precision > 1000 || scale < -1000 || scale > 1000 ||
        eval->type != PL_TYPE_NUMERIC)
        return malformed(expr, "has a wrong modifier");
    eval->precision = (int)precision;
    eval->scale = (int)scale;
    return PL_OK;
}

static pl_status run_cast(const pl_eval *eval, pl_datum *out);

/* A cast of a literal is done now, once. */
static pl_status fold_cast(pl_eval *eval) {
    pl_eval *arg = eval->args[0];
    if (arg->op != OP_LITERAL)
        return PL_OK;
    pl_datum_copy(&eval->literal, &arg->literal);
    PL_TRY(run_cast(eval, &eval->literal));
    eval->op = OP_LITERAL;
    return PL_OK;
}

static pl_status compile_own(const Parley__V1__Expr *expr, pl_eval_bind bind, void *ctx,
                             pl_eval *eval) {
    if (eval->op == OP_LEAF) {
        pl_type type;
        PL_TRY(bind(ctx, expr, &eval->slot, &type));
        return type == eval->type ? PL_OK : malformed(expr, "claims a wrong type");
    }
    if (eval->op == OP_LITERAL) {
        pl_datum_set_null(&eval->literal, eval->type);
        return eval->variant ? PL_OK : pl_datum_parse(eval->type, expr->text, &eval->literal);
    }
    PL_TRY(check_types(expr, eval));
    if (eval->op != OP_CAST)
        return PL_OK;
    PL_TRY(read_typmod(expr, eval));
    return fold_cast(eval);
}

static pl_status compile(const Parley__V1__Expr *expr, pl_eval_bind bind, void *ctx, unsigned depth,
                         pl_eval **out) {
    if (depth > PL_EXPR_DEPTH_MAX)
        return pl_fail(PL_LIMIT, "an expression is nested deeper than %d levels",
                       PL_EXPR_DEPTH_MAX);
    pl_eval *eval;
    PL_TRY(pl_alloc(1, sizeof *eval, &eval));
    pl_datum_init(&eval->literal);
    eval->type = pl_type_from_name(expr->type_name);
    pl_status status = find_op(expr, eval);
    if (pl_is_ok(status))
        status = pl_alloc(expr->n_args, sizeof(pl_eval *), &eval->args);
    for (size_t i = 0; pl_is_ok(status) && i < expr->n_args; i++) {
        eval->n_args = i + 1;
        status = compile(expr->args[i], bind, ctx, depth + 1, &eval->args[i]);
    }
    if (pl_is_ok(status))
        status = compile_own(expr, bind, ctx, eval);
    if (!pl_is_ok(status)) {
        pl_eval_free(eval);
        return status;
    }
    *out = eval;
    return PL_OK;
}

pl_status pl_eval_compile(const Parley__V1__Expr *expr, pl_eval_bind bind, void *ctx,
                          pl_eval **out) {
    return compile(expr, bind, ctx, 1, out);
}

/* ---- running ---- */

static pl_status run_two(const pl_eval *eval, const pl_datum *slots, pl_datum *out) {
    pl_datum a, b;
    pl_datum_init(&a);
    pl_datum_init(&b);
    pl_status status;
    PL_CHECK(status, pl_eval_run(eval->args[0], slots, &a));
    PL_CHECK(status, pl_eval_run(eval->args[1], slots, &b));
    if (eval->op == OP_ARITH) {
        PL_CHECK(status, pl_datum_arith((char)eval->variant, &a, &b, out));
    } else if (a.is_null || b.is_null) {
        pl_datum_set_null(out, PL_TYPE_BOOL);
    } else {
        int order = pl_datum_compare(&a, &b);
        int found = order < 0 ? LESS : order > 0 ? GREATER : EQUAL;
        pl_datum_set_bool(out, (eval->variant & found) != 0);
    }
out:
    pl_datum_done(&a);
    pl_datum_done(&b);
    return status;
}

/* AND stops at the first false, OR at the first true; otherwise one NULL makes the answer NULL. */
static pl_status run_junction(const pl_eval *eval, const pl_datum *slots, pl_datum *out) {
    bool decisive = eval->op == OP_OR;
    bool has_null = false;
    for (size_t i = 0; i < eval->n_args; i++) {
        PL_TRY(pl_eval_run(eval->args[i], slots, out));
        if (!out->is_null && (out->integer != 0) == decisive)
            return PL_OK;
        has_null = has_null || out->is_null;
    }
    pl_datum_set_bool(out, !decisive);
    out->is_null = has_null;
    return PL_OK;
}

static void run_test(const pl_eval *eval, pl_datum *out) {
    int state = out->is_null                ? IF_NULL
                : out->type != PL_TYPE_BOOL ? IF_VALUE
                : out->integer              ? IF_TRUE
                                            : IF_FALSE;
    pl_datum_set_bool(out, (eval->variant & state) != 0);
}

/* numeric(p,s): round to s digits, then at most p - s digits before the point. */
static pl_status apply_typmod(const pl_eval *eval, pl_numeric *x) {
    pl_numeric_round(x, eval->scale);
    pl_numeric limit;
    pl_numeric_init(&limit);
    int whole = eval->precision - eval->scale;
    mpz_ui_pow_ui(limit.value, 10, (unsigned long)(whole > 0 ? whole : 0));
    limit.dscale = whole < 0 ? -whole : 0;
    pl_numeric magnitude;
    pl_numeric_init(&magnitude);
    pl_numeric_set(&magnitude, x);
    mpz_abs(magnitude.value, magnitude.value);
    bool fits = pl_numeric_cmp(&magnitude, &limit) < 0;
    pl_numeric_done(&limit);
    pl_numeric_done(&magnitude);
    return fits ? PL_OK : pl_fail(PL_OUT_OF_RANGE, "numeric field overflow");
}

static pl_status run_cast(const pl_eval *eval, pl_datum *out) {
    PL_TRY(pl_datum_cast(out, eval->type));
    if (eval->precision > 0 && !out->is_null)
        return apply_typmod(eval, pl_datum_numeric(out));
    return PL_OK;
}

static pl_status run_round(const pl_eval *eval, const pl_datum *slots, pl_datum *out) {
    int64_t digits = 0;
    bool is_null = out->is_null;
    if (eval->n_args == 2) {
        pl_datum second;
        pl_datum_init(&second);
        pl_status status = pl_eval_run(eval->args[1], slots, &second);
        digits = second.integer;
        is_null = is_null || second.is_null;
        pl_datum_done(&second);
        PL_TRY(status);
    }
    if (is_null)
        pl_datum_set_null(out, eval->type);
    else if (eval->type == PL_TYPE_NUMERIC)
        pl_numeric_round(&out->numeric, (int)digits);
    else
        out->real = __builtin_rint(out->real);
    return PL_OK;
}

static pl_status run_statistic(const pl_eval *eval, const pl_datum *slots, pl_datum *out) {
    pl_datum args[6];
    for (size_t i = 0; i < eval->n_args; i++)
        pl_datum_init(&args[i]);
    pl_status status = PL_OK;
    for (size_t i = 0; i < eval->n_args && pl_is_ok(status); i++)
        status = pl_eval_run(eval->args[i], slots, &args[i]);
    if (pl_is_ok(status))
        status = pl_statistic_run((size_t)eval->variant, args, out);
    for (size_t i = 0; i < eval->n_args; i++)
        pl_datum_done(&args[i]);
    return status;
}

pl_status pl_eval_run(const pl_eval *eval, const pl_datum *slots, pl_datum *out) {
    if (eval->op == OP_LEAF || eval->op == OP_LITERAL) {
        pl_datum_copy(out, eval->op == OP_LEAF ? &slots[eval->slot] : &eval->literal);
        return PL_OK;
    }
    if (eval->op == OP_ARITH || eval->op == OP_COMPARE)
        return run_two(eval, slots, out);
    if (eval->op == OP_AND || eval->op == OP_OR)
        return run_junction(eval, slots, out);
    if (eval->op == OP_STATISTIC)
        return run_statistic(eval, slots, out);
    PL_TRY(pl_eval_run(eval->args[0], slots, out));
    switch (eval->op) {
    case OP_NEGATE:
        return pl_datum_negate(out);
    case OP_CAST:
        return run_cast(eval, out);
    case OP_ROUND:
        return run_round(eval, slots, out);
    case OP_TEST:
        run_test(eval, out);
        return PL_OK;
    default: /* NOT */
        out->integer = !out->integer;
        return PL_OK;
    }
}

pl_status pl_eval_is_true(const pl_eval *eval, const pl_datum *slots, bool *out) {
    *out = true;
    if (eval == NULL)
        return PL_OK;
    pl_datum answer;
    pl_datum_init(&answer);
    pl_status status = pl_eval_run(eval, slots, &answer);
    *out = !answer.is_null && answer.integer != 0;
    pl_datum_done(&answer);
    return status;
}
