# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += %D%/test_asm
%C%_test_asm_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_asm_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_bind
%C%_test_bind_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_bind_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_layout
%C%_test_layout_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_layout_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_module
%C%_test_module_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_module_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_op
%C%_test_op_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_op_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_records
%C%_test_records_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_records_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_verify
%C%_test_verify_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_verify_LDADD = $(TEST_LDADD)

test_scripts += %D%/layout_rules.sh %D%/ops_doc.sh
noinst_HEADERS += %D%/forge.h %D%/random_module.h %D%/sample.h
EXTRA_DIST += %D%/layout_rules.py %D%/elementwise.hra %D%/moves.hra %D%/messages.hra %D%/nearest.hra %D%/types.hra %D%/variants.hra
