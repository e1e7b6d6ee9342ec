# SPDX-License-Identifier: Apache-2.0
test_scripts += %D%/planted.sh
EXTRA_DIST += %D%/planted.c
