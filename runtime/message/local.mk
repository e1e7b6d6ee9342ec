# SPDX-License-Identifier: Apache-2.0
runtime_sources += %D%/check.c %D%/check.h %D%/compare.c %D%/frame.c %D%/frame.h %D%/init.c %D%/number.c %D%/number.h %D%/parse.c \
    %D%/print.c %D%/read.c %D%/reflect.c %D%/text.c %D%/text.h %D%/values.c %D%/values.h
