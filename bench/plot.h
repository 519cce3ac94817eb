/* Plot: what grows with what, drawn by gnuplot as SVG. */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include "bench/run.h"

/* pl_bench_plot measures, and writes throughput.svg (elements a second against n, and the time,
 * which should be a straight line) and round-trip.svg (seconds against the round trip) into folder,
 * with the numbers beside them as .dat files. n_max, 1000 at least, cuts the lengths. Operations
 * that lack the width are left out. gnuplot is looked for first.
 * Errors:  INVALID_ARGUMENT (n_max, folder), NOT_FOUND (gnuplot), IO, those of a run. */
PL_STATUS pl_bench_plot(const pl_bench_setting *base, size_t n_max, const char *folder);

#endif
