// SPDX-License-Identifier: GPL-2.0
/*
 * softnic: what `ethtool` reads and sets. All of it is called under the netdev's
 * instance lock.
 */
#include <linux/ethtool_netlink.h>
#include <linux/module.h>
#include <net/netdev_lock.h>

#include "softnic.h"

/* ---- ethtool -g/-G: rings, splitting headers from data ---- */

static void snic_get_ringparam(struct net_device *ndev, struct ethtool_ringparam *ring,
			       struct kernel_ethtool_ringparam *kernel_ring,
			       struct netlink_ext_ack *extack)
{
	struct snic *nic = netdev_priv(ndev);

	ring->rx_max_pending = SNIC_RING_MAX;
	ring->rx_pending = nic->ring_size;
	kernel_ring->tcp_data_split = nic->split ? ETHTOOL_TCP_DATA_SPLIT_ENABLED :
						   ETHTOOL_TCP_DATA_SPLIT_DISABLED;
	kernel_ring->hds_thresh = nic->split_threshold;
	kernel_ring->hds_thresh_max = SNIC_HDS_THRESH_MAX;
}

/*
 * "auto" (unknown) is off here. The core has its own note of what the user asked
 * for, and refuses to take splitting away from a queue that has a provider.
 */
static int snic_set_ringparam(struct net_device *ndev, struct ethtool_ringparam *ring,
			      struct kernel_ethtool_ringparam *kernel_ring,
			      struct netlink_ext_ack *extack)
{
	struct snic *nic = netdev_priv(ndev);

	if (ring->rx_pending < SNIC_RING_MIN) {
		NL_SET_ERR_MSG_FMT(extack, "at least %d receive descriptors", SNIC_RING_MIN);
		return -EINVAL;
	}
	WRITE_ONCE(nic->ring_size, ring->rx_pending);
	WRITE_ONCE(nic->split_threshold, kernel_ring->hds_thresh);
	WRITE_ONCE(nic->split, kernel_ring->tcp_data_split == ETHTOOL_TCP_DATA_SPLIT_ENABLED);
	return 0;
}

/* ---- ethtool -l/-L: the number of queues ---- */

static void snic_get_channels(struct net_device *ndev, struct ethtool_channels *ch)
{
	struct snic *nic = netdev_priv(ndev);

	ch->max_combined = nic->max_queues;
	ch->combined_count = ndev->real_num_rx_queues;
}

static int snic_set_channels(struct net_device *ndev, struct ethtool_channels *ch)
{
	struct snic *nic = netdev_priv(ndev);
	unsigned int old = ndev->real_num_rx_queues, new = ch->combined_count, i;
	u32 indir[SNIC_INDIR_SIZE];
	int err;

	if (!new)
		return -EINVAL;
	/* New queues are opened before packets can be sent there, ... */
	for (i = old; i < new && netif_running(ndev); i++) {
		err = snic_queue_open(nic, i);
		if (err)
			goto undo;
	}
	err = netif_set_real_num_queues(ndev, new, new);
	if (err)
		goto undo;
	/* A table that the user set is left alone; the core saw to it that it fits. */
	if (!netif_is_rxfh_configured(ndev)) {
		snic_steer_default_indir(indir, new);
		snic_steer_set_indir(nic, 0, indir);
	}
	/* ... and old ones closed after the last was. */
	if (new < old && netif_running(ndev)) {
		synchronize_net();
		for (i = new; i < old; i++)
			snic_queue_close(nic, i);
		snic_wake_senders(nic);
	}
	return 0;
undo:
	while (i-- > old)
		snic_queue_close(nic, i);
	return err;
}

/* ---- ethtool -x/-X: RSS ---- */

static u32 snic_get_rxfh_key_size(struct net_device *ndev)
{
	return SNIC_KEY_SIZE;
}

static u32 snic_get_rxfh_indir_size(struct net_device *ndev)
{
	return SNIC_INDIR_SIZE;
}

static int snic_get_rxfh(struct net_device *ndev, struct ethtool_rxfh_param *rxfh)
{
	struct snic *nic = netdev_priv(ndev);
	const struct snic_hash_key *key;
	const struct snic_indir *indir;

	key = netdev_lock_dereference(nic->hash_key, ndev);
	indir = netdev_lock_dereference(nic->indir[0], ndev);
	rxfh->hfunc = ETH_RSS_HASH_TOP;
	if (rxfh->key)
		memcpy(rxfh->key, key->key, sizeof(key->key));
	if (rxfh->indir)
		memcpy(rxfh->indir, indir->queue, sizeof(indir->queue));
	return 0;
}

static bool snic_hfunc_ok(u8 hfunc)
{
	return hfunc == ETH_RSS_HASH_NO_CHANGE || hfunc == ETH_RSS_HASH_TOP;
}

static int snic_set_rxfh(struct net_device *ndev, struct ethtool_rxfh_param *rxfh,
			 struct netlink_ext_ack *extack)
{
	struct snic *nic = netdev_priv(ndev);
	struct snic_hash_key *key = NULL;
	int err;

	if (!snic_hfunc_ok(rxfh->hfunc))
		return -EOPNOTSUPP;
	if (rxfh->key) {
		key = snic_steer_make_key(rxfh->key);
		if (!key)
			return -ENOMEM;
	}
	if (rxfh->indir) {
		err = snic_steer_set_indir(nic, 0, rxfh->indir);
		if (err) {
			kvfree(key);
			return err;
		}
	}
	if (key)
		snic_steer_set_key(nic, key);
	return 0;
}

/* Contexts share the key; each has a table of its own. The core keeps a copy. */
static int snic_create_context(struct net_device *ndev, struct ethtool_rxfh_context *ctx,
			       const struct ethtool_rxfh_param *rxfh,
			       struct netlink_ext_ack *extack)
{
	u32 *indir = rxfh->indir;

	if (!snic_hfunc_ok(rxfh->hfunc))
		return -EOPNOTSUPP;
	if (!indir) {
		indir = ethtool_rxfh_context_indir(ctx);
		snic_steer_default_indir(indir, ndev->real_num_rx_queues);
	}
	if (rxfh->hfunc == ETH_RSS_HASH_NO_CHANGE)
		ctx->hfunc = ETH_RSS_HASH_TOP;
	return snic_steer_set_indir(netdev_priv(ndev), rxfh->rss_context, indir);
}

static int snic_modify_context(struct net_device *ndev, struct ethtool_rxfh_context *ctx,
			       const struct ethtool_rxfh_param *rxfh,
			       struct netlink_ext_ack *extack)
{
	if (!snic_hfunc_ok(rxfh->hfunc))
		return -EOPNOTSUPP;
	if (!rxfh->indir)
		return 0;
	return snic_steer_set_indir(netdev_priv(ndev), rxfh->rss_context, rxfh->indir);
}

static int snic_remove_context(struct net_device *ndev, struct ethtool_rxfh_context *ctx,
			       u32 context, struct netlink_ext_ack *extack)
{
	return snic_steer_set_indir(netdev_priv(ndev), context, NULL);
}

/* What is hashed cannot be chosen: addresses, and ports where there are any. */
static int snic_get_rxfh_fields(struct net_device *ndev, struct ethtool_rxfh_fields *fields)
{
	switch (fields->flow_type) {
	case TCP_V4_FLOW:
	case UDP_V4_FLOW:
	case TCP_V6_FLOW:
	case UDP_V6_FLOW:
		fields->data = RXH_IP_SRC | RXH_IP_DST | RXH_L4_B_0_1 | RXH_L4_B_2_3;
		return 0;
	case IPV4_FLOW:
	case IPV6_FLOW:
		fields->data = RXH_IP_SRC | RXH_IP_DST;
		return 0;
	default:
		fields->data = 0;
		return 0;
	}
}

/* ---- ethtool -n/-N: flow rules ---- */

static u32 snic_get_rx_ring_count(struct net_device *ndev)
{
	return ndev->real_num_rx_queues;
}

static int snic_get_rxnfc(struct net_device *ndev, struct ethtool_rxnfc *nfc, u32 *locations)
{
	struct snic *nic = netdev_priv(ndev);

	switch (nfc->cmd) {
	case ETHTOOL_GRXCLSRLCNT:
		nfc->rule_cnt = snic_rule_count(nic);
		nfc->data = SNIC_MAX_RULES;
		if (READ_ONCE(snic_rule_any_location))
			nfc->data |= RX_CLS_LOC_SPECIAL;
		return 0;
	case ETHTOOL_GRXCLSRULE:
		return snic_rule_get(nic, nfc);
	case ETHTOOL_GRXCLSRLALL:
		return snic_rule_list(nic, nfc, locations);
	default:
		return -EOPNOTSUPP;
	}
}

static int snic_set_rxnfc(struct net_device *ndev, struct ethtool_rxnfc *nfc)
{
	struct snic *nic = netdev_priv(ndev);

	switch (nfc->cmd) {
	case ETHTOOL_SRXCLSRLINS:
		return snic_rule_add(nic, nfc);
	case ETHTOOL_SRXCLSRLDEL:
		return snic_rule_delete(nic, nfc->fs.location);
	default:
		return -EOPNOTSUPP;
	}
}

/* ---- ethtool -S: statistics, for every queue that there can be ---- */

static const char snic_rxq_names[][ETH_GSTRING_LEN - 6] = {
	"packets", "bytes", "header_bytes", "copied_bytes", "page_bytes",
	"provider_bytes", "provider_frags", "provider_bufs", "provider_out", "posted",
	"foreign_frags", "alloc_fail", "lost", "duplicated", "reordered", "purged",
};

static const char snic_txq_names[][ETH_GSTRING_LEN - 6] = {
	"packets", "bytes", "drops", "pauses",
};

static int snic_get_sset_count(struct net_device *ndev, int set)
{
	struct snic *nic = netdev_priv(ndev);

	if (set != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return nic->max_queues * (ARRAY_SIZE(snic_rxq_names) + ARRAY_SIZE(snic_txq_names));
}

static void snic_get_strings(struct net_device *ndev, u32 set, u8 *data)
{
	struct snic *nic = netdev_priv(ndev);
	unsigned int i, j;

	if (set != ETH_SS_STATS)
		return;
	for (i = 0; i < nic->max_queues; i++) {
		for (j = 0; j < ARRAY_SIZE(snic_rxq_names); j++)
			ethtool_sprintf(&data, "rx%u_%s", i, snic_rxq_names[j]);
		for (j = 0; j < ARRAY_SIZE(snic_txq_names); j++)
			ethtool_sprintf(&data, "tx%u_%s", i, snic_txq_names[j]);
	}
}

static void snic_get_ethtool_stats(struct net_device *ndev, struct ethtool_stats *stats, u64 *data)
{
	struct snic *nic = netdev_priv(ndev);
	unsigned int i;

	for (i = 0; i < nic->max_queues; i++) {
		struct snic_rxq *q = &nic->rxq[i];
		const struct snic_tx_stats *tx = &nic->tx[i];

		*data++ = q->stats.packets;
		*data++ = q->stats.bytes;
		*data++ = q->stats.header_bytes;
		*data++ = q->stats.copied_bytes;
		*data++ = q->stats.page_bytes;
		*data++ = q->stats.provider_bytes;
		*data++ = q->stats.provider_frags;
		*data++ = q->stats.provider_bufs;
		*data++ = snic_queue_out(q);
		*data++ = q->mem.ring.count;
		*data++ = q->stats.foreign_frags;
		*data++ = q->stats.alloc_fail;
		*data++ = q->wire_stats.lost;
		*data++ = q->wire_stats.duplicated;
		*data++ = q->wire_stats.reordered;
		*data++ = q->wire_stats.purged;
		*data++ = tx->packets;
		*data++ = tx->bytes;
		*data++ = tx->drops;
		*data++ = tx->pauses;
	}
}

/* ---- the rest ---- */

static u32 snic_get_link(struct net_device *ndev)
{
	return netif_carrier_ok(ndev);
}

static int snic_get_link_ksettings(struct net_device *ndev, struct ethtool_link_ksettings *cmd)
{
	cmd->base.speed = SPEED_100000;
	cmd->base.duplex = DUPLEX_FULL;
	cmd->base.port = PORT_NONE;
	cmd->base.autoneg = AUTONEG_DISABLE;
	return 0;
}

const struct ethtool_ops snic_ethtool_ops = {
	.supported_ring_params	= ETHTOOL_RING_USE_TCP_DATA_SPLIT | ETHTOOL_RING_USE_HDS_THRS,
	.rxfh_max_num_contexts	= SNIC_MAX_CONTEXTS,
	/* netif_set_real_num_queues() wants the global lock as well. */
	.op_needs_rtnl		= ETHTOOL_OP_NEEDS_RTNL_SCHANNELS,
	.get_ringparam		= snic_get_ringparam,
	.set_ringparam		= snic_set_ringparam,
	.get_channels		= snic_get_channels,
	.set_channels		= snic_set_channels,
	.get_rxfh_key_size	= snic_get_rxfh_key_size,
	.get_rxfh_indir_size	= snic_get_rxfh_indir_size,
	.get_rxfh		= snic_get_rxfh,
	.set_rxfh		= snic_set_rxfh,
	.create_rxfh_context	= snic_create_context,
	.modify_rxfh_context	= snic_modify_context,
	.remove_rxfh_context	= snic_remove_context,
	.get_rxfh_fields	= snic_get_rxfh_fields,
	.get_rx_ring_count	= snic_get_rx_ring_count,
	.get_rxnfc		= snic_get_rxnfc,
	.set_rxnfc		= snic_set_rxnfc,
	.get_sset_count		= snic_get_sset_count,
	.get_strings		= snic_get_strings,
	.get_ethtool_stats	= snic_get_ethtool_stats,
	.get_link		= snic_get_link,
	.get_link_ksettings	= snic_get_link_ksettings,
};
