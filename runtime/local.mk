# SPDX-License-Identifier: Apache-2.0
# The core has all objects, psy__ names included: psynec and the tests link it. The library exports psy_ names only.
runtime_sources =
runtime_cpu_libs =
pkginclude_HEADERS = \
    %D%/include/psyne/agent.h %D%/include/psyne/atomic.h %D%/include/psyne/bell.h %D%/include/psyne/broker.h %D%/include/psyne/builder.h %D%/include/psyne/channel.h \
    %D%/include/psyne/counters.def %D%/include/psyne/counters.h %D%/include/psyne/dlpack.h \
    %D%/include/psyne/dtype.h %D%/include/psyne/dtypes.def %D%/include/psyne/envelope.h %D%/include/psyne/frame.h \
    %D%/include/psyne/edit.h %D%/include/psyne/guard.h %D%/include/psyne/json.h \
    %D%/include/psyne/kernel.h %D%/include/psyne/kernel_scalar.h %D%/include/psyne/log.h %D%/include/psyne/message.h \
    %D%/include/psyne/module.h %D%/include/psyne/reflect.h %D%/include/psyne/ring.h %D%/include/psyne/seat.h %D%/include/psyne/service.h \
    %D%/include/psyne/slab.h %D%/include/psyne/slab_server.h %D%/include/psyne/socket.h \
    %D%/include/psyne/status.def %D%/include/psyne/status.h %D%/include/psyne/stream.h %D%/include/psyne/tail.h \
    %D%/include/psyne/utf8.h \
    %D%/include/psyne/variant.h %D%/include/psyne/verify.h %D%/include/psyne/worker.h

include %D%/base/local.mk
include %D%/isa/local.mk
include %D%/message/local.mk
include %D%/mem/local.mk
include %D%/transport/local.mk
include %D%/codegen/local.mk
include %D%/engine/local.mk
include %D%/service/local.mk
include %D%/socket/local.mk
include %D%/data/local.mk

noinst_LTLIBRARIES += %D%/libpsyne-core.la
%C%_libpsyne_core_la_SOURCES = $(runtime_sources)
%C%_libpsyne_core_la_LIBADD = $(runtime_cpu_libs)

lib_LTLIBRARIES += %D%/libpsyne-rt.la
%C%_libpsyne_rt_la_SOURCES =
%C%_libpsyne_rt_la_LIBADD = %D%/libpsyne-core.la
%C%_libpsyne_rt_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -Wl,--version-script=$(srcdir)/%D%/psyne-rt.map
%C%_libpsyne_rt_la_DEPENDENCIES = %D%/libpsyne-core.la %D%/psyne-rt.map

include %D%/command/local.mk
include %D%/telemetry/local.mk

pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = %D%/psyne-rt.pc
EXTRA_DIST += %D%/psyne-rt.map
