# SPDX-License-Identifier: Apache-2.0
# The schemas that come with Psyne: `import "psyne/NAME.psy"` finds them behind all folders of the user. In the build tree, what
# make runs finds them here.
schemasdir = $(pkgdatadir)/schemas
psyneschemasdir = $(schemasdir)/psyne
dist_psyneschemas_DATA = %D%/psyne/control.psy %D%/psyne/error.psy %D%/psyne/hits.psy %D%/psyne/program.psy %D%/psyne/telemetry.psy \
    %D%/psyne/tensor.psy
export PSYNE_SCHEMAS = $(abs_top_srcdir)/schemas
