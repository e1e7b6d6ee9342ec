# SPDX-License-Identifier: Apache-2.0
# `make check` builds every test and runs all of them through tests/runner/run, which sums their cases; its last line is the last
# line of the output. A folder adds programs to check_PROGRAMS, scripts to test_scripts and what these call to check_tools.
TEST_CPPFLAGS = $(AM_CPPFLAGS) -DPSY_SOURCE_DIR='"$(abs_top_srcdir)"' -DPSY_BUILD_DIR='"$(abs_top_builddir)"'
TEST_LDADD = %D%/libpsyne-test.la runtime/libpsyne-core.la
test_scripts =
check_tools =
long_programs =

check_LTLIBRARIES += %D%/libpsyne-test.la
if HAVE_CRITERION
TEST_CPPFLAGS += $(CRITERION_CFLAGS)
%C%_libpsyne_test_la_SOURCES = %D%/test.h
%C%_libpsyne_test_la_LIBADD = $(CRITERION_LIBS)
else
TEST_CPPFLAGS += -DPSY_THIN_RUNNER -Wno-format-zero-length
%C%_libpsyne_test_la_SOURCES = %D%/test.h %D%/thin.c
%C%_libpsyne_test_la_CPPFLAGS = $(TEST_CPPFLAGS)
endif

include %D%/isa/local.mk
include %D%/mem/local.mk
include %D%/models/local.mk
include %D%/transport/local.mk
include %D%/schema/local.mk
include %D%/message/local.mk
include %D%/data/local.mk
include %D%/command/local.mk
include %D%/telemetry/local.mk
include %D%/compiler/local.mk
include %D%/lsp/local.mk
include %D%/fuzz/local.mk
include %D%/codegen/local.mk
include %D%/engine/local.mk
include %D%/vulkan/local.mk
include %D%/service/local.mk
include %D%/socket/local.mk
include %D%/example/local.mk
include %D%/planted/local.mk
include %D%/install/local.mk
include %D%/perf/local.mk

EXTRA_DIST += %D%/thin.c %D%/keep_loaded.c %D%/runner/run %D%/lsan.supp %D%/tsan.supp $(test_scripts)
# What scripts need to know of the build.
test_environment = PSYNE_SOURCE="$(abs_top_srcdir)" PSYNE_BUILD="$(abs_top_builddir)" PSYNE_SANITIZERS="$(SANITIZERS)" \
    PSYNE_CC="$(CC)" PSYNE_CXX="$(CXX)" PSYNE_SANITIZE_CFLAGS="$(SANITIZE_CFLAGS)" PSYNE_MAKE="$(MAKE)" \
    PSYNE_CRITERION="$(CRITERION_CFLAGS) $(CRITERION_LIBS)" PSYNE_LSAN_SUPPRESSIONS="$(abs_top_srcdir)/tests/lsan.supp" \
    PSYNE_TSAN_SUPPRESSIONS="$(abs_top_srcdir)/tests/tsan.supp" CXX="$(CXX)" PSYNE_SCHEMAS="$(abs_top_srcdir)/schemas"

# TESTS="tests/mem/test_ring tests/example/demo.sh" narrows the run.
tests_wanted = $(if $(TESTS),$(TESTS),$(check_PROGRAMS) $(test_scripts))
check-local: $(check_PROGRAMS) $(check_tools)
	@env $(test_environment) bash $(srcdir)/tests/runner/run test-logs \
	    $(foreach t,$(tests_wanted),$(if $(filter %.sh,$t),$(srcdir)/$t,./$t))

# What takes minutes or hours: many more random programs and changed inputs than `make check` has, and all numbers there are.
# LONG=N multiplies the random ones.
EXTRA_PROGRAMS += $(check_tools) $(long_programs)
LONG = 1
long_wanted = $(if $(TESTS),$(TESTS),$(long_programs) tests/compiler/test_random_hrm tests/compiler/numpy_random.sh tests/codegen/test_codegen \
    tests/fuzz/test_fuzz_compiler tests/message/test_random_messages tests/mem/test_ring_steps tests/mem/test_ring_kills \
    tests/mem/test_ring_hostile tests/vulkan/test_language)
check-long: $(check_PROGRAMS) $(check_tools) $(long_programs)
	@env $(test_environment) PSYNE_TEST_SECONDS=$$((14400 * $(LONG))) PSYNE_TEST_SEED=1000 PSYNE_TEST_RANDOM=$$((5000 * $(LONG))) \
	    PSYNE_FUZZ_ROUNDS=$$((30 * $(LONG))) PSYNE_LANGUAGE_WAYS=all bash $(srcdir)/tests/runner/run test-logs-long \
	    $(foreach t,$(long_wanted),$(if $(filter %.sh,$t),$(srcdir)/$t,./$t))
.PHONY: check-long
CLEANFILES += $(check_tools) $(long_programs)

clean-local:
	rm -rf test-logs test-logs-long soak-build

check-programs: $(BUILT_SOURCES)
	@$(MAKE) $(AM_MAKEFLAGS) $(check_LTLIBRARIES) $(check_PROGRAMS)
.PHONY: check-programs
