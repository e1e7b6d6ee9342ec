# SPDX-License-Identifier: Apache-2.0
# With all of the library inside: files of data, bound programs and their values are private parts of it.
bin_PROGRAMS += %D%/psyne
%C%_psyne_SOURCES = %D%/call.c %D%/command.h %D%/commands.def %D%/counters.c %D%/counters.h %D%/counters_sections.c %D%/encode.c %D%/exchange.c %D%/exchange.h \
    %D%/input.c %D%/inspect.c %D%/json_text.c %D%/json_text.h %D%/local_service.c %D%/local_service.h %D%/main.c %D%/metrics.c %D%/options.c %D%/output.c \
    %D%/output.h %D%/run.c %D%/sink.c %D%/sink.h %D%/source.c %D%/source.h %D%/table.c %D%/table.h %D%/trace.c %D%/trace.h %D%/types.c %D%/value_summary.c
%C%_psyne_SOURCES += %D%/histogram.c %D%/histogram.h %D%/progress.c %D%/progress.h %D%/schedule.c %D%/schedule.h %D%/screen.c \
    %D%/screen.h %D%/styles.def %D%/terminal.c %D%/terminal.h %D%/units.c %D%/units.h
%C%_psyne_SOURCES += %D%/bench.c %D%/bench_report.c %D%/bench_report.h %D%/load.c %D%/load.h %D%/plot.c %D%/plot.h %D%/random_json.c \
    %D%/random_json.h %D%/requests.c %D%/requests.h
%C%_psyne_SOURCES += %D%/top.c %D%/top.def %D%/top_model.c %D%/top_model.h %D%/top_view.c %D%/top_view.h
%C%_psyne_SOURCES += %D%/config.c %D%/config.h %D%/serve.c %D%/serve_child.c %D%/serve_child.h %D%/serve_count.c %D%/serve_data.c %D%/serve_data.h \
    %D%/serve_log.c %D%/serve_log.h %D%/serve_notify.c %D%/serve_notify.h %D%/serve_options.c %D%/serve_options.h %D%/serve_reload.c %D%/serve_reshard.c %D%/serve_requests.c %D%/serve_requests.h %D%/serve_rules.c %D%/serve_rules.h \
    %D%/serve_reread.c %D%/serve_reread.h %D%/serve_snapshot.c %D%/serve_state.h %D%/serve_supervisor.c %D%/serve_supervisor.h %D%/serve_talk.c
%C%_psyne_SOURCES += %D%/check.c %D%/check.h %D%/check_machine.c %D%/check_service.c
%C%_psyne_CPPFLAGS = $(AM_CPPFLAGS)
%C%_psyne_LDADD = runtime/libpsyne-core.la -lm

# What is made of the tables of commands lies in the tree: tests/command/docs.sh finds what is out of date.
noinst_PROGRAMS += %D%/psynedoc
%C%_psynedoc_SOURCES = runtime/base/near.c %D%/command.h %D%/commands.def %D%/options.c %D%/psynedoc.c
%C%_psynedoc_CPPFLAGS = $(AM_CPPFLAGS)
%C%_psynedoc_LDADD = runtime/libpsyne-rt.la
EXTRA_DIST += %D%/docs/completion.in %D%/docs/counters.in %D%/docs/manual.in %D%/docs/page.in %D%/docs/telemetry.in

update-docs: update-psyne-docs
update-psyne-docs: %D%/psynedoc$(EXEEXT)
	@set -e; write() { ./%D%/psynedoc$(EXEEXT) <$(srcdir)/%D%/docs/$$1.in >$(srcdir)/$$2.new && mv $(srcdir)/$$2.new $(srcdir)/$$2; }; \
	write manual doc/man/psyne.1; write completion %D%/completion/psyne; write page doc/psyne.md; write counters doc/counters.md; write telemetry doc/telemetry.md
.PHONY: update-psyne-docs

dist_bashcompletion_DATA += %D%/completion/psyne
