/* Typed values from text, as the catalogue declares them. Faults are told by kind, never by value.
 */
#ifndef PL_NODE_SOURCE_VALUE_H
#define PL_NODE_SOURCE_VALUE_H

#include "node/source/csv.h"

/* What a column demands, parsed once. */
typedef struct pl_value_rule {
    const Parley__V1__Column *column; /* borrowed */
    bool has_range;
    pl_value min, max;
    pl_value *values; /* declared values, [n_values]; text borrowed from column */
    size_t n_values;
} pl_value_rule;

/* pl_value_rule_init parses the declared range and values. INVALID_ARGUMENT naming column and part:
 * the declaration is wrong. */
PL_STATUS pl_value_rule_init(const Parley__V1__Column *column, pl_value_rule *out);
void pl_value_rule_done(pl_value_rule *rule);

/* pl_value_parse reads text (not NULL) as the column's type, without range. On failure *out_fault
 * is a fixed text such as "not a decimal(9,2)" (in buf). Returns false then. */
bool pl_value_parse(const Parley__V1__Column *column, pl_view text, pl_value *out, char fault[80]);

/* pl_value_check holds a value against NULL-ability, range and declared values; false with a fault.
 */
bool pl_value_check(const pl_value_rule *rule, const pl_value *value, char fault[80]);

int pl_value_compare(const pl_value *a, const pl_value *b); /* of one type, not NULL */

/* Is text valid UTF-8 (no surrogates, no overlong forms)? */
bool pl_utf8_is_valid(pl_view text);

#endif
