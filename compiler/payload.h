/* SPDX-License-Identifier: Apache-2.0 */
/* A hit's payload: what a GATHER reads from split data where a TOPK over the same axis found the best. Each shard reads it for
 * its own candidates and sends it along; the merge takes those of the winners.
 *
 *   shard   candidates of a topk, their rows on this shard, the shard's row base; for each payload [k, ...]
 *   merge   [shards, k] candidates -> the winners' places among all of them -> their labels and payloads
 */
#ifndef PSC_PAYLOAD_H
#define PSC_PAYLOAD_H

#include "build.h"

/* The TOPK whose positions the value reads split data at, or NULL. */
const psc_value *psc_payload_topk(const psc_unit *u, const psc_value *v);
/* One shard's part: the axis comes first. `rows`: the candidates' positions on this shard. */
psc_value *psc_payload_part(psc_builder *b, psc_value *x, psc_value *rows, uint32_t axis);
/* The winners among `scores` [shards, k], whose candidates lie in `rows` [shards, k] of each shard, which start at `bases`
 * [shards]. `places`: where they are among all candidates; `labels`: their rows in the whole data. */
psc_value *psc_payload_winners(psc_builder *b, psc_value *scores, psc_value *rows, psc_value *bases, uint32_t k,
                               psc_value **places, psc_value **labels);
/* What `v` is for the winners, from the flat parts [shards, n] of all shards. */
psc_value *psc_payload_merge(psc_builder *b, const psc_value *v, psc_value *parts, psc_value *places);

#endif
