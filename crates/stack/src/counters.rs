//! What the host counts. Every decision has a name; the names and meanings are listed with the
//! values, so that whoever shows them needs no table of its own.

/// Declares a struct of `u64` counters with their names and meanings.
macro_rules! counters {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $field:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[doc = $doc])+ pub $field: u64,)+ }

        impl $name {
            /// Calls `f` with each counter's name, meaning and value, in declaration order.
            pub fn for_each(&self, f: &mut impl FnMut(&'static str, &'static str, u64)) {
                $(f(stringify!($field), concat!($($doc),+).trim_ascii(), self.$field);)+
            }
        }
    };
}

counters! {
    /// Counters of the host around TCP: frames, IP, ARP, ICMP, demultiplexing and the life of
    /// connections.
    Host {
        /// Frames received.
        rx_frames,
        /// Bytes of frames received.
        rx_bytes,
        /// Frames handed to the queue.
        tx_frames,
        /// Bytes of frames handed to the queue.
        tx_bytes,
        /// TCP segments received intact for this host.
        rx_segments,
        /// Those of them whose checksum the host verified itself, because the device had not.
        rx_segments_by_software,
        /// TCP segments sent.
        tx_segments,
        /// Dropped: malformed or foreign Ethernet header, or the wrong VLAN.
        drop_ethernet,
        /// Dropped: an EtherType that this host does not speak.
        drop_ethertype,
        /// Dropped: malformed IP header, or IPv6 extension header.
        drop_ip_malformed,
        /// Dropped: wrong IPv4 header checksum.
        drop_ip_checksum,
        /// Dropped: an IP fragment; this host does not reassemble.
        drop_ip_fragment,
        /// Dropped: addressed to another host.
        drop_ip_not_ours,
        /// Dropped: a source address that no host can have (RFC 1122 3.2.1.3, RFC 4291 2.5 and 2.7).
        drop_ip_source,
        /// Dropped: an IP protocol that this host does not speak, or UDP.
        drop_ip_protocol,
        /// Dropped: malformed TCP header.
        drop_tcp_malformed,
        /// Dropped: wrong TCP checksum.
        drop_tcp_checksum,
        /// Dropped: malformed or foreign ARP packet.
        drop_arp,
        /// Dropped: neighbour discovery that is malformed, from off the link, or for another host.
        drop_ndp,
        /// Dropped: malformed ICMP message, or one of no interest.
        drop_icmp,
        /// Dropped: no frame buffer to send with.
        drop_tx_no_buffer,
        /// Dropped: a reply for which the outgoing queue had no room.
        drop_tx_no_room,
        /// Dropped: a segment to a neighbour that does not answer.
        drop_tx_unresolved,
        /// Segments for no connection and no listener, answered by RST (RFC 9293 3.10.7.1).
        closed_resets,
        /// Replies (RST, ICMP error) withheld by the rate limit.
        replies_limited,
        /// SYNs to a listener whose backlog was full.
        drop_backlog_full,
        /// Acknowledgments that would have completed a handshake while the application accepted none.
        drop_not_accepting,
        /// SYNs dropped because the connection table was full.
        drop_table_full,
        /// SYNs dropped because listeners are closed: the host is draining.
        drop_draining,
        /// Segments that a listener ignored (RST, SYN with FIN, no flags).
        listen_ignored,
        /// ARP requests answered.
        arp_replies,
        /// ARP requests sent.
        arp_requests,
        /// Neighbour solicitations answered.
        ndp_advertisements,
        /// Neighbour solicitations sent, those included that look for duplicates of our addresses.
        ndp_solicitations,
        /// IPv6 addresses not used because another host on the link has them (RFC 4862 5.4).
        duplicate_addresses,
        /// Neighbours that never answered.
        neighbor_failures,
        /// Neighbours not remembered because the table was full.
        neighbor_table_full,
        /// Frames seen from another station that claims an address of ours.
        arp_conflicts,
        /// ICMP echo requests answered.
        icmp_echo_replies,
        /// ICMP errors sent.
        icmp_errors_sent,
        /// ICMP errors received that concern a connection of ours.
        icmp_errors_received,
        /// Connections whose path was said to carry less than was thought (RFC 1191, RFC 8201).
        path_mtu_reduced,
        /// Active opens.
        active_opens,
        /// Passive opens: SYNs accepted by a listener, recycled tuples included.
        passive_opens,
        /// Active opens refused because no local tuple was free.
        connect_no_tuple,
        /// Active opens refused because the connection table was full.
        connect_table_full,
        /// Connections that reached ESTABLISHED.
        established,
        /// Connections over, whatever the reason, that had reached ESTABLISHED.
        closed,
        /// Connections over because both ends closed.
        closed_normal,
        /// Connections over by RST from the peer, after ESTABLISHED.
        closed_reset,
        /// Active opens refused by RST.
        closed_refused,
        /// Connections over by our RST, because data was unread at CLOSE or came after it.
        closed_data_lost,
        /// Connections and opens given up after too many retransmissions, by a timer, or because
        /// no neighbour on the way answers.
        closed_timeout,
        /// Connections aborted by the application.
        closed_aborted,
        /// Embryos that never became ESTABLISHED (RST, time-out).
        embryo_failures,
        /// Connections that entered TIME-WAIT.
        time_wait_entered,
        /// Connections in FIN-WAIT-2, closed by their user, that gave their control block back.
        fin_wait2_entered,
        /// TIME-WAIT entries, and those in FIN-WAIT-2, ended by their timer.
        time_wait_expired,
        /// TIME-WAIT entries that gave way because the table or a bucket was full, or the sweep far too late.
        time_wait_evicted,
        /// Four-tuples of our own TIME-WAIT taken over by an active open.
        time_wait_local_reuse,
    }
}

/// All counters of one shard.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counters {
    /// The host around TCP.
    pub host: Host,
    /// The protocol.
    pub tcp: tcp::Counters,
    /// TIME-WAIT decisions.
    pub time_wait: tcp::time_wait::Counters,
}

impl Counters {
    /// Calls `f` with every counter's name, meaning and value, always in the same order. Names are
    /// unique.
    pub fn for_each(&self, mut f: impl FnMut(&'static str, &'static str, u64)) {
        self.host.for_each(&mut f);
        self.tcp.for_each(&mut f);
        self.time_wait.for_each(&mut f);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_meanings_are_there() {
        let mut names = std::collections::HashSet::new();
        Counters::default().for_each(|name, meaning, value| {
            assert!(names.insert(name), "{name} is there twice");
            assert!(meaning.ends_with('.'), "{name}: {meaning}");
            assert_eq!(value, 0);
        });
        assert!(names.len() > 60);
    }
}
