# SPDX-License-Identifier: Apache-2.0
test_scripts += %D%/bench.sh %D%/call.sh %D%/check.sh %D%/counters.sh %D%/docs.sh %D%/encode.sh %D%/inspect.sh %D%/run.sh %D%/serve.sh %D%/serve_data.sh %D%/serve_log.sh %D%/serve_programs.sh %D%/serve_shards.sh %D%/top.sh %D%/trace.sh %D%/types.sh
EXTRA_DIST += %D%/npy.sh %D%/numpy_run.py %D%/on_terminal.py %D%/pets.hrm %D%/pets.psy %D%/pets.sh %D%/screenshot.py %D%/served.hrm %D%/served.psy %D%/served.sh %D%/shell.sh %D%/store.psy \
    %D%/terminal_cases.py %D%/trace.txt

# What counters.sh looks at.
check_tools += %D%/count_rings
%C%_count_rings_LDADD = runtime/libpsyne-rt.la

# Clients of what serve.sh and serve_data.sh start.
check_tools += %D%/serve_ask %D%/serve_edit
%C%_serve_ask_LDADD = runtime/libpsyne-core.la
%C%_serve_edit_LDADD = runtime/libpsyne-core.la

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

# What the commands are made of.
COMMAND_PARTS = runtime/command/histogram.c runtime/command/json_text.c runtime/command/options.c runtime/command/progress.c runtime/command/random_json.c \
    runtime/command/schedule.c runtime/command/screen.c runtime/command/table.c runtime/command/terminal.c runtime/command/top_model.c \
    runtime/command/top_view.c runtime/command/units.c
check_LTLIBRARIES += %D%/libcommand-test.la
%C%_libcommand_test_la_SOURCES = $(COMMAND_PARTS)
%C%_libcommand_test_la_CPPFLAGS = $(TEST_CPPFLAGS)
check_PROGRAMS += %D%/test_histogram %D%/test_random_json %D%/test_schedule %D%/test_screen %D%/test_top
COMMAND_LDADD = %D%/libcommand-test.la $(TEST_LDADD) -lm
%C%_test_histogram_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_histogram_LDADD = $(COMMAND_LDADD)
%C%_test_random_json_SOURCES = %D%/test_random_json.c tests/message/random_types.c tests/message/random_types.h
%C%_test_random_json_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_random_json_LDADD = $(COMMAND_LDADD)
$(%C%_test_random_json_OBJECTS): %D%/gen/store.psy.psm
%D%/gen/store.psy.psm: %D%/store.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/store.psy --emit=bytecode -o %D%/gen && touch $@
CLEANFILES += %D%/gen/store.psy.psm
%C%_test_schedule_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_schedule_LDADD = $(COMMAND_LDADD)
%C%_test_screen_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_screen_LDADD = $(COMMAND_LDADD)
%C%_test_top_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_top_LDADD = $(COMMAND_LDADD)

# What bench.sh and top.sh ask.
check_tools += %D%/serve_one
%C%_serve_one_LDADD = runtime/libpsyne-rt.la
