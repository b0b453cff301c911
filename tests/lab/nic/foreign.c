// SPDX-License-Identifier: GPL-2.0
/*
 * softnic: fault "foreign", payload in memory that belongs to another queue.
 *
 * If that queue has a provider, the payload ends up in another application's area,
 * and the kernel must refuse to hand it out (EFAULT); if not, in pages of the kernel,
 * which it must copy from. Taking from a pool is for its queue's own NAPI only, so
 * chunks are asked for, and lent.
 */
#include <linux/module.h>

#include "softnic.h"

static struct snic_rxq *snic_lender(struct snic_rxq *q)
{
	unsigned int queues = READ_ONCE(q->nic->ndev->real_num_rx_queues);
	int from = READ_ONCE(q->nic->foreign_from);

	if (from < 0)
		from = (q->index + 1) % queues;
	if (from >= queues || from == q->index)
		return NULL;
	return &q->nic->rxq[from];
}

/* In the lender's NAPI: takes chunks out of its pool and lays them ready. */
void snic_loans_serve(struct snic_rxq *q)
{
	netmem_ref netmem;

	spin_lock(&q->loan_lock);
	while (q->loans < q->loans_wanted) {
		netmem = page_pool_alloc_netmems(q->mem.pool, GFP_ATOMIC | __GFP_NOWARN);
		if (!netmem)
			break;
		q->loan[q->loans++] = netmem;
	}
	q->loans_wanted = 0;
	spin_unlock(&q->loan_lock);
}

/* The lender is about to lose its pool: what was not used goes back. */
void snic_loans_return(struct snic_rxq *q)
{
	spin_lock_bh(&q->loan_lock);
	while (q->loans)
		page_pool_put_full_netmem(q->mem.pool, q->loan[--q->loans], false);
	q->loans_wanted = 0;
	spin_unlock_bh(&q->loan_lock);
}

/* The other queue has no provider: pages of the kernel, and of no pool. */
static bool snic_place_pages(struct sk_buff *skb, const struct sk_buff *src, u32 from)
{
	u32 left = src->len - from;

	while (left) {
		u32 len = min_t(u32, left, PAGE_SIZE);
		struct page *page = alloc_page(GFP_ATOMIC | __GFP_NOWARN);

		if (!page)
			return false;
		skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page, 0, len, PAGE_SIZE);
		if (skb_copy_bits(src, from, page_address(page), len))
			return false;
		from += len;
		left -= len;
	}
	return true;
}

/* The other queue has one: its chunks. The loan's references become the pieces'. */
static bool snic_place_loans(struct snic_rxq *q, struct sk_buff *skb, const struct sk_buff *src,
			     u32 from, const netmem_ref *loan, unsigned int n, u32 chunk)
{
	u32 left = src->len - from;
	bool ok = true;
	unsigned int i;

	skb_mark_for_recycle(skb);
	for (i = 0; i < n; i++) {
		u32 len = min(left, chunk);

		if (snic_dma_write(q, loan[i], 0, src, from, len))
			ok = false;
		skb_add_rx_frag_netmem(skb, skb_shinfo(skb)->nr_frags, loan[i], 0, len, chunk);
		from += len;
		left -= len;
	}
	return ok;
}

/*
 * In the borrower's NAPI. Returns 1 if the payload was placed, 0 if it is to be
 * placed as usual, less for an error. A packet counts towards the fault only when
 * there is what to place it in; chunks are ordered when they are not there.
 */
int snic_place_foreign(struct snic_rxq *q, struct sk_buff *skb, const struct sk_buff *src,
			      u32 from)
{
	struct snic_rxq *lender;
	netmem_ref loan[SNIC_LOAN_MAX];
	bool order, ok;
	u32 chunk, need;
	unsigned int n = 0;

	if (likely(READ_ONCE(q->nic->fault[SNIC_FOREIGN].mode) == SNIC_FAULT_OFF))
		return 0;
	lender = snic_lender(q);
	if (!lender || !READ_ONCE(lender->running))
		return 0;

	if (!READ_ONCE(lender->mem.provider)) {
		if (!snic_fault_strikes(q, SNIC_FOREIGN))
			return 0;
		ok = snic_place_pages(skb, src, from);
	} else {
		/* The kernel must be able to read what a queue without a provider gives it. */
		if (!q->mem.provider)
			return 0;
		spin_lock(&lender->loan_lock);
		chunk = READ_ONCE(lender->mem.chunk_size);
		need = chunk ? DIV_ROUND_UP(src->len - from, chunk) : SNIC_LOAN_MAX;
		if (need > MAX_SKB_FRAGS) {
			spin_unlock(&lender->loan_lock);
			return 0;
		}
		order = lender->loans < need;
		if (order)
			lender->loans_wanted = need;
		else if (snic_fault_strikes(q, SNIC_FOREIGN))
			while (n < need)
				loan[n++] = lender->loan[--lender->loans];
		spin_unlock(&lender->loan_lock);
		if (order)
			napi_schedule(&lender->napi);
		if (!n)
			return 0;
		ok = snic_place_loans(q, skb, src, from, loan, n, chunk);
	}
	q->stats.foreign_frags += skb_shinfo(skb)->nr_frags;
	return ok ? 1 : -ENOMEM;
}
