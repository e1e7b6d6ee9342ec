# SPDX-License-Identifier: Apache-2.0
runtime_sources += %D%/clock.h %D%/failure.c %D%/failure.h %D%/near.c %D%/near.h %D%/siphash.c %D%/siphash.h %D%/status.c
