# SPDX-License-Identifier: Apache-2.0

runtime_sources += %D%/ring.c
runtime_sources += %D%/seat.c
runtime_sources += %D%/slab.c
