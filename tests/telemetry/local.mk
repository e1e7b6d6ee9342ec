# SPDX-License-Identifier: Apache-2.0
# What psyne is made of besides the library is compiled for the tests once more.
check_PROGRAMS += %D%/test_ledger
%C%_test_ledger_SOURCES = %D%/test_ledger.c tests/mem/counters.h tests/mem/pair.h tests/opened.h runtime/telemetry/data.c runtime/telemetry/ledger.c \
    runtime/telemetry/listen.c runtime/telemetry/metrics.c
%C%_test_ledger_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_ledger_LDADD = $(TEST_LDADD)

test_scripts += %D%/docs.sh %D%/endpoint.sh %D%/page.sh %D%/prometheus.sh
EXTRA_DIST += %D%/browser.py %D%/hostile.py %D%/service.sh
