//! Sockets of run time: listeners that come and go, active opens from a local socket of the
//! caller's choice (the full OPEN of RFC 9293 3.10.1), reading when the caller wants to, and
//! parameters changed on a connection that is open.
//!
//! What a configuration names at start is sized and placed for speed; this is for those who do not
//! know their sockets beforehand.

use tcp::time::Instant;
use tcp::time_wait::{AnchorId, Side};
use tcp::{Config as TcpConfig, Connection, State};
use wire::{FourTuple, Ip};

use crate::application::{Application, Handle, ListenerId};
use crate::config::{ConfigError, ListenerConfig, TimeWaitConfig, is_unicast, protocol};
use crate::context::{ConnectError, Context};
use crate::core::{Core, Fixed, Listener, Places, env, place_both, place_config};
use crate::frame::FramePool;
use crate::slab::{Origin, Slot, flag};
use crate::stack::Stack;

/// An active open from a chosen local socket.
#[derive(Clone, Debug)]
pub struct OpenConfig {
    /// The local socket; the address must be the host's, the port not 0.
    pub local: (Ip, u16),
    /// The remote socket.
    pub remote: (Ip, u16),
    /// The protocol's parameters.
    pub tcp: TcpConfig,
    /// TIME-WAIT. Its length must be one that the host's configuration knows
    /// ([`crate::Config::time_wait_lengths_ms`]).
    pub time_wait: TimeWaitConfig,
}

/// Why a socket of run time could not be opened.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// What was asked for can never be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It cannot be now.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

impl Context<'_> {
    /// OPEN, passive: a new listener.
    ///
    /// # Errors
    /// What is wrong with it; a socket that is listened on already is
    /// [`ConfigError::DuplicateListener`].
    pub fn listen(&mut self, listener: &ListenerConfig) -> Result<ListenerId, ConfigError> {
        self.core.listen(listener)
    }

    /// CLOSE of a listener: segments for it are answered as for a closed port from now on, and
    /// its connections in SYN-RECEIVED are reset. Those that are open stay.
    pub fn unlisten(&mut self, id: ListenerId) {
        self.core.unlisten(id);
    }

    /// The most connections in SYN-RECEIVED that `id` may have from now on. Nothing, if it has been
    /// closed.
    pub fn set_backlog(&mut self, id: ListenerId, backlog: u32) {
        if let Ok(listener) = self.core.listener_mut(id) {
            listener.backlog = backlog;
        }
    }

    /// Whether handshakes of `id` may complete from now on; at first they may. While they may not, what would
    /// complete one counts as lost, and is tried again by either side. Nothing, if it has been closed.
    pub fn set_accepting(&mut self, id: ListenerId, accepting: bool) {
        if let Ok(listener) = self.core.listener_mut(id) {
            listener.accepting = accepting;
        }
    }

    /// Changes the protocol's parameters of a listener: those of connections to come.
    ///
    /// # Errors
    /// What is wrong with them, or with `id`; then nothing has changed.
    pub fn set_listener_config(
        &mut self,
        id: ListenerId,
        tcp: &TcpConfig,
    ) -> Result<(), ConfigError> {
        self.core.set_listener_config(id, tcp)
    }

    /// OPEN, active, from a chosen local socket.
    ///
    /// # Errors
    /// Why it cannot be opened; nothing was sent.
    pub fn connect_from(&mut self, open: &OpenConfig) -> Result<Handle, OpenError> {
        self.core.connect_from(open, self.now)
    }

    /// The protocol's parameters of a connection.
    #[must_use]
    pub fn tcp_config(&self, conn: Handle) -> Option<&TcpConfig> {
        let slot = self.core.slab.by_handle(conn)?;
        self.core.tcp_configs.get(usize::from(slot.config))
    }

    /// Changes them. What the SYNs settled (MSS option, window scale, timestamps) stays as it is.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn set_tcp_config(&mut self, conn: Handle, tcp: &TcpConfig) -> Result<(), ConfigError> {
        if self.core.slab.by_handle(conn).is_none() {
            return Ok(());
        }
        let slot = self.core.slab.get(conn.index);
        let is_v4 = slot.tuple.local.is_v4();
        let rules = self.core.time_wait.rules(slot);
        let tcp = rules.map_or_else(|| tcp.clone(), |rules| protocol(rules, tcp));
        let place = self.core.place(&tcp, is_v4)?;
        let slot = self.core.slab.get_mut(conn.index);
        slot.config = place;
        let config = &self.core.tcp_configs[usize::from(place)];
        slot.conn.config_changed(config, self.now);
        self.core.mark_dirty(conn.index);
        Ok(())
    }

    /// When the TIME-WAIT of a four-tuple ends; `None` if it is not in TIME-WAIT.
    #[must_use]
    pub fn time_wait_until(&mut self, tuple: &FourTuple) -> Option<Instant> {
        let hash = self.core.hash(tuple);
        self.core.time_wait.until(hash, tuple, self.now)
    }
}

impl<A: Application, P: FramePool> Stack<A, P> {
    /// RECEIVE, when the caller wants to and not when text arrives: copies unread bytes to `buf`,
    /// from the first on, and says how many there were. They are read then, unless only to be
    /// `peek`ed at. For applications whose [`Application::on_data`] consumes nothing. 0 if the
    /// connection has gone.
    pub fn read(&mut self, now: Instant, conn: Handle, buf: &mut [u8], peek: bool) -> usize {
        if self.core.slab.by_handle(conn).is_none() {
            return 0;
        }
        let core = &mut self.core;
        let slot = core.slab.get_mut(conn.index);
        let n = slot.conn.copy_readable(&self.receive_memory, 0, buf);
        if !peek && n > 0 {
            core.ts_clock.set(now);
            let mut env = env!(core, &mut self.receive_memory, now, slot.config);
            slot.conn.consume(&mut env, n);
            core.mark_dirty(conn.index);
            self.tell_fin(now, conn.index);
        }
        n
    }

    /// When the next timer of a connection is due, to the nanosecond: [`Stack::next_deadline`] is up
    /// to a tick later, and tells of upkeep too. It looks at every connection.
    #[must_use]
    pub fn next_connection_deadline(&self) -> Option<Instant> {
        self.deadlines().map(|(_, at)| at).min()
    }

    /// Runs the timers of connections that are due, to the nanosecond, where [`Stack::advance`] may be
    /// a tick late. It looks at every connection.
    pub fn run_connection_timers(&mut self, now: Instant) {
        self.core.ts_clock.set(now);
        let due = self.deadlines().filter(|&(_, at)| at <= now);
        let due: Vec<u32> = due.map(|(index, _)| index).collect();
        for index in due {
            self.run_timer(now, index);
        }
    }

    fn deadlines(&self) -> impl Iterator<Item = (u32, Instant)> {
        let slab = &self.core.slab;
        slab.live_indices()
            .filter(|&i| !slab.get(i).has(flag::DETACHED))
            .filter_map(|i| Some((i, slab.get(i).conn.deadline()?)))
    }
}

impl Core {
    /// The place of a valid configuration.
    fn place(&mut self, tcp: &TcpConfig, is_v4: bool) -> Result<u16, ConfigError> {
        tcp.validate()?;
        place_config(&mut self.tcp_configs, tcp, self.mtu, is_v4)
    }

    /// Its places for both families.
    fn place_both(&mut self, tcp: &TcpConfig) -> Result<Places, ConfigError> {
        tcp.validate()?;
        place_both(&mut self.tcp_configs, tcp, self.mtu)
    }

    fn listen(&mut self, l: &ListenerConfig) -> Result<ListenerId, ConfigError> {
        if l.port == 0 {
            return Err(ConfigError::BadPorts(0, 0));
        }
        if let Some(address) = l.address
            && !self.link.is_ours(address)
        {
            return Err(ConfigError::NotOurs(address));
        }
        let ours = self.link.addresses.iter().map(|a| a.ip);
        let ips: Vec<Ip> = ours
            .filter(|ip| l.address.is_none_or(|a| a == *ip))
            .collect();
        if ips
            .iter()
            .any(|&ip| self.listen_index.find(ip, l.port).is_some())
        {
            return Err(ConfigError::DuplicateListener(l.port));
        }
        l.time_wait.validate()?;
        let config = self.place_both(&l.time_wait.protocol(&l.tcp))?;
        let reused = self.free_listeners.last().copied();
        let place = match reused {
            Some(place) => place,
            None => u16::try_from(self.listeners.len())
                .map_err(|_| ConfigError::TooManySockets(usize::from(u16::MAX)))?,
        };
        let sockets: Vec<(Ip, u16)> = ips.into_iter().map(|ip| (ip, l.port)).collect();
        let anchors = self.anchors(&sockets, config, l.time_wait)?;
        let listener = Listener {
            backlog: l.backlog,
            embryos: 0,
            config,
            accepting: true,
            open: true,
            at_run_time: true,
            generation: 0,
            time_wait: l.time_wait,
        };
        let id = match self.listeners.get_mut(usize::from(place)) {
            Some(former) => {
                let generation = former.generation + 1;
                *former = Listener {
                    generation,
                    ..listener
                };
                ListenerId { place, generation }
            }
            None => {
                self.listeners.push(listener);
                ListenerId {
                    place,
                    generation: 0,
                }
            }
        };
        if reused.is_some() {
            self.free_listeners.pop();
        }
        for (socket, anchor) in sockets.into_iter().zip(anchors) {
            self.listen_index.insert(socket, id, Some(anchor));
        }
        Ok(id)
    }

    fn unlisten(&mut self, id: ListenerId) {
        let Ok(listener) = self.listener_mut(id) else {
            return;
        };
        listener.open = false;
        for (ip, anchor) in self.listen_index.remove(id) {
            self.time_wait.release(ip, anchor);
        }
        let embryos: Vec<u32> = self
            .slab
            .live_indices()
            .filter(|&i| {
                let slot = self.slab.get(i);
                slot.origin == Origin::Listener(id) && slot.conn.state() == State::SynReceived
            })
            .collect();
        for index in embryos {
            let slot = self.slab.get_mut(index);
            slot.conn.abort();
            // The place may be another listener's soon.
            slot.origin = Origin::Socket;
            self.mark_dirty(index);
        }
        // A place whose generations are used up is not used again.
        if id.generation < u16::MAX {
            self.free_listeners.push(id.place);
        }
    }

    fn set_listener_config(&mut self, id: ListenerId, tcp: &TcpConfig) -> Result<(), ConfigError> {
        let time_wait = self.listener_mut(id)?.time_wait;
        let config = self.place_both(&time_wait.protocol(tcp))?;
        // Connections that are open keep theirs.
        let sockets = self.listen_index.sockets(id);
        let anchors = self.anchors(&sockets, config, time_wait)?;
        for (socket, anchor) in sockets.into_iter().zip(anchors) {
            if let Some(former) = self.listen_index.insert(socket, id, Some(anchor)) {
                self.time_wait.release(socket.0, former);
            }
        }
        let listener = self.listener_mut(id)?;
        listener.config = config;
        listener.at_run_time = true;
        Ok(())
    }

    /// A listener that is open.
    fn listener_mut(&mut self, id: ListenerId) -> Result<&mut Listener, ConfigError> {
        let listener = self.listeners.get_mut(id.place());
        listener
            .filter(|l| l.open && l.generation == id.generation)
            .ok_or(ConfigError::NoSuchListener)
    }

    /// One more user of TIME-WAIT of each of these sockets of ours, or of none.
    fn anchors(
        &mut self,
        sockets: &[(Ip, u16)],
        config: Places,
        time_wait: TimeWaitConfig,
    ) -> Result<Vec<AnchorId>, ConfigError> {
        let mut anchors = Vec::with_capacity(sockets.len());
        for &(ip, port) in sockets {
            match self.anchor((ip, port), config.of(ip), time_wait) {
                Ok(anchor) => anchors.push(anchor),
                Err(why) => {
                    for (&(ip, _), anchor) in sockets.iter().zip(anchors) {
                        self.time_wait.release(ip, anchor);
                    }
                    return Err(why);
                }
            }
        }
        Ok(anchors)
    }

    fn anchor(
        &mut self,
        (ip, port): (Ip, u16),
        config: u16,
        time_wait: TimeWaitConfig,
    ) -> Result<AnchorId, ConfigError> {
        let fixed = Fixed {
            side: Side::Local,
            ip,
            port,
            config,
            time_wait,
        };
        self.has_sockets = true;
        let tcp = &self.tcp_configs[usize::from(config)];
        self.time_wait.acquire_at_run_time(&fixed, tcp)
    }

    //= RFC 9293 3.10.1
    //# if active and the remote socket is specified, issue a SYN segment.
    fn connect_from(&mut self, open: &OpenConfig, now: Instant) -> Result<Handle, OpenError> {
        let ((local, local_port), (remote, remote_port)) = (open.local, open.remote);
        if self.draining {
            return Err(ConnectError::Draining.into());
        }
        if local_port == 0 || remote_port == 0 {
            return Err(ConfigError::BadPorts(local_port, remote_port).into());
        }
        if !self.link.is_ours(local) {
            return Err(ConfigError::NotOurs(local).into());
        }
        if remote.is_v4() != local.is_v4() {
            return Err(ConfigError::FamiliesDiffer(local, remote).into());
        }
        if !is_unicast(remote) || self.link.is_broadcast(remote) || self.link.is_ours(remote) {
            return Err(ConfigError::NotUnicast(remote).into());
        }
        let Some(next_hop) = self.link.next_hop(remote) else {
            return Err(ConfigError::NoRoute(remote).into());
        };
        let tuple = FourTuple {
            local,
            remote,
            local_port,
            remote_port,
        };
        if self.owner.as_ref().is_some_and(|owns| !owns(&tuple)) {
            return Err(ConfigError::AnotherWorkers(local, local_port).into());
        }
        let hash = self.hash(&tuple);
        //= RFC 9293 3.10.1
        //# "error: connection already exists"
        if self.slab.find(hash, &tuple).is_some() {
            let why = ConnectError::NoTupleFree {
                in_use: 1,
                resting: 0,
                next_free: None,
                free_in: None,
            };
            return Err(why.into());
        }
        if self.slab.is_full() {
            self.counters.host.connect_table_full += 1;
            return Err(ConnectError::TableFull.into());
        }
        open.time_wait.validate()?;
        let config = self.place(&open.time_wait.protocol(&open.tcp), local.is_v4())?;
        let anchor = self.anchor(open.local, config, open.time_wait)?;
        // First, because what follows may end the TIME-WAIT of the four-tuple.
        let Some(neighbor) = self.neighbors.acquire(next_hop, now) else {
            self.time_wait.release(local, anchor);
            self.counters.host.neighbor_table_full += 1;
            return Err(ConnectError::NoNeighbor.into());
        };
        let numbers = self.secret.numbers(&tuple);
        let clock = self.clock_isn(numbers, now);
        let opening = match self.may_open(hash, &tuple, &open.time_wait, clock, now) {
            Ok(opening) => opening,
            Err(at) => {
                self.neighbors.release(neighbor);
                self.time_wait.release(local, anchor);
                let why = ConnectError::NoTupleFree {
                    in_use: 0,
                    resting: 1,
                    next_free: Some(at),
                    free_in: Some(at.since(now)),
                };
                return Err(why.into());
            }
        };
        let tcp = &self.tcp_configs[usize::from(config)];
        let slot = Slot {
            conn: Connection::connect(tcp, now, opening.iss, numbers.ts_offset),
            tuple,
            flags: flag::LIVE | flag::DIRTY | flag::KNOWN | opening.flags(),
            neighbor,
            config,
            generation: 0,
            origin: Origin::Socket,
            hash,
            established_at: now,
            anchor: Some(anchor),
            shadow: None,
        };
        let Some(index) = self.insert(slot) else {
            self.neighbors.release(neighbor);
            self.time_wait.release(local, anchor);
            return Err(ConnectError::TableFull.into());
        };
        self.counters.host.active_opens += 1;
        Ok(self.slab.handle(index))
    }
}
