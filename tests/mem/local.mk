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
%C%_test_slab_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_slab_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_seat
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
%C%_test_counters_SOURCES = %D%/counters.h %D%/pair.h %D%/test_counters.c
%C%_test_counters_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_counters_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_counters_life
%C%_test_counters_life_SOURCES = %D%/counters.h %D%/pair.h %D%/test_counters_life.c
%C%_test_counters_life_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_counters_life_LDADD = $(TEST_LDADD)
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
