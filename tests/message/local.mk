# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_builder
%C%_test_builder_SOURCES = %D%/test_builder.c
%C%_test_builder_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_builder_LDADD = $(TEST_LDADD)
