# SPDX-License-Identifier: Apache-2.0
# The stand-in takes the place of the cpu engine: listed before the core, so that the core's own is not linked.
check_LTLIBRARIES += %D%/libservice-test.la
%C%_libservice_test_la_SOURCES = %D%/agents.c %D%/agents.h %D%/stand_in.c %D%/stand_in.h
%C%_libservice_test_la_CPPFLAGS = $(TEST_CPPFLAGS)
STAND_IN_LDADD = %D%/libservice-test.la $(TEST_LDADD)

check_PROGRAMS += %D%/test_agents %D%/test_deaths %D%/test_liars
%C%_test_agents_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_agents_LDADD = $(STAND_IN_LDADD)
%C%_test_deaths_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_deaths_LDADD = $(STAND_IN_LDADD)
%C%_test_liars_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_liars_LDADD = $(STAND_IN_LDADD)

check_PROGRAMS += %D%/test_response
%C%_test_response_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_response_LDADD = $(TEST_LDADD)
