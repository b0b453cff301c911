// SPDX-License-Identifier: GPL-2.0
/*
 * softnic: faults to order, and state for tests to read, in debugfs.
 *
 * /sys/kernel/debug/softnic/
 *   outstanding    provider buffers taken and not back, of all cards, also of
 *                  queues and cards that are gone
 *   retired        "pools P out N": of these, those that are gone
 *   remove, add    write a card's name ("snic0"): pull it out, put it back in
 *   snic0/         of the card that receives:
 *     lose duplicate reorder    what happens to data packets that arrive
 *     linear                    payload in the linear part (the kernel must copy)
 *     foreign                   payload in memory of another queue (foreign_from)
 *     alloc_fail                no chunk to be had: the packet is dropped
 *         each takes  off | once N (the N-th from now) | next N | every N
 *         and reads   as it was written, and how often it struck
 *     fault_queue    -1, or the only queue that the faults are for
 *     foreign_from   -1 (the next queue), or the queue whose memory is misused
 *     share          0: every packet begins a new chunk
 *     prefill        1: queues built from now on hold a ring of chunks (ring.c)
 *     lacks          what the driver does not have (manage.c)
 *     alloc_errno stop_errno start_errno   what replacing a queue's memory fails with
 *     link           up | down: pull the cable
 *     restart        write a queue's number: it is stopped and started again
 *     queues         one line per queue, of key=value
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <net/netdev_lock.h>
#include <net/netdev_rx_queue.h>

#include "softnic.h"

static struct dentry *snic_root;

static const char * const snic_fault_names[SNIC_FAULTS] = {
	[SNIC_LOSE]		= "lose",
	[SNIC_DUPLICATE]	= "duplicate",
	[SNIC_REORDER]		= "reorder",
	[SNIC_LINEAR]		= "linear",
	[SNIC_FOREIGN]		= "foreign",
	[SNIC_ALLOC_FAIL]	= "alloc_fail",
};

static const char * const snic_mode_names[] = {
	[SNIC_FAULT_OFF]	= "off",
	[SNIC_FAULT_ONCE]	= "once",
	[SNIC_FAULT_NEXT]	= "next",
	[SNIC_FAULT_EVERY]	= "every",
};

/* Counts one event that the fault could strike, and says whether it does. */
bool snic_fault_strikes(struct snic_rxq *q, enum snic_fault_kind kind)
{
	struct snic_fault *f = &q->nic->fault[kind];
	int only = READ_ONCE(q->nic->fault_queue);
	unsigned long irq;
	bool strikes = false;

	if (likely(READ_ONCE(f->mode) == SNIC_FAULT_OFF))
		return false;
	if (only >= 0 && only != q->index)
		return false;

	spin_lock_irqsave(&f->lock, irq);
	switch (f->mode) {
	case SNIC_FAULT_OFF:
		break;
	case SNIC_FAULT_ONCE:
		strikes = ++f->count == f->n;
		if (strikes)
			WRITE_ONCE(f->mode, SNIC_FAULT_OFF);
		break;
	case SNIC_FAULT_NEXT:
		strikes = true;
		if (++f->count == f->n)
			WRITE_ONCE(f->mode, SNIC_FAULT_OFF);
		break;
	case SNIC_FAULT_EVERY:
		strikes = ++f->count == f->n;
		if (strikes)
			f->count = 0;
		break;
	}
	f->hits += strikes;
	spin_unlock_irqrestore(&f->lock, irq);
	return strikes;
}

void snic_faults_init(struct snic *nic)
{
	unsigned int i;

	for (i = 0; i < SNIC_FAULTS; i++)
		spin_lock_init(&nic->fault[i].lock);
	nic->fault_queue = -1;
	nic->foreign_from = -1;
}

/* A line of text from user space, without what surrounds it. */
char *snic_line(char *buf, size_t size, const char __user *user, size_t count)
{
	if (count >= size)
		return ERR_PTR(-EINVAL);
	if (copy_from_user(buf, user, count))
		return ERR_PTR(-EFAULT);
	buf[count] = 0;
	return strim(buf);
}

static int snic_fault_show(struct seq_file *m, void *unused)
{
	struct snic_fault *f = m->private;
	enum snic_fault_mode mode;
	u64 hits;
	u32 n;

	spin_lock_irq(&f->lock);
	mode = f->mode;
	n = f->n;
	hits = f->hits;
	spin_unlock_irq(&f->lock);
	seq_printf(m, "%s %u hits %llu\n", snic_mode_names[mode], mode ? n : 0, hits);
	return 0;
}

static int snic_fault_open(struct inode *inode, struct file *file)
{
	return single_open(file, snic_fault_show, inode->i_private);
}

static ssize_t snic_fault_write(struct file *file, const char __user *user, size_t count,
			      loff_t *pos)
{
	struct snic_fault *f = file_inode(file)->i_private;
	char buf[32], word[8], rest;
	unsigned int n = 0, mode;
	char *line = snic_line(buf, sizeof(buf), user, count);
	int found;

	if (IS_ERR(line))
		return PTR_ERR(line);
	found = sscanf(line, "%7s %u %c", word, &n, &rest);
	if (found < 1)
		return -EINVAL;
	for (mode = 0; mode < ARRAY_SIZE(snic_mode_names); mode++)
		if (!strcmp(word, snic_mode_names[mode]))
			break;
	if (mode == ARRAY_SIZE(snic_mode_names))
		return -EINVAL;
	if (mode == SNIC_FAULT_OFF ? strcmp(line, "off") : found != 2 || !n)
		return -EINVAL;

	spin_lock_irq(&f->lock);
	f->n = n;
	f->count = 0;
	WRITE_ONCE(f->mode, mode);
	spin_unlock_irq(&f->lock);
	return count;
}

static const struct file_operations snic_fault_fops = {
	.owner		= THIS_MODULE,
	.open		= snic_fault_open,
	.read		= seq_read,
	.write		= snic_fault_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static int snic_fault_queue_get(void *data, u64 *value)
{
	*value = (s64)*(int *)data;
	return 0;
}

static int snic_fault_queue_set(struct snic *nic, int *to, s64 value)
{
	if (value < -1 || value >= (int)nic->max_queues)
		return -EINVAL;
	WRITE_ONCE(*to, value);
	return 0;
}

static int snic_only_get(void *data, u64 *value)
{
	struct snic *nic = data;

	return snic_fault_queue_get(&nic->fault_queue, value);
}

static int snic_only_set(void *data, u64 value)
{
	struct snic *nic = data;

	return snic_fault_queue_set(nic, &nic->fault_queue, value);
}

static int snic_from_get(void *data, u64 *value)
{
	struct snic *nic = data;

	return snic_fault_queue_get(&nic->foreign_from, value);
}

static int snic_from_set(void *data, u64 value)
{
	struct snic *nic = data;

	return snic_fault_queue_set(nic, &nic->foreign_from, value);
}

DEFINE_DEBUGFS_ATTRIBUTE_SIGNED(snic_only_fops, snic_only_get, snic_only_set, "%lld\n");
DEFINE_DEBUGFS_ATTRIBUTE_SIGNED(snic_from_fops, snic_from_get, snic_from_set, "%lld\n");

static int snic_link_show(struct seq_file *m, void *unused)
{
	seq_puts(m, snic_link_forced_down(m->private) ? "down\n" : "up\n");
	return 0;
}

static int snic_link_open(struct inode *inode, struct file *file)
{
	return single_open(file, snic_link_show, inode->i_private);
}

static ssize_t snic_link_write(struct file *file, const char __user *user, size_t count,
			     loff_t *pos)
{
	char buf[16], *line = snic_line(buf, sizeof(buf), user, count);
	bool up;

	if (IS_ERR(line))
		return PTR_ERR(line);
	up = !strcmp(line, "up");
	if (!up && strcmp(line, "down"))
		return -EINVAL;
	snic_set_link(file_inode(file)->i_private, up);
	return count;
}

static const struct file_operations snic_link_fops = {
	.owner		= THIS_MODULE,
	.open		= snic_link_open,
	.read		= seq_read,
	.write		= snic_link_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

/* The same replacing of memory as when a provider comes or goes. */
static int snic_restart_set(void *data, u64 value)
{
	struct snic *nic = data;
	int err;

	netdev_lock(nic->ndev);
	if (value >= nic->ndev->real_num_rx_queues)
		err = -EINVAL;
	else if (!netif_running(nic->ndev))
		err = -ENETDOWN;
	else
		err = netdev_rx_queue_restart(nic->ndev, value);
	netdev_unlock(nic->ndev);
	return err;
}

DEFINE_DEBUGFS_ATTRIBUTE(snic_restart_fops, NULL, snic_restart_set, "%llu\n");

static int snic_queues_show(struct seq_file *m, void *unused)
{
	struct snic *nic = m->private;
	unsigned int i;

	netdev_lock(nic->ndev);
	for (i = 0; i < nic->ndev->real_num_rx_queues; i++) {
		struct snic_rxq *q = &nic->rxq[i];

		seq_printf(m, "queue=%u napi=%u provider=%d chunk=%u out=%u posted=%u backlog=%u\n",
			   i, q->running ? q->napi.napi_id : 0, q->mem.provider,
			   q->mem.chunk_size, snic_queue_out(q), q->mem.ring.count,
			   skb_queue_len_lockless(&q->wire));
	}
	netdev_unlock(nic->ndev);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(snic_queues);

void snic_debugfs_add(struct snic *nic)
{
	char name[IFNAMSIZ];
	unsigned int i;

	/* By the name it has now: renaming the netdev later changes nothing here. */
	strscpy(name, nic->ndev->name, sizeof(name));
	nic->debugfs = debugfs_create_dir(name, snic_root);
	for (i = 0; i < SNIC_FAULTS; i++)
		debugfs_create_file(snic_fault_names[i], 0600, nic->debugfs, &nic->fault[i],
				    &snic_fault_fops);
	debugfs_create_file("fault_queue", 0600, nic->debugfs, nic, &snic_only_fops);
	debugfs_create_file("foreign_from", 0600, nic->debugfs, nic, &snic_from_fops);
	debugfs_create_bool("share", 0600, nic->debugfs, &nic->share_chunks);
	debugfs_create_bool("prefill", 0600, nic->debugfs, &nic->prefill);
	snic_manage_debugfs(nic);
	debugfs_create_file("link", 0600, nic->debugfs, nic, &snic_link_fops);
	debugfs_create_file("restart", 0200, nic->debugfs, nic, &snic_restart_fops);
	debugfs_create_file("queues", 0400, nic->debugfs, nic, &snic_queues_fops);
}

/* Returns when nobody is inside any of its files. */
void snic_debugfs_remove(struct snic *nic)
{
	debugfs_remove_recursive(nic->debugfs);
}

static int snic_outstanding_get(void *data, u64 *value)
{
	*value = snic_all_out();
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(snic_outstanding_fops, snic_outstanding_get, NULL, "%llu\n");

static int snic_retired_show(struct seq_file *m, void *unused)
{
	u32 pools, out = snic_retired_out(&pools);

	seq_printf(m, "pools %u out %u\n", pools, out);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(snic_retired);

static ssize_t snic_plug_write(struct file *file, const char __user *user, size_t count,
			     loff_t *pos)
{
	int (*plug)(const char *name) = file_inode(file)->i_private;
	char buf[32], *line = snic_line(buf, sizeof(buf), user, count);
	int err;

	if (IS_ERR(line))
		return PTR_ERR(line);
	err = plug(line);
	return err ?: count;
}

static const struct file_operations snic_plug_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.write	= snic_plug_write,
};

void snic_debugfs_start(void)
{
	snic_root = debugfs_create_dir("softnic", NULL);
	debugfs_create_file("outstanding", 0400, snic_root, NULL, &snic_outstanding_fops);
	debugfs_create_file("retired", 0400, snic_root, NULL, &snic_retired_fops);
	debugfs_create_file("remove", 0200, snic_root, snic_remove_by_name, &snic_plug_fops);
	debugfs_create_file("add", 0200, snic_root, snic_add_by_name, &snic_plug_fops);
}

/* From now on nobody pulls cards out or puts them in; waits for those who do. */
void snic_debugfs_stop_plugging(void)
{
	debugfs_lookup_and_remove("remove", snic_root);
	debugfs_lookup_and_remove("add", snic_root);
}

void snic_debugfs_stop(void)
{
	debugfs_remove_recursive(snic_root);
	snic_root = NULL;
}
