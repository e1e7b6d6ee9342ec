# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_vulkan
%C%_test_vulkan_SOURCES = %D%/test_vulkan.c tests/engine/build.c tests/engine/build.h
%C%_test_vulkan_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_vulkan_LDADD = $(TEST_LDADD)
