# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_engine
%C%_test_engine_SOURCES = %D%/build.c %D%/build.h %D%/reference.c %D%/reference.h %D%/suite.c %D%/suite.h %D%/test_map.c
%C%_test_engine_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_engine_LDADD = $(TEST_LDADD) -lm
