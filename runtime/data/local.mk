# SPDX-License-Identifier: Apache-2.0
runtime_sources += %D%/npy.c %D%/npy.h %D%/rows.c %D%/rows.h
