# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_vulkan
%C%_test_vulkan_SOURCES = %D%/test_vulkan.c tests/engine/build.c tests/engine/build.h
%C%_test_vulkan_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_vulkan_LDADD = $(TEST_LDADD)
%C%_test_vulkan_LDFLAGS = $(AM_LDFLAGS)
if SANITIZED
%C%_test_vulkan_SOURCES += tests/keep_loaded.c
%C%_test_vulkan_LDFLAGS += -export-dynamic
endif
