# SPDX-License-Identifier: Apache-2.0
# psynec. Tests link its parts as a library of their own.
noinst_LTLIBRARIES += %D%/libpsynec.la
%C%_libpsynec_la_SOURCES = \
    %D%/arena.c \
    %D%/arena.h \
    %D%/attributes.c \
    %D%/attributes.def \
    %D%/attributes.h \
    %D%/build.c \
    %D%/build.h \
    %D%/builtins.def \
    %D%/builtins.h \
    %D%/builtins_doc.c \
    %D%/builtins_doc.def \
    %D%/builtins_math.c \
    %D%/builtins_reduce.c \
    %D%/builtins_shape.c \
    %D%/bytecode.c \
    %D%/call.c \
    %D%/call.h \
    %D%/compat.c \
    %D%/compat.def \
    %D%/compat.h \
    %D%/compat_fields.c \
    %D%/compat_print.c \
    %D%/compat_read.c \
    %D%/compat_state.h \
    %D%/compose.c \
    %D%/compose.h \
    %D%/diagnostic.c \
    %D%/diagnostic.h \
    %D%/diagnostics.def \
    %D%/einsum.c \
    %D%/einsum.h \
    %D%/einsum_spec.c \
    %D%/fold_scalar.c \
    %D%/fuse.c \
    %D%/header.c \
    %D%/header.h \
    %D%/header_accessors.c \
    %D%/header_enum.c \
    %D%/header_field.c \
    %D%/header_fuzz.c \
    %D%/header_init.c \
    %D%/header_names.c \
    %D%/header_names.def \
    %D%/header_reflection.c \
    %D%/header_settle.c \
    %D%/header_struct.c \
    %D%/header_text.c \
    %D%/header_verify.c \
    %D%/hrm_ast.h \
    %D%/hrm_lex.l \
    %D%/hrm_parse.y \
    %D%/hrm_slips.c \
    %D%/import.c \
    %D%/import.h \
    %D%/index.c \
    %D%/index.h \
    %D%/ir.c \
    %D%/ir.h \
    %D%/kernels.c \
    %D%/lower.c \
    %D%/lower.h \
    %D%/lower_field.c \
    %D%/lower_fn.c \
    %D%/lower_hits.c \
    %D%/lower_index.c \
    %D%/lower_length.c \
    %D%/lower_operator.c \
    %D%/lower_optional.c \
    %D%/lower_pipeline.c \
    %D%/lower_size.c \
    %D%/lower_text.c \
    %D%/lse.c \
    %D%/lse.h \
    %D%/names.c \
    %D%/names.h \
    %D%/npy.c \
    %D%/fast_math.c \
    %D%/fast_math.def \
    %D%/optimise.c \
    %D%/optimise.h \
    %D%/output.c \
    %D%/output.h \
    %D%/param.c \
    %D%/param.h \
    %D%/passes.c \
    %D%/passes.h \
    %D%/payload.c \
    %D%/payload.h \
    %D%/pipeline_message.c \
    %D%/plan.c \
    %D%/psy_ast.h \
    %D%/psy_lex.l \
    %D%/psy_parse.y \
    %D%/resolve.c \
    %D%/resolve_bodies.c \
    %D%/safetensors.c \
    %D%/schedule.c \
    %D%/schema.c \
    %D%/schema.h \
    %D%/schema_attributes.c \
    %D%/schema_attributes.def \
    %D%/schema_default.c \
    %D%/schema_fields.c \
    %D%/schema_names.c \
    %D%/schema_names.h \
    %D%/schema_state.h \
    %D%/schema_types.c \
    %D%/schema_value.c \
    %D%/size.c \
    %D%/source.c \
    %D%/source.h \
    %D%/split.c \
    %D%/syntax.c \
    %D%/syntax.h \
    %D%/template.c \
    %D%/template.h \
    %D%/traffic.c \
    %D%/traffic.h \
    %D%/unit.c \
    %D%/unit.h \
    %D%/variant.c \
    %D%/variant.h \
    %D%/weights.c \
    %D%/weights.h
# The tools around the passes: commands, options, what else is written.
%C%_libpsynec_la_SOURCES += \
    %D%/command.c \
    %D%/command.h \
    %D%/command_compile.c \
    %D%/command_fmt.c \
    %D%/command_new.c \
    %D%/deps.c \
    %D%/deps.h \
    %D%/diagnostic_json.c \
    %D%/emit.h \
    %D%/emit_c.c \
    %D%/emit_c_kernel.c \
    %D%/emit_c_layout.c \
    %D%/emit_glsl.c %D%/emit_glsl.h %D%/emit_glsl_operation.c \
    %D%/emit_graph.c \
    %D%/emit_json.c \
    %D%/emit_kernel_ir.c \
    %D%/emit_kernels.h \
    %D%/explain.c \
    %D%/explain_fusion.c \
    %D%/fix.c \
    %D%/fix.h \
    %D%/fmt.c \
    %D%/fmt.h \
    %D%/fmt_words.c \
    %D%/fmt_words.h \
    %D%/glsl_forms.h \
    %D%/json.c \
    %D%/json.h \
    %D%/kernel_text.c \
    %D%/kernel_text.h \
    %D%/options.c \
    %D%/options.def \
    %D%/options.h
nodist_%C%_libpsynec_la_SOURCES = %D%/templates.c
%C%_libpsynec_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/compiler -DPSC_SCHEMAS_FOLDER='"$(schemasdir)"'

bin_PROGRAMS += %D%/psynec
%C%_psynec_SOURCES = %D%/main.c
%C%_psynec_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/compiler
%C%_psynec_LDADD = %D%/libpsynec.la runtime/libpsyne-core.la $(SPIRV_TOOLS_LIBS)

BUILT_SOURCES += %D%/psy_parse.h %D%/hrm_parse.h

# Templates are embedded as psc_template_NAME.
templates = c explain fuzz glsl header header_access header_read header_verify project
EXTRA_DIST += $(templates:%=%D%/templates/%.in) %D%/templates/embed.sed
CLEANFILES += %D%/templates.c
%D%/templates.c: $(templates:%=%D%/templates/%.in) %D%/templates/embed.sed
	$(AM_V_GEN)$(MKDIR_P) %D% && { echo '#include "template.h"' && \
	    echo '#pragma GCC diagnostic ignored "-Woverlength-strings"' && \
	    for t in $(templates); do echo "const char psc_template_$$t[] =" && \
	    sed -f $(srcdir)/%D%/templates/embed.sed $(srcdir)/%D%/templates/$$t.in && echo '    ;' || exit 1; done; } > $@.tmp && mv $@.tmp $@

# What is made of the tables of options and diagnostics lies in the tree: tests/compiler/docs.sh finds what is out of date.
noinst_PROGRAMS += %D%/psynecdoc
%C%_psynecdoc_SOURCES = %D%/psynecdoc.c
%C%_psynecdoc_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/compiler
%C%_psynecdoc_LDADD = %D%/libpsynec.la runtime/libpsyne-core.la $(SPIRV_TOOLS_LIBS)
EXTRA_DIST += %D%/templates/docs.in

update-docs: update-psynec-docs
update-psynec-docs: %D%/psynecdoc$(EXEEXT)
	@set -e; write() { ./%D%/psynecdoc$(EXEEXT) $$1 $(srcdir)/%D%/templates/docs.in >$(srcdir)/$$2.new && mv $(srcdir)/$$2.new $(srcdir)/$$2; }; \
	write manual doc/man/psynec.1; write completion %D%/completion/psynec; write diagnostics doc/diagnostics.md; write page doc/psynec.md
.PHONY: update-psynec-docs

dist_bashcompletion_DATA += %D%/completion/psynec

# The pictures in doc/psynec.md: needs graphviz.
update-graph: compiler/psynec$(EXEEXT)
	compiler/psynec$(EXEEXT) $(srcdir)/examples/nearest/nearest.hrm --emit graph -o %D%/graph
	dot -Tsvg %D%/graph/nearest.dot >$(srcdir)/doc/images/nearest-graph.svg
	compiler/psynec$(EXEEXT) $(srcdir)/examples/nearest/nearest.hrm -O0 --emit graph -o %D%/graph
	dot -Tsvg %D%/graph/nearest.dot >$(srcdir)/doc/images/nearest-graph-O0.svg
	rm -rf %D%/graph
.PHONY: update-graph
