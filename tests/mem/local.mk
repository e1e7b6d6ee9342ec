# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_ring
%C%_test_ring_SOURCES = %D%/test_ring.c %D%/pair.h
%C%_test_ring_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_ring_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_ring_flow
%C%_test_ring_flow_SOURCES = %D%/test_ring_flow.c %D%/pair.h
%C%_test_ring_flow_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_ring_flow_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_slab
%C%_test_slab_SOURCES = %D%/test_slab.c tests/opened.h
%C%_test_slab_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_slab_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_slab_memory
%C%_test_slab_memory_SOURCES = %D%/test_slab_memory.c tests/opened.h
%C%_test_slab_memory_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_slab_memory_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_seat
%C%_test_seat_SOURCES = %D%/test_seat.c tests/opened.h
%C%_test_seat_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_seat_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_ring_kinds
%C%_test_ring_kinds_SOURCES = %D%/test_ring_kinds.c %D%/pair.h
%C%_test_ring_kinds_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_ring_kinds_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_ring_bounds
%C%_test_ring_bounds_SOURCES = %D%/test_ring_bounds.c %D%/pair.h %D%/world.h
%C%_test_ring_bounds_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_ring_bounds_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_ring_steps
%C%_test_ring_steps_SOURCES = %D%/test_ring_steps.c %D%/pair.h %D%/world.h
%C%_test_ring_steps_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_ring_steps_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_counters
%C%_test_counters_SOURCES = %D%/counters.h %D%/pair.h %D%/test_counters.c tests/opened.h
%C%_test_counters_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_counters_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_counters_bytes
%C%_test_counters_bytes_SOURCES = %D%/counters.h %D%/pair.h %D%/test_counters_bytes.c tests/opened.h
%C%_test_counters_bytes_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_counters_bytes_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_counters_life
%C%_test_counters_life_SOURCES = %D%/counters.h %D%/pair.h %D%/test_counters_life.c tests/opened.h
%C%_test_counters_life_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_counters_life_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_slab_server
%C%_test_slab_server_SOURCES = %D%/test_slab_server.c %D%/serving.h tests/opened.h
%C%_test_slab_server_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_slab_server_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_slab_clean
%C%_test_slab_clean_SOURCES = %D%/test_slab_clean.c %D%/serving.h tests/opened.h
%C%_test_slab_clean_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_slab_clean_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_slab_open
%C%_test_slab_open_SOURCES = %D%/test_slab_open.c %D%/serving.h tests/opened.h
%C%_test_slab_open_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_slab_open_LDADD = $(TEST_LDADD)
check_PROGRAMS += %D%/test_ring_kills
%C%_test_ring_kills_SOURCES = %D%/test_ring_kills.c %D%/pair.h %D%/world.h
%C%_test_ring_kills_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_ring_kills_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_ring_hostile
%C%_test_ring_hostile_SOURCES = %D%/hostile.c %D%/hostile.h %D%/test_ring_hostile.c %D%/pair.h %D%/world.h
%C%_test_ring_hostile_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_ring_hostile_LDADD = $(TEST_LDADD)

# Messages of mixed sizes through rings of every kind for SECONDS, then a service whose processes are killed for SOAK_SECONDS, under
# AddressSanitizer, in a build of its own where this one has none; soak.json has the figures. RATE: the least million messages a
# second through rings. SOAK_SEED: which faults, and when.
EXTRA_PROGRAMS += %D%/soak
%C%_soak_LDADD = runtime/libpsyne-core.la
SECONDS = 60
RATE = 10
SOAK_SECONDS = 600
SOAK_SEED = 1
SOAK_BUILD = $(if $(filter asan,$(SANITIZERS)),.,soak-build)
soak:
	@test $(SOAK_BUILD) = . || test -e soak-build/config.status || { $(MKDIR_P) soak-build && cd soak-build && \
	    echo "soak: configuring a build with AddressSanitizer in soak-build" && \
	    $(abs_top_srcdir)/configure --enable-asan --without-vulkan --without-spirv-tools \
	    --without-lsp --without-criterion CC="$(CC)" CXX="$(CXX)" >configure.log 2>&1; }
	@$(MAKE) $(AM_MAKEFLAGS) -C $(SOAK_BUILD) -s soak-programs
	@rm -f soak.json; failed=0; \
	for one in "%D%/soak$(EXEEXT) $(SECONDS) $(RATE)" "tests/service/soak$(EXEEXT) $(SOAK_SECONDS) $(SOAK_SEED)"; do \
	    $(SOAK_BUILD)/$$one >soak.out || failed=1; cat soak.out; grep '^{' soak.out >>soak.json; \
	done; exit $$failed
soak-programs: $(BUILT_SOURCES)
	@$(MAKE) $(AM_MAKEFLAGS) %D%/soak$(EXEEXT) tests/service/soak$(EXEEXT)
.PHONY: soak soak-programs
CLEANFILES += %D%/soak$(EXEEXT) soak.out soak.json
check_PROGRAMS += %D%/test_bell
%C%_test_bell_SOURCES = %D%/test_bell.c %D%/pair.h
%C%_test_bell_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_bell_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_frame
%C%_test_frame_SOURCES = %D%/test_frame.c %D%/pair.h
%C%_test_frame_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_frame_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_frame_flow
%C%_test_frame_flow_SOURCES = %D%/test_frame_flow.c %D%/pair.h
%C%_test_frame_flow_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_frame_flow_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_stream
%C%_test_stream_SOURCES = %D%/test_stream.c %D%/pair.h
%C%_test_stream_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_stream_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_ring_wait
%C%_test_ring_wait_SOURCES = %D%/test_ring_wait.c %D%/pair.h
%C%_test_ring_wait_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_ring_wait_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_ring_counts
%C%_test_ring_counts_SOURCES = %D%/test_ring_counts.c %D%/pair.h
%C%_test_ring_counts_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_ring_counts_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_counters_sections
%C%_test_counters_sections_SOURCES = %D%/counters.h %D%/pair.h %D%/test_counters_sections.c tests/opened.h
%C%_test_counters_sections_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_counters_sections_LDADD = $(TEST_LDADD)
