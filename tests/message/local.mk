# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_builder
%C%_test_builder_SOURCES = %D%/test_builder.c
%C%_test_builder_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_builder_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_messages
%C%_test_messages_SOURCES = %D%/tables.h %D%/test_messages.c
%C%_test_messages_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_messages_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_numbers
%C%_test_numbers_SOURCES = %D%/test_numbers.c
%C%_test_numbers_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_numbers_LDADD = $(TEST_LDADD) -lm

check_PROGRAMS += %D%/test_random_messages
%C%_test_random_messages_SOURCES = %D%/random_types.c %D%/random_types.h %D%/test_random_messages.c
%C%_test_random_messages_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_random_messages_LDADD = $(TEST_LDADD)

# What psynec writes to fuzz messages, with random ones.
check_PROGRAMS += %D%/test_generated_messages
%C%_test_generated_messages_SOURCES = %D%/test_generated_messages.c
%C%_test_generated_messages_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_generated_messages_LDADD = tests/fuzz/libmessages.la $(TEST_LDADD)
