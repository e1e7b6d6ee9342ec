# SPDX-License-Identifier: Apache-2.0
COMPILER_TEST_LDADD = tests/libpsyne-test.la compiler/libpsynec.la runtime/libpsyne-core.la $(SPIRV_TOOLS_LIBS) -lm
test_scripts += %D%/golden.sh %D%/cli.sh
EXTRA_DIST += tests/golden

# Writes the expectations of tests/golden anew: read the difference before it is committed.
update-golden: compiler/psynec$(EXEEXT)
	@$(TESTS_ENVIRONMENT_EXPORT) bash $(srcdir)/%D%/golden.sh --update
.PHONY: update-golden

check_PROGRAMS += %D%/test_run
%C%_test_run_SOURCES = %D%/compile.c %D%/compile.h %D%/test_run.c
%C%_test_run_CPPFLAGS = $(TEST_CPPFLAGS) -I$(top_srcdir)/compiler
%C%_test_run_LDADD = $(COMPILER_TEST_LDADD)
