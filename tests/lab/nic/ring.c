// SPDX-License-Identifier: GPL-2.0
/*
 * softnic: chunks taken in advance, as a real card's receive ring has them.
 *
 * A real card is given, for every descriptor of its receive ring, the chunks that the
 * longest packet needs, before the first packet comes, and a new one for each that it
 * has filled. So an area is first of all the card's: one that is not larger than the
 * ring is in the card whole, and nothing is left of it to copy into. With `prefill`
 * (debugfs) this card does the same; without, it takes one when a packet needs it.
 *
 * A ring belongs to a queue's memory: it is filled when the queue starts and at the end
 * of each poll, always by whoever runs the queue, and emptied when the queue stops.
 */
#include <linux/mm.h>
#include <linux/module.h>

#include "softnic.h"

int snic_ring_alloc(struct snic_ring *ring, const struct snic *nic, u32 chunk_size)
{
	*ring = (struct snic_ring){};
	if (!nic->prefill)
		return 0;
	ring->size = nic->ring_size * DIV_ROUND_UP(nic->ndev->mtu, chunk_size);
	ring->slots = kvmalloc_array(ring->size, sizeof(*ring->slots), GFP_KERNEL);
	return ring->slots ? 0 : -ENOMEM;
}

/* It must be empty. */
void snic_ring_free(struct snic_ring *ring)
{
	kvfree(ring->slots);
	*ring = (struct snic_ring){};
}

/* Takes as many chunks as are missing, or as can be had. */
void snic_ring_fill(struct snic_rxq *q, gfp_t gfp)
{
	struct snic_ring *ring = &q->mem.ring;

	while (ring->count < ring->size) {
		netmem_ref netmem = page_pool_alloc_netmems(q->mem.pool, gfp | __GFP_NOWARN);

		if (!netmem)
			break;
		ring->slots[(ring->head + ring->count) % ring->size] = netmem;
		WRITE_ONCE(ring->count, ring->count + 1);
	}
}

/* The chunk that has waited longest, or none. */
netmem_ref snic_ring_take(struct snic_ring *ring)
{
	netmem_ref netmem;

	if (!ring->count)
		return 0;
	netmem = ring->slots[ring->head];
	ring->head = (ring->head + 1) % ring->size;
	WRITE_ONCE(ring->count, ring->count - 1);
	return netmem;
}

void snic_ring_drain(struct snic_rxq *q)
{
	netmem_ref netmem;

	while ((netmem = snic_ring_take(&q->mem.ring)))
		page_pool_put_full_netmem(q->mem.pool, netmem, false);
}
