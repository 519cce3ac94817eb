/* What every fuzz target is: one function over foreign bytes. Built with clang it is a libFuzzer
 * program (tests/run --fuzz); in every other build replay.c calls it with the files of its corpus.
 */
#ifndef PL_TESTS_FUZZ_H
#define PL_TESTS_FUZZ_H

#include "protocols/base/bytes.h"
#include "protocols/base/status.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An error of this kind is the input's fault; any other is ours, and stops the program. */
void fuzz_settle(pl_status status);

/* fuzz_edit changes body [len] in place as script says, and gives its new length (at most cap):
 * three bytes an edit, position (little-endian, modulo the length) and a byte: even position bytes
 * replace, odd ones insert; a byte equal to what stands there deletes it. Documents of ours are
 * signed with keys made for the run, so their corpus holds edits, not documents. */
size_t fuzz_edit(const uint8_t *script, size_t n, uint8_t *body, size_t len, size_t cap);

/* A file that holds the bytes, positioned at its start; the caller closes it. */
int fuzz_file(const uint8_t *data, size_t size);

#endif
