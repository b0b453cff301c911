// SPDX-License-Identifier: GPL-2.0
/*
 * softnic: what the kernel asks of a netdev: sending, opening, closing, counting.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/module.h>

#include "softnic.h"

/*
 * The kernel wants a packet sent. It goes onto the backlog of one receive queue of
 * the other card and stays the sender's until that card has copied it, as with a
 * real card that has yet to read it from memory.
 */
static netdev_tx_t snic_xmit(struct sk_buff *skb, struct net_device *ndev)
{
	struct snic *nic = netdev_priv(ndev);
	unsigned int index = skb_get_queue_mapping(skb);
	struct snic_tx_stats *stats = &nic->tx[index];
	unsigned int len = skb->len;
	struct snic_flow flow;
	struct snic_rxq *q;
	struct snic *peer;
	int rxq;

	rcu_read_lock();
	peer = rcu_dereference(nic->peer);
	if (unlikely(!peer || !netif_carrier_ok(ndev)))
		goto drop;
	/* A card drops what is longer than it is set up for (4: a VLAN tag). */
	if (unlikely(len > READ_ONCE(peer->ndev->mtu) + ETH_HLEN + VLAN_HLEN))
		goto drop;
	if (unlikely(!snic_parse(skb, &flow)))
		goto drop;
	rxq = snic_steer(peer, &flow);
	if (rxq < 0)
		goto drop;
	q = &peer->rxq[rxq];

	if (unlikely(snic_wire_full(q))) {
		struct netdev_queue *txq = netdev_get_tx_queue(ndev, index);

		netif_tx_stop_queue(txq);
		/* Pairs with the one before snic_wake_senders() in snic_poll(). */
		smp_mb();
		if (snic_wire_full(q)) {
			stats->pauses++;
			rcu_read_unlock();
			return NETDEV_TX_BUSY;
		}
		netif_tx_start_queue(txq);
	}

	skb_tx_timestamp(skb);
	if (likely(snic_arrive(q, skb, &flow))) {
		stats->packets++;
		stats->bytes += len;
	} else {
		stats->drops++;
	}
	rcu_read_unlock();
	return NETDEV_TX_OK;

drop:
	stats->drops++;
	rcu_read_unlock();
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

static int snic_open(struct net_device *ndev)
{
	struct snic *nic = netdev_priv(ndev);
	unsigned int i;
	int err;

	for (i = 0; i < ndev->real_num_rx_queues; i++) {
		err = snic_queue_open(nic, i);
		if (err)
			goto undo;
	}
	netif_tx_start_all_queues(ndev);
	snic_set_open(nic, true);
	return 0;
undo:
	while (i--)
		snic_queue_close(nic, i);
	return err;
}

static int snic_stop(struct net_device *ndev)
{
	struct snic *nic = netdev_priv(ndev);
	unsigned int i;

	snic_set_open(nic, false);
	netif_tx_stop_all_queues(ndev);
	for (i = 0; i < ndev->real_num_rx_queues; i++)
		snic_queue_close(nic, i);
	snic_wake_senders(nic);
	return 0;
}

static void snic_get_stats64(struct net_device *ndev, struct rtnl_link_stats64 *s)
{
	struct snic *nic = netdev_priv(ndev);
	unsigned int i;

	for (i = 0; i < nic->max_queues; i++) {
		struct snic_rxq *q = &nic->rxq[i];

		s->rx_packets += q->stats.packets;
		s->rx_bytes += q->stats.bytes;
		s->rx_dropped += q->stats.alloc_fail + q->wire_stats.lost + q->wire_stats.purged;
		s->tx_packets += nic->tx[i].packets;
		s->tx_bytes += nic->tx[i].bytes;
		s->tx_dropped += nic->tx[i].drops;
	}
}

static int snic_set_features(struct net_device *ndev, netdev_features_t features)
{
	/* As other drivers: switching flow rules off forgets them. */
	if ((ndev->features & NETIF_F_NTUPLE) && !(features & NETIF_F_NTUPLE))
		snic_rules_flush(netdev_priv(ndev));
	return 0;
}

const struct net_device_ops snic_netdev_ops = {
	.ndo_open		= snic_open,
	.ndo_stop		= snic_stop,
	.ndo_start_xmit		= snic_xmit,
	.ndo_get_stats64	= snic_get_stats64,
	.ndo_set_features	= snic_set_features,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
};
