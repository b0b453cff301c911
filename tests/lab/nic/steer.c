// SPDX-License-Identifier: GPL-2.0
/*
 * softnic: which receive queue a packet goes to.
 *
 * First the flow rules (rules.c), in the order of their locations; a rule names a
 * queue, an RSS context, or "drop". Then RSS: a hash of addresses and ports
 * picks an entry of the indirection table (`ethtool -X`), and that the queue.
 *
 * All of it is read by whoever sends, under RCU, and changed by ethtool, under the
 * receiving netdev's instance lock.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/module.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>

#include "softnic.h"

/* ---- parsing ---- */

/*
 * Finds addresses, ports and the end of the TCP header. Returns false only for
 * what is not even an Ethernet frame; what it does not understand it leaves zero.
 */
bool snic_parse(const struct sk_buff *skb, struct snic_flow *flow)
{
	const struct ethhdr *eth;
	struct ethhdr eth_buf;
	u32 at = ETH_HLEN;

	memset(flow, 0, sizeof(*flow));
	eth = skb_header_pointer(skb, 0, sizeof(eth_buf), &eth_buf);
	if (!eth)
		return false;

	if (eth->h_proto == htons(ETH_P_IP)) {
		const struct iphdr *ip;
		struct iphdr buf;

		ip = skb_header_pointer(skb, at, sizeof(buf), &buf);
		if (!ip || ip->version != 4 || ip->ihl < 5)
			return true;
		flow->ip_version = 4;
		flow->saddr[0] = ip->saddr;
		flow->daddr[0] = ip->daddr;
		if (ip_is_fragment(ip))
			return true;
		flow->l4_proto = ip->protocol;
		at += ip->ihl * 4;
	} else if (eth->h_proto == htons(ETH_P_IPV6)) {
		const struct ipv6hdr *ip;
		struct ipv6hdr buf;

		ip = skb_header_pointer(skb, at, sizeof(buf), &buf);
		if (!ip || ip->version != 6)
			return true;
		flow->ip_version = 6;
		memcpy(flow->saddr, &ip->saddr, sizeof(flow->saddr));
		memcpy(flow->daddr, &ip->daddr, sizeof(flow->daddr));
		flow->l4_proto = ip->nexthdr;
		at += sizeof(*ip);
	} else {
		return true;
	}

	if (flow->l4_proto == IPPROTO_TCP) {
		const struct tcphdr *tcp;
		struct tcphdr buf;

		tcp = skb_header_pointer(skb, at, sizeof(buf), &buf);
		if (!tcp || tcp->doff < 5 || at + tcp->doff * 4 > skb->len)
			return true;
		flow->sport = tcp->source;
		flow->dport = tcp->dest;
		flow->ports = true;
		flow->tcp = true;
		flow->header_len = at + tcp->doff * 4;
	} else if (flow->l4_proto == IPPROTO_UDP) {
		const struct udphdr *udp;
		struct udphdr buf;

		udp = skb_header_pointer(skb, at, sizeof(buf), &buf);
		if (!udp)
			return true;
		flow->sport = udp->source;
		flow->dport = udp->dest;
		flow->ports = true;
	}
	return true;
}

/* ---- hashing ---- */

/*
 * The Toeplitz hash, which all cards use: for every bit set in the input, 32 bits of
 * the key, starting at that bit's position, are added without carry. Done here a byte
 * at a time, with a table of what each value of each byte adds.
 */
struct snic_hash_key *snic_steer_make_key(const u8 *key)
{
	struct snic_hash_key *k = kvzalloc(sizeof(*k), GFP_KERNEL);
	unsigned int byte, value, bit;

	if (!k)
		return NULL;
	memcpy(k->key, key, SNIC_KEY_SIZE);
	for (byte = 0; byte < SNIC_HASH_BYTES; byte++) {
		u64 window = 0;		/* the 40 bits of the key from this byte on */

		for (bit = 0; bit < 5; bit++)
			window = window << 8 | (byte + bit < SNIC_KEY_SIZE ? key[byte + bit] : 0);
		for (value = 0; value < 256; value++)
			for (bit = 0; bit < 8; bit++)
				if (value & (0x80 >> bit))
					k->table[byte][value] ^= (u32)(window >> (8 - bit));
	}
	return k;
}

static u32 snic_hash_add(const struct snic_hash_key *k, unsigned int *at, const void *data,
			 unsigned int len)
{
	const u8 *p = data;
	u32 hash = 0;

	while (len--)
		hash ^= k->table[(*at)++][*p++];
	return hash;
}

static u32 snic_hash(const struct snic_hash_key *k, const struct snic_flow *flow)
{
	unsigned int at = 0, len = flow->ip_version == 4 ? 4 : 16;
	u32 hash;

	if (!flow->ip_version)
		return 0;
	hash = snic_hash_add(k, &at, flow->saddr, len);
	hash ^= snic_hash_add(k, &at, flow->daddr, len);
	if (flow->ports) {
		hash ^= snic_hash_add(k, &at, &flow->sport, 2);
		hash ^= snic_hash_add(k, &at, &flow->dport, 2);
	}
	return hash;
}

void snic_steer_set_key(struct snic *nic, struct snic_hash_key *new)
{
	struct snic_hash_key *old = snic_locked(nic, nic->hash_key);

	rcu_assign_pointer(nic->hash_key, new);
	if (old)
		kvfree_rcu(old, rcu);
}

void snic_steer_default_indir(u32 *queues, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < SNIC_INDIR_SIZE; i++)
		queues[i] = ethtool_rxfh_indir_default(i, count);
}

/* Sets the table of a context, or with NULL removes it. */
int snic_steer_set_indir(struct snic *nic, unsigned int context, const u32 *queues)
{
	struct snic_indir *new = NULL, *old;

	if (context >= SNIC_MAX_CONTEXTS)
		return -EINVAL;
	if (queues) {
		new = kzalloc(sizeof(*new), GFP_KERNEL);
		if (!new)
			return -ENOMEM;
		memcpy(new->queue, queues, sizeof(new->queue));
	}
	old = snic_locked(nic, nic->indir[context]);
	rcu_assign_pointer(nic->indir[context], new);
	if (old)
		kfree_rcu(old, rcu);
	return 0;
}

/* ---- the decision ---- */

/* Called under RCU. Returns the queue, or -1: the packet is to be dropped. */
int snic_steer(struct snic *nic, struct snic_flow *flow)
{
	unsigned int queues = READ_ONCE(nic->ndev->real_num_rx_queues);
	unsigned int i, end = READ_ONCE(nic->rules_end), context = 0;
	const struct snic_indir *indir;
	u32 queue;

	flow->hash = snic_hash(rcu_dereference(nic->hash_key), flow);

	for (i = 0; i < end; i++) {
		const struct snic_rule *rule = rcu_dereference(nic->rule[i]);

		if (!rule || !snic_rule_matches(rule, flow))
			continue;
		if (rule->spec.flow_type & FLOW_RSS) {
			context = rule->context;
			break;
		}
		if (rule->spec.ring_cookie == RX_CLS_FLOW_DISC) {
			nic->steer_drops++;
			return -1;
		}
		return min_t(u32, rule->spec.ring_cookie, queues - 1);
	}

	indir = rcu_dereference(nic->indir[context]);
	if (!indir)
		indir = rcu_dereference(nic->indir[0]);
	queue = indir->queue[flow->hash % SNIC_INDIR_SIZE];
	/* Only while the number of queues is being changed can it be too large. */
	return queue < queues ? queue : queue % queues;
}

int snic_steer_init(struct snic *nic)
{
	struct snic_indir *indir = kzalloc(sizeof(*indir), GFP_KERNEL);
	struct snic_hash_key *k;
	u8 key[SNIC_KEY_SIZE];

	netdev_rss_key_fill(key, sizeof(key));
	k = snic_steer_make_key(key);
	if (!indir || !k) {
		kfree(indir);
		kvfree(k);
		return -ENOMEM;
	}
	snic_steer_default_indir(indir->queue, nic->max_queues);
	RCU_INIT_POINTER(nic->hash_key, k);
	RCU_INIT_POINTER(nic->indir[0], indir);
	return 0;
}

/* Nobody sends to this card any more. */
void snic_steer_free(struct snic *nic)
{
	unsigned int i;

	for (i = 0; i < SNIC_MAX_RULES; i++)
		kfree(rcu_dereference_protected(nic->rule[i], true));
	for (i = 0; i < SNIC_MAX_CONTEXTS; i++)
		kfree(rcu_dereference_protected(nic->indir[i], true));
	kvfree(rcu_dereference_protected(nic->hash_key, true));
}
