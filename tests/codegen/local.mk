# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_codegen
%C%_test_codegen_SOURCES = %D%/test_codegen.c %D%/test_words.c %D%/kernels.c %D%/kernels.h tests/engine/build.c tests/engine/build.h \
    tests/engine/random.c tests/engine/random.h tests/engine/random_move.c tests/engine/random_parts.h
%C%_test_codegen_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_codegen_LDADD = $(TEST_LDADD) $(SPIRV_TOOLS_LIBS)

# The conformance suite over what the printers of C and GLSL write.
check_PROGRAMS += %D%/test_printers
%C%_test_printers_SOURCES = %D%/engine_c.c %D%/engine_glsl.c %D%/kernels.c %D%/kernels.h %D%/made.c %D%/made.h \
    tests/engine/allocations.c tests/engine/allocations.h tests/engine/build.c tests/engine/build.h tests/engine/random.c \
    tests/engine/random.h tests/engine/random_move.c tests/engine/random_parts.h tests/engine/reference.c \
    tests/engine/reference_cell.c tests/engine/reference_move.c tests/engine/reference_parts.h tests/engine/reference.h \
    tests/engine/suite.c tests/engine/suite.h tests/engine/suite_data.c tests/engine/test_choose.c tests/engine/test_data.c \
    tests/engine/test_half.c tests/engine/test_map.c tests/engine/test_move.c tests/engine/test_ops.c tests/engine/test_random.c \
    tests/engine/test_reduce.c tests/engine/test_region.c tests/engine/test_shape.c tests/engine/test_store.c \
    tests/engine/test_symbols.c tests/engine/test_topk.c
%C%_test_printers_CPPFLAGS = $(TEST_CPPFLAGS) -I$(top_srcdir)/compiler -DSUITE_OF_PRINTERS
%C%_test_printers_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=free
%C%_test_printers_LDADD = tests/libpsyne-test.la compiler/libpsynec.la runtime/libpsyne-core.la $(SPIRV_TOOLS_LIBS) -lm
