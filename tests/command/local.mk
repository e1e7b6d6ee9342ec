# SPDX-License-Identifier: Apache-2.0
test_scripts += %D%/call.sh %D%/check.sh %D%/counters.sh %D%/docs.sh %D%/encode.sh %D%/inspect.sh %D%/run.sh %D%/serve.sh %D%/serve_log.sh %D%/serve_programs.sh %D%/trace.sh %D%/types.sh
EXTRA_DIST += %D%/npy.sh %D%/numpy_run.py %D%/pets.hrm %D%/pets.psy %D%/pets.sh %D%/served.hrm %D%/served.psy %D%/served.sh %D%/shell.sh %D%/store.psy %D%/trace.txt

# What counters.sh looks at.
check_tools += %D%/count_rings
%C%_count_rings_LDADD = runtime/libpsyne-rt.la

# A client of what serve.sh starts.
check_tools += %D%/serve_ask
%C%_serve_ask_LDADD = runtime/libpsyne-core.la

# What call.sh calls.
check_tools += %D%/serve_module
%C%_serve_module_LDADD = runtime/libpsyne-core.la

# What trace.sh expects, anew: for the eyes of whoever commits it.
update-traces: all
	@env $(test_environment) PSYNE_UPDATE=1 bash $(srcdir)/%D%/trace.sh
.PHONY: update-traces

check_PROGRAMS += %D%/test_value_summary
%C%_test_value_summary_SOURCES = %D%/test_value_summary.c runtime/command/value_summary.c
%C%_test_value_summary_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_value_summary_LDADD = $(TEST_LDADD)
