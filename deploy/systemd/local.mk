# SPDX-License-Identifier: Apache-2.0
# A unit to be copied and changed: doc/operations.md.
docsystemddir = $(docdir)/systemd
dist_docsystemd_DATA = %D%/psyne@.service
