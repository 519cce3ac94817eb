/* A policy file, read before its signature counts for anything. */
#include "node/policy/policy.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pl_policy *policy = NULL;
    fuzz_settle(pl_policy_parse("policy.yaml", "north", pl_view_of(data, size), &policy));
    pl_policy_free(policy);
    return 0;
}
