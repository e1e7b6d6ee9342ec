# SPDX-License-Identifier: Apache-2.0
# The suite, and the tests of every engine with it. Programs in memory (build.c, random.c) also serve tests/codegen.
check_PROGRAMS += %D%/test_engine
%C%_test_engine_SOURCES = %D%/allocations.c %D%/allocations.h %D%/build.c %D%/build.h %D%/build_code.c %D%/random.c %D%/random.h %D%/random_move.c %D%/random_parts.h %D%/reference.c \
    %D%/reference_cell.c %D%/reference_move.c %D%/reference_parts.h %D%/reference.h %D%/sets.h %D%/suite.c %D%/suite.h %D%/suite_data.c %D%/suite_engines.c \
    %D%/test_choose.c %D%/test_code.c %D%/test_data.c %D%/test_fields.c %D%/test_half.c %D%/test_limits.c %D%/test_map.c %D%/test_math.c %D%/test_move.c %D%/test_ops.c \
    %D%/test_random.c %D%/test_reduce.c %D%/test_region.c %D%/test_shape.c %D%/test_store.c %D%/test_symbols.c %D%/test_topk.c %D%/ulp.h
%C%_test_engine_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_engine_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=free
%C%_test_engine_LDADD = $(TEST_LDADD) -lm

# For check-long only.
long_programs += %D%/long_values
%C%_long_values_SOURCES = \
    %D%/long_values.c \
    %D%/reference.c \
    %D%/reference.h \
    %D%/reference_cell.c \
    %D%/reference_move.c \
    %D%/reference_parts.h \
    %D%/sets.h \
    %D%/ulp.h
%C%_long_values_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_long_values_LDADD = $(TEST_LDADD) -lm

if SANITIZED
%C%_test_engine_SOURCES += tests/keep_loaded.c
%C%_test_engine_LDFLAGS += -export-dynamic
endif
