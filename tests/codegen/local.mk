# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_codegen
%C%_test_codegen_SOURCES = %D%/test_codegen.c %D%/test_words.c %D%/kernels.c %D%/kernels.h tests/engine/build.c tests/engine/build.h tests/engine/build_code.c \
    tests/engine/random.c tests/engine/random.h tests/engine/random_move.c tests/engine/random_parts.h
%C%_test_codegen_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_codegen_LDADD = $(TEST_LDADD) $(SPIRV_TOOLS_LIBS)

# The conformance suite over what psynec prints of kernels: all of it over C, and over GLSL, which takes longer to compile, the tests
# that reach every operation, cast, store and top-k.
suite_sources = tests/engine/allocations.c tests/engine/allocations.h tests/engine/build.c tests/engine/build.h tests/engine/build_code.c \
    tests/engine/random.c tests/engine/random.h tests/engine/random_move.c tests/engine/random_parts.h \
    tests/engine/reference.c tests/engine/reference_cell.c tests/engine/reference_move.c tests/engine/reference_parts.h \
    tests/engine/reference.h tests/engine/suite.c tests/engine/suite.h tests/engine/suite_data.c tests/engine/suite_engines.c %D%/made.c %D%/made.h
suite_cppflags = $(TEST_CPPFLAGS) -I$(top_srcdir)/compiler
suite_ldflags = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=free
suite_ldadd = tests/libpsyne-test.la compiler/libpsynec.la runtime/libpsyne-core.la $(SPIRV_TOOLS_LIBS) -lm
if SANITIZED
suite_sources += tests/keep_loaded.c
suite_ldflags += -export-dynamic
endif

check_PROGRAMS += %D%/test_printed_c
%C%_test_printed_c_SOURCES = $(suite_sources) %D%/engine_c.c tests/engine/test_choose.c tests/engine/test_data.c \
    tests/engine/test_fields.c tests/engine/test_half.c tests/engine/test_map.c tests/engine/test_move.c tests/engine/test_ops.c tests/engine/test_random.c \
    tests/engine/test_reduce.c tests/engine/test_region.c tests/engine/test_shape.c tests/engine/test_store.c \
    tests/engine/test_symbols.c tests/engine/test_topk.c
%C%_test_printed_c_CPPFLAGS = $(suite_cppflags) -DSUITE_OF_C
%C%_test_printed_c_LDFLAGS = $(suite_ldflags)
%C%_test_printed_c_LDADD = $(suite_ldadd)

check_PROGRAMS += %D%/test_printed_glsl
%C%_test_printed_glsl_SOURCES = $(suite_sources) %D%/engine_glsl.c %D%/kernels.c %D%/kernels.h tests/engine/test_half.c \
    tests/engine/test_ops.c tests/engine/test_store.c tests/engine/test_topk.c
%C%_test_printed_glsl_CPPFLAGS = $(suite_cppflags) -DSUITE_OF_GLSL
%C%_test_printed_glsl_LDFLAGS = $(suite_ldflags)
%C%_test_printed_glsl_LDADD = $(suite_ldadd)
