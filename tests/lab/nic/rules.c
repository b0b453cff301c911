// SPDX-License-Identifier: GPL-2.0
/*
 * softnic: flow rules (`ethtool -N`), which send chosen packets to a chosen queue.
 *
 * A rule has values and masks; a packet matches when every bit that a mask has set
 * is as in the value. Read under RCU by whoever sends, changed under the receiving
 * netdev's instance lock.
 */
#include <linux/module.h>

#include "softnic.h"

/* ---- matching ---- */

static bool snic_same(__be32 a, __be32 b, __be32 mask)
{
	return !((a ^ b) & mask);
}

static bool snic_ports_match(const struct snic_flow *flow, __be16 sport, __be16 sport_mask,
			     __be16 dport, __be16 dport_mask)
{
	return !((flow->sport ^ sport) & sport_mask) && !((flow->dport ^ dport) & dport_mask);
}

static bool snic_ip6_match(const struct snic_flow *flow, const __be32 *src, const __be32 *src_mask,
			   const __be32 *dst, const __be32 *dst_mask)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		if (!snic_same(flow->saddr[i], src[i], src_mask[i]) ||
		    !snic_same(flow->daddr[i], dst[i], dst_mask[i]))
			return false;
	return true;
}

static bool snic_tcp_udp4_match(const struct snic_flow *flow, u8 proto,
				const struct ethtool_tcpip4_spec *v,
				const struct ethtool_tcpip4_spec *m)
{
	return flow->ip_version == 4 && flow->ports && flow->l4_proto == proto &&
	       snic_same(flow->saddr[0], v->ip4src, m->ip4src) &&
	       snic_same(flow->daddr[0], v->ip4dst, m->ip4dst) &&
	       snic_ports_match(flow, v->psrc, m->psrc, v->pdst, m->pdst);
}

static bool snic_tcp_udp6_match(const struct snic_flow *flow, u8 proto,
				const struct ethtool_tcpip6_spec *v,
				const struct ethtool_tcpip6_spec *m)
{
	return flow->ip_version == 6 && flow->ports && flow->l4_proto == proto &&
	       snic_ip6_match(flow, v->ip6src, m->ip6src, v->ip6dst, m->ip6dst) &&
	       snic_ports_match(flow, v->psrc, m->psrc, v->pdst, m->pdst);
}

bool snic_rule_matches(const struct snic_rule *rule, const struct snic_flow *flow)
{
	const union ethtool_flow_union *v = &rule->spec.h_u, *m = &rule->spec.m_u;

	switch (rule->spec.flow_type & ~FLOW_RSS) {
	case TCP_V4_FLOW:
		return snic_tcp_udp4_match(flow, IPPROTO_TCP, &v->tcp_ip4_spec, &m->tcp_ip4_spec);
	case UDP_V4_FLOW:
		return snic_tcp_udp4_match(flow, IPPROTO_UDP, &v->udp_ip4_spec, &m->udp_ip4_spec);
	case TCP_V6_FLOW:
		return snic_tcp_udp6_match(flow, IPPROTO_TCP, &v->tcp_ip6_spec, &m->tcp_ip6_spec);
	case UDP_V6_FLOW:
		return snic_tcp_udp6_match(flow, IPPROTO_UDP, &v->udp_ip6_spec, &m->udp_ip6_spec);
	case IPV4_USER_FLOW:
		return flow->ip_version == 4 &&
		       !((flow->l4_proto ^ v->usr_ip4_spec.proto) & m->usr_ip4_spec.proto) &&
		       snic_same(flow->saddr[0], v->usr_ip4_spec.ip4src, m->usr_ip4_spec.ip4src) &&
		       snic_same(flow->daddr[0], v->usr_ip4_spec.ip4dst, m->usr_ip4_spec.ip4dst);
	case IPV6_USER_FLOW:
		return flow->ip_version == 6 &&
		       !((flow->l4_proto ^ v->usr_ip6_spec.l4_proto) & m->usr_ip6_spec.l4_proto) &&
		       snic_ip6_match(flow, v->usr_ip6_spec.ip6src, m->usr_ip6_spec.ip6src,
				      v->usr_ip6_spec.ip6dst, m->usr_ip6_spec.ip6dst);
	default:
		return false;
	}
}

/* ---- adding, deleting, listing; under the instance lock ---- */

/* A rule may ask only for what the matching above looks at. */
static int snic_rule_check(struct snic *nic, const struct ethtool_rxnfc *nfc)
{
	const struct ethtool_rx_flow_spec *spec = &nfc->fs;
	const union ethtool_flow_union *m = &spec->m_u;

	switch (spec->flow_type & ~FLOW_RSS) {
	case TCP_V4_FLOW:
	case UDP_V4_FLOW:
		if (m->tcp_ip4_spec.tos)
			return -EOPNOTSUPP;
		break;
	case TCP_V6_FLOW:
	case UDP_V6_FLOW:
		if (m->tcp_ip6_spec.tclass)
			return -EOPNOTSUPP;
		break;
	case IPV4_USER_FLOW:
		if (m->usr_ip4_spec.l4_4_bytes || m->usr_ip4_spec.tos ||
		    spec->h_u.usr_ip4_spec.ip_ver != ETH_RX_NFC_IP4)
			return -EOPNOTSUPP;
		break;
	case IPV6_USER_FLOW:
		if (m->usr_ip6_spec.l4_4_bytes || m->usr_ip6_spec.tclass)
			return -EOPNOTSUPP;
		break;
	default:	/* also FLOW_EXT, FLOW_MAC_EXT: VLAN tags and the like */
		return -EOPNOTSUPP;
	}

	if (spec->flow_type & FLOW_RSS) {
		if (nfc->rss_context >= SNIC_MAX_CONTEXTS ||
		    !snic_locked(nic, nic->indir[nfc->rss_context]))
			return -EINVAL;
		if (spec->ring_cookie)
			return -EINVAL;
	} else if (spec->ring_cookie != RX_CLS_FLOW_DISC) {
		/* The upper half would name a virtual function; there are none. */
		if (spec->ring_cookie >= nic->ndev->real_num_rx_queues)
			return -EINVAL;
	}
	return 0;
}

static void snic_rules_find_end(struct snic *nic)
{
	unsigned int end = SNIC_MAX_RULES;

	while (end && !snic_locked(nic, nic->rule[end - 1]))
		end--;
	WRITE_ONCE(nic->rules_end, end);
}

int snic_rule_add(struct snic *nic, struct ethtool_rxnfc *nfc)
{
	u32 location = nfc->fs.location;
	struct snic_rule *rule, *old;
	int err;

	if (!(nic->ndev->features & NETIF_F_NTUPLE))
		return -EOPNOTSUPP;
	err = snic_rule_check(nic, nfc);
	if (err)
		return err;

	if (location == RX_CLS_LOC_ANY && READ_ONCE(snic_rule_any_location)) {
		for (location = 0; location < SNIC_MAX_RULES; location++)
			if (!snic_locked(nic, nic->rule[location]))
				break;
		if (location == SNIC_MAX_RULES)
			return -ENOSPC;
	}
	if (location >= SNIC_MAX_RULES)
		return -EINVAL;

	rule = kzalloc(sizeof(*rule), GFP_KERNEL);
	if (!rule)
		return -ENOMEM;
	nfc->fs.location = location;
	rule->spec = nfc->fs;
	rule->context = nfc->fs.flow_type & FLOW_RSS ? nfc->rss_context : 0;
	old = snic_locked(nic, nic->rule[location]);
	rcu_assign_pointer(nic->rule[location], rule);
	if (old)
		kfree_rcu(old, rcu);
	snic_rules_find_end(nic);
	return 0;
}

int snic_rule_delete(struct snic *nic, u32 location)
{
	struct snic_rule *old;

	if (location >= SNIC_MAX_RULES)
		return -EINVAL;
	old = snic_locked(nic, nic->rule[location]);
	if (!old)
		return -ENOENT;
	RCU_INIT_POINTER(nic->rule[location], NULL);
	kfree_rcu(old, rcu);
	snic_rules_find_end(nic);
	return 0;
}

void snic_rules_flush(struct snic *nic)
{
	u32 i;

	for (i = 0; i < SNIC_MAX_RULES; i++)
		snic_rule_delete(nic, i);
}

int snic_rule_get(struct snic *nic, struct ethtool_rxnfc *nfc)
{
	const struct snic_rule *rule;

	if (nfc->fs.location >= SNIC_MAX_RULES)
		return -EINVAL;
	rule = snic_locked(nic, nic->rule[nfc->fs.location]);
	if (!rule)
		return -ENOENT;
	nfc->fs = rule->spec;
	/* The core looks for the context's flag here as well as in the rule. */
	nfc->flow_type = rule->spec.flow_type;
	nfc->rss_context = rule->context;
	return 0;
}

u32 snic_rule_count(struct snic *nic)
{
	u32 i, n = 0;

	for (i = 0; i < SNIC_MAX_RULES; i++)
		n += !!snic_locked(nic, nic->rule[i]);
	return n;
}

int snic_rule_list(struct snic *nic, struct ethtool_rxnfc *nfc, u32 *locations)
{
	u32 i, n = 0;

	for (i = 0; i < SNIC_MAX_RULES; i++) {
		if (!snic_locked(nic, nic->rule[i]))
			continue;
		if (n == nfc->rule_cnt)
			return -EMSGSIZE;
		locations[n++] = i;
	}
	nfc->data = SNIC_MAX_RULES;
	nfc->rule_cnt = n;
	return 0;
}
