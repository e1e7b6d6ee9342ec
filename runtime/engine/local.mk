# SPDX-License-Identifier: Apache-2.0
runtime_sources += %D%/engine.c %D%/engine.h

include %D%/cpu/local.mk
include %D%/vulkan/local.mk
