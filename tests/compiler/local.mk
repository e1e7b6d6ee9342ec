# SPDX-License-Identifier: Apache-2.0
COMPILER_TEST_CPPFLAGS = $(TEST_CPPFLAGS) -I$(top_srcdir)/compiler
LANGUAGE_SOURCES = %D%/compile.c %D%/compile.h %D%/language.c %D%/language.h
COMPILER_TEST_LDADD = tests/libpsyne-test.la compiler/libpsynec.la runtime/libpsyne-core.la $(SPIRV_TOOLS_LIBS) -lm

RANDOM_HRM_SOURCES = %D%/compile.c %D%/compile.h %D%/random_hrm.c %D%/random_hrm.h %D%/random_hrm_data.c %D%/random_hrm_data.h \
    %D%/random_hrm_fields.c %D%/random_hrm_more.c %D%/random_hrm_parts.h %D%/random_hrm_step.c

check_PROGRAMS += %D%/test_fold
%C%_test_fold_SOURCES = %D%/compile.c %D%/compile.h %D%/test_fold.c
%C%_test_fold_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_fold_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_ir
%C%_test_ir_SOURCES = %D%/compile.c %D%/compile.h %D%/test_ir.c
%C%_test_ir_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_ir_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_large
%C%_test_large_SOURCES = %D%/compile.c %D%/compile.h %D%/large_hrm.c %D%/large_hrm.h %D%/test_large.c
%C%_test_large_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_large_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_passes
%C%_test_passes_SOURCES = %D%/test_passes.c
%C%_test_passes_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_passes_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_run
%C%_test_run_SOURCES = %D%/compile.c %D%/compile.h %D%/test_run.c
%C%_test_run_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_run_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_source
%C%_test_source_SOURCES = %D%/compile.c %D%/compile.h %D%/test_source.c
%C%_test_source_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_source_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_language_elementwise
%C%_test_language_elementwise_SOURCES = $(LANGUAGE_SOURCES) %D%/test_language_elementwise.c
%C%_test_language_elementwise_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_language_elementwise_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_language_operators
%C%_test_language_operators_SOURCES = $(LANGUAGE_SOURCES) %D%/test_language_operators.c
%C%_test_language_operators_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_language_operators_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_language_reduce
%C%_test_language_reduce_SOURCES = $(LANGUAGE_SOURCES) %D%/test_language_reduce.c
%C%_test_language_reduce_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_language_reduce_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_language_shape
%C%_test_language_shape_SOURCES = $(LANGUAGE_SOURCES) %D%/test_language_shape.c
%C%_test_language_shape_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_language_shape_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_language_order
%C%_test_language_order_SOURCES = $(LANGUAGE_SOURCES) %D%/test_language_order.c
%C%_test_language_order_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_language_order_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_language_products
%C%_test_language_products_SOURCES = $(LANGUAGE_SOURCES) %D%/test_language_products.c
%C%_test_language_products_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_language_products_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_language_einsum
%C%_test_language_einsum_SOURCES = $(LANGUAGE_SOURCES) %D%/test_language_einsum.c
%C%_test_language_einsum_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_language_einsum_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_language_casts
%C%_test_language_casts_SOURCES = $(LANGUAGE_SOURCES) %D%/test_language_casts.c
%C%_test_language_casts_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_language_casts_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_language_messages
%C%_test_language_messages_SOURCES = %D%/compile.c %D%/compile.h %D%/test_language_messages.c
%C%_test_language_messages_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_language_messages_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_language_split
%C%_test_language_split_SOURCES = $(LANGUAGE_SOURCES) %D%/test_language_split.c
%C%_test_language_split_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_language_split_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_weights
%C%_test_weights_SOURCES = %D%/test_weights.c %D%/weights_file.c %D%/weights_file.h
%C%_test_weights_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_weights_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_param
%C%_test_param_SOURCES = %D%/compile.c %D%/compile.h %D%/test_param.c %D%/weights_file.c %D%/weights_file.h
%C%_test_param_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_param_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_language_bounded
%C%_test_language_bounded_SOURCES = $(LANGUAGE_SOURCES) %D%/test_language_bounded.c
%C%_test_language_bounded_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_language_bounded_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_language_texts
%C%_test_language_texts_SOURCES = $(LANGUAGE_SOURCES) %D%/test_language_texts.c
%C%_test_language_texts_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_language_texts_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_fast_math
%C%_test_fast_math_SOURCES = %D%/compile.c %D%/compile.h %D%/test_fast_math.c
%C%_test_fast_math_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_fast_math_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_language_optional
%C%_test_language_optional_SOURCES = $(LANGUAGE_SOURCES) %D%/test_language_optional.c
%C%_test_language_optional_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_language_optional_LDADD = $(COMPILER_TEST_LDADD)

check_PROGRAMS += %D%/test_random_hrm
%C%_test_random_hrm_SOURCES = tests/codegen/engine_c.c tests/codegen/made.c tests/codegen/made.h tests/engine/suite.h \
    $(RANDOM_HRM_SOURCES) %D%/test_random_hrm.c
%C%_test_random_hrm_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_random_hrm_LDADD = $(COMPILER_TEST_LDADD)
%C%_test_random_hrm_LDFLAGS = $(AM_LDFLAGS)
if SANITIZED
%C%_test_random_hrm_SOURCES += tests/keep_loaded.c
%C%_test_random_hrm_LDFLAGS += -export-dynamic
endif

# Runs a module's pipelines for numpy.sh: no test itself.
noinst_PROGRAMS += %D%/run_module
%C%_run_module_SOURCES = %D%/run_module.c
%C%_run_module_LDADD = runtime/libpsyne-core.la -lm

# Writes random programs for numpy_random.sh, as a test does, but is none.
check_tools += %D%/write_random_hrm
%C%_write_random_hrm_SOURCES = $(RANDOM_HRM_SOURCES) %D%/write_random_hrm.c
%C%_write_random_hrm_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_write_random_hrm_LDADD = $(COMPILER_TEST_LDADD)

test_scripts += %D%/golden.sh %D%/kernels.sh %D%/cli.sh %D%/imports.sh %D%/limits.sh %D%/messages.sh %D%/language.sh %D%/numpy.sh %D%/numpy_random.sh %D%/weights.sh %D%/fmt.sh %D%/tools.sh %D%/explain.sh %D%/docs.sh %D%/optimiser.sh
EXTRA_DIST += tests/golden %D%/messages.py %D%/numpy_cases.py %D%/numpy_hrm.py %D%/numpy_hrm_functions.py %D%/numpy_hrm_syntax.py %D%/numpy_hrm_values.py %D%/numpy_random.py %D%/numpy_weights.py %D%/shell.sh

# Writes the expectations of tests/golden anew: read the difference before it is committed.
update-golden: compiler/psynec$(EXEEXT)
	@env $(test_environment) bash $(srcdir)/%D%/golden.sh --update
.PHONY: update-golden

# Writes the table of doc/psynec.md that says what optimising does to the examples.
update-optimiser: compiler/psynec$(EXEEXT) compiler/psynecdoc$(EXEEXT)
	@env $(test_environment) bash $(srcdir)/%D%/optimiser.sh --update
	@$(MAKE) $(AM_MAKEFLAGS) update-psynec-docs
.PHONY: update-optimiser
