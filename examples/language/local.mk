# SPDX-License-Identifier: Apache-2.0
# The messages and weights that the examples in doc/language.md use.
EXTRA_DIST += %D%/bias.npy %D%/language.psy %D%/model.safetensors
