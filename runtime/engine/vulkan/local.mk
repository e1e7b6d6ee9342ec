# SPDX-License-Identifier: Apache-2.0
if HAVE_VULKAN
runtime_sources += %D%/bind.c %D%/device.c %D%/functions.def %D%/memory.c %D%/pipelines.c %D%/run.c %D%/submit.c %D%/vulkan.c %D%/vulkan.h
endif
