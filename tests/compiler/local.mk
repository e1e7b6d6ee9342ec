# SPDX-License-Identifier: Apache-2.0
COMPILER_TEST_CPPFLAGS = $(TEST_CPPFLAGS) -I$(top_srcdir)/compiler
COMPILER_TEST_LDADD = tests/libpsyne-test.la compiler/libpsynec.la runtime/libpsyne-core.la $(SPIRV_TOOLS_LIBS) -lm

check_PROGRAMS += %D%/test_fold
%C%_test_fold_SOURCES = %D%/compile.c %D%/compile.h %D%/test_fold.c
%C%_test_fold_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_fold_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_ir
%C%_test_ir_SOURCES = %D%/compile.c %D%/compile.h %D%/test_ir.c
%C%_test_ir_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_ir_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_run
%C%_test_run_SOURCES = %D%/compile.c %D%/compile.h %D%/test_run.c
%C%_test_run_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_run_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_source
%C%_test_source_SOURCES = %D%/compile.c %D%/compile.h %D%/test_source.c
%C%_test_source_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_source_LDADD = $(COMPILER_TEST_LDADD)

test_scripts += %D%/golden.sh %D%/cli.sh %D%/fmt.sh %D%/tools.sh %D%/explain.sh %D%/docs.sh
EXTRA_DIST += tests/golden %D%/shell.sh

# Writes the expectations of tests/golden anew: read the difference before it is committed.
update-golden: compiler/psynec$(EXEEXT)
	@env $(test_environment) bash $(srcdir)/%D%/golden.sh --update
.PHONY: update-golden
