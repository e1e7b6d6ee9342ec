# SPDX-License-Identifier: Apache-2.0
# The pages on the instruction set and the module are distributed by runtime/isa.
EXTRA_DIST += %D%/envelope.md %D%/messages.md %D%/rings.md %D%/roadmap.md %D%/transport.md
