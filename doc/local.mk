# SPDX-License-Identifier: Apache-2.0
# Every page is distributed and installed; none is listed by name, so that none is forgotten.
dist_doc_DATA = $(wildcard $(srcdir)/%D%/*.md)
docimagesdir = $(docdir)/images
dist_docimages_DATA = %D%/images/dataflow.svg %D%/images/message-tail.svg %D%/images/nearest-graph.svg %D%/images/nearest-graph-O0.svg \
    %D%/images/psyne-top.svg %D%/images/ring-crossover.svg %D%/images/live.png %D%/images/rpc-load.svg
dist_man1_MANS = %D%/man/psyne.1 %D%/man/psynec.1

# For Vim and VS Code to take from there: doc/editors.md.
vimsyntaxdir = $(docdir)/editors/vim/syntax
dist_vimsyntax_DATA = $(wildcard $(srcdir)/%D%/editors/vim/syntax/*.vim)
vimftdetectdir = $(docdir)/editors/vim/ftdetect
dist_vimftdetect_DATA = $(wildcard $(srcdir)/%D%/editors/vim/ftdetect/*.vim)
vimftplugindir = $(docdir)/editors/vim/ftplugin
dist_vimftplugin_DATA = $(wildcard $(srcdir)/%D%/editors/vim/ftplugin/*.vim)
vimindentdir = $(docdir)/editors/vim/indent
dist_vimindent_DATA = $(wildcard $(srcdir)/%D%/editors/vim/indent/*.vim)
vscodedir = $(docdir)/editors/vscode
dist_vscode_DATA = $(wildcard $(srcdir)/%D%/editors/vscode/*.js*)
vscodesyntaxesdir = $(docdir)/editors/vscode/syntaxes
dist_vscodesyntaxes_DATA = $(wildcard $(srcdir)/%D%/editors/vscode/syntaxes/*.json)
