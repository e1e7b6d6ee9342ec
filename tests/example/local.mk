# SPDX-License-Identifier: Apache-2.0
test_scripts += %D%/demo.sh %D%/roles.sh %D%/variants.sh
EXTRA_DIST += %D%/common.sh
