# SPDX-License-Identifier: Apache-2.0
# kernels.c and math.c are compiled once per instruction set; cpu.c chooses at run time. Contraction stays inside a row of ops.def: DOT.
# The user's CFLAGS come last and with them their -O level, under which GCC leaves most loops alone unless it is told otherwise.
runtime_sources += %D%/cpu.c %D%/cpu.h %D%/bind.c %D%/cascade.c %D%/chain.c %D%/chain.h %D%/direct.c %D%/emit.c %D%/emit.h %D%/encode.c %D%/encode.h %D%/kernels.h %D%/kernels_type.h %D%/keep.c %D%/math_f32.h %D%/math_rows.h %D%/move.c %D%/program.c \
    %D%/region.c %D%/region_code.c %D%/select.c %D%/sort.c %D%/vector.h
psy_kernel_cflags = $(VECTOR_CFLAGS) -fno-math-errno -fno-trapping-math -ffp-contract=fast
psy_math_cflags = -fno-math-errno -fno-trapping-math -ffp-contract=off

noinst_LTLIBRARIES += %D%/libkernels-base.la
%C%_libkernels_base_la_SOURCES = %D%/kernels.c
%C%_libkernels_base_la_CPPFLAGS = $(AM_CPPFLAGS) -DPSY_KERNEL_SET=base
%C%_libkernels_base_la_CFLAGS = $(AM_CFLAGS) $(psy_kernel_cflags)
runtime_cpu_libs += %D%/libkernels-base.la %D%/libmath-base.la
noinst_LTLIBRARIES += %D%/libmath-base.la
%C%_libmath_base_la_SOURCES = %D%/math.c
%C%_libmath_base_la_CPPFLAGS = $(AM_CPPFLAGS) -DPSY_KERNEL_SET=base
%C%_libmath_base_la_CFLAGS = $(AM_CFLAGS) $(psy_math_cflags)

if HAVE_AVX2_FLAGS
noinst_LTLIBRARIES += %D%/libkernels-avx2.la
%C%_libkernels_avx2_la_SOURCES = %D%/kernels.c
%C%_libkernels_avx2_la_CPPFLAGS = $(AM_CPPFLAGS) -DPSY_KERNEL_SET=avx2
%C%_libkernels_avx2_la_CFLAGS = $(AM_CFLAGS) $(psy_kernel_cflags) $(AVX2_CFLAGS)
runtime_cpu_libs += %D%/libkernels-avx2.la %D%/libmath-avx2.la
noinst_LTLIBRARIES += %D%/libmath-avx2.la
%C%_libmath_avx2_la_SOURCES = %D%/math.c
%C%_libmath_avx2_la_CPPFLAGS = $(AM_CPPFLAGS) -DPSY_KERNEL_SET=avx2
%C%_libmath_avx2_la_CFLAGS = $(AM_CFLAGS) $(psy_math_cflags) $(AVX2_CFLAGS)
endif

if HAVE_AVX512_FLAGS
noinst_LTLIBRARIES += %D%/libkernels-avx512.la
%C%_libkernels_avx512_la_SOURCES = %D%/kernels.c
%C%_libkernels_avx512_la_CPPFLAGS = $(AM_CPPFLAGS) -DPSY_KERNEL_SET=avx512
%C%_libkernels_avx512_la_CFLAGS = $(AM_CFLAGS) $(psy_kernel_cflags) $(AVX512_CFLAGS)
runtime_cpu_libs += %D%/libkernels-avx512.la %D%/libmath-avx512.la
noinst_LTLIBRARIES += %D%/libmath-avx512.la
%C%_libmath_avx512_la_SOURCES = %D%/math.c
%C%_libmath_avx512_la_CPPFLAGS = $(AM_CPPFLAGS) -DPSY_KERNEL_SET=avx512
%C%_libmath_avx512_la_CFLAGS = $(AM_CFLAGS) $(psy_math_cflags) $(AVX512_CFLAGS)
endif
