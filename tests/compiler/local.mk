# SPDX-License-Identifier: Apache-2.0
test_scripts += %D%/golden.sh %D%/cli.sh
EXTRA_DIST += tests/golden

# Writes the expectations of tests/golden anew: read the difference before it is committed.
update-golden: compiler/psynec$(EXEEXT)
	@$(TESTS_ENVIRONMENT_EXPORT) bash $(srcdir)/%D%/golden.sh --update
.PHONY: update-golden
