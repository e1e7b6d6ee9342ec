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

# A target for each kind of input. With --enable-fuzzers a fuzzer drives them, otherwise they run files: corpus.sh is the test.
FUZZ_TARGETS = %D%/fuzz_schema %D%/fuzz_program %D%/fuzz_assembly %D%/fuzz_module %D%/fuzz_weights
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
