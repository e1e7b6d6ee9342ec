# SPDX-License-Identifier: Apache-2.0

runtime_sources += %D%/inproc.c
runtime_sources += %D%/ipc.c %D%/ipc.h
runtime_sources += %D%/local_link.c
runtime_sources += %D%/local_link.h
runtime_sources += %D%/transport.c
runtime_sources += %D%/transport.h
