/* A query's plan in words: for the analyst's --explain and for the approver who must decide. */
#include "node/session/query.h"
#include "node/session/roles.h"
#include "node/sql/expr.h"
#include "node/sql/plan.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef Parley__V1__Plan plan_t;
typedef Parley__V1__QueryPlan query_t;

static void print_list(char *const *list, size_t n, const char *last, pl_buf *out) {
    for (size_t i = 0; i < n; i++)
        pl_buf_printf(out, "%s%s", i == 0 ? "" : i + 1 == n ? last : ", ", list[i]);
}

static bool is_in(char *const *list, size_t n, const char *org) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], org) == 0)
            return true;
    return false;
}

/* Columns on a terminal: characters of three and four bytes are nearly all two columns wide
 * (Chinese above all). */
static size_t text_width(const char *text) {
    size_t width = 0;
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        width += byte >= 0xE0 ? 2 : (byte & 0xC0) != 0x80;
    }
    return width;
}

static void print_padded(const char *text, size_t width, pl_buf *out) {
    size_t own = text_width(text);
    pl_buf_printf(out, "%s%*s", text, (int)(own < width ? width - own : 0), "");
}

static size_t width_of(char *const *list, size_t n, size_t width) {
    for (size_t i = 0; i < n; i++)
        if (text_width(list[i]) > width)
            width = text_width(list[i]);
    return width;
}

static void print_party(const plan_t *plan, const char *org, size_t width, pl_buf *out) {
    const char *separator = "  ";
    pl_buf_printf(out, "  ");
    print_padded(org, width, out);
    if (is_in(plan->owners, plan->n_owners, org)) {
        pl_buf_printf(out, "%sdata owner", separator);
        separator = ", ";
    }
    if (is_in(plan->compute, plan->n_compute, org)) {
        pl_buf_printf(out, "%scompute party", separator);
        separator = ", ";
    }
    if (is_in(plan->recipients, plan->n_recipients, org))
        pl_buf_printf(out, "%srecipient", separator);
    pl_buf_printf(out, "\n");
}

static void print_parties(const plan_t *plan, pl_buf *out) {
    size_t width = width_of(plan->owners, plan->n_owners, 0);
    width = width_of(plan->compute, plan->n_compute, width);
    width = width_of(plan->recipients, plan->n_recipients, width);
    pl_buf_printf(out, "\nParties\n");
    for (size_t i = 0; i < plan->n_owners; i++)
        print_party(plan, plan->owners[i], width, out);
    for (size_t i = 0; i < plan->n_compute; i++)
        if (!is_in(plan->owners, plan->n_owners, plan->compute[i]))
            print_party(plan, plan->compute[i], width, out);
    for (size_t i = 0; i < plan->n_recipients; i++)
        if (!is_in(plan->owners, plan->n_owners, plan->recipients[i]) &&
            !is_in(plan->compute, plan->n_compute, plan->recipients[i]))
            print_party(plan, plan->recipients[i], width, out);
}

static void print_moments(const query_t *query, pl_buf *out) {
    for (size_t i = 0; i < query->n_moments; i++) {
        pl_buf_printf(out, "%s", i ? ", " : "");
        pl_moment_print(query->moments[i], out);
    }
}

static void print_owner_step(const query_t *query, pl_buf *out) {
    pl_buf_printf(out, "  1. Each owner, alone and in the clear, reads its own rows");
    if (query->where != NULL) {
        pl_buf_printf(out, " where ");
        pl_expr_print(query->where, out);
    }
    pl_buf_printf(out, ",\n     and computes ");
    print_moments(query, out);
    if (query->n_keys > 0) {
        pl_buf_printf(out, " in each cell of ");
        for (size_t i = 0; i < query->n_keys; i++)
            pl_buf_printf(out, "%s%s (%zu values%s)", i ? " x " : "", query->keys[i]->column,
                          query->keys[i]->n_values, query->keys[i]->nullable ? " and NULL" : "");
    }
    pl_buf_printf(out, ".\n");
}

static void print_rule_step(const query_t *query, pl_buf *out) {
    if (query->cohort == 0) {
        pl_buf_printf(out, "  4. No owner asks for a cohort: every cell is opened.\n");
        return;
    }
    pl_buf_printf(out,
                  "  4. On shares, the cohort rule is decided per cell (k = %u): for every count "
                  "and every owner,\n"
                  "     what is left without that owner's rows, and the total, must be 0 or at "
                  "least %u. Cells that\n"
                  "     fail are set to 0, so withheld and empty cells look alike.\n",
                  query->cohort, query->cohort);
}

static bool has_extremes(const query_t *query) {
    for (size_t i = 0; i < query->n_moments; i++)
        if (pl_moment_is_extreme(query->moments[i]))
            return true;
    return false;
}

static void print_steps(const plan_t *plan, const query_t *query, pl_buf *out) {
    pl_buf_printf(out, "\nSteps\n");
    print_owner_step(query, out);
    pl_buf_printf(out,
                  "  2. Each owner splits its %zu x %" PRIu64 " values into random shares for ",
                  query->n_moments, query->n_cells);
    print_list(plan->compute, plan->n_compute, " and ", out);
    pl_buf_printf(out, ".\n  3. The compute parties add up the owners' shares%s.\n",
                  has_extremes(query) ? "; of MIN and MAX they find the extreme on shares" : "");
    print_rule_step(query, out);
    pl_buf_printf(out, "  5. They are opened to ");
    print_list(plan->recipients, plan->n_recipients, " and ", out);
    pl_buf_printf(out, ", who calculate%s the result%s%s.\n", plan->n_recipients == 1 ? "s" : "",
                  query->having ? ", applies HAVING" : "", query->n_order ? " and sorts it" : "");
    if (query->having != NULL) {
        pl_buf_printf(out, "     HAVING ");
        pl_expr_print(query->having, out);
        pl_buf_printf(out, "\n");
    }
    for (size_t i = 0; i < query->n_outputs; i++) {
        pl_buf_printf(out, "     %s = ", query->outputs[i]->name);
        pl_expr_print(query->outputs[i]->expr, out);
        pl_buf_printf(out, " (%s)\n", query->outputs[i]->expr->type_name);
    }
}

/* The bound on a real sum's error: half a unit per row, which the rounding to fixed point costs. */
static void print_precision(const Parley__V1__Moment *moment, pl_buf *out) {
    if (!pl_moment_is_count(moment) && moment->type == PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL)
        pl_buf_printf(out, "fixed point: error at most %.1e per row",
                      ldexp(1, -(int)moment->scale - 1));
    else
        pl_buf_printf(out, pl_moment_is_extreme(moment) ? "exact: the value of one row" : "exact");
}

static void print_disclosure(const plan_t *plan, const query_t *query, pl_buf *out) {
    size_t width = 4, skip = query->cohort > 0;
    for (size_t i = 0; i < plan->n_openings; i++)
        if (text_width(plan->openings[i]->what) > width)
            width = text_width(plan->openings[i]->what);
    pl_buf_printf(out, "\nWho learns what\n  %-*s  %7s  %-7s  %s\n", (int)width, "opened", "values",
                  "ring", "precision");
    for (size_t i = 0; i < plan->n_openings; i++) {
        pl_buf_printf(out, "  ");
        print_padded(plan->openings[i]->what, width, out);
        pl_buf_printf(out, "  %7" PRIu64 "  ", plan->openings[i]->n_values);
        const Parley__V1__Moment *moment =
            i >= skip && i - skip < query->n_moments ? query->moments[i - skip] : NULL;
        pl_buf_printf(out, "Z_2^%-3u  ", moment ? moment->ring_bits : 64);
        if (moment != NULL)
            print_precision(moment, out);
        else
            pl_buf_printf(out, "one bit");
        pl_buf_printf(out, "\n");
    }
    pl_buf_printf(out, "  to: ");
    print_list(plan->recipients, plan->n_recipients, " and ", out);
    pl_buf_printf(
        out, ", and to nobody else. These are all cells; HAVING hides rows only after opening.\n"
             "  Every party learns that the job ran, this plan, the sizes above and timing.\n");
}

static void print_trust(const plan_t *plan, pl_buf *out) {
    pl_buf_printf(out, "\nTrust\n  Protocol %s: any two of ", plan->protocol);
    print_list(plan->compute, plan->n_compute, " and ", out);
    pl_buf_printf(out, " together learn every input above;\n  one alone learns nothing. "
                       "All are assumed to follow the protocol.\n");
}

static const char *right_name(Parley__V1__Right right) {
    switch (right) {
    case PARLEY__V1__RIGHT__RIGHT_AGGREGATE:
        return "aggregate";
    case PARLEY__V1__RIGHT__RIGHT_GROUP_KEY:
        return "group_key";
    case PARLEY__V1__RIGHT__RIGHT_FILTER:
        return "filter";
    case PARLEY__V1__RIGHT__RIGHT_EXTREME:
        return "extreme";
    case PARLEY__V1__RIGHT__RIGHT_COMPUTE:
        return "compute";
    default:
        return "?";
    }
}

static size_t flow_width(const Parley__V1__Flow *f) {
    bool is_column = f->column[0] != '\0';
    return text_width(f->owner) +
           (is_column ? text_width(f->dataset) + text_width(f->column) + 2 : 0);
}

static void print_flows(const plan_t *plan, pl_buf *out) {
    size_t width = 0;
    for (size_t i = 0; i < plan->n_flows; i++)
        width = flow_width(plan->flows[i]) > width ? flow_width(plan->flows[i]) : width;
    pl_buf_printf(out, "\nRights used\n");
    for (size_t i = 0; i < plan->n_flows; i++) {
        const Parley__V1__Flow *f = plan->flows[i];
        const char *dot = f->column[0] != '\0' ? "." : "";
        pl_buf_printf(out, "  %s%s%s%s%s%*s  %-9s  %s\n", f->owner, dot, f->dataset, dot, f->column,
                      (int)(width - flow_width(f)), "", right_name(f->right), f->operation);
    }
}

static void print_cost(const plan_t *plan, pl_buf *out) {
    if (plan->cost == NULL)
        return;
    pl_buf_printf(out,
                  "\nCost\n  at most %" PRIu64 " rounds, %" PRIu64 " bytes per link, %" PRIu64
                  " KiB of memory\n",
                  plan->cost->rounds, plan->cost->bytes_per_link_max,
                  (plan->cost->memory_bytes + 1023) / 1024);
}

pl_status pl_query_explain(const Parley__V1__Plan *plan, pl_buf *out) {
    query_t *query;
    PL_TRY(pl_query_body(plan, &query));
    pl_buf_printf(out, "Query  %s\n", plan->summary);
    print_parties(plan, out);
    print_steps(plan, query, out);
    print_disclosure(plan, query, out);
    print_trust(plan, out);
    print_flows(plan, out);
    print_cost(plan, out);
    parley__v1__query_plan__free_unpacked(query, NULL);
    return PL_OK;
}
