# SPDX-License-Identifier: Apache-2.0
# psynec. Tests link its parts as a library of their own.
noinst_LTLIBRARIES += %D%/libpsynec.la
%C%_libpsynec_la_SOURCES = \
    %D%/arena.c %D%/arena.h %D%/builtins.def %D%/builtins.h %D%/builtins_math.c %D%/builtins_reduce.c %D%/builtins_shape.c %D%/call.c %D%/call.h %D%/bytecode.c %D%/diagnostic.c %D%/diagnostic.h %D%/diagnostics.def \
    %D%/fold_scalar.c %D%/fuse.c %D%/header.c %D%/hrm_ast.h %D%/hrm_slips.c %D%/hrm_lex.l %D%/hrm_parse.y %D%/ir.c %D%/ir.h %D%/kernels.c \
    %D%/lower.c %D%/lower.h %D%/lower_fn.c %D%/lower_index.c %D%/lower_operator.c %D%/lower_size.c %D%/lower_pipeline.c %D%/optimise.c %D%/output.c %D%/output.h %D%/passes.c %D%/passes.h %D%/plan.c \
    %D%/psy_ast.h %D%/psy_lex.l %D%/psy_parse.y %D%/resolve.c %D%/resolve_bodies.c %D%/schema.c %D%/schema.h %D%/schema_names.c %D%/schema_names.h \
    %D%/source.c %D%/source.h %D%/split.c %D%/syntax.c %D%/syntax.h %D%/template.c %D%/template.h %D%/unit.c %D%/unit.h
nodist_%C%_libpsynec_la_SOURCES = %D%/templates.c
%C%_libpsynec_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/compiler

bin_PROGRAMS += %D%/psynec
%C%_psynec_SOURCES = %D%/main.c
%C%_psynec_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/compiler
%C%_psynec_LDADD = %D%/libpsynec.la runtime/libpsyne-core.la $(SPIRV_TOOLS_LIBS)

BUILT_SOURCES += %D%/psy_parse.h %D%/hrm_parse.h
EXTRA_DIST += %D%/templates/header.h.in %D%/templates/embed.sed
CLEANFILES += %D%/templates.c
%D%/templates.c: %D%/templates/header.h.in %D%/templates/embed.sed
	$(AM_V_GEN)$(MKDIR_P) %D% && { echo '#include "template.h"' && \
	    echo '#pragma GCC diagnostic ignored "-Woverlength-strings"' && echo 'const char psc_template_header[] =' && \
	    sed -f $(srcdir)/%D%/templates/embed.sed $(srcdir)/%D%/templates/header.h.in && echo '    ;'; } > $@.tmp && mv $@.tmp $@
