#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The soak of a service, short: every kind of fault once, with every kind of client.
set -u
exec "${PSYNE_BUILD:?}/tests/service/soak" 0 "${PSYNE_TEST_SEED:-1}"
