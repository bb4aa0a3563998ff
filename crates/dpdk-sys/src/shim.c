/* See shim.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>

#include "shim.h"

const char *shim_version(void)
{
	return rte_version();
}

int shim_errno(void)
{
	return rte_errno;
}

uint32_t shim_lcore_id(void)
{
	return rte_lcore_id();
}

uint64_t shim_tsc(void)
{
	return rte_rdtsc();
}

static shim_log_sink log_sink;

static ssize_t log_write(void *cookie, const char *text, size_t len)
{
	(void)cookie;
	log_sink((uint32_t)rte_log_cur_msg_loglevel(), text, len);
	return (ssize_t)len;
}

int shim_log_to(shim_log_sink sink)
{
	cookie_io_functions_t io = { .write = log_write };
	FILE *stream;

	log_sink = sink;
	stream = fopencookie(NULL, "w", io);
	if (stream == NULL)
		return -1;
	/* DPDK flushes after each message; line buffering keeps a message in one write. */
	setvbuf(stream, NULL, _IOLBF, BUFSIZ);
	return rte_openlog_stream(stream);
}

uint16_t shim_ports(uint16_t *ports, uint16_t max)
{
	uint16_t port, n = 0;

	RTE_ETH_FOREACH_DEV(port) {
		if (n < max)
			ports[n] = port;
		n++;
	}
	return n;
}

int shim_port_info(uint16_t port, struct shim_port_info *info)
{
	struct rte_eth_dev_info dev;
	int ret = rte_eth_dev_info_get(port, &dev);

	if (ret != 0)
		return ret;
	memset(info, 0, sizeof(*info));
	snprintf(info->driver, sizeof(info->driver), "%s", dev.driver_name ? dev.driver_name : "");
	snprintf(info->device, sizeof(info->device), "%s", dev.device ? rte_dev_name(dev.device) : "");
	info->handle = dev.device;
	info->numa_socket = rte_eth_dev_socket_id(port);
	info->max_rx_queues = dev.max_rx_queues;
	info->max_tx_queues = dev.max_tx_queues;
	info->min_mtu = dev.min_mtu;
	info->max_mtu = dev.max_mtu;
	info->min_rx_buf_size = dev.min_rx_bufsize;
	info->max_rx_pktlen = dev.max_rx_pktlen;
	info->rx_offloads = dev.rx_offload_capa;
	info->tx_offloads = dev.tx_offload_capa;
	info->rss_fields = dev.flow_type_rss_offloads;
	info->rss_key_size = dev.hash_key_size;
	info->reta_size = dev.reta_size;
	return 0;
}

int shim_port_configure(uint16_t port, const struct shim_port_config *config)
{
	struct rte_eth_conf conf;

	memset(&conf, 0, sizeof(conf));
	conf.rxmode.mtu = config->mtu;
	conf.rxmode.offloads = config->rx_offloads;
	conf.txmode.offloads = config->tx_offloads;
	if (config->rss_fields != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = config->rss_fields;
		/* The field is not const, but ethdev only reads it here. */
		conf.rx_adv_conf.rss_conf.rss_key = (uint8_t *)(uintptr_t)config->rss_key;
		conf.rx_adv_conf.rss_conf.rss_key_len = config->rss_key_len;
	}
	return rte_eth_dev_configure(port, config->rx_queues, config->tx_queues, &conf);
}

int shim_rx_queue_setup(uint16_t port, uint16_t queue, uint16_t descriptors, uint32_t socket,
			struct rte_mempool *pool)
{
	/* NULL: the driver's defaults, with the offloads of the port. */
	return rte_eth_rx_queue_setup(port, queue, descriptors, socket, NULL, pool);
}

int shim_tx_queue_setup(uint16_t port, uint16_t queue, uint16_t descriptors, uint32_t socket)
{
	return rte_eth_tx_queue_setup(port, queue, descriptors, socket, NULL);
}

int shim_link_get(uint16_t port, struct shim_link *out)
{
	struct rte_eth_link link;
	int ret = rte_eth_link_get_nowait(port, &link);

	if (ret != 0)
		return ret;
	out->speed = link.link_speed;
	out->up = link.link_status == RTE_ETH_LINK_UP;
	out->full_duplex = link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
	return 0;
}

int shim_mac_get(uint16_t port, uint8_t mac[6])
{
	struct rte_ether_addr addr;
	int ret = rte_eth_macaddr_get(port, &addr);

	if (ret == 0)
		memcpy(mac, addr.addr_bytes, sizeof(addr.addr_bytes));
	return ret;
}

#define RETA_GROUPS (1024 / RTE_ETH_RETA_GROUP_SIZE)

int shim_reta_update(uint16_t port, const uint16_t *queues, uint16_t size)
{
	struct rte_eth_rss_reta_entry64 reta[RETA_GROUPS];
	uint16_t i;

	if (size > RETA_GROUPS * RTE_ETH_RETA_GROUP_SIZE)
		return -EINVAL;
	memset(reta, 0, sizeof(reta));
	for (i = 0; i < size; i++) {
		reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= UINT64_C(1) << (i % RTE_ETH_RETA_GROUP_SIZE);
		reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = queues[i];
	}
	return rte_eth_dev_rss_reta_update(port, reta, size);
}

uint16_t shim_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	return rte_eth_rx_burst(port, queue, mbufs, count);
}

uint16_t shim_tx_prepare(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	return rte_eth_tx_prepare(port, queue, mbufs, count);
}

uint16_t shim_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	return rte_eth_tx_burst(port, queue, mbufs, count);
}

int shim_mbuf_raw_alloc_bulk(struct rte_mempool *pool, struct rte_mbuf **mbufs, uint32_t count)
{
	return rte_mempool_get_bulk(pool, (void **)mbufs, count);
}

void shim_mbuf_free(struct rte_mbuf *mbuf)
{
	rte_pktmbuf_free(mbuf);
}

int shim_mbuf_linearize(struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_linearize(mbuf);
}

uint32_t shim_ring_enqueue_burst(struct rte_ring *ring, void *const *objects, uint32_t count)
{
	return rte_ring_enqueue_burst(ring, objects, count, NULL);
}

uint32_t shim_ring_dequeue_burst(struct rte_ring *ring, void **objects, uint32_t count)
{
	return rte_ring_dequeue_burst(ring, objects, count, NULL);
}
