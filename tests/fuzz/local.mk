# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_fuzz_compiler
%C%_test_fuzz_compiler_SOURCES = %D%/fuzz.c %D%/fuzz.h %D%/soup.c %D%/soup.h %D%/test_fuzz_compiler.c
%C%_test_fuzz_compiler_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_fuzz_compiler_LDADD = $(COMPILER_TEST_LDADD)

# The driver for fuzzers: no test, but one runs it.
noinst_PROGRAMS += %D%/fuzz_compiler
%C%_fuzz_compiler_SOURCES = %D%/driver.c %D%/fuzz.c %D%/fuzz.h
%C%_fuzz_compiler_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_fuzz_compiler_LDADD = compiler/libpsynec.la runtime/libpsyne-core.la $(SPIRV_TOOLS_LIBS) -lm
test_scripts += %D%/driver.sh
