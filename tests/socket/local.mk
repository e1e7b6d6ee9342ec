# SPDX-License-Identifier: Apache-2.0
# With the stand-in of the service's tests, where there is a service at all.
check_LTLIBRARIES += %D%/libsocket-test.la
%C%_libsocket_test_la_SOURCES = %D%/sockets.c %D%/sockets.h
%C%_libsocket_test_la_CPPFLAGS = $(TEST_CPPFLAGS)
SOCKET_LDADD = %D%/libsocket-test.la $(STAND_IN_LDADD)

check_PROGRAMS += %D%/test_socket_messages
%C%_test_socket_messages_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_socket_messages_LDADD = $(SOCKET_LDADD)

check_PROGRAMS += %D%/test_socket_calls
%C%_test_socket_calls_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_socket_calls_LDADD = $(SOCKET_LDADD)

check_PROGRAMS += %D%/test_socket_loops
%C%_test_socket_loops_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_socket_loops_LDADD = $(SOCKET_LDADD)

check_PROGRAMS += %D%/test_socket_liars
%C%_test_socket_liars_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_socket_liars_LDADD = $(SOCKET_LDADD)

check_PROGRAMS += %D%/test_socket_deaths
%C%_test_socket_deaths_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_socket_deaths_LDADD = $(SOCKET_LDADD)

# What the page's programs need.
test_scripts += %D%/page.sh
check_tools += %D%/serve
%C%_serve_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_serve_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_socket_hot_path
%C%_test_socket_hot_path_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_socket_hot_path_LDADD = $(SOCKET_LDADD)
