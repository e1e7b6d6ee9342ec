# SPDX-License-Identifier: Apache-2.0
# The language server: a part of psynec that can be left out.
if HAVE_LSP
compiler_psynec_SOURCES += %D%/actions.c %D%/complete.c %D%/document.c %D%/document.h %D%/format.c %D%/frame.c %D%/frame.h %D%/hover.c %D%/imports.c %D%/imports.h %D%/lsp.h \
    %D%/outline.c %D%/outline.h %D%/server.c %D%/server.h %D%/symbols.c %D%/text.c %D%/text.h
compiler_psynec_CPPFLAGS += $(JANSSON_CFLAGS)
compiler_psynec_LDADD += $(JANSSON_LIBS)
else
compiler_psynec_SOURCES += %D%/lsp.h %D%/none.c
endif
