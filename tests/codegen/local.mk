# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_codegen
%C%_test_codegen_SOURCES = %D%/test_codegen.c %D%/test_words.c %D%/kernels.c %D%/kernels.h tests/engine/build.c tests/engine/build.h \
    tests/engine/random.c tests/engine/random.h tests/engine/random_move.c tests/engine/random_parts.h
%C%_test_codegen_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_codegen_LDADD = $(TEST_LDADD) $(SPIRV_TOOLS_LIBS)
