# SPDX-License-Identifier: Apache-2.0
test_scripts += %D%/check.sh %D%/counters.sh %D%/docs.sh %D%/encode.sh %D%/inspect.sh %D%/serve.sh %D%/serve_log.sh %D%/serve_programs.sh %D%/types.sh
EXTRA_DIST += %D%/served.hrm %D%/served.psy %D%/served.sh %D%/shell.sh %D%/store.psy

# What counters.sh looks at.
check_tools += %D%/count_rings
%C%_count_rings_LDADD = runtime/libpsyne-rt.la

# A client of what serve.sh starts.
check_tools += %D%/serve_ask
%C%_serve_ask_LDADD = runtime/libpsyne-core.la
