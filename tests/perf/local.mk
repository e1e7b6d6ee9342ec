# SPDX-License-Identifier: Apache-2.0
# `make bench` runs every benchmark and leaves bench.json: a list of objects, one per figure and peer.
BENCHES = %D%/bench_ring %D%/bench_dot
EXTRA_PROGRAMS = $(BENCHES)
%C%_bench_ring_SOURCES = %D%/bench_ring.c %D%/bench.c %D%/bench.h
%C%_bench_ring_CPPFLAGS = $(AM_CPPFLAGS)
%C%_bench_ring_LDADD = runtime/libpsyne-core.la
%C%_bench_dot_SOURCES = %D%/bench_dot.c %D%/bench.c %D%/bench.h
%C%_bench_dot_CPPFLAGS = $(AM_CPPFLAGS)
%C%_bench_dot_CFLAGS = $(AM_CFLAGS) -O3
%C%_bench_dot_LDADD = runtime/libpsyne-core.la

bench: $(BENCHES) examples/nearest/nearest$(EXEEXT) $(NEAREST_GENERATED)
	@rm -f bench.lines
	@set -e; for b in $(BENCHES); do ./$$b --json=bench.lines; done
	@$(NEAREST) --engine cpu --quiet
	@{ echo '['; sed '$$!s/$$/,/' bench.lines; echo ']'; } > bench.json && rm -f bench.lines && echo "bench.json is written"
.PHONY: bench
CLEANFILES += bench.json bench.lines $(BENCHES)
