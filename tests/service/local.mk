# SPDX-License-Identifier: Apache-2.0
# The stand-in takes the place of the cpu engine: listed before the core, so that the core's own is not linked.
check_LTLIBRARIES += %D%/libservice-test.la
%C%_libservice_test_la_SOURCES = %D%/agents.c %D%/agents.h %D%/by_hand.c %D%/by_hand.h %D%/processes.c %D%/processes.h %D%/stand_in.c %D%/stand_in.h
%C%_libservice_test_la_CPPFLAGS = $(TEST_CPPFLAGS)
STAND_IN_LDADD = %D%/libservice-test.la $(TEST_LDADD)

check_PROGRAMS += %D%/test_agents %D%/test_channel %D%/test_channel_wake %D%/test_counting %D%/test_deadlines %D%/test_deaths %D%/test_drain %D%/test_events %D%/test_guard %D%/test_hot_path %D%/test_liars %D%/test_max_wait %D%/test_measure %D%/test_payloads %D%/test_share %D%/test_worker
%C%_test_agents_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_agents_LDADD = $(STAND_IN_LDADD)
%C%_test_channel_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_channel_LDADD = $(STAND_IN_LDADD)
%C%_test_channel_wake_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_channel_wake_LDADD = $(STAND_IN_LDADD)
%C%_test_counting_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_counting_LDADD = $(STAND_IN_LDADD)
%C%_test_deadlines_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_deadlines_LDADD = $(STAND_IN_LDADD)
%C%_test_deaths_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_deaths_LDADD = $(STAND_IN_LDADD)
%C%_test_hot_path_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_hot_path_LDADD = $(STAND_IN_LDADD)
%C%_test_liars_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_liars_LDADD = $(STAND_IN_LDADD)
%C%_test_max_wait_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_max_wait_LDADD = $(STAND_IN_LDADD)
%C%_test_drain_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_drain_LDADD = $(STAND_IN_LDADD)
%C%_test_events_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_events_LDADD = $(STAND_IN_LDADD)
%C%_test_guard_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_guard_LDADD = $(STAND_IN_LDADD)
%C%_test_share_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_share_LDADD = $(STAND_IN_LDADD)
%C%_test_measure_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_measure_LDADD = $(STAND_IN_LDADD)
%C%_test_payloads_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_payloads_LDADD = $(STAND_IN_LDADD)
%C%_test_worker_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_worker_LDADD = $(STAND_IN_LDADD)

check_PROGRAMS += %D%/test_response
%C%_test_response_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_response_LDADD = $(TEST_LDADD)

# With the real engine and a module that psynec compiled.
SHOP_GENERATED = %D%/gen/shop.psy.h %D%/gen/shop.hrm.h %D%/gen/shop.psm %D%/gen/sizes.psm
TITLES_GENERATED = %D%/gen/titles.psy.h %D%/gen/titles.psm
VARIANTS_GENERATED = %D%/gen/variants.psy.h %D%/gen/variants.psm
check_LTLIBRARIES += %D%/libshop-test.la
%C%_libshop_test_la_SOURCES = %D%/shop.c %D%/shop.h
%C%_libshop_test_la_CPPFLAGS = $(TEST_CPPFLAGS)
SHOP_LDADD = %D%/libshop-test.la $(TEST_LDADD)
check_PROGRAMS += %D%/test_load %D%/test_module_file %D%/test_shop %D%/test_texts %D%/test_variants
%C%_test_texts_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_texts_LDADD = $(SHOP_LDADD)
%C%_test_variants_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_variants_LDADD = $(SHOP_LDADD) -lm
%C%_test_load_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_load_LDADD = $(SHOP_LDADD)
%C%_test_module_file_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_module_file_LDADD = $(TEST_LDADD)
%C%_test_shop_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_shop_LDADD = $(SHOP_LDADD)
$(%C%_libshop_test_la_OBJECTS) $(%C%_test_load_OBJECTS) $(%C%_test_module_file_OBJECTS) $(%C%_test_shop_OBJECTS): $(SHOP_GENERATED)
%D%/gen/shop.psy.h: %D%/shop.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/shop.psy -o %D%/gen && touch $@
%D%/gen/shop.psm: %D%/shop.hrm %D%/shop.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/shop.hrm -o %D%/gen && touch $@
%D%/gen/shop.hrm.h: %D%/shop.hrm %D%/shop.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/shop.hrm --emit header -o %D%/gen && touch $@
%D%/gen/sizes.psm: %D%/sizes.hrm %D%/shop.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/sizes.hrm -o %D%/gen && touch $@
$(%C%_test_texts_OBJECTS): $(SHOP_GENERATED) $(TITLES_GENERATED)
%D%/gen/titles.psy.h: %D%/titles.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/titles.psy -o %D%/gen && touch $@
%D%/gen/titles.psm: %D%/titles.hrm %D%/titles.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/titles.hrm -o %D%/gen && touch $@
$(%C%_test_variants_OBJECTS): $(SHOP_GENERATED) $(VARIANTS_GENERATED)
%D%/gen/variants.psy.h: %D%/variants.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/variants.psy -o %D%/gen && touch $@
%D%/gen/variants.psm: %D%/variants.hrm %D%/variants.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/variants.hrm -o %D%/gen && touch $@

# Programs that come and go: versions of one, and some that do not fit beside them.
PROGRAMS_GENERATED = %D%/gen/programs.psy.h %D%/gen/v1.psm %D%/gen/v2.psm %D%/gen/v3.psm %D%/gen/changed.psm %D%/gen/misfit.psm \
    %D%/gen/missing.psm %D%/gen/large.psm
check_LTLIBRARIES += %D%/libprograms-test.la
%C%_libprograms_test_la_SOURCES = %D%/processes.c %D%/processes.h %D%/served.c %D%/served.h %D%/served_values.c %D%/served_values.h
%C%_libprograms_test_la_CPPFLAGS = $(TEST_CPPFLAGS)
PROGRAMS_LDADD = %D%/libprograms-test.la $(TEST_LDADD)
check_PROGRAMS += %D%/test_client_programs %D%/test_describe %D%/test_inside %D%/test_measure_programs %D%/test_programs %D%/test_swap %D%/test_swap_deaths
%C%_test_client_programs_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_client_programs_LDADD = $(PROGRAMS_LDADD)
%C%_test_describe_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_describe_LDADD = $(PROGRAMS_LDADD)
%C%_test_inside_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_inside_LDADD = $(PROGRAMS_LDADD)
%C%_test_measure_programs_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_measure_programs_LDADD = $(PROGRAMS_LDADD)
%C%_test_programs_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_programs_LDADD = $(PROGRAMS_LDADD)
%C%_test_swap_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_swap_LDADD = $(PROGRAMS_LDADD)
%C%_test_swap_deaths_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_swap_deaths_LDADD = $(PROGRAMS_LDADD)
$(%C%_libprograms_test_la_OBJECTS) $(%C%_test_client_programs_OBJECTS) $(%C%_test_describe_OBJECTS) $(%C%_test_inside_OBJECTS) \
    $(%C%_test_measure_programs_OBJECTS) $(%C%_test_programs_OBJECTS) $(%C%_test_swap_OBJECTS) \
    $(%C%_test_swap_deaths_OBJECTS): $(PROGRAMS_GENERATED)
%D%/gen/programs.psy.h: %D%/programs.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/programs.psy -o %D%/gen && touch $@
PROGRAMS_FROM = %D%/versions.hrm.in %D%/misfits.hrm.in %D%/programs.psy compiler/psynec$(EXEEXT)
COMPILE_PROGRAM = compiler/psynec$(EXEEXT) -I $(srcdir)/%D% -o %D%/gen
%D%/gen/v1.psm: $(PROGRAMS_FROM) %D%/gen/programs.psy.h
	$(AM_V_GEN)sed 's/@V@/1/g' $(srcdir)/%D%/versions.hrm.in >%D%/gen/v1.hrm && $(COMPILE_PROGRAM) %D%/gen/v1.hrm && touch $@
%D%/gen/v2.psm: $(PROGRAMS_FROM) %D%/gen/programs.psy.h
	$(AM_V_GEN)sed 's/@V@/2/g' $(srcdir)/%D%/versions.hrm.in >%D%/gen/v2.hrm && $(COMPILE_PROGRAM) %D%/gen/v2.hrm && touch $@
%D%/gen/v3.psm: $(PROGRAMS_FROM) %D%/gen/programs.psy.h
	$(AM_V_GEN)sed 's/@V@/3/g' $(srcdir)/%D%/versions.hrm.in >%D%/gen/v3.hrm && $(COMPILE_PROGRAM) --no-kernels %D%/gen/v3.hrm && touch $@
%D%/gen/changed.psm: $(PROGRAMS_FROM) %D%/gen/programs.psy.h
	$(AM_V_GEN)sed 's/@DATA@/rows: f32[N, DIM] split N/; s/@VALUE@/sum(rows @ a.vector)/' $(srcdir)/%D%/misfits.hrm.in >%D%/gen/changed.hrm && \
	    $(COMPILE_PROGRAM) --no-kernels %D%/gen/changed.hrm && touch $@
%D%/gen/misfit.psm: $(PROGRAMS_FROM) %D%/gen/programs.psy.h
	$(AM_V_GEN)sed 's/@DATA@/rows: f32[N, 5] split N/; s/@VALUE@/sum(sum(rows, axis: 1))/' $(srcdir)/%D%/misfits.hrm.in >%D%/gen/misfit.hrm && \
	    $(COMPILE_PROGRAM) --no-kernels %D%/gen/misfit.hrm && touch $@
%D%/gen/missing.psm: $(PROGRAMS_FROM) %D%/gen/programs.psy.h
	$(AM_V_GEN)sed 's/@DATA@/nowhere: f32[N] replicated/; s/@VALUE@/sum(nowhere)/' $(srcdir)/%D%/misfits.hrm.in >%D%/gen/missing.hrm && \
	    $(COMPILE_PROGRAM) --no-kernels %D%/gen/missing.hrm && touch $@
%D%/gen/large.psm: %D%/large.hrm $(PROGRAMS_FROM)
	$(AM_V_GEN)$(COMPILE_PROGRAM) $(srcdir)/%D%/large.hrm && touch $@
%D%/gen/v4.psm: $(PROGRAMS_FROM) %D%/gen/programs.psy.h
	$(AM_V_GEN)sed 's/@V@/4/g' $(srcdir)/%D%/versions.hrm.in >%D%/gen/v4.hrm && $(COMPILE_PROGRAM) --no-kernels %D%/gen/v4.hrm && touch $@

# The soak of a whole service: `make soak` (tests/mem/local.mk) runs it for SOAK_SECONDS, `make check` through every fault once.
check_tools += %D%/soak
test_scripts += %D%/soak.sh
%C%_soak_SOURCES = %D%/soak.c %D%/soak.h %D%/soak_clients.c %D%/soak_data.c %D%/soak_data.h %D%/soak_line.c %D%/soak_memory.c %D%/soak_processes.c %D%/soak_processes.h %D%/soak_report.c %D%/soak_service.c \
    %D%/served_values.c %D%/served_values.h
%C%_soak_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_soak_LDADD = runtime/libpsyne-core.la
$(%C%_soak_OBJECTS): $(PROGRAMS_GENERATED) %D%/gen/v4.psm
CLEANFILES += %D%/gen/v4.psm %D%/gen/v4.hrm

# Data that changes while it is served.
EDITS_GENERATED = %D%/gen/edits.psy.h %D%/gen/edits.psm
check_LTLIBRARIES += %D%/libedits-test.la
%C%_libedits_test_la_SOURCES = %D%/crew.c %D%/crew.h %D%/edited.c %D%/edited.h %D%/snapped.c %D%/snapped.h
%C%_libedits_test_la_CPPFLAGS = $(TEST_CPPFLAGS)
EDITS_LDADD = %D%/libedits-test.la $(PROGRAMS_LDADD)
check_PROGRAMS += %D%/test_client_edits %D%/test_edit_deaths %D%/test_edits %D%/test_intake %D%/test_revision %D%/test_shard_deaths %D%/test_shard_liars %D%/test_shards %D%/test_shards_inside
%C%_test_shards_inside_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_shards_inside_LDADD = $(EDITS_LDADD)
%C%_test_shard_liars_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_shard_liars_LDADD = $(EDITS_LDADD)
%C%_test_shard_deaths_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_shard_deaths_LDADD = $(EDITS_LDADD)
%C%_test_shards_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_shards_LDADD = $(EDITS_LDADD)
%C%_test_intake_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_intake_LDADD = $(TEST_LDADD)
%C%_test_revision_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_revision_LDADD = $(TEST_LDADD)
%C%_test_edit_deaths_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_edit_deaths_LDADD = $(EDITS_LDADD)
%C%_test_client_edits_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_client_edits_LDADD = $(EDITS_LDADD)
%C%_test_edits_SOURCES = %D%/test_edits.c
%C%_test_edits_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_edits_LDADD = $(EDITS_LDADD)
%C%_test_edits_LDFLAGS = $(AM_LDFLAGS)
if SANITIZED
%C%_test_edits_SOURCES += tests/keep_loaded.c
%C%_test_edits_LDFLAGS += -export-dynamic
endif
check_PROGRAMS += %D%/test_snapshot_crashes %D%/test_snapshot_folder %D%/test_snapshots
%C%_test_snapshot_crashes_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_snapshot_crashes_LDADD = $(EDITS_LDADD)
%C%_test_snapshot_folder_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_snapshot_folder_LDADD = $(EDITS_LDADD)
%C%_test_snapshots_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_snapshots_LDADD = $(EDITS_LDADD)
$(%C%_libedits_test_la_OBJECTS) $(%C%_test_client_edits_OBJECTS) $(%C%_test_edit_deaths_OBJECTS) $(%C%_test_edits_OBJECTS) $(%C%_test_shard_deaths_OBJECTS) $(%C%_test_shard_liars_OBJECTS) $(%C%_test_shards_OBJECTS) $(%C%_test_shards_inside_OBJECTS) $(%C%_test_snapshot_crashes_OBJECTS) $(%C%_test_snapshot_folder_OBJECTS) $(%C%_test_snapshots_OBJECTS): $(PROGRAMS_GENERATED) $(EDITS_GENERATED)
%D%/gen/edits.psy.h: %D%/edits.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/edits.psy -o %D%/gen && touch $@
%D%/gen/edits.psm: %D%/edits.hrm %D%/edits.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/edits.hrm -o %D%/gen && touch $@
EXTRA_DIST += %D%/edits.psy %D%/edits.hrm
CLEANFILES += $(EDITS_GENERATED)
EXTRA_DIST += %D%/programs.psy %D%/versions.hrm.in %D%/misfits.hrm.in %D%/large.hrm
CLEANFILES += $(PROGRAMS_GENERATED) %D%/gen/v1.hrm %D%/gen/v2.hrm %D%/gen/v3.hrm %D%/gen/changed.hrm %D%/gen/misfit.hrm %D%/gen/missing.hrm
EXTRA_DIST += %D%/shop.psy %D%/shop.hrm %D%/sizes.hrm %D%/titles.psy %D%/titles.hrm %D%/variants.psy %D%/variants.hrm
CLEANFILES += $(SHOP_GENERATED) $(TITLES_GENERATED) $(VARIANTS_GENERATED)
