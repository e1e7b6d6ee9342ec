# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_transport
%C%_test_transport_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_transport_LDADD = $(TEST_LDADD)
