# SPDX-License-Identifier: Apache-2.0
runtime_sources += %D%/clock.h %D%/cores.c %D%/cores.h %D%/idle.h %D%/failure.c %D%/failure.h %D%/lock_file.c %D%/lock_file.h %D%/near.c %D%/near.h %D%/siphash.c %D%/siphash.h %D%/status.c
