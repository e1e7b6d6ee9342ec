# SPDX-License-Identifier: Apache-2.0
# The messages that the examples in doc/language.md use.
EXTRA_DIST += %D%/language.psy
