# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_agents
%C%_test_agents_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_agents_LDADD = $(TEST_LDADD)
