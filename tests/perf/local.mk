# SPDX-License-Identifier: Apache-2.0
# `make bench` runs every benchmark and leaves bench.json: a list of objects, one per figure and peer. Peers that configure did not
# find are named there and in the table. BENCH="tests/perf/bench_ring" narrows the run.
BENCHES = %D%/bench_ring %D%/bench_crowd %D%/bench_crossover %D%/bench_wake %D%/bench_rpc %D%/bench_inline %D%/bench_load %D%/bench_fair %D%/bench_scatter %D%/bench_payload %D%/bench_wait %D%/bench_cpu %D%/bench_dot %D%/bench_command %D%/bench_compile %D%/bench_printed %D%/bench_schema
EXTRA_PROGRAMS += $(BENCHES)
bench_common = %D%/bench.c %D%/bench.h %D%/cores.c %D%/cores.h

%C%_bench_ring_SOURCES = %D%/bench_ring.c %D%/process.c %D%/process.h %D%/ring_peers.h %D%/ring_race.c %D%/ring_race.h $(bench_common)
%C%_bench_ring_CPPFLAGS = $(AM_CPPFLAGS)
%C%_bench_ring_LDADD = runtime/libpsyne-core.la
if HAVE_CK
%C%_bench_ring_SOURCES += %D%/ring_ck.c
%C%_bench_ring_CPPFLAGS += -DHAVE_CK
endif
if HAVE_DPDK
%C%_bench_ring_SOURCES += %D%/ring_dpdk.c
%C%_bench_ring_CPPFLAGS += -DHAVE_DPDK $(DPDK_CPPFLAGS)
endif

%C%_bench_crowd_SOURCES = %D%/bench_crowd.c %D%/crowd.c %D%/crowd.h %D%/crowd_peers.h %D%/crowd_psyne.c %D%/crowd_psyne.h \
    %D%/ring_peers.h %D%/ring_race.h $(bench_common)
%C%_bench_crowd_CPPFLAGS = $(AM_CPPFLAGS)
%C%_bench_crowd_LDADD = runtime/libpsyne-core.la
if HAVE_CK
%C%_bench_crowd_SOURCES += %D%/crowd_ck.c
%C%_bench_crowd_CPPFLAGS += -DHAVE_CK
endif
if HAVE_DPDK
%C%_bench_crowd_SOURCES += %D%/crowd_dpdk.c
%C%_bench_crowd_CPPFLAGS += -DHAVE_DPDK $(DPDK_CPPFLAGS)
endif

%C%_bench_crossover_SOURCES = %D%/bench_crossover.c %D%/crowd.c %D%/crowd.h %D%/crowd_psyne.c %D%/crowd_psyne.h %D%/ring_race.h $(bench_common)
%C%_bench_crossover_CPPFLAGS = $(AM_CPPFLAGS)
%C%_bench_crossover_LDADD = runtime/libpsyne-core.la

%C%_bench_wake_SOURCES = %D%/bench_wake.c $(bench_common)
%C%_bench_wake_CPPFLAGS = $(AM_CPPFLAGS)
%C%_bench_wake_LDADD = runtime/libpsyne-core.la

rpc_common = %D%/process.c %D%/process.h %D%/ring_race.c %D%/ring_race.h %D%/rpc.c %D%/rpc.h %D%/served.h $(bench_common)
%C%_bench_rpc_SOURCES = %D%/bench_rpc.c $(rpc_common)
nodist_%C%_bench_rpc_SOURCES = %D%/gen/echo.psy.h
rpc_cppflags = -I%D%/gen -DECHO_MODULE='"$(abs_top_builddir)/%D%/gen/echo.psm"'
%C%_bench_rpc_CPPFLAGS = $(AM_CPPFLAGS) $(rpc_cppflags)
%C%_bench_rpc_LDADD = runtime/libpsyne-core.la
if HAVE_ZMQ
%C%_bench_rpc_SOURCES += %D%/rpc_zmq.c
%C%_bench_rpc_CPPFLAGS += -DHAVE_ZMQ $(ZMQ_CFLAGS)
%C%_bench_rpc_LDADD += $(ZMQ_LIBS)
endif

if HAVE_NNG
%C%_bench_rpc_SOURCES += %D%/rpc_nng.c
%C%_bench_rpc_CPPFLAGS += -DHAVE_NNG
%C%_bench_rpc_LDADD += $(NNG_LIBS)
endif

%C%_bench_load_SOURCES = %D%/bench_load.c $(rpc_common)
nodist_%C%_bench_load_SOURCES = %D%/gen/echo.psy.h
%C%_bench_load_CPPFLAGS = $(AM_CPPFLAGS) $(rpc_cppflags)
%C%_bench_load_LDADD = runtime/libpsyne-core.la
if HAVE_ZMQ
%C%_bench_load_SOURCES += %D%/rpc_zmq.c
%C%_bench_load_CPPFLAGS += -DHAVE_ZMQ $(ZMQ_CFLAGS)
%C%_bench_load_LDADD += $(ZMQ_LIBS)
endif

%C%_bench_inline_SOURCES = %D%/bench_inline.c $(rpc_common)
nodist_%C%_bench_inline_SOURCES = %D%/gen/echo.psy.h
%C%_bench_inline_CPPFLAGS = $(AM_CPPFLAGS) $(rpc_cppflags)
%C%_bench_inline_LDADD = runtime/libpsyne-core.la

%C%_bench_scatter_SOURCES = %D%/bench_scatter.c %D%/ring_race.c %D%/ring_race.h $(bench_common)
%C%_bench_scatter_CPPFLAGS = $(AM_CPPFLAGS)
%C%_bench_scatter_LDADD = runtime/libpsyne-core.la

%C%_bench_payload_SOURCES = %D%/bench_payload.c %D%/ring_race.c %D%/ring_race.h $(bench_common)
%C%_bench_payload_CPPFLAGS = $(AM_CPPFLAGS)
%C%_bench_payload_LDADD = runtime/libpsyne-core.la

%C%_bench_wait_SOURCES = %D%/bench_wait.c %D%/process.c %D%/process.h %D%/served.h $(bench_common)
nodist_%C%_bench_wait_SOURCES = %D%/gen/wait.psy.h
%C%_bench_wait_CPPFLAGS = $(AM_CPPFLAGS) -I%D%/gen -DWAIT_MODULE='"$(abs_top_builddir)/%D%/gen/wait.psm"'
%C%_bench_wait_LDADD = runtime/libpsyne-core.la -lm
WAIT_GENERATED = %D%/gen/wait.psy.h %D%/gen/wait.psm
$(%C%_bench_wait_OBJECTS): %D%/gen/wait.psy.h
%D%/gen/wait.psy.h: %D%/wait.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/wait.psy -o %D%/gen && touch $@
%D%/gen/wait.psm: %D%/wait.hrm %D%/wait.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/wait.hrm -o %D%/gen && touch $@

%C%_bench_fair_SOURCES = %D%/bench_fair.c %D%/process.c %D%/process.h %D%/served.h $(bench_common)
nodist_%C%_bench_fair_SOURCES = %D%/gen/echo.psy.h
%C%_bench_fair_CPPFLAGS = $(AM_CPPFLAGS) -I%D%/gen -DECHO_MODULE='"$(abs_top_builddir)/%D%/gen/echo.psm"'
%C%_bench_fair_LDADD = runtime/libpsyne-core.la

ECHO_GENERATED = %D%/gen/echo.psy.h %D%/gen/echo.psm
$(%C%_bench_rpc_OBJECTS) $(%C%_bench_inline_OBJECTS) $(%C%_bench_load_OBJECTS) $(%C%_bench_fair_OBJECTS): %D%/gen/echo.psy.h
%D%/gen/echo.psy.h: %D%/echo.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/echo.psy -o %D%/gen && touch $@
%D%/gen/echo.psm: %D%/echo.hrm %D%/echo.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/echo.hrm -o %D%/gen && touch $@

%C%_bench_schema_SOURCES = %D%/bench_schema.c %D%/schema.h %D%/schema_psyne.c %D%/schema_raw.c $(bench_common)
nodist_%C%_bench_schema_SOURCES = %D%/gen/schema.psy.h
%C%_bench_schema_CPPFLAGS = $(AM_CPPFLAGS) -I%D%/gen
%C%_bench_schema_LDADD = runtime/libpsyne-core.la
%C%_bench_schema_DEPENDENCIES = runtime/libpsyne-core.la
if HAVE_CAPNP
%C%_bench_schema_CPPFLAGS += -DHAVE_CAPNP
%C%_bench_schema_LDADD += %D%/schema_capnp.o %D%/gen/schema.capnp.o $(CAPNP_LIBS) -lstdc++
%C%_bench_schema_DEPENDENCIES += %D%/schema_capnp.o %D%/gen/schema.capnp.o
endif
if HAVE_MSGPACK
%C%_bench_schema_SOURCES += %D%/schema_msgpack.c
%C%_bench_schema_CPPFLAGS += -DHAVE_MSGPACK $(MSGPACK_CFLAGS)
%C%_bench_schema_LDADD += $(MSGPACK_LIBS)
endif
$(%C%_bench_schema_OBJECTS): %D%/gen/schema.psy.h
%D%/gen/schema.psy.h: %D%/schema.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/schema.psy -o %D%/gen && touch $@
# In C++, but linked as all others are.
%D%/gen/schema.capnp.c++: %D%/schema.capnp
	$(AM_V_GEN)$(MKDIR_P) %D%/gen && $(CAPNP_COMPILER) compile --src-prefix=$(srcdir)/%D% -oc++:%D%/gen $(srcdir)/%D%/schema.capnp
%D%/gen/schema.capnp.h: %D%/gen/schema.capnp.c++
SCHEMA_CXX = $(CXX) -std=gnu++17 $(CXXFLAGS) $(AM_CPPFLAGS) $(CAPNP_CFLAGS) -I%D%/gen
%D%/gen/schema.capnp.o: %D%/gen/schema.capnp.c++ %D%/gen/schema.capnp.h
	$(AM_V_CXX)$(SCHEMA_CXX) -x c++ -c %D%/gen/schema.capnp.c++ -o $@
%D%/schema_capnp.o: %D%/schema_capnp.cc %D%/schema.h %D%/gen/schema.capnp.h
	$(AM_V_CXX)$(SCHEMA_CXX) -Wall -Wextra -c $(srcdir)/%D%/schema_capnp.cc -o $@

%C%_bench_dot_SOURCES = %D%/bench_dot.c $(bench_common)
%C%_bench_dot_CPPFLAGS = $(AM_CPPFLAGS)
%C%_bench_dot_LDADD = runtime/libpsyne-core.la
if HAVE_OPENBLAS
%C%_bench_dot_CPPFLAGS += -DHAVE_OPENBLAS $(OPENBLAS_CPPFLAGS)
%C%_bench_dot_LDADD += $(OPENBLAS_LIBS)
endif

# The workloads of the CPU engine, and whom it is compared with.
CPU_GENERATED = %D%/gen/cpu.psm %D%/gen/cpu.psy.h
%C%_bench_cpu_SOURCES = %D%/bench_cpu.c %D%/cpu.h %D%/cpu_numpy.c $(bench_common)
nodist_%C%_bench_cpu_SOURCES = %D%/gen/cpu.psy.h
%C%_bench_cpu_CPPFLAGS = $(AM_CPPFLAGS) -I%D%/gen -DCPU_MODULE='"$(abs_top_builddir)/%D%/gen/cpu.psm"' \
    -DNUMPY_SCRIPT='"$(abs_top_srcdir)/%D%/cpu_numpy.py"'
%C%_bench_cpu_LDADD = %D%/cpu-gcc.o runtime/libpsyne-core.la -lm
%C%_bench_cpu_DEPENDENCIES = %D%/cpu-gcc.o runtime/libpsyne-core.la
if HAVE_ONEDNN
%C%_bench_cpu_SOURCES += %D%/cpu_onednn.c
%C%_bench_cpu_CPPFLAGS += -DHAVE_ONEDNN
%C%_bench_cpu_LDADD += $(ONEDNN_LIBS)
endif
if HAVE_FAISS
%C%_bench_cpu_CPPFLAGS += -DHAVE_FAISS
%C%_bench_cpu_LDADD += %D%/cpu_faiss.o $(FAISS_LIBS) -lstdc++
%C%_bench_cpu_DEPENDENCIES += %D%/cpu_faiss.o
endif
$(%C%_bench_cpu_OBJECTS): %D%/gen/cpu.psm
%D%/gen/cpu.psy.h: %D%/gen/cpu.psm
%D%/gen/cpu.psm: %D%/cpu.hrm %D%/cpu.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/cpu.psy $(srcdir)/%D%/cpu.hrm --emit header,bytecode -o %D%/gen && touch $@
%D%/cpu-gcc.o: %D%/cpu_gcc.c %D%/cpu.h
	$(AM_V_CC)$(CC) -std=c11 -O3 -march=native -I$(top_srcdir) -c $(srcdir)/%D%/cpu_gcc.c -o $@
%D%/cpu_faiss.o: %D%/cpu_faiss.cc %D%/cpu.h
	$(AM_V_CXX)$(CXX) -std=gnu++17 -O2 -fopenmp -I$(top_srcdir) -c $(srcdir)/%D%/cpu_faiss.cc -o $@

%C%_bench_command_SOURCES = %D%/bench_command.c %D%/commands.c %D%/commands.h $(bench_common)
%C%_bench_command_CPPFLAGS = $(AM_CPPFLAGS) -DPSYNEC='"$(abs_top_builddir)/compiler/psynec$(EXEEXT)"' \
    -DNEAREST='"$(abs_top_builddir)/examples/nearest/nearest$(EXEEXT)"' \
    -DNEAREST_MODULE='"$(abs_top_builddir)/examples/nearest/gen/nearest.psm"' \
    -DNEAREST_SOURCE='"$(abs_top_srcdir)/examples/nearest/nearest.hrm"'

# C that psynec writes, compiled as its users are told to.
PRINTED_GENERATED = %D%/gen/printed.kernels.c %D%/gen/printed.kernels.h %D%/gen/printed.psm %D%/gen/printed.psy.h
%C%_bench_printed_SOURCES = %D%/bench_printed.c $(bench_common)
%C%_bench_printed_CPPFLAGS = $(AM_CPPFLAGS) -I%D%/gen -DPRINTED_MODULE='"$(abs_top_builddir)/%D%/gen/printed.psm"'
%C%_bench_printed_LDADD = %D%/printed-kernels.o runtime/libpsyne-core.la -lm
$(%C%_bench_printed_OBJECTS): %D%/gen/printed.kernels.c
%D%/gen/printed.kernels.c: %D%/printed.hrm %D%/printed.psy compiler/psynec$(EXEEXT)
	$(AM_V_GEN)compiler/psynec$(EXEEXT) $(srcdir)/%D%/printed.psy $(srcdir)/%D%/printed.hrm --emit header,bytecode,c -o %D%/gen && touch $@
%D%/printed-kernels.o: %D%/gen/printed.kernels.c
	$(AM_V_CC)$(CC) -std=c11 -O3 -march=native -fno-math-errno -fno-trapping-math -I$(top_srcdir)/runtime/include -c %D%/gen/printed.kernels.c -o $@

%C%_bench_compile_SOURCES = %D%/bench_compile.c %D%/commands.c %D%/commands.h tests/compiler/large_hrm.c tests/compiler/large_hrm.h $(bench_common)
%C%_bench_compile_CPPFLAGS = $(AM_CPPFLAGS) -DPSYNEC='"$(abs_top_builddir)/compiler/psynec$(EXEEXT)"' \
    -DNEAREST_SOURCE='"$(abs_top_srcdir)/examples/nearest/nearest.hrm"'
%C%_bench_compile_LDADD = runtime/libpsyne-core.la

bench: $(BENCHES) $(CPU_GENERATED) $(ECHO_GENERATED) $(WAIT_GENERATED) compiler/psynec$(EXEEXT) examples/nearest/nearest$(EXEEXT) $(NEAREST_GENERATED)
	@bash $(srcdir)/%D%/run bench.json $${BENCH:-$(BENCHES)}
.PHONY: bench
# The plot and the table of doc/rings.md and the plot of doc/benchmarks.md, from the figures that are in bench.json.
bench-plot:
	@python3 $(srcdir)/%D%/crossover.py bench.json --svg $(srcdir)/doc/images/ring-crossover.svg --page $(srcdir)/doc/rings.md
	@PYTHONDONTWRITEBYTECODE=1 python3 $(srcdir)/%D%/load.py bench.json --svg $(srcdir)/doc/images/rpc-load.svg
.PHONY: bench-plot

check_PROGRAMS += %D%/test_bench
%C%_test_bench_SOURCES = %D%/test_bench.c $(bench_common)
%C%_test_bench_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_bench_LDADD = $(TEST_LDADD)
test_scripts += %D%/test_run.sh %D%/test_crossover.sh %D%/test_load_plot.sh

EXTRA_DIST += %D%/cpu.hrm %D%/cpu.psy %D%/cpu_faiss.cc %D%/cpu_gcc.c %D%/cpu_numpy.py %D%/schema.capnp %D%/schema.psy %D%/schema_capnp.cc %D%/schema_msgpack.c %D%/echo.hrm %D%/echo.psy %D%/printed.hrm %D%/printed.psy %D%/wait.hrm %D%/wait.psy %D%/run %D%/crossover.py %D%/load.py doc/benchmarks.md
CLEANFILES += bench.json bench.json.lines bench.json.tmp $(BENCHES) $(CPU_GENERATED) $(ECHO_GENERATED) $(WAIT_GENERATED) $(PRINTED_GENERATED) %D%/cpu-gcc.o %D%/cpu_faiss.o %D%/printed-kernels.o %D%/schema_capnp.o %D%/gen/schema.psy.h \
    %D%/gen/schema.capnp.h %D%/gen/schema.capnp.c++ %D%/gen/schema.capnp.o
