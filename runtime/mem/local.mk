# SPDX-License-Identifier: Apache-2.0

runtime_sources += %D%/counters.c %D%/counters_folder.c %D%/counters_folder.h %D%/counters_read.c \
    %D%/counters_snapshot.c %D%/counters_snapshot.h %D%/counters_view.c
runtime_sources += %D%/bell.c %D%/frame.c
runtime_sources += %D%/ring.c %D%/ring_recover.c %D%/ring_shared.c %D%/ring_slots.c %D%/ring_state.h \
    %D%/ring_store.c %D%/ring_wait.c
runtime_sources += %D%/seat.c
runtime_sources += %D%/slab.c
runtime_sources += %D%/slab_adopt.c
runtime_sources += %D%/slab_clean.c
runtime_sources += %D%/slab_map.c
runtime_sources += %D%/slab_open.c
runtime_sources += %D%/slab_place.c
runtime_sources += %D%/slab_server.c
runtime_sources += %D%/slab_state.h
runtime_sources += %D%/stream.c
