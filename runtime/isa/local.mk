# SPDX-License-Identifier: Apache-2.0
runtime_sources += %D%/asm.c %D%/asm.h %D%/asm_pipeline.c %D%/asm_program.c %D%/asm_state.h %D%/asm_type.c %D%/bind.c %D%/cast.c %D%/disasm.c %D%/dtypes.def %D%/header_text.c %D%/header_text.h \
    %D%/layout.c %D%/layout.h %D%/lexer.c %D%/lexer.h %D%/lifetime.c %D%/lifetime.h %D%/module.c %D%/module.h %D%/npy_header.c %D%/npy_header.h %D%/op.c \
    %D%/ops.def %D%/records.c %D%/records.h %D%/scalar.h %D%/sizes.c %D%/strings.c %D%/strings.h %D%/verify.c %D%/verify_shape.c %D%/verify_state.h %D%/verify.h

noinst_PROGRAMS += %D%/opsdoc
%C%_opsdoc_SOURCES = %D%/opsdoc.c %D%/dtypes.def %D%/ops.def
%C%_opsdoc_LDADD = runtime/libpsyne-core.la

# The reference of operations is committed; tests/isa/ops_doc.sh says when it is out of date.
update-docs: %D%/opsdoc$(EXEEXT)
	./%D%/opsdoc$(EXEEXT) >$(srcdir)/doc/ops.md.new && mv $(srcdir)/doc/ops.md.new $(srcdir)/doc/ops.md
.PHONY: update-docs
