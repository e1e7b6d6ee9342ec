# SPDX-License-Identifier: Apache-2.0
# Headers of the golden files and of the schemas in this folder.
SCHEMA_GENERATED = %D%/gen/every_type.psy.h %D%/gen/k1.psy.h %D%/gen/k3.psy.h %D%/gen/kinds.psy.h %D%/gen/tails.psy.h \
    %D%/gen/unions.psy.h %D%/gen/v1.psy.h %D%/gen/v2.psy.h %D%/gen/v4.psy.h %D%/gen/values.psy.h

check_PROGRAMS += %D%/test_header
%C%_test_header_SOURCES = tests/compiler/compile.c tests/compiler/compile.h %D%/test_header.c
nodist_%C%_test_header_SOURCES = $(SCHEMA_GENERATED)
%C%_test_header_CPPFLAGS = $(TEST_CPPFLAGS) -I$(top_srcdir)/compiler -I%D%/gen
%C%_test_header_LDADD = tests/libpsyne-test.la compiler/libpsynec.la runtime/libpsyne-core.la $(SPIRV_TOOLS_LIBS) -lm
$(%C%_test_header_OBJECTS): $(SCHEMA_GENERATED)

check_PROGRAMS += %D%/test_kinds
%C%_test_kinds_SOURCES = %D%/test_kinds.c
nodist_%C%_test_kinds_SOURCES = $(SCHEMA_GENERATED)
%C%_test_kinds_CPPFLAGS = $(TEST_CPPFLAGS) -I%D%/gen
%C%_test_kinds_LDADD = $(TEST_LDADD)
$(%C%_test_kinds_OBJECTS): $(SCHEMA_GENERATED)

check_PROGRAMS += %D%/test_utf8
%C%_test_utf8_SOURCES = %D%/test_utf8.c
%C%_test_utf8_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_utf8_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_variant
%C%_test_variant_SOURCES = %D%/test_variant.c
%C%_test_variant_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_variant_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_dlpack
%C%_test_dlpack_SOURCES = %D%/test_dlpack.c
%C%_test_dlpack_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_dlpack_LDADD = $(TEST_LDADD)

check_PROGRAMS += %D%/test_mutations
%C%_test_mutations_SOURCES = %D%/test_mutations.c %D%/guarded.h %D%/tails_sample.h
nodist_%C%_test_mutations_SOURCES = $(SCHEMA_GENERATED)
%C%_test_mutations_CPPFLAGS = $(TEST_CPPFLAGS) -I%D%/gen -I$(srcdir)/%D%
%C%_test_mutations_LDADD = $(TEST_LDADD)
$(%C%_test_mutations_OBJECTS): $(SCHEMA_GENERATED)

check_PROGRAMS += %D%/test_tails
%C%_test_tails_SOURCES = %D%/test_tails.c %D%/guarded.h %D%/tails_sample.h
nodist_%C%_test_tails_SOURCES = $(SCHEMA_GENERATED)
%C%_test_tails_CPPFLAGS = $(TEST_CPPFLAGS) -I%D%/gen -I$(srcdir)/%D%
%C%_test_tails_LDADD = $(TEST_LDADD)
$(%C%_test_tails_OBJECTS): $(SCHEMA_GENERATED)

check_PROGRAMS += %D%/test_unions
%C%_test_unions_SOURCES = %D%/test_unions.c
nodist_%C%_test_unions_SOURCES = $(SCHEMA_GENERATED)
%C%_test_unions_CPPFLAGS = $(TEST_CPPFLAGS) -I%D%/gen -I$(srcdir)/%D%
%C%_test_unions_LDADD = $(TEST_LDADD)
$(%C%_test_unions_OBJECTS): $(SCHEMA_GENERATED)

check_PROGRAMS += %D%/test_values
%C%_test_values_SOURCES = %D%/test_values.c
nodist_%C%_test_values_SOURCES = $(SCHEMA_GENERATED)
%C%_test_values_CPPFLAGS = $(TEST_CPPFLAGS) -I%D%/gen -I$(srcdir)/%D%
%C%_test_values_LDADD = $(TEST_LDADD)
$(%C%_test_values_OBJECTS): $(SCHEMA_GENERATED)

%D%/gen/every_type.psy.h: tests/golden/header/every_type.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/tests/golden/header/every_type.psy -o %D%/gen && touch $@
%D%/gen/kinds.psy.h: tests/golden/header/kinds.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/tests/golden/header/kinds.psy -o %D%/gen && touch $@
%D%/gen/tails.psy.h: tests/golden/header/tails.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/tests/golden/header/tails.psy -o %D%/gen && touch $@
%D%/gen/unions.psy.h: tests/golden/header/unions.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/tests/golden/header/unions.psy -o %D%/gen && touch $@
%D%/gen/values.psy.h: tests/golden/header/values.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/tests/golden/header/values.psy -o %D%/gen && touch $@
%D%/gen/k1.psy.h: %D%/k1.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/k1.psy -o %D%/gen && touch $@
%D%/gen/k3.psy.h: %D%/k3.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/k3.psy -o %D%/gen && touch $@
%D%/gen/v1.psy.h: %D%/v1.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/v1.psy -o %D%/gen && touch $@
%D%/gen/v2.psy.h: %D%/v2.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/v2.psy -o %D%/gen && touch $@
%D%/gen/v4.psy.h: %D%/v4.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/v4.psy -o %D%/gen && touch $@

# What writes the programs that exchange messages: compat.sh.
check_tools += %D%/write_exchange
%C%_write_exchange_SOURCES = %D%/exchange.h %D%/write_exchange.c
%C%_write_exchange_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/compiler
%C%_write_exchange_LDADD = compiler/libpsynec.la runtime/libpsyne-core.la $(SPIRV_TOOLS_LIBS) -lm

check_PROGRAMS += %D%/test_messages_doc
%C%_test_messages_doc_SOURCES = tests/compiler/compile.c tests/compiler/compile.h %D%/test_messages_doc.c
%C%_test_messages_doc_CPPFLAGS = $(TEST_CPPFLAGS) -I$(top_srcdir)/compiler
%C%_test_messages_doc_LDADD = tests/libpsyne-test.la compiler/libpsynec.la runtime/libpsyne-core.la $(SPIRV_TOOLS_LIBS) -lm

check_PROGRAMS += %D%/test_names
%C%_test_names_SOURCES = tests/compiler/compile.c tests/compiler/compile.h %D%/test_names.c
%C%_test_names_CPPFLAGS = $(TEST_CPPFLAGS) -I$(top_srcdir)/compiler
%C%_test_names_LDADD = tests/libpsyne-test.la compiler/libpsynec.la runtime/libpsyne-core.la $(SPIRV_TOOLS_LIBS) -lm

test_scripts += %D%/accessors.sh %D%/compat.sh %D%/dlpack.sh %D%/header.sh %D%/messages_doc.sh %D%/random_headers.sh \
    %D%/schemas.sh %D%/variants_doc.sh
EXTRA_DIST += %D%/random_header.c %D%/random_schema.c
EXTRA_DIST += %D%/dlpack.py %D%/dlpack_peer.c %D%/k1.psy %D%/k3.psy %D%/v1.psy %D%/v2.psy %D%/v4.psy %D%/names/locals.psy
CLEANFILES += $(SCHEMA_GENERATED)
