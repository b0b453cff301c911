// SPDX-License-Identifier: GPL-2.0
/*
 * softnic: replacing a queue's memory, as the core has it done, and doing less of it
 * than zcrx needs, as other drivers do.
 *
 * When an application registers a queue for zcrx, the core notes the memory provider
 * with the queue and replaces the queue's memory: it has us allocate new memory
 * (snic_qmem_alloc: the page pool made there finds the provider), stop the queue,
 * start it with the new memory, and free the old. Taking the provider away is the
 * same again. The other queues never notice.
 *
 * In debugfs: `lacks` takes from the driver one thing that registration asks for;
 * `alloc_errno`, `stop_errno` and `start_errno` have one step of the next replacement
 * fail. Everything here is called, and read, under the netdev's instance lock.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <net/netdev_lock.h>
#include <net/netdev_queues.h>

#include "softnic.h"

/* ---- what the core calls ---- */

/* The error that was ordered for this step, once. */
static int snic_step_fails(struct snic *nic, enum snic_step step)
{
	return -xchg(&nic->step_errno[step], 0);
}

static int snic_qmem_alloc(struct net_device *ndev, struct netdev_queue_config *qcfg,
			   void *mem, int index)
{
	struct snic *nic = netdev_priv(ndev);

	return snic_step_fails(nic, SNIC_STEP_ALLOC) ?: snic_mem_alloc(nic, index, qcfg, mem);
}

static void snic_qmem_free(struct net_device *ndev, void *mem)
{
	snic_mem_free(netdev_priv(ndev), mem);
}

static int snic_qstart(struct net_device *ndev, struct netdev_queue_config *qcfg,
		       void *mem, int index)
{
	struct snic *nic = netdev_priv(ndev);
	int err = snic_step_fails(nic, SNIC_STEP_START);

	if (!err)
		snic_queue_start(&nic->rxq[index], mem);
	return err;
}

static int snic_qstop(struct net_device *ndev, void *mem, int index)
{
	struct snic *nic = netdev_priv(ndev);
	int err = snic_step_fails(nic, SNIC_STEP_STOP);

	if (!err)
		snic_queue_stop(&nic->rxq[index], mem);
	return err;
}

static void snic_default_qcfg(struct net_device *ndev, struct netdev_queue_config *qcfg)
{
	qcfg->rx_page_size = PAGE_SIZE;
}

static int snic_validate_qcfg(struct net_device *ndev, struct netdev_queue_config *qcfg,
			      struct netlink_ext_ack *extack)
{
	if (!is_power_of_2(qcfg->rx_page_size) || qcfg->rx_page_size < PAGE_SIZE ||
	    qcfg->rx_page_size > max_t(u32, READ_ONCE(snic_max_rx_page), PAGE_SIZE)) {
		NL_SET_ERR_MSG(extack, "receive buffers: a page to max_rx_page, a power of two");
		return -EINVAL;
	}
	return 0;
}

static struct device *snic_get_dma_dev(struct net_device *ndev, int index)
{
	struct snic *nic = netdev_priv(ndev);

	return nic->lacks == SNIC_LACKS_DMA_DEVICE ? NULL : nic->dma_dev;
}

/* ---- drivers that lack something ---- */

#define SNIC_CONFIGURES						\
	.ndo_default_qcfg	= snic_default_qcfg,		\
	.ndo_validate_qcfg	= snic_validate_qcfg,		\
	.ndo_queue_get_dma_dev	= snic_get_dma_dev
#define SNIC_REPLACES						\
	SNIC_CONFIGURES,					\
	.ndo_queue_mem_size	= sizeof(struct snic_mem),	\
	.ndo_queue_mem_alloc	= snic_qmem_alloc,		\
	.ndo_queue_mem_free	= snic_qmem_free,		\
	.ndo_queue_start	= snic_qstart,			\
	.ndo_queue_stop		= snic_qstop

static const struct netdev_queue_mgmt_ops snic_whole_ops = {
	SNIC_REPLACES,
	.supported_params	= QCFG_RX_PAGE_SIZE,
};

static const struct netdev_queue_mgmt_ops snic_page_ops = {
	SNIC_REPLACES,
};

/*
 * Not no operations at all: the core locks devices that have none in another way, and
 * that must not change while packets come. It refuses these with the same EOPNOTSUPP.
 */
static const struct netdev_queue_mgmt_ops snic_fixed_ops = {
	SNIC_CONFIGURES,
};

static const char * const snic_lack_names[] = {
	[SNIC_LACKS_NOTHING]	= "nothing",
	[SNIC_LACKS_DMA_DEVICE]	= "dma_device",
	[SNIC_LACKS_QUEUE_MGMT]	= "queue_mgmt",
	[SNIC_LACKS_PAGE_SIZE]	= "page_size",
	[SNIC_LACKS_PROVIDER]	= "provider",
};

static void snic_set_lacks(struct snic *nic, enum snic_lack lacks)
{
	nic->lacks = lacks;
	switch (lacks) {
	case SNIC_LACKS_QUEUE_MGMT:
		nic->ndev->queue_mgmt_ops = &snic_fixed_ops;
		break;
	case SNIC_LACKS_PAGE_SIZE:
		nic->ndev->queue_mgmt_ops = &snic_page_ops;
		break;
	default:
		nic->ndev->queue_mgmt_ops = &snic_whole_ops;
		break;
	}
}

void snic_manage_init(struct snic *nic)
{
	snic_set_lacks(nic, SNIC_LACKS_NOTHING);
}

static bool snic_has_provider(struct net_device *ndev)
{
	unsigned int i;

	for (i = 0; i < ndev->real_num_rx_queues; i++)
		if (netif_rxq_has_unreadable_mp(ndev, i))
			return true;
	return false;
}

/* ---- debugfs ---- */

static int snic_lacks_show(struct seq_file *m, void *unused)
{
	struct snic *nic = m->private;

	netdev_lock(nic->ndev);
	seq_printf(m, "%s\n", snic_lack_names[nic->lacks]);
	netdev_unlock(nic->ndev);
	return 0;
}

static int snic_lacks_open(struct inode *inode, struct file *file)
{
	return single_open(file, snic_lacks_show, inode->i_private);
}

/* The core must be able to end what it began: nothing is taken from a driver in use. */
static ssize_t snic_lacks_write(struct file *file, const char __user *user, size_t count,
				loff_t *pos)
{
	struct snic *nic = file_inode(file)->i_private;
	char buf[16], *line = snic_line(buf, sizeof(buf), user, count);
	int lacks, err = 0;

	if (IS_ERR(line))
		return PTR_ERR(line);
	lacks = match_string(snic_lack_names, ARRAY_SIZE(snic_lack_names), line);
	if (lacks < 0)
		return lacks;
	netdev_lock(nic->ndev);
	if (lacks != nic->lacks && snic_has_provider(nic->ndev))
		err = -EBUSY;
	else
		snic_set_lacks(nic, lacks);
	netdev_unlock(nic->ndev);
	return err ?: count;
}

static const struct file_operations snic_lacks_fops = {
	.owner		= THIS_MODULE,
	.open		= snic_lacks_open,
	.read		= seq_read,
	.write		= snic_lacks_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static int snic_step_get(void *data, u64 *value)
{
	*value = READ_ONCE(*(int *)data);
	return 0;
}

static int snic_step_set(void *data, u64 value)
{
	if (value > MAX_ERRNO)
		return -EINVAL;
	WRITE_ONCE(*(int *)data, value);
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(snic_step_fops, snic_step_get, snic_step_set, "%llu\n");

void snic_manage_debugfs(struct snic *nic)
{
	static const char * const names[SNIC_STEPS] = {
		[SNIC_STEP_ALLOC]	= "alloc_errno",
		[SNIC_STEP_STOP]	= "stop_errno",
		[SNIC_STEP_START]	= "start_errno",
	};
	unsigned int i;

	debugfs_create_file("lacks", 0600, nic->debugfs, nic, &snic_lacks_fops);
	for (i = 0; i < SNIC_STEPS; i++)
		debugfs_create_file(names[i], 0600, nic->debugfs, &nic->step_errno[i],
				    &snic_step_fops);
}
