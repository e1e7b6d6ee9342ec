# SPDX-License-Identifier: Apache-2.0
test_scripts += %D%/models.sh
EXTRA_DIST += %D%/run %D%/mpmc.pml %D%/mpsc.pml %D%/spsc.pml %D%/states.pml %D%/wait.pml

# All models of the rings, some minutes; MODEL=wait narrows it to one.
check-models:
	@env $(test_environment) bash $(srcdir)/%D%/run all $(MODEL)
.PHONY: check-models
