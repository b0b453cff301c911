// SPDX-License-Identifier: GPL-2.0
/*
 * softnic: receive queues, their memory, starting and stopping them.
 */
#include <linux/module.h>
#include <net/netdev_lock.h>
#include <net/netdev_queues.h>
#include <net/netdev_rx_queue.h>

#include "softnic.h"

/* ---- pools whose buffers are still out ---- */

/*
 * A driver normally calls page_pool_destroy() and the kernel frees the pool once
 * the last buffer is back, looking every second. Tests want to know how many are
 * missing, so pools with a provider are kept here until all are back, and are then
 * destroyed no sooner than the kernel would have done it.
 */
#define SNIC_RETIRED_LOOK	msecs_to_jiffies(10)
#define SNIC_RETIRED_MIN	msecs_to_jiffies(1000)

static DEFINE_MUTEX(snic_retired_lock);
static LIST_HEAD(snic_retired);
static void snic_retired_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(snic_retired_dwork, snic_retired_work);

/*
 * Buffers that a pool took from its provider, less those that lie in the pool
 * itself. Both counters wrap, their difference does not matter. Exact when no
 * packet moves; while one does, a buffer on its way back may be counted as out.
 */
static u32 snic_pool_out(struct page_pool *pool)
{
	struct ptr_ring *ring = &pool->ring;
	u32 taken, back, idle = 0;
	int i, at;

	back = atomic_read(&pool->pages_state_release_cnt);
	/* Returned buffers wait in a ring: from its head on, up to an empty place. */
	at = READ_ONCE(ring->consumer_head);
	for (i = 0; i < ring->size; i++) {
		if (!READ_ONCE(ring->queue[at]))
			break;
		idle++;
		if (++at >= ring->size)
			at = 0;
	}
	idle += READ_ONCE(pool->alloc.count);
	taken = READ_ONCE(pool->pages_state_hold_cnt);
	return max((s32)(taken - back - idle), 0);
}

static void snic_retired_free(struct snic_retired *r)
{
	page_pool_destroy(r->pool);
	put_device(r->dma_dev);
	kfree(r);
}

static void snic_retired_work(struct work_struct *work)
{
	struct snic_retired *r, *next;
	LIST_HEAD(done);

	mutex_lock(&snic_retired_lock);
	list_for_each_entry_safe(r, next, &snic_retired, list) {
		r->out = snic_pool_out(r->pool);
		if (!r->out && time_after(jiffies, r->since + SNIC_RETIRED_MIN))
			list_move(&r->list, &done);
	}
	if (!list_empty(&snic_retired))
		schedule_delayed_work(&snic_retired_dwork, SNIC_RETIRED_LOOK);
	mutex_unlock(&snic_retired_lock);

	list_for_each_entry_safe(r, next, &done, list)
		snic_retired_free(r);
}

u32 snic_retired_out(u32 *pools)
{
	struct snic_retired *r;
	u32 out = 0, n = 0;

	mutex_lock(&snic_retired_lock);
	list_for_each_entry(r, &snic_retired, list) {
		r->out = snic_pool_out(r->pool);
		out += r->out;
		n++;
	}
	mutex_unlock(&snic_retired_lock);
	if (pools)
		*pools = n;
	return out;
}


/* The module goes. Pools not yet complete are the kernel's from now on. */
void snic_retired_stop(void)
{
	struct snic_retired *r, *next;

	cancel_delayed_work_sync(&snic_retired_dwork);
	list_for_each_entry_safe(r, next, &snic_retired, list) {
		list_del(&r->list);
		snic_retired_free(r);
	}
}

/* ---- a queue's memory ---- */

int snic_mem_alloc(struct snic *nic, unsigned int index,
		   const struct netdev_queue_config *qcfg, struct snic_mem *mem)
{
	struct page_pool_params params = {
		.order		= get_order(qcfg->rx_page_size),
		.pool_size	= nic->ring_size,
		.nid		= NUMA_NO_NODE,
		.dev		= nic->dma_dev,
		.dma_dir	= DMA_FROM_DEVICE,
		.max_len	= qcfg->rx_page_size,
		.netdev		= nic->ndev,
		.queue_idx	= index,
		.flags		= PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV,
	};
	int err;

	/* Memory the kernel cannot read is of use only where headers are kept apart. */
	if (nic->split && nic->lacks != SNIC_LACKS_PROVIDER)
		params.flags |= PP_FLAG_ALLOW_UNREADABLE_NETMEM;

	memset(mem, 0, sizeof(*mem));
	mem->retired = kzalloc(sizeof(*mem->retired), GFP_KERNEL);
	if (!mem->retired)
		return -ENOMEM;
	err = snic_ring_alloc(&mem->ring, nic, qcfg->rx_page_size);
	if (err)
		goto undo;
	mem->pool = page_pool_create(&params);
	if (IS_ERR(mem->pool)) {
		err = PTR_ERR(mem->pool);
		goto undo;
	}
	mem->chunk_size = qcfg->rx_page_size;
	mem->provider = page_pool_is_unreadable(mem->pool);
	return 0;
undo:
	snic_ring_free(&mem->ring);
	kfree(mem->retired);
	memset(mem, 0, sizeof(*mem));
	return err;
}

void snic_mem_free(struct snic *nic, struct snic_mem *mem)
{
	struct snic_retired *r = mem->retired;

	if (!mem->pool)
		return;
	snic_ring_free(&mem->ring);
	if (mem->provider && snic_pool_out(mem->pool)) {
		r->pool = mem->pool;
		r->since = jiffies;
		r->dma_dev = get_device(nic->dma_dev);
		mutex_lock(&snic_retired_lock);
		list_add_tail(&r->list, &snic_retired);
		schedule_delayed_work(&snic_retired_dwork, SNIC_RETIRED_LOOK);
		mutex_unlock(&snic_retired_lock);
	} else {
		page_pool_destroy(mem->pool);
		kfree(r);
	}
	memset(mem, 0, sizeof(*mem));
}

/* The queue starts to work with this memory. Its NAPI is off until the last line. */
void snic_queue_start(struct snic_rxq *q, const struct snic_mem *mem)
{
	q->mem = *mem;
	snic_ring_fill(q, GFP_KERNEL);
	/* Buffers that this NAPI frees itself may go straight back into the pool. */
	page_pool_enable_direct_recycling(q->mem.pool, &q->napi);
	napi_enable_locked(&q->napi);
	/* Packets may have come in meanwhile. */
	local_bh_disable();
	napi_schedule(&q->napi);
	local_bh_enable();
}

/*
 * The queue stops and hands its memory out. Packets that arrive now wait, up to
 * the size of the ring.
 */
void snic_queue_stop(struct snic_rxq *q, struct snic_mem *mem)
{
	napi_disable_locked(&q->napi);
	page_pool_disable_direct_recycling(q->mem.pool);
	snic_loans_return(q);
	snic_ring_drain(q);
	if (q->mem.open)
		page_pool_put_full_netmem(q->mem.pool, q->mem.open, false);
	q->mem.open = 0;
	q->mem.open_used = 0;
	*mem = q->mem;
	memset(&q->mem, 0, sizeof(q->mem));
}

int snic_queue_open(struct snic *nic, unsigned int index)
{
	struct snic_rxq *q = &nic->rxq[index];
	struct netdev_queue_config qcfg;
	struct snic_mem mem;
	int err;

	netdev_queue_config(nic->ndev, index, &qcfg);
	err = snic_mem_alloc(nic, index, &qcfg, &mem);
	if (err)
		return err;
	netif_napi_add_config_locked(nic->ndev, &q->napi, snic_poll, index);
	netif_queue_set_napi(nic->ndev, index, NETDEV_QUEUE_TYPE_RX, &q->napi);
	netif_queue_set_napi(nic->ndev, index, NETDEV_QUEUE_TYPE_TX, &q->napi);
	snic_queue_start(q, &mem);
	spin_lock_irq(&q->wire.lock);
	q->running = true;
	spin_unlock_irq(&q->wire.lock);
	return 0;
}

void snic_queue_close(struct snic *nic, unsigned int index)
{
	struct snic_rxq *q = &nic->rxq[index];
	struct snic_mem mem;

	spin_lock_irq(&q->wire.lock);
	q->running = false;
	spin_unlock_irq(&q->wire.lock);

	snic_queue_stop(q, &mem);
	snic_purge(q);
	netif_queue_set_napi(nic->ndev, index, NETDEV_QUEUE_TYPE_RX, NULL);
	netif_queue_set_napi(nic->ndev, index, NETDEV_QUEUE_TYPE_TX, NULL);
	netif_napi_del_locked(&q->napi);
	snic_mem_free(nic, &mem);
}

void snic_queues_init(struct snic *nic)
{
	unsigned int i;

	for (i = 0; i < nic->max_queues; i++) {
		struct snic_rxq *q = &nic->rxq[i];

		q->nic = nic;
		q->index = i;
		skb_queue_head_init(&q->wire);
		spin_lock_init(&q->loan_lock);
	}
}

/* Under the instance lock: the pool cannot go away meanwhile. */
u32 snic_queue_out(struct snic_rxq *q)
{
	u32 out, held;

	if (!q->mem.pool || !q->mem.provider)
		return 0;
	out = snic_pool_out(q->mem.pool);
	held = (q->mem.open ? 1 : 0) + READ_ONCE(q->loans) + READ_ONCE(q->mem.ring.count);
	return out > held ? out - held : 0;
}

/* ---- the kernel's own statistics by queue (netlink, `qstats-get`) ---- */

static void snic_rx_qstats(struct snic_rxq *q, struct netdev_queue_stats_rx *s)
{
	s->packets = q->stats.packets;
	s->bytes = q->stats.bytes;
	s->alloc_fail = q->stats.alloc_fail;
	s->csum_unnecessary = q->stats.csum_unnecessary;
	s->csum_complete = q->stats.csum_complete;
	s->hw_drops = q->wire_stats.lost + q->wire_stats.purged;
}

static void snic_queue_stats_rx(struct net_device *ndev, int index,
				struct netdev_queue_stats_rx *s)
{
	struct snic *nic = netdev_priv(ndev);

	snic_rx_qstats(&nic->rxq[index], s);
}

static void snic_queue_stats_tx(struct net_device *ndev, int index,
				struct netdev_queue_stats_tx *s)
{
	struct snic *nic = netdev_priv(ndev);

	s->packets = nic->tx[index].packets;
	s->bytes = nic->tx[index].bytes;
	s->hw_drops = nic->tx[index].drops;
	s->stop = nic->tx[index].pauses;
}

/* What queues counted that are not in use now. */
static void snic_base_stats(struct net_device *ndev, struct netdev_queue_stats_rx *rx,
			    struct netdev_queue_stats_tx *tx)
{
	struct snic *nic = netdev_priv(ndev);
	unsigned int i;

	rx->packets = rx->bytes = rx->alloc_fail = 0;
	rx->csum_unnecessary = rx->csum_complete = 0;
	rx->hw_drops = READ_ONCE(nic->steer_drops);
	tx->packets = tx->bytes = tx->hw_drops = tx->stop = 0;
	for (i = ndev->real_num_rx_queues; i < nic->max_queues; i++) {
		struct netdev_queue_stats_rx s = {};

		snic_rx_qstats(&nic->rxq[i], &s);
		rx->packets += s.packets;
		rx->bytes += s.bytes;
		rx->alloc_fail += s.alloc_fail;
		rx->csum_unnecessary += s.csum_unnecessary;
		rx->csum_complete += s.csum_complete;
		rx->hw_drops += s.hw_drops;
		tx->packets += nic->tx[i].packets;
		tx->bytes += nic->tx[i].bytes;
		tx->hw_drops += nic->tx[i].drops;
		tx->stop += nic->tx[i].pauses;
	}
}

const struct netdev_stat_ops snic_stat_ops = {
	.get_queue_stats_rx	= snic_queue_stats_rx,
	.get_queue_stats_tx	= snic_queue_stats_tx,
	.get_base_stats		= snic_base_stats,
};
