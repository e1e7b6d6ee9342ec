# SPDX-License-Identifier: Apache-2.0

runtime_sources += %D%/counters.c %D%/counters_folder.c %D%/counters_folder.h %D%/counters_read.c \
    %D%/counters_snapshot.c %D%/counters_snapshot.h
runtime_sources += %D%/ring.c
runtime_sources += %D%/slab.c
