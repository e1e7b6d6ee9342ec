# SPDX-License-Identifier: Apache-2.0
FUZZ_SOURCES = %D%/change.c %D%/change.h %D%/fuzz.c %D%/fuzz.h %D%/fuzz_module.c %D%/fuzz_weights.c %D%/soup.c %D%/soup.h %D%/words.c %D%/words.h
FUZZ_KEYWORDS = compiler/hrm_lex.l compiler/psy_lex.l
FUZZ_WORDS = runtime/isa/asm.c runtime/isa/asm_pipeline.c runtime/isa/asm_program.c runtime/isa/asm_type.c

# The words of the lexers' rules and those that the assembler asks for.
%D%/gen/keywords.inc: $(FUZZ_KEYWORDS) $(FUZZ_WORDS)
	$(AM_V_GEN)$(MKDIR_P) %D%/gen && { \
	sed -n 's/^\("[^"]*"\)[ \t].*/    \1,/p' $(FUZZ_KEYWORDS:%=$(srcdir)/%) && \
	grep -oh '"[a-z][a-z]*"' $(FUZZ_WORDS:%=$(srcdir)/%) | sed 's/.*/    &,/'; } | LC_ALL=C sort -u >$@.tmp && mv $@.tmp $@
CLEANFILES += %D%/gen/keywords.inc

check_PROGRAMS += %D%/test_fuzz_compiler
%C%_test_fuzz_compiler_SOURCES = $(FUZZ_SOURCES) %D%/test_fuzz_compiler.c
%C%_test_fuzz_compiler_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
%C%_test_fuzz_compiler_LDADD = $(COMPILER_TEST_LDADD)
$(%C%_test_fuzz_compiler_OBJECTS): %D%/gen/keywords.inc

# The fuzz targets that psynec writes for messages: every type of schemas/, of the examples, and of schemas that have every kind.
FUZZ_SCHEMAS = \
    schemas/psyne/control.psy schemas/psyne/error.psy schemas/psyne/hits.psy schemas/psyne/program.psy schemas/psyne/telemetry.psy \
    schemas/psyne/tensor.psy examples/language/language.psy examples/nearest/nearest.psy tests/golden/header/every_type.psy \
    tests/golden/header/imports.psy tests/golden/header/kinds.psy tests/golden/header/no_namespace.psy \
    tests/golden/header/tails.psy tests/golden/header/unions.psy tests/golden/header/values.psy tests/golden/imports/shared.psy \
    tests/golden/imports/shared_list.psy tests/golden/imports/shared_more.psy
FUZZ_MESSAGES = \
    %D%/gen/control.psy.fuzz.c %D%/gen/error.psy.fuzz.c %D%/gen/hits.psy.fuzz.c %D%/gen/program.psy.fuzz.c \
    %D%/gen/telemetry.psy.fuzz.c %D%/gen/tensor.psy.fuzz.c %D%/gen/language.psy.fuzz.c %D%/gen/nearest.psy.fuzz.c \
    %D%/gen/every_type.psy.fuzz.c %D%/gen/imports.psy.fuzz.c %D%/gen/kinds.psy.fuzz.c %D%/gen/no_namespace.psy.fuzz.c \
    %D%/gen/tails.psy.fuzz.c %D%/gen/unions.psy.fuzz.c %D%/gen/values.psy.fuzz.c %D%/gen/shared.psy.fuzz.c \
    %D%/gen/shared_list.psy.fuzz.c %D%/gen/shared_more.psy.fuzz.c
%D%/gen/messages.inc: $(FUZZ_SCHEMAS) compiler/psynec$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) %D%/gen && compiler/psynec$(EXEEXT) $(FUZZ_SCHEMAS:%=$(srcdir)/%) -I $(srcdir)/tests/golden/imports \
	    --emit header,fuzz -o %D%/gen && touch $(FUZZ_MESSAGES) && \
	printf 'SCHEMA(%s)\n' $(patsubst %.psy,%,$(notdir $(FUZZ_SCHEMAS))) >$@.tmp && mv $@.tmp $@
$(FUZZ_MESSAGES): %D%/gen/messages.inc ;
CLEANFILES += %D%/gen/messages.inc $(FUZZ_MESSAGES) $(FUZZ_MESSAGES:.fuzz.c=.h)

noinst_LTLIBRARIES += %D%/libmessages.la
%C%_libmessages_la_SOURCES = tests/message/random_types.c tests/message/random_types.h %D%/messages.c %D%/messages.h
nodist_%C%_libmessages_la_SOURCES = $(FUZZ_MESSAGES)
%C%_libmessages_la_CPPFLAGS = $(AM_CPPFLAGS) -DPSY_FUZZ_NO_ENTRY
$(%C%_libmessages_la_OBJECTS): %D%/gen/messages.inc

# A target for each kind of input. With --enable-fuzzers a fuzzer drives them, otherwise they run files: corpus.sh is the test.
FUZZ_TARGETS = %D%/fuzz_schema %D%/fuzz_program %D%/fuzz_assembly %D%/fuzz_module %D%/fuzz_weights %D%/fuzz_message %D%/fuzz_ring
FUZZ_TARGET_SOURCES = %D%/target.c $(FUZZ_SOURCES)
if FUZZERS
FUZZ_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS) -DPSY_FUZZER
else
FUZZ_TARGET_SOURCES += %D%/driver.c
FUZZ_CPPFLAGS = $(COMPILER_TEST_CPPFLAGS)
endif
fuzz_target_flags = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
fuzz_target_libs = compiler/libpsynec.la runtime/libpsyne-core.la $(SPIRV_TOOLS_LIBS) -lm
noinst_PROGRAMS += $(FUZZ_TARGETS)
%C%_fuzz_schema_SOURCES = $(FUZZ_TARGET_SOURCES)
%C%_fuzz_schema_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_TARGET=FUZZ_SCHEMA
%C%_fuzz_schema_LDFLAGS = $(fuzz_target_flags)
%C%_fuzz_schema_LDADD = $(fuzz_target_libs)
%C%_fuzz_program_SOURCES = $(FUZZ_TARGET_SOURCES)
%C%_fuzz_program_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_TARGET=FUZZ_PROGRAM
%C%_fuzz_program_LDFLAGS = $(fuzz_target_flags)
%C%_fuzz_program_LDADD = $(fuzz_target_libs)
%C%_fuzz_assembly_SOURCES = $(FUZZ_TARGET_SOURCES)
%C%_fuzz_assembly_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_TARGET=FUZZ_ASSEMBLY
%C%_fuzz_assembly_LDFLAGS = $(fuzz_target_flags)
%C%_fuzz_assembly_LDADD = $(fuzz_target_libs)
%C%_fuzz_module_SOURCES = $(FUZZ_TARGET_SOURCES)
%C%_fuzz_module_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_TARGET=FUZZ_MODULE
%C%_fuzz_module_LDFLAGS = $(fuzz_target_flags)
%C%_fuzz_module_LDADD = $(fuzz_target_libs)
%C%_fuzz_weights_SOURCES = $(FUZZ_TARGET_SOURCES)
%C%_fuzz_weights_CPPFLAGS = $(FUZZ_CPPFLAGS) -DFUZZ_TARGET=FUZZ_WEIGHTS
%C%_fuzz_weights_LDFLAGS = $(fuzz_target_flags)
%C%_fuzz_weights_LDADD = $(fuzz_target_libs)
$(%C%_fuzz_schema_OBJECTS) $(%C%_fuzz_program_OBJECTS) $(%C%_fuzz_assembly_OBJECTS) $(%C%_fuzz_module_OBJECTS) $(%C%_fuzz_weights_OBJECTS): %D%/gen/keywords.inc
%C%_fuzz_message_SOURCES = %D%/fuzz_message.c
if !FUZZERS
%C%_fuzz_message_SOURCES += %D%/driver.c %D%/words.c %D%/words.h
endif
%C%_fuzz_message_CPPFLAGS = $(FUZZ_CPPFLAGS)
%C%_fuzz_message_LDFLAGS = $(fuzz_target_flags)
%C%_fuzz_message_LDADD = %D%/libmessages.la $(fuzz_target_libs)
%C%_fuzz_ring_SOURCES = %D%/fuzz_ring.c tests/mem/hostile.c tests/mem/hostile.h
if !FUZZERS
%C%_fuzz_ring_SOURCES += %D%/driver.c %D%/words.c %D%/words.h
endif
%C%_fuzz_ring_CPPFLAGS = $(FUZZ_CPPFLAGS)
%C%_fuzz_ring_LDFLAGS = $(fuzz_target_flags)
%C%_fuzz_ring_LDADD = $(fuzz_target_libs)
$(%C%_fuzz_message_OBJECTS) $(%C%_fuzz_ring_OBJECTS): %D%/gen/keywords.inc
test_scripts += %D%/corpus.sh
EXTRA_DIST += %D%/corpus %D%/run

# Runs every target for FUZZ_SECONDS (60), in a build of --enable-fuzzers. What is found is kept in fuzz/KIND, what breaks in
# fuzz/KIND-found: those files are the inputs of a test.
fuzz: $(FUZZ_TARGETS) compiler/psynec$(EXEEXT)
	@env $(test_environment) bash $(srcdir)/%D%/run $(FUZZ_TARGETS)
# Writes the corpus anew: the fewest inputs that reach what all of the corpus, the tests' inputs and fuzz/ reach.
update-corpus: $(FUZZ_TARGETS) compiler/psynec$(EXEEXT)
	@env $(test_environment) bash $(srcdir)/%D%/run --update $(FUZZ_TARGETS)
.PHONY: fuzz update-corpus
