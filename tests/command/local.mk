# SPDX-License-Identifier: Apache-2.0
test_scripts += %D%/counters.sh %D%/docs.sh %D%/encode.sh %D%/inspect.sh %D%/types.sh
EXTRA_DIST += %D%/shell.sh %D%/store.psy

# What counters.sh looks at.
check_tools += %D%/count_rings
%C%_count_rings_LDADD = runtime/libpsyne-rt.la
