# SPDX-License-Identifier: Apache-2.0
runtime_sources += %D%/codegen.c %D%/codegen.h %D%/kernel.h %D%/kernel_check.c %D%/kernel_ir.c %D%/kernel_ir.h %D%/kernel_ops.def \
    %D%/maker.c %D%/maker.h %D%/moves.c %D%/ranks.c %D%/regions.c %D%/spirv.c %D%/spirv.h %D%/spirv_emit.c %D%/spirv_emit.h \
    %D%/spirv_expression.c %D%/spirv_loops.c %D%/spirv_module.c %D%/spirv_module.h
