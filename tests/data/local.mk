# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_npy %D%/test_rows
%C%_test_npy_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_npy_LDADD = $(TEST_LDADD)
%C%_test_rows_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_rows_LDADD = $(TEST_LDADD)
$(%C%_test_rows_OBJECTS): examples/nearest/gen/nearest.psm
