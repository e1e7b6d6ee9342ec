# SPDX-License-Identifier: Apache-2.0
test_scripts += %D%/configure.sh %D%/docs.sh %D%/install.sh %D%/tutorial.sh
EXTRA_DIST += %D%/extract.awk %D%/pages.sh
