#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# doc/ops.md is what the table of operations says now.
set -u
"$PSYNE_BUILD/runtime/isa/opsdoc" | diff -u "$PSYNE_SOURCE/doc/ops.md" - && exit 0
echo 'doc/ops.md is out of date: make update-docs'
exit 1
