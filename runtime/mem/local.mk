# SPDX-License-Identifier: Apache-2.0

runtime_sources += %D%/counters.c %D%/counters_folder.c %D%/counters_folder.h
runtime_sources += %D%/ring.c
runtime_sources += %D%/slab.c
