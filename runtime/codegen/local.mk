# SPDX-License-Identifier: Apache-2.0
runtime_sources += %D%/codegen.c %D%/codegen.h %D%/expression.c %D%/kernel.h %D%/maker.c %D%/maker.h %D%/moves.c %D%/regions.c \
    %D%/spirv_module.c %D%/spirv_module.h %D%/topk.c
