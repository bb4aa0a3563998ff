/*
 * What Rust sees of DPDK.
 *
 * Three kinds of things stand here: the DPDK functions that Rust calls as they are (through the
 * includes), `shim_*` functions for those that exist only as static inlines, and flat structures and
 * constants for what changed its shape or its name between DPDK releases, or is a macro that a
 * binding generator cannot read. Data-path functions work on whole bursts: one call a burst.
 */
#ifndef TIDEWHEEL_DPDK_SHIM_H
#define TIDEWHEEL_DPDK_SHIM_H

#include <stddef.h>
#include <stdint.h>

#include <rte_alarm.h>
#include <rte_version.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_eth_ring.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#if RTE_VERSION < RTE_VERSION_NUM(22, 11, 0, 0)
#error "DPDK 22.11 or later is needed"
#endif

/* --- Layout of struct rte_mbuf: offsets as the C compiler of this DPDK sees them. --- */

enum {
	SHIM_MBUF_BUF_ADDR = offsetof(struct rte_mbuf, buf_addr),
	SHIM_MBUF_DATA_OFF = offsetof(struct rte_mbuf, data_off),
	SHIM_MBUF_REFCNT = offsetof(struct rte_mbuf, refcnt),
	SHIM_MBUF_NB_SEGS = offsetof(struct rte_mbuf, nb_segs),
	SHIM_MBUF_PORT = offsetof(struct rte_mbuf, port),
	SHIM_MBUF_OL_FLAGS = offsetof(struct rte_mbuf, ol_flags),
	SHIM_MBUF_PACKET_TYPE = offsetof(struct rte_mbuf, packet_type),
	SHIM_MBUF_PKT_LEN = offsetof(struct rte_mbuf, pkt_len),
	SHIM_MBUF_DATA_LEN = offsetof(struct rte_mbuf, data_len),
	SHIM_MBUF_VLAN_TCI = offsetof(struct rte_mbuf, vlan_tci),
	SHIM_MBUF_HASH_RSS = offsetof(struct rte_mbuf, hash.rss),
	SHIM_MBUF_BUF_LEN = offsetof(struct rte_mbuf, buf_len),
	SHIM_MBUF_POOL = offsetof(struct rte_mbuf, pool),
	SHIM_MBUF_NEXT = offsetof(struct rte_mbuf, next),
	SHIM_MBUF_TX_OFFLOAD = offsetof(struct rte_mbuf, tx_offload),
	SHIM_MBUF_L2_LEN_BITS = RTE_MBUF_L2_LEN_BITS,
	SHIM_MBUF_L3_LEN_BITS = RTE_MBUF_L3_LEN_BITS,
	SHIM_MBUF_L4_LEN_BITS = RTE_MBUF_L4_LEN_BITS,
	SHIM_MBUF_HEADROOM = RTE_PKTMBUF_HEADROOM,
	SHIM_MBUF_PORT_INVALID = RTE_MBUF_PORT_INVALID,
};

/* --- Constants that are function-like macros in DPDK. --- */

static const uint64_t SHIM_RX_VLAN = RTE_MBUF_F_RX_VLAN;
static const uint64_t SHIM_RX_VLAN_STRIPPED = RTE_MBUF_F_RX_VLAN_STRIPPED;
static const uint64_t SHIM_RX_RSS_HASH = RTE_MBUF_F_RX_RSS_HASH;
static const uint64_t SHIM_RX_IP_CKSUM_MASK = RTE_MBUF_F_RX_IP_CKSUM_MASK;
static const uint64_t SHIM_RX_IP_CKSUM_BAD = RTE_MBUF_F_RX_IP_CKSUM_BAD;
static const uint64_t SHIM_RX_IP_CKSUM_GOOD = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
static const uint64_t SHIM_RX_IP_CKSUM_NONE = RTE_MBUF_F_RX_IP_CKSUM_NONE;
static const uint64_t SHIM_RX_L4_CKSUM_MASK = RTE_MBUF_F_RX_L4_CKSUM_MASK;
static const uint64_t SHIM_RX_L4_CKSUM_BAD = RTE_MBUF_F_RX_L4_CKSUM_BAD;
static const uint64_t SHIM_RX_L4_CKSUM_GOOD = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
static const uint64_t SHIM_RX_L4_CKSUM_NONE = RTE_MBUF_F_RX_L4_CKSUM_NONE;
static const uint64_t SHIM_TX_IPV4 = RTE_MBUF_F_TX_IPV4;
static const uint64_t SHIM_TX_IPV6 = RTE_MBUF_F_TX_IPV6;
static const uint64_t SHIM_TX_IP_CKSUM = RTE_MBUF_F_TX_IP_CKSUM;
static const uint64_t SHIM_TX_TCP_CKSUM = RTE_MBUF_F_TX_TCP_CKSUM;
static const uint64_t SHIM_TX_UDP_CKSUM = RTE_MBUF_F_TX_UDP_CKSUM;
static const uint64_t SHIM_TX_TCP_SEG = RTE_MBUF_F_TX_TCP_SEG;
static const uint64_t SHIM_TX_VLAN = RTE_MBUF_F_TX_VLAN;
static const uint64_t SHIM_MBUF_EXTERNAL = RTE_MBUF_F_EXTERNAL;
static const uint64_t SHIM_MBUF_INDIRECT = RTE_MBUF_F_INDIRECT;

static const uint64_t SHIM_RX_OFFLOAD_VLAN_STRIP = RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
static const uint64_t SHIM_RX_OFFLOAD_IPV4_CKSUM = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
static const uint64_t SHIM_RX_OFFLOAD_UDP_CKSUM = RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
static const uint64_t SHIM_RX_OFFLOAD_TCP_CKSUM = RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
static const uint64_t SHIM_RX_OFFLOAD_SCATTER = RTE_ETH_RX_OFFLOAD_SCATTER;
static const uint64_t SHIM_RX_OFFLOAD_RSS_HASH = RTE_ETH_RX_OFFLOAD_RSS_HASH;
static const uint64_t SHIM_TX_OFFLOAD_VLAN_INSERT = RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
static const uint64_t SHIM_TX_OFFLOAD_IPV4_CKSUM = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
static const uint64_t SHIM_TX_OFFLOAD_UDP_CKSUM = RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
static const uint64_t SHIM_TX_OFFLOAD_TCP_CKSUM = RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
static const uint64_t SHIM_TX_OFFLOAD_TCP_TSO = RTE_ETH_TX_OFFLOAD_TCP_TSO;
static const uint64_t SHIM_TX_OFFLOAD_MULTI_SEGS = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
static const uint64_t SHIM_TX_OFFLOAD_MBUF_FAST_FREE = RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;

static const uint64_t SHIM_RSS_IPV4 = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER;
static const uint64_t SHIM_RSS_IPV4_TCP = RTE_ETH_RSS_NONFRAG_IPV4_TCP;
static const uint64_t SHIM_RSS_IPV4_UDP = RTE_ETH_RSS_NONFRAG_IPV4_UDP;
static const uint64_t SHIM_RSS_IPV6 = RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER;
/* The second is the same where no extension header names another address. QEMU's igb knows it alone. */
static const uint64_t SHIM_RSS_IPV6_TCP = RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_IPV6_TCP_EX;
static const uint64_t SHIM_RSS_IPV6_UDP = RTE_ETH_RSS_NONFRAG_IPV6_UDP;

static const uint32_t SHIM_LCORE_ID_ANY = LCORE_ID_ANY;
static const int SHIM_SOCKET_ID_ANY = SOCKET_ID_ANY;
static const uint32_t SHIM_ETH_LINK_SPEED_UNKNOWN = RTE_ETH_SPEED_NUM_UNKNOWN;

/* --- Process. --- */

/* The release's number, e.g. "DPDK 22.11.11". */
const char *shim_version(void);
/* rte_errno of the calling thread. */
int shim_errno(void);
uint32_t shim_lcore_id(void);
uint64_t shim_tsc(void);

/*
 * Sends every DPDK log line to `sink` (level as RTE_LOG_*; the text is not terminated by NUL).
 * Returns 0, or -1 when there is no memory for the stream.
 */
typedef void (*shim_log_sink)(uint32_t level, const char *text, size_t len);
int shim_log_to(shim_log_sink sink);

/* --- Ports. --- */

struct shim_port_info {
	char driver[64];
	char device[128];
	struct rte_device *handle;
	int numa_socket;
	uint16_t max_rx_queues;
	uint16_t max_tx_queues;
	uint16_t min_mtu;
	uint16_t max_mtu;
	uint32_t min_rx_buf_size;
	uint32_t max_rx_pktlen;
	uint64_t rx_offloads;
	uint64_t tx_offloads;
	uint64_t rss_fields;
	uint16_t rss_key_size;
	uint16_t reta_size;
};

struct shim_port_config {
	uint16_t rx_queues;
	uint16_t tx_queues;
	/* 0: leave the driver's default. */
	uint16_t mtu;
	uint64_t rx_offloads;
	uint64_t tx_offloads;
	/* 0: no RSS. */
	uint64_t rss_fields;
	/* NULL: the driver's default key. */
	const uint8_t *rss_key;
	uint8_t rss_key_len;
};

struct shim_link {
	/* Mb/s, or SHIM_ETH_LINK_SPEED_UNKNOWN. */
	uint32_t speed;
	uint8_t up;
	uint8_t full_duplex;
};

/* Fills `ports` with the ids of the ports in use, at most `max`; returns how many there are. */
uint16_t shim_ports(uint16_t *ports, uint16_t max);
int shim_port_info(uint16_t port, struct shim_port_info *info);
int shim_port_configure(uint16_t port, const struct shim_port_config *config);
int shim_rx_queue_setup(uint16_t port, uint16_t queue, uint16_t descriptors, uint32_t socket,
			struct rte_mempool *pool);
int shim_tx_queue_setup(uint16_t port, uint16_t queue, uint16_t descriptors, uint32_t socket);
int shim_link_get(uint16_t port, struct shim_link *link);
int shim_mac_get(uint16_t port, uint8_t mac[6]);
/* Sets which queue each entry of the redirection table names; 0 or a negative errno. */
int shim_reta_update(uint16_t port, const uint16_t *queues, uint16_t size);

/* --- The data path. --- */

uint16_t shim_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);
/* Makes the first mbufs ready for what their flags ask of the device; returns how many it could. */
uint16_t shim_tx_prepare(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);
uint16_t shim_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);
/* All or nothing: 0, or a negative errno. The mbufs are raw: call nothing but a reset on them. */
int shim_mbuf_raw_alloc_bulk(struct rte_mempool *pool, struct rte_mbuf **mbufs, uint32_t count);
void shim_mbuf_free(struct rte_mbuf *mbuf);
/* Copies all segments into the first one; 0, or -1 when its tailroom does not suffice. */
int shim_mbuf_linearize(struct rte_mbuf *mbuf);

/* Puts at most `count` objects into the ring, and takes at most as many from it; each for the one who fills
 * or empties it. Return how many that was. */
uint32_t shim_ring_enqueue_burst(struct rte_ring *ring, void *const *objects, uint32_t count);
uint32_t shim_ring_dequeue_burst(struct rte_ring *ring, void **objects, uint32_t count);

#endif
