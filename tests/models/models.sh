#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The quick ones of the models; `make check-models` checks all.
exec bash "$PSYNE_SOURCE/tests/models/run" quick
