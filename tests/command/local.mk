# SPDX-License-Identifier: Apache-2.0
test_scripts += %D%/docs.sh %D%/encode.sh %D%/inspect.sh %D%/types.sh
EXTRA_DIST += %D%/shell.sh %D%/store.psy
