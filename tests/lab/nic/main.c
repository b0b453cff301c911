// SPDX-License-Identifier: GPL-2.0
/*
 * softnic: the module, its devices, and the cable.
 *
 * Every card is a platform device ("softnic.0", "softnic.1", ...), as if it were
 * built into the machine; ports 2n and 2n+1 are joined. The platform device is what
 * zcrx maps the application's memory for: it has a 64-bit DMA mask, so every
 * address can be reached.
 */
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <net/netdev_lock.h>

#include "softnic.h"

static unsigned int pairs = 1;
module_param(pairs, uint, 0444);
MODULE_PARM_DESC(pairs, "pairs of cards joined back to back, 1 to 8");

static unsigned int queues = 4;
module_param(queues, uint, 0444);
MODULE_PARM_DESC(queues, "receive and transmit queues of each card, 1 to 16");

static char *prefix = "snic";
module_param(prefix, charp, 0444);
MODULE_PARM_DESC(prefix, "name of the netdevs, before the number");

unsigned int snic_max_rx_page = 2 << 20;
module_param_named(max_rx_page, snic_max_rx_page, uint, 0644);
MODULE_PARM_DESC(max_rx_page, "largest receive buffer that a provider may ask for, in bytes");

bool snic_rule_any_location = true;
module_param_named(any_location, snic_rule_any_location, bool, 0644);
MODULE_PARM_DESC(any_location, "the card finds places for flow rules itself; not all real ones do");

#define SNIC_PORTS (2 * SNIC_MAX_PAIRS)

static struct platform_device *snic_pdevs[SNIC_PORTS];

/*
 * Who is on the other end, who is open, and so whether there is a carrier. Taken
 * inside the instance lock of a netdev, never around it.
 */
static DEFINE_MUTEX(snic_cable_lock);
static struct snic *snic_ports[SNIC_PORTS];

static struct snic *snic_peer_locked(struct snic *nic)
{
	return rcu_dereference_protected(nic->peer, lockdep_is_held(&snic_cable_lock));
}

/* A link is up when both ends are open and nobody pulled the cable. */
static void snic_cable_update(struct snic *nic)
{
	struct snic *peer = snic_peer_locked(nic);

	if (peer && nic->open && peer->open &&
	    !nic->link_forced_down && !peer->link_forced_down) {
		netif_carrier_on(nic->ndev);
		netif_carrier_on(peer->ndev);
	} else {
		netif_carrier_off(nic->ndev);
		if (peer)
			netif_carrier_off(peer->ndev);
	}
}

void snic_set_open(struct snic *nic, bool open)
{
	mutex_lock(&snic_cable_lock);
	nic->open = open;
	snic_cable_update(nic);
	mutex_unlock(&snic_cable_lock);
}

void snic_set_link(struct snic *nic, bool up)
{
	mutex_lock(&snic_cable_lock);
	nic->link_forced_down = !up;
	snic_cable_update(nic);
	mutex_unlock(&snic_cable_lock);
}

bool snic_link_forced_down(struct snic *nic)
{
	return READ_ONCE(nic->link_forced_down);
}

/*
 * Called when a receive queue has room again: the other end may go on sending.
 * Together with the pause in snic_xmit() this is what pause frames do on Ethernet,
 * and why nothing is lost on this cable unless a test asks for it.
 */
void snic_wake_senders(struct snic *nic)
{
	struct snic *peer;
	unsigned int i;

	rcu_read_lock();
	peer = rcu_dereference(nic->peer);
	if (peer && netif_running(peer->ndev)) {
		for (i = 0; i < peer->ndev->real_num_tx_queues; i++) {
			struct netdev_queue *txq = netdev_get_tx_queue(peer->ndev, i);

			if (netif_tx_queue_stopped(txq))
				netif_tx_wake_queue(txq);
		}
	}
	rcu_read_unlock();
}

static int snic_probe(struct platform_device *pdev)
{
	u8 mac[ETH_ALEN] = { 0x02, 's', 'n', 'i', 'c', pdev->id };
	struct net_device *ndev;
	struct snic *nic, *peer;
	int err;

	err = dma_coerce_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err)
		return err;

	ndev = alloc_etherdev_mqs(sizeof(*nic), queues, queues);
	if (!ndev)
		return -ENOMEM;
	SET_NETDEV_DEV(ndev, &pdev->dev);
	snprintf(ndev->name, IFNAMSIZ, "%s%d", prefix, pdev->id);
	eth_hw_addr_set(ndev, mac);

	nic = netdev_priv(ndev);
	nic->ndev = ndev;
	nic->dma_dev = &pdev->dev;
	nic->port = pdev->id;
	nic->max_queues = queues;
	nic->ring_size = SNIC_RING_DEFAULT;
	nic->share_chunks = true;
	snic_queues_init(nic);
	snic_faults_init(nic);
	err = snic_steer_init(nic);
	if (err)
		goto free;

	ndev->netdev_ops = &snic_netdev_ops;
	ndev->ethtool_ops = &snic_ethtool_ops;
	snic_manage_init(nic);
	ndev->stat_ops = &snic_stat_ops;
	/*
	 * No segmentation by the card: the kernel cuts, and packets arrive at the size
	 * of the MTU, which is what a test wants to see.
	 */
	ndev->hw_features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_RXHASH | NETIF_F_NTUPLE;
	ndev->features = ndev->hw_features | NETIF_F_RXCSUM | NETIF_F_HIGHDMA;
	ndev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	/* The backlog links packets by their own fields, so they cannot be shared. */
	ndev->priv_flags &= ~IFF_TX_SKB_SHARING;
	ndev->min_mtu = ETH_MIN_MTU;
	ndev->max_mtu = ETH_MAX_MTU;
	netif_carrier_off(ndev);

	err = register_netdev(ndev);
	if (err)
		goto free;
	platform_set_drvdata(pdev, nic);

	mutex_lock(&snic_cable_lock);
	snic_ports[nic->port] = nic;
	peer = snic_ports[nic->port ^ 1];
	if (peer) {
		rcu_assign_pointer(nic->peer, peer);
		rcu_assign_pointer(peer->peer, nic);
	}
	snic_cable_update(nic);
	mutex_unlock(&snic_cable_lock);
	snic_debugfs_add(nic);
	return 0;

free:
	snic_steer_free(nic);
	free_netdev(ndev);
	return err;
}

/*
 * The card is pulled out, perhaps in the middle of traffic. First nobody may order
 * faults any more, then the other end forgets it, then the kernel is told.
 */
static void snic_remove(struct platform_device *pdev)
{
	struct snic *nic = platform_get_drvdata(pdev);
	struct snic *peer;

	snic_debugfs_remove(nic);

	mutex_lock(&snic_cable_lock);
	peer = snic_peer_locked(nic);
	RCU_INIT_POINTER(nic->peer, NULL);
	if (peer) {
		RCU_INIT_POINTER(peer->peer, NULL);
		snic_cable_update(peer);
		/* It may be pausing for this card; what it sends now is dropped. */
		if (netif_running(peer->ndev))
			netif_tx_wake_all_queues(peer->ndev);
	}
	snic_ports[nic->port] = NULL;
	mutex_unlock(&snic_cable_lock);
	synchronize_net();

	unregister_netdev(nic->ndev);
	snic_steer_free(nic);
	free_netdev(nic->ndev);
}

static struct platform_driver snic_driver = {
	.probe	= snic_probe,
	.remove	= snic_remove,
	.driver	= { .name = "softnic" },
};

static struct platform_device *snic_by_name(const char *name)
{
	size_t len = strlen(prefix);
	unsigned int port;

	if (strncmp(name, prefix, len) || kstrtouint(name + len, 10, &port) ||
	    port >= 2 * pairs)
		return NULL;
	return snic_pdevs[port];
}

int snic_remove_by_name(const char *name)
{
	struct platform_device *pdev = snic_by_name(name);

	if (!pdev || !platform_get_drvdata(pdev))
		return -ENODEV;
	device_release_driver(&pdev->dev);
	return 0;
}

int snic_add_by_name(const char *name)
{
	struct platform_device *pdev = snic_by_name(name);
	int err;

	if (!pdev)
		return -ENODEV;
	if (platform_get_drvdata(pdev))
		return -EEXIST;
	err = device_attach(&pdev->dev);
	return err < 0 ? err : err == 1 ? 0 : -ENODEV;
}

/*
 * Provider buffers that any card, also one removed, took and that are not back.
 * The netdevs are collected first: their locks may not be taken inside ours.
 */
u32 snic_all_out(void)
{
	struct net_device *held[SNIC_PORTS];
	netdevice_tracker tracker[SNIC_PORTS];
	unsigned int i, j, n = 0;
	u32 out;

	mutex_lock(&snic_cable_lock);
	for (i = 0; i < SNIC_PORTS; i++) {
		if (!snic_ports[i])
			continue;
		held[n] = snic_ports[i]->ndev;
		netdev_hold(held[n], &tracker[n], GFP_KERNEL);
		n++;
	}
	mutex_unlock(&snic_cable_lock);

	out = snic_retired_out(NULL);
	for (i = 0; i < n; i++) {
		struct snic *nic = netdev_priv(held[i]);

		netdev_lock(held[i]);
		for (j = 0; j < nic->max_queues; j++)
			out += snic_queue_out(&nic->rxq[j]);
		netdev_unlock(held[i]);
		netdev_put(held[i], &tracker[i]);
	}
	return out;
}

static void snic_unregister_devices(void)
{
	unsigned int i;

	for (i = 0; i < SNIC_PORTS; i++) {
		if (snic_pdevs[i])
			platform_device_unregister(snic_pdevs[i]);
		snic_pdevs[i] = NULL;
	}
}

static int __init snic_init(void)
{
	unsigned int i;
	int err;

	if (pairs < 1 || pairs > SNIC_MAX_PAIRS || queues < 1 || queues > SNIC_MAX_QUEUES ||
	    !*prefix || strlen(prefix) > IFNAMSIZ - 4) {
		pr_err("softnic: pairs must be 1 to %d, queues 1 to %d, prefix 1 to %d letters\n",
		       SNIC_MAX_PAIRS, SNIC_MAX_QUEUES, IFNAMSIZ - 4);
		return -EINVAL;
	}
	snic_debugfs_start();
	err = platform_driver_register(&snic_driver);
	if (err)
		goto undo;
	for (i = 0; i < 2 * pairs; i++) {
		struct platform_device *pdev;

		pdev = platform_device_register_simple("softnic", i, NULL, 0);
		if (IS_ERR(pdev)) {
			err = PTR_ERR(pdev);
			goto undo_devices;
		}
		snic_pdevs[i] = pdev;
		/* Registering succeeds even when probing fails (the name is taken, say). */
		if (!platform_get_drvdata(pdev)) {
			err = -ENODEV;
			goto undo_devices;
		}
	}
	return 0;

undo_devices:
	snic_debugfs_stop_plugging();
	snic_unregister_devices();
	platform_driver_unregister(&snic_driver);
undo:
	snic_debugfs_stop();
	snic_retired_stop();
	return err;
}

static void __exit snic_exit(void)
{
	snic_debugfs_stop_plugging();
	snic_unregister_devices();
	platform_driver_unregister(&snic_driver);
	snic_debugfs_stop();
	snic_retired_stop();
}

module_init(snic_init);
module_exit(snic_exit);

MODULE_DESCRIPTION("Network card made of software, for testing io_uring zero-copy receive");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("NETDEV_INTERNAL");
