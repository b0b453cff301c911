/* SPDX-License-Identifier: GPL-2.0 */
/*
 * softnic: a network card made of software, for testing io_uring zero-copy
 * receive (zcrx) where there is no card that can do it.
 *
 * Two cards are joined back to back by a cable that is a function call: what one
 * sends, the other receives. Everything zcrx asks of a card is there: several
 * receive queues, each of whose memory can be replaced while the others run;
 * headers split from data; flow steering. What a real card does by DMA, that is
 * writing payload to an address in memory it was given, is done here by copying to
 * that very address. The kernel above the driver cannot tell the difference.
 *
 * Words used throughout:
 *   netdev     the kernel's struct net_device, what `ip link` shows
 *   skb        struct sk_buff, one packet: a linear part (headers, sometimes
 *              data) and up to 17 fragments, each a piece of some buffer
 *   NAPI       the kernel's way of receiving: the card says "there is work"
 *              (napi_schedule) and is then asked to hand packets up in
 *              batches (its poll function), in softirq context or, when NAPI is
 *              threaded, in a kernel thread
 *   page pool  the allocator of receive buffers, one per queue, used by that
 *              queue's NAPI only; buffers return to it from anywhere
 *   provider   what a page pool takes its buffers from when that is not the
 *              kernel's page allocator: for zcrx, the application's area
 *   netmem     a buffer of a page pool: a page of the kernel, or, from a
 *              provider, memory the kernel cannot read ("net_iov")
 *   chunk      one netmem; several packets' payloads may lie in one chunk
 *
 *   main.c     the module, its devices, the cable
 *   netdev.c   sending, opening and closing
 *   queue.c    receive queues: their page pools, starting and stopping, statistics
 *   manage.c   replacing a queue's memory, and drivers that cannot quite
 *   ring.c     chunks taken in advance
 *   receive.c  from the cable to the kernel: splitting, placing, handing up
 *   steer.c    which queue a packet goes to: rules first, then hashing (RSS)
 *   rules.c    flow rules
 *   ethtool.c  what `ethtool` reads and sets
 *   fault.c    debugfs: faults to order, and state for tests to read
 *   foreign.c  one fault that needs the help of another queue
 */
#ifndef SOFTNIC_H
#define SOFTNIC_H

#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/platform_device.h>
#include <linux/skbuff.h>
#include <net/netdev_lock.h>
#include <net/page_pool/helpers.h>

#ifndef CONFIG_64BIT
#error "softnic needs a 64-bit kernel: for phys_to_virt() of all memory, and plain u64 counters"
#endif

#define SNIC_MAX_QUEUES		16
#define SNIC_MAX_PAIRS		8
#define SNIC_RING_DEFAULT	1024
#define SNIC_RING_MIN		16
#define SNIC_RING_MAX		8192
#define SNIC_HDS_THRESH_MAX	1024
#define SNIC_INDIR_SIZE		128
#define SNIC_KEY_SIZE		40
#define SNIC_HASH_BYTES		36	/* two IPv6 addresses and two ports */
#define SNIC_MAX_CONTEXTS	32
#define SNIC_MAX_RULES		64
#define SNIC_STRIDE		64	/* payloads in a chunk start on multiples of it */
#define SNIC_LOAN_MAX		(MAX_SKB_FRAGS + 1)

struct netdev_queue_config;
struct snic;

/* ---- faults ---- */

enum snic_fault_mode {
	SNIC_FAULT_OFF,
	SNIC_FAULT_ONCE,	/* the n-th from now, then off */
	SNIC_FAULT_NEXT,	/* the next n, then off */
	SNIC_FAULT_EVERY,	/* every n-th */
};

enum snic_fault_kind {
	SNIC_LOSE,
	SNIC_DUPLICATE,
	SNIC_REORDER,
	SNIC_LINEAR,
	SNIC_FOREIGN,
	SNIC_ALLOC_FAIL,
	SNIC_FAULTS,
};

struct snic_fault {
	spinlock_t lock;
	enum snic_fault_mode mode;
	u32 n;
	u32 count;		/* towards n */
	u64 hits;		/* how often it struck since the module was loaded */
};

/* What zcrx asks of a driver, and this one can be told not to have. */
enum snic_lack {
	SNIC_LACKS_NOTHING,
	SNIC_LACKS_DMA_DEVICE,
	SNIC_LACKS_QUEUE_MGMT,
	SNIC_LACKS_PAGE_SIZE,	/* chunks of other lengths than a page */
	SNIC_LACKS_PROVIDER,	/* queues are built as if there were none */
};

/* The steps of replacing a queue's memory that can fail. */
enum snic_step {
	SNIC_STEP_ALLOC,
	SNIC_STEP_STOP,
	SNIC_STEP_START,
	SNIC_STEPS,
};

/* ---- what is known of a packet on the cable ---- */

struct snic_flow {
	u8 ip_version;		/* 4, 6, or 0: not IP */
	u8 l4_proto;		/* IPPROTO_*; 0: not looked at, as in fragments */
	bool ports;		/* TCP or UDP ports are known */
	bool tcp;
	__be32 saddr[4];	/* IPv4 uses the first word */
	__be32 daddr[4];
	__be16 sport;
	__be16 dport;
	u16 header_len;		/* Ethernet to end of TCP header, if tcp */
	u32 hash;
};

/* The part of it that the receiving side needs, kept in the skb while it waits. */
struct snic_wire_info {
	u32 hash;
	u16 header_len;		/* 0: not TCP, never split */
	bool l4_hash;
};

static inline struct snic_wire_info *snic_wire_info(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct snic_wire_info) > sizeof(skb->cb));
	return (struct snic_wire_info *)skb->cb;
}

/* ---- receive queues ---- */

/*
 * A page pool whose queue has let go of it while some of its buffers were still
 * out with the application. Kept until all are back, so that they can be counted.
 */
struct snic_retired {
	struct list_head list;
	struct page_pool *pool;
	struct device *dma_dev;
	unsigned long since;	/* jiffies */
	u32 out;
};

/* Chunks that the card holds, for packets to come. */
struct snic_ring {
	netmem_ref *slots;
	u32 size;		/* 0: it holds none */
	u32 head;
	u32 count;
};

/*
 * The memory of one receive queue: what the core asks for, swaps in and frees
 * when a provider comes or goes ("per_queue_mem" in netdev_queue_mgmt_ops).
 */
struct snic_mem {
	struct page_pool *pool;
	struct snic_retired *retired;	/* allocated in advance: letting go must not fail */
	u32 chunk_size;
	bool provider;

	/* The chunk that is being filled. The queue holds one reference to it. */
	netmem_ref open;
	u32 open_used;

	struct snic_ring ring;
};

/* Counted by the queue's own NAPI alone, so plain numbers do. */
struct snic_rx_stats {
	u64 packets;
	u64 bytes;
	u64 header_bytes;	/* headers, put into the linear part */
	u64 copied_bytes;	/* payload, put into the linear part */
	u64 page_bytes;		/* payload, put into pages of the kernel */
	u64 provider_bytes;	/* payload, put into the provider's memory */
	u64 provider_frags;	/* in so many pieces */
	u64 provider_bufs;	/* chunks begun */
	u64 foreign_frags;	/* pieces put into another queue's chunks */
	u64 alloc_fail;		/* packets dropped: no buffer, or no skb */
	u64 csum_unnecessary;
	u64 csum_complete;
};

/* Counted by senders, under the lock of the queue's backlog. */
struct snic_wire_stats {
	u64 lost;		/* fault "lose" */
	u64 duplicated;
	u64 reordered;
	u64 purged;		/* on the cable when the queue closed */
};

struct snic_rxq {
	struct snic *nic;
	unsigned int index;
	struct napi_struct napi;
	bool running;		/* accepts packets; under wire.lock */
	struct snic_mem mem;

	/* Packets that arrived and wait for NAPI; its lock guards the next three too. */
	struct sk_buff_head wire;
	struct sk_buff *held;	/* fault "reorder": goes in behind the next one */
	struct snic_wire_stats wire_stats;

	/*
	 * Chunks taken out for another queue to misuse (fault "foreign"). Only this
	 * queue's NAPI may take from its pool, so the other one has to ask.
	 */
	spinlock_t loan_lock;
	netmem_ref loan[SNIC_LOAN_MAX];
	u32 loans;
	u32 loans_wanted;

	struct snic_rx_stats stats;
} ____cacheline_aligned_in_smp;

struct snic_tx_stats {
	u64 packets;
	u64 bytes;
	u64 drops;
	u64 pauses;
};

/* ---- steering ---- */

struct snic_hash_key {
	struct rcu_head rcu;
	u8 key[SNIC_KEY_SIZE];
	/* For each byte of the input and each value of it, what it adds to the hash. */
	u32 table[SNIC_HASH_BYTES][256];
};

struct snic_indir {
	struct rcu_head rcu;
	u32 queue[SNIC_INDIR_SIZE];
};

struct snic_rule {
	struct rcu_head rcu;
	struct ethtool_rx_flow_spec spec;
	u32 context;		/* of RSS, when spec.flow_type has FLOW_RSS */
};

/* ---- one card ---- */

struct snic {
	struct net_device *ndev;
	struct device *dma_dev;
	unsigned int port;
	unsigned int max_queues;
	struct snic __rcu *peer;

	/* Guarded by snic_cable_lock. */
	bool open;
	bool link_forced_down;

	/* Set by ethtool under the instance lock, read when packets arrive. */
	u32 ring_size;
	bool split;
	u32 split_threshold;

	struct snic_hash_key __rcu *hash_key;
	struct snic_indir __rcu *indir[SNIC_MAX_CONTEXTS];	/* 0: the default one */
	struct snic_rule __rcu *rule[SNIC_MAX_RULES];
	unsigned int rules_end;		/* one past the highest in use */
	u64 steer_drops;		/* rule said "drop" (approximate) */

	struct snic_fault fault[SNIC_FAULTS];
	int fault_queue;		/* only on this receive queue; -1: any */
	int foreign_from;		/* whose chunks "foreign" uses; -1: the next queue's */
	bool share_chunks;
	bool prefill;			/* queues built from now on have a ring */
	enum snic_lack lacks;
	int step_errno[SNIC_STEPS];	/* what the next such step fails with */
	struct dentry *debugfs;

	struct snic_rxq rxq[SNIC_MAX_QUEUES];
	struct snic_tx_stats tx[SNIC_MAX_QUEUES];
};

/* Where the instance lock is held. */
#define snic_locked(nic, p) rcu_dereference_protected(p, lockdep_is_held(&(nic)->ndev->lock))

/* main.c */
extern unsigned int snic_max_rx_page;
extern bool snic_rule_any_location;
void snic_set_open(struct snic *nic, bool open);
void snic_set_link(struct snic *nic, bool up);
bool snic_link_forced_down(struct snic *nic);
void snic_wake_senders(struct snic *nic);
u32 snic_all_out(void);
int snic_remove_by_name(const char *name);
int snic_add_by_name(const char *name);

/* netdev.c */
extern const struct net_device_ops snic_netdev_ops;

/* queue.c */
extern const struct netdev_stat_ops snic_stat_ops;
int snic_queue_open(struct snic *nic, unsigned int index);
void snic_queue_close(struct snic *nic, unsigned int index);
int snic_mem_alloc(struct snic *nic, unsigned int index,
		   const struct netdev_queue_config *qcfg, struct snic_mem *mem);
void snic_mem_free(struct snic *nic, struct snic_mem *mem);
void snic_queue_start(struct snic_rxq *q, const struct snic_mem *mem);
void snic_queue_stop(struct snic_rxq *q, struct snic_mem *mem);
void snic_queues_init(struct snic *nic);
u32 snic_queue_out(struct snic_rxq *q);
u32 snic_retired_out(u32 *pools);
void snic_retired_stop(void);

/* manage.c */
void snic_manage_init(struct snic *nic);
void snic_manage_debugfs(struct snic *nic);

/* ring.c */
int snic_ring_alloc(struct snic_ring *ring, const struct snic *nic, u32 chunk_size);
void snic_ring_free(struct snic_ring *ring);
void snic_ring_fill(struct snic_rxq *q, gfp_t gfp);
netmem_ref snic_ring_take(struct snic_ring *ring);
void snic_ring_drain(struct snic_rxq *q);

/* receive.c */
bool snic_wire_full(struct snic_rxq *q);
bool snic_arrive(struct snic_rxq *q, struct sk_buff *skb, const struct snic_flow *flow);
void snic_purge(struct snic_rxq *q);
int snic_dma_write(struct snic_rxq *q, netmem_ref netmem, u32 offset,
		   const struct sk_buff *src, u32 from, u32 len);
int snic_poll(struct napi_struct *napi, int budget);

/* foreign.c */
void snic_loans_serve(struct snic_rxq *q);
void snic_loans_return(struct snic_rxq *q);
int snic_place_foreign(struct snic_rxq *q, struct sk_buff *skb, const struct sk_buff *src,
		       u32 from);

/* steer.c */
bool snic_parse(const struct sk_buff *skb, struct snic_flow *flow);
int snic_steer(struct snic *nic, struct snic_flow *flow);
int snic_steer_init(struct snic *nic);
void snic_steer_free(struct snic *nic);
void snic_steer_set_key(struct snic *nic, struct snic_hash_key *new);
struct snic_hash_key *snic_steer_make_key(const u8 *key);
int snic_steer_set_indir(struct snic *nic, unsigned int context, const u32 *queues);
void snic_steer_default_indir(u32 *queues, unsigned int count);

/* rules.c */
bool snic_rule_matches(const struct snic_rule *rule, const struct snic_flow *flow);
int snic_rule_add(struct snic *nic, struct ethtool_rxnfc *nfc);
int snic_rule_delete(struct snic *nic, u32 location);
int snic_rule_get(struct snic *nic, struct ethtool_rxnfc *nfc);
int snic_rule_list(struct snic *nic, struct ethtool_rxnfc *nfc, u32 *locations);
u32 snic_rule_count(struct snic *nic);
void snic_rules_flush(struct snic *nic);

/* ethtool.c */
extern const struct ethtool_ops snic_ethtool_ops;

/* fault.c */
bool snic_fault_strikes(struct snic_rxq *q, enum snic_fault_kind kind);
char *snic_line(char *buf, size_t size, const char __user *user, size_t count);
void snic_faults_init(struct snic *nic);
void snic_debugfs_add(struct snic *nic);
void snic_debugfs_remove(struct snic *nic);
void snic_debugfs_start(void);
void snic_debugfs_stop_plugging(void);
void snic_debugfs_stop(void);

#endif
