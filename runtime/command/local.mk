# SPDX-License-Identifier: Apache-2.0
# It reads files and opens engines as the library does inside, so it has the library's objects and needs none installed.
bin_PROGRAMS += %D%/psyne
%C%_psyne_SOURCES = %D%/command.h %D%/commands.def %D%/counters.c %D%/encode.c %D%/input.c %D%/inspect.c %D%/main.c %D%/options.c %D%/types.c
%C%_psyne_SOURCES += %D%/json_text.c %D%/json_text.h
%C%_psyne_SOURCES += %D%/config.c %D%/config.h %D%/serve.c %D%/serve_child.c %D%/serve_child.h %D%/serve_data.c %D%/serve_data.h \
    %D%/serve_log.c %D%/serve_log.h %D%/serve_notify.c %D%/serve_notify.h %D%/serve_options.c %D%/serve_options.h %D%/serve_reload.c \
    %D%/serve_state.h %D%/serve_supervisor.c %D%/serve_supervisor.h %D%/serve_talk.c
%C%_psyne_SOURCES += %D%/check.c %D%/check.h %D%/check_machine.c %D%/check_service.c
%C%_psyne_CPPFLAGS = $(AM_CPPFLAGS)
%C%_psyne_LDADD = runtime/libpsyne-core.la

# What is made of the table of commands lies in the tree: tests/command/docs.sh finds what is out of date.
noinst_PROGRAMS += %D%/psynedoc
%C%_psynedoc_SOURCES = runtime/base/near.c %D%/command.h %D%/commands.def %D%/options.c %D%/psynedoc.c
%C%_psynedoc_CPPFLAGS = $(AM_CPPFLAGS)
%C%_psynedoc_LDADD = runtime/libpsyne-rt.la
EXTRA_DIST += %D%/docs/completion.in %D%/docs/counters.in %D%/docs/manual.in %D%/docs/page.in

update-docs: update-psyne-docs
update-psyne-docs: %D%/psynedoc$(EXEEXT)
	@set -e; write() { ./%D%/psynedoc$(EXEEXT) <$(srcdir)/%D%/docs/$$1.in >$(srcdir)/$$2.new && mv $(srcdir)/$$2.new $(srcdir)/$$2; }; \
	write manual doc/man/psyne.1; write completion %D%/completion/psyne; write page doc/psyne.md; write counters doc/counters.md
.PHONY: update-psyne-docs

dist_bashcompletion_DATA += %D%/completion/psyne
