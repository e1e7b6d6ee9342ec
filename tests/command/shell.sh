# SPDX-License-Identifier: Apache-2.0
# Functions for scripts that run psyne as a user does: those of psynec's scripts, with the module of store.psy in the folder. To be sourced.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
"$psynec" "$source/tests/command/store.psy" --emit=bytecode -o . || exit 1
psynec=$build/runtime/command/psyne
module=store.psy.psm
