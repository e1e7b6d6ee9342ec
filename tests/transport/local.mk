# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_transport
%C%_test_transport_SOURCES = %D%/test_transport.c %D%/peers.h tests/opened.h
%C%_test_transport_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_transport_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_ipc
%C%_test_ipc_SOURCES = %D%/test_ipc.c %D%/peers.h tests/opened.h
%C%_test_ipc_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_ipc_LDADD = $(TEST_LDADD)
