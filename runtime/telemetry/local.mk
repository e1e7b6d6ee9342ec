# SPDX-License-Identifier: Apache-2.0
# Telemetry is the command's, and none of the library's: psyne reads files of counters as any program can.
runtime_command_psyne_SOURCES += %D%/data.c %D%/data.h %D%/ledger.c %D%/ledger.h %D%/listen.h %D%/metrics.c %D%/metrics.h %D%/page.h %D%/telemetry.h
if HAVE_MICROHTTPD
runtime_command_psyne_SOURCES += %D%/endpoint.c %D%/listen.c
nodist_runtime_command_psyne_SOURCES = %D%/page.c
runtime_command_psyne_CPPFLAGS += $(MICROHTTPD_CFLAGS)
runtime_command_psyne_LDADD += $(MICROHTTPD_LIBS)
else
runtime_command_psyne_SOURCES += %D%/none.c
endif
# The names of metrics are documentation too.
runtime_command_psynedoc_SOURCES += %D%/ledger.c %D%/ledger.h %D%/metrics.c %D%/metrics.h

# The page is embedded as it is.
EXTRA_DIST += %D%/page.html %D%/embed.sed
CLEANFILES += %D%/page.c
%D%/page.c: %D%/page.html %D%/embed.sed
	$(AM_V_GEN)$(MKDIR_P) %D% && { echo '#include "telemetry/page.h"' && \
	    echo '#pragma GCC diagnostic ignored "-Woverlength-strings"' && echo 'const char psy__telemetry_page[] =' && \
	    sed -f $(srcdir)/%D%/embed.sed $(srcdir)/%D%/page.html && echo '    ;'; } > $@.tmp && mv $@.tmp $@
