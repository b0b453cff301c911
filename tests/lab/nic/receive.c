// SPDX-License-Identifier: GPL-2.0
/*
 * softnic: from the cable to the kernel.
 *
 * snic_arrive() runs in the sender's context and puts a packet on a queue's
 * backlog. snic_poll(), the queue's NAPI, takes packets off it, builds a new skb for
 * each, as a card and its driver would from what came over the wire, and hands it
 * up. Nothing of the sender's skb is passed on: every byte is copied, which stands
 * for the card's DMA.
 */
#include <linux/dma-direct.h>
#include <linux/etherdevice.h>
#include <linux/module.h>

#include "softnic.h"

/*
 * With splitting off, this much goes into the linear part and the rest into a page,
 * as many drivers do: enough for the headers, so that these can be read quickly.
 */
#define SNIC_LINEAR_UNSPLIT 128

/* ---- arriving ---- */

bool snic_wire_full(struct snic_rxq *q)
{
	return READ_ONCE(q->running) &&
	       skb_queue_len_lockless(&q->wire) >= READ_ONCE(q->nic->ring_size);
}

/* Takes the skb in any case; says whether it was received. */
bool snic_arrive(struct snic_rxq *q, struct sk_buff *skb, const struct snic_flow *flow)
{
	struct snic_wire_info *info = snic_wire_info(skb);
	bool data = flow->tcp && skb->len > flow->header_len;
	bool lose, reorder = false;
	struct sk_buff *twin = NULL;
	unsigned long irq;

	info->hash = flow->hash;
	info->header_len = flow->tcp ? flow->header_len : 0;
	info->l4_hash = flow->ports;

	lose = data && snic_fault_strikes(q, SNIC_LOSE);
	if (data && !lose && snic_fault_strikes(q, SNIC_DUPLICATE))
		twin = skb_clone(skb, GFP_ATOMIC);
	if (data && !lose)
		reorder = snic_fault_strikes(q, SNIC_REORDER);

	spin_lock_irqsave(&q->wire.lock, irq);
	if (unlikely(!q->running)) {
		spin_unlock_irqrestore(&q->wire.lock, irq);
		kfree_skb(twin);
		dev_kfree_skb_any(skb);
		return false;
	}
	if (unlikely(lose)) {
		/* To the sender it went out well. */
		q->wire_stats.lost++;
		spin_unlock_irqrestore(&q->wire.lock, irq);
		dev_kfree_skb_any(skb);
		return true;
	}
	if (unlikely(reorder && !q->held)) {
		/*
		 * Held back until the next data packet has passed. TCP does not send
		 * again what it believes to be still in the card, so it must think
		 * that the packet is out.
		 */
		skb_orphan(skb);
		q->held = skb;
		q->wire_stats.reordered++;
	} else {
		__skb_queue_tail(&q->wire, skb);
		if (unlikely(q->held && data)) {
			__skb_queue_tail(&q->wire, q->held);
			q->held = NULL;
		}
	}
	if (unlikely(twin)) {
		__skb_queue_tail(&q->wire, twin);
		q->wire_stats.duplicated++;
	}
	spin_unlock_irqrestore(&q->wire.lock, irq);

	napi_schedule(&q->napi);
	return true;
}

/* The queue is closed: what has not been received is lost. */
void snic_purge(struct snic_rxq *q)
{
	struct sk_buff_head gone;
	struct sk_buff *held;

	__skb_queue_head_init(&gone);
	spin_lock_irq(&q->wire.lock);
	q->wire_stats.purged += skb_queue_len(&q->wire) + (q->held ? 1 : 0);
	skb_queue_splice_init(&q->wire, &gone);
	held = q->held;
	q->held = NULL;
	spin_unlock_irq(&q->wire.lock);
	__skb_queue_purge(&gone);
	kfree_skb(held);
}

/* ---- placing payload ---- */

/*
 * What a real card does by DMA. The page pool gives an address as the device sees
 * it; the device being part of this machine, without an IOMMU, that is an address in
 * physical memory, and the kernel has all of that mapped. It is the only way to
 * reach a provider's memory: the kernel has no other address for it.
 */
int snic_dma_write(struct snic_rxq *q, netmem_ref netmem, u32 offset,
			  const struct sk_buff *src, u32 from, u32 len)
{
	dma_addr_t addr = page_pool_get_dma_addr_netmem(netmem) + offset;
	void *to = phys_to_virt(dma_to_phys(q->nic->dma_dev, addr));
	int err;

	err = skb_copy_bits(src, from, to, len);
	if (!err)
		page_pool_dma_sync_netmem_for_cpu(q->mem.pool, netmem, offset, len);
	return err;
}

static netmem_ref snic_chunk_alloc(struct snic_rxq *q)
{
	netmem_ref netmem;

	if (snic_fault_strikes(q, SNIC_ALLOC_FAIL))
		return 0;
	if (q->mem.ring.size)
		netmem = snic_ring_take(&q->mem.ring);
	else
		netmem = page_pool_alloc_netmems(q->mem.pool, GFP_ATOMIC | __GFP_NOWARN);
	if (netmem && q->mem.provider)
		q->stats.provider_bufs++;
	return netmem;
}

static void snic_chunk_close(struct snic_rxq *q)
{
	if (q->mem.open)
		page_pool_put_full_netmem(q->mem.pool, q->mem.open, true);
	q->mem.open = 0;
	q->mem.open_used = 0;
}

/*
 * Puts the packet's bytes from `from` on into chunks and adds them to the skb. A
 * chunk holds the payloads of several packets if they fit: one that does not fit
 * into the rest of the open chunk begins a new one, and goes on in a third if it
 * is longer than a chunk. Each piece has a reference to its chunk, and so has the
 * queue while the chunk is open; the last one to let go returns it to the pool.
 *
 * Only an skb with pieces of a pool is marked as such ("for recycle"). That is more
 * than thrift: GRO, which joins packets that follow one another, does not look
 * whether both can be read by the kernel (7.3.4), and a packet in kernel memory
 * with an unreadable one joined to it makes the kernel fault. It does not join a
 * marked with an unmarked one.
 */
static int snic_place(struct snic_rxq *q, struct sk_buff *skb, const struct sk_buff *src, u32 from)
{
	bool share = READ_ONCE(q->nic->share_chunks);
	struct snic_mem *mem = &q->mem;
	u32 left = src->len - from;

	skb_mark_for_recycle(skb);
	if (mem->open && mem->chunk_size - mem->open_used < left)
		snic_chunk_close(q);

	while (left) {
		netmem_ref netmem;
		u32 offset, len, truesize;

		if (!mem->open) {
			mem->open = snic_chunk_alloc(q);
			mem->open_used = 0;
			if (!mem->open)
				return -ENOMEM;
		}
		netmem = mem->open;
		offset = mem->open_used;
		len = min(left, mem->chunk_size - offset);
		if (snic_dma_write(q, netmem, offset, src, from, len))
			return -EFAULT;

		truesize = share ? ALIGN(len, SNIC_STRIDE) : mem->chunk_size - offset;
		mem->open_used = offset + truesize;
		if (mem->open_used >= mem->chunk_size) {
			/* Full: the queue's reference becomes the piece's. */
			mem->open = 0;
			mem->open_used = 0;
		} else {
			page_pool_ref_netmem(netmem);
		}
		skb_add_rx_frag_netmem(skb, skb_shinfo(skb)->nr_frags, netmem, offset, len,
				       truesize);
		if (mem->provider) {
			q->stats.provider_frags++;
			q->stats.provider_bytes += len;
		} else {
			q->stats.page_bytes += len;
		}
		from += len;
		left -= len;
	}
	return 0;
}

/* ---- handing up ---- */

static struct sk_buff *snic_build(struct snic_rxq *q, const struct sk_buff *src)
{
	const struct snic_wire_info *info = snic_wire_info((struct sk_buff *)src);
	struct snic *nic = q->nic;
	struct net_device *ndev = nic->ndev;
	u32 headers = info->header_len, linear = src->len;
	bool split, data = headers && src->len > headers;
	struct sk_buff *skb;
	int placed = 0;

	/*
	 * A queue with a provider splits every TCP packet, and keeps everything else
	 * out of memory that the kernel cannot read. The kernel sees to it that
	 * splitting is not switched off, nor given a threshold, while there is one.
	 */
	split = headers && (q->mem.provider ||
			    (READ_ONCE(nic->split) && src->len > READ_ONCE(nic->split_threshold)));
	if (split)
		linear = headers;
	else if (!q->mem.provider)
		linear = min_t(u32, src->len, SNIC_LINEAR_UNSPLIT);
	if (data && snic_fault_strikes(q, SNIC_LINEAR))
		linear = src->len;

	skb = napi_alloc_skb(&q->napi, linear);
	if (unlikely(!skb))
		return NULL;
	if (unlikely(skb_copy_bits(src, 0, skb_put(skb, linear), linear)))
		goto fail;
	if (linear < src->len) {
		if (data)
			placed = snic_place_foreign(q, skb, src, linear);
		if (!placed)
			placed = snic_place(q, skb, src, linear);
		if (placed < 0)
			goto fail;
	}
	q->stats.header_bytes += min(linear, headers ?: linear);
	if (headers && linear > headers)
		q->stats.copied_bytes += linear - headers;

	/*
	 * The sender leaves the checksum to its card, and a cable made of memory does
	 * not damage packets. What came with a checksum of its own is summed up here,
	 * for the kernel to compare.
	 */
	if (likely(src->ip_summed == CHECKSUM_PARTIAL)) {
		skb->ip_summed = CHECKSUM_UNNECESSARY;
		q->stats.csum_unnecessary++;
	} else {
		skb->csum = skb_checksum(src, ETH_HLEN, src->len - ETH_HLEN, 0);
		skb->ip_summed = CHECKSUM_COMPLETE;
		q->stats.csum_complete++;
	}
	if (ndev->features & NETIF_F_RXHASH)
		skb_set_hash(skb, info->hash, info->l4_hash ? PKT_HASH_TYPE_L4 : PKT_HASH_TYPE_L3);
	skb_record_rx_queue(skb, q->index);
	skb->protocol = eth_type_trans(skb, ndev);
	return skb;

fail:
	kfree_skb(skb);
	return NULL;
}

int snic_poll(struct napi_struct *napi, int budget)
{
	struct snic_rxq *q = container_of(napi, struct snic_rxq, napi);
	struct sk_buff *src, *skb;
	int done = 0;

	if (unlikely(READ_ONCE(q->loans_wanted)))
		snic_loans_serve(q);

	while (done < budget) {
		src = skb_dequeue(&q->wire);
		if (!src)
			break;
		skb = snic_build(q, src);
		if (likely(skb)) {
			q->stats.packets++;
			q->stats.bytes += src->len;
			napi_consume_skb(src, budget);
			napi_gro_receive(napi, skb);
		} else {
			/* No memory: as on a card without a free descriptor, it is lost. */
			q->stats.alloc_fail++;
			napi_consume_skb(src, budget);
		}
		done++;
	}
	snic_ring_fill(q, GFP_ATOMIC);

	if (skb_queue_len_lockless(&q->wire) <= READ_ONCE(q->nic->ring_size) / 2) {
		/* Pairs with the one in snic_xmit(). */
		smp_mb();
		snic_wake_senders(q->nic);
	}
	/* Of a packet that comes in between, napi_schedule() has made a note. */
	if (done < budget)
		napi_complete_done(napi, done);
	return done;
}
