# SPDX-License-Identifier: Apache-2.0
if HAVE_LSP
# The client: no test, but one runs it.
noinst_PROGRAMS += %D%/session
%C%_session_SOURCES = %D%/session.c
%C%_session_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_session_LDADD = $(JANSSON_LIBS)
endif
test_scripts += %D%/lsp.sh %D%/editors.sh
EXTRA_DIST += $(wildcard $(srcdir)/%D%/sessions/*)

# Writes the expectations of sessions/ anew: read the difference before it is committed.
update-lsp: all
	@env $(test_environment) bash $(srcdir)/%D%/lsp.sh --update
.PHONY: update-lsp
