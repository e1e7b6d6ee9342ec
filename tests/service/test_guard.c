/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/service/by_hand.h"
