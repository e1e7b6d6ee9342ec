# SPDX-License-Identifier: Apache-2.0
runtime_sources += %D%/codegen.h
