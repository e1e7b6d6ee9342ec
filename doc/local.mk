# SPDX-License-Identifier: Apache-2.0
# Every page is distributed and installed; none is listed by name, so that none is forgotten.
dist_doc_DATA = $(wildcard $(srcdir)/%D%/*.md)
docimagesdir = $(docdir)/images
dist_docimages_DATA = %D%/images/dataflow.svg %D%/images/nearest-graph.svg
dist_man1_MANS = %D%/man/psynec.1
