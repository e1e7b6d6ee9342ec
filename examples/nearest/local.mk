# SPDX-License-Identifier: Apache-2.0
# The example, built in the tree; examples/nearest/Makefile builds it against an installed Psyne.
noinst_PROGRAMS += %D%/nearest
%C%_nearest_SOURCES = %D%/embed.c %D%/embed.h %D%/nearest.c %D%/search.c %D%/search.h %D%/service.c %D%/service.h %D%/words.c %D%/words.h
nodist_%C%_nearest_SOURCES = %D%/gen/nearest.psy.h
%C%_nearest_CPPFLAGS = -I$(top_srcdir)/runtime/include -I%D%/gen -I$(top_srcdir)/%D%
%C%_nearest_LDADD = runtime/libpsyne-rt.la

NEAREST_GENERATED = %D%/gen/nearest.psy.h %D%/gen/nearest.psm
$(%C%_nearest_OBJECTS): %D%/gen/nearest.psy.h
all-local: $(NEAREST_GENERATED)
%D%/gen/nearest.psy.h: %D%/nearest.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/nearest.psy -o %D%/gen && touch $@
%D%/gen/nearest.psm: %D%/nearest.hrm %D%/nearest.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/nearest.hrm -o %D%/gen && touch $@

NEAREST = %D%/nearest$(EXEEXT) --module %D%/gen/nearest.psm
demo: %D%/nearest$(EXEEXT) $(NEAREST_GENERATED)
	@$(NEAREST)
.PHONY: demo
EXTRA_DIST += %D%/nearest.psy %D%/nearest.hrm %D%/README.md %D%/Makefile
CLEANFILES += $(NEAREST_GENERATED)
