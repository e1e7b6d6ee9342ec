# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_vulkan
%C%_test_vulkan_SOURCES = %D%/test_vulkan.c tests/engine/build.c tests/engine/build.h tests/engine/build_code.c
%C%_test_vulkan_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_vulkan_LDADD = $(TEST_LDADD)
%C%_test_vulkan_LDFLAGS = $(AM_LDFLAGS)

# The tests of the language, on this engine.
check_PROGRAMS += %D%/test_language
%C%_test_language_SOURCES = $(LANGUAGE_SOURCES) \
    tests/compiler/test_language_bounded.c \
    tests/compiler/test_language_casts.c \
    tests/compiler/test_language_einsum.c \
    tests/compiler/test_language_elementwise.c \
    tests/compiler/test_language_operators.c \
    tests/compiler/test_language_order.c \
    tests/compiler/test_language_products.c \
    tests/compiler/test_language_reduce.c \
    tests/compiler/test_language_shape.c \
    tests/compiler/test_language_split.c
%C%_test_language_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS) -DLANGUAGE_ENGINE='"vulkan"'
%C%_test_language_LDADD = $(COMPILER_TEST_LDADD)
%C%_test_language_LDFLAGS = $(AM_LDFLAGS)

if SANITIZED
%C%_test_language_SOURCES += tests/keep_loaded.c
%C%_test_language_LDFLAGS += -export-dynamic
%C%_test_vulkan_SOURCES += tests/keep_loaded.c
%C%_test_vulkan_LDFLAGS += -export-dynamic
endif
