//! Socket options.

use core::ffi::c_int;

use tcp::State;

use crate::errno::Errno;
use crate::socket::{Kind, Socket};
use crate::sut::Sut;

/// Linux's numbers of the states (include/net/tcp_states.h).
fn number(state: State) -> u8 {
    match state {
        State::Established => 1,
        State::SynSent => 2,
        State::SynReceived => 3,
        State::FinWait1 => 4,
        State::FinWait2 => 5,
        State::TimeWait => 6,
        State::Closed => 7,
        State::CloseWait => 8,
        State::LastAck => 9,
        State::Closing => 11,
    }
}

/// LISTEN's.
const LISTEN: u8 = 10;

/// The one algorithm, NewReno, by Linux's name.
const CONGESTION: &[u8] = b"reno\0";

/// The value of an option.
enum Value {
    Int(c_int),
    Bytes(Vec<u8>),
}

impl Sut {
    /// Copies the value of an option to `value`, as much as fits, and says how much that is.
    ///
    /// # Errors
    /// EBADF, ENOPROTOOPT.
    pub fn getsockopt(
        &mut self,
        h: i32,
        level: c_int,
        option: c_int,
        value: &mut [u8],
    ) -> Result<usize, Errno> {
        let bytes = match self.option(h, level, option)? {
            Value::Int(n) => n.to_ne_bytes().to_vec(),
            Value::Bytes(bytes) => bytes,
        };
        let n = bytes.len().min(value.len());
        value[..n].copy_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn option(&mut self, h: i32, level: c_int, option: c_int) -> Result<Value, Errno> {
        let (h, socket) = self.socket(h)?;
        let int = |n: u32| Ok(Value::Int(c_int::try_from(n).unwrap_or(c_int::MAX)));
        match (level, option) {
            (libc::SOL_SOCKET, libc::SO_ERROR) => {
                let error = socket.error.take();
                Ok(Value::Int(error.map_or(0, |e| e.0)))
            }
            (libc::SOL_SOCKET, libc::SO_LINGER) => {
                let on = c_int::from(socket.linger.is_some());
                let seconds = socket.linger.unwrap_or(0);
                Ok(Value::Bytes(
                    [on.to_ne_bytes(), seconds.to_ne_bytes()].concat(),
                ))
            }
            (libc::SOL_SOCKET, libc::SO_RCVBUF) => int(socket.tcp.rcv_buf),
            (libc::SOL_SOCKET, libc::SO_SNDBUF) => int(socket.tcp.snd_buf),
            (libc::SOL_SOCKET, libc::SO_KEEPALIVE) => int(socket.keepalive_on.into()),
            (libc::SOL_SOCKET, libc::SO_REUSEADDR) => int(socket.reuse_address.into()),
            // RFC 6093 6: urgent text is in line, and nowhere else.
            (libc::SOL_SOCKET, libc::SO_OOBINLINE) => int(1),
            (libc::SOL_SOCKET, libc::SO_ACCEPTCONN) => int(socket.is_listening().into()),
            (libc::SOL_SOCKET, libc::SO_TYPE) => Ok(Value::Int(libc::SOCK_STREAM)),
            (libc::SOL_SOCKET, libc::SO_DOMAIN) => Ok(Value::Int(libc::AF_INET)),
            (libc::SOL_SOCKET, libc::SO_PROTOCOL) => Ok(Value::Int(libc::IPPROTO_TCP)),
            (libc::IPPROTO_TCP, libc::TCP_NODELAY) => int(socket.tcp.nodelay.into()),
            (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE) => int(socket.keepalive.idle_ms / 1000),
            (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL) => int(socket.keepalive.interval_ms / 1000),
            (libc::IPPROTO_TCP, libc::TCP_KEEPCNT) => int(socket.keepalive.count.into()),
            (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) => int(socket.tcp.user_timeout_ms),
            (libc::IPPROTO_TCP, libc::TCP_QUICKACK) => int((socket.tcp.delayed_ack_ms == 0).into()),
            (libc::IPPROTO_TCP, libc::TCP_LINGER2) => int(socket.tcp.fin_wait2_timeout_ms / 1000),
            (libc::IPPROTO_TCP, libc::TCP_SYNCNT) => int(socket.tcp.syn_retries.into()),
            (libc::IPPROTO_TCP, libc::TCP_CONGESTION) => Ok(Value::Bytes(CONGESTION.to_vec())),
            (libc::IPPROTO_TCP, libc::TCP_MAXSEG) => self.max_segment(h),
            (libc::IPPROTO_TCP, libc::TCP_INFO) => self.tcp_info(h),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    /// Sets an option.
    ///
    /// # Errors
    /// EBADF, EINVAL (too short, or out of range), ENOPROTOOPT.
    pub fn setsockopt(
        &mut self,
        h: i32,
        level: c_int,
        option: c_int,
        value: &[u8],
    ) -> Result<(), Errno> {
        let (h, socket) = self.socket(h)?;
        let pair = || {
            let first = value.first_chunk::<4>().ok_or(Errno::EINVAL)?;
            let second = value.get(4..).and_then(|v| v.first_chunk::<4>());
            Ok::<_, Errno>((
                c_int::from_ne_bytes(*first),
                second.map(|b| c_int::from_ne_bytes(*b)),
            ))
        };
        match (level, option) {
            (libc::SOL_SOCKET, libc::SO_LINGER) => {
                let (on, seconds) = pair()?;
                let seconds = seconds.ok_or(Errno::EINVAL)?;
                socket.linger = (on != 0).then_some(seconds);
                return Ok(());
            }
            (libc::SOL_SOCKET, libc::SO_REUSEADDR) => {
                socket.reuse_address = pair()?.0 != 0;
                return Ok(());
            }
            (libc::SOL_SOCKET, libc::SO_OOBINLINE) => {
                return if pair()?.0 != 0 {
                    Ok(())
                } else {
                    Err(Errno::EINVAL)
                };
            }
            (libc::IPPROTO_TCP, libc::TCP_CONGESTION) => {
                let name = value.split(|byte| *byte == 0).next();
                return match name {
                    Some(b"reno" | b"newreno") => Ok(()),
                    _ => Err(Errno::ENOENT),
                };
            }
            _ => {}
        }
        let connected = matches!(socket.kind, Kind::Connected(_));
        let changed = set(socket, level, option, || Ok(pair()?.0), connected)?;
        self.apply(h, changed)
    }

    /// Puts changed parameters in force.
    fn apply(&mut self, h: usize, tcp: tcp::Config) -> Result<(), Errno> {
        tcp.validate().map_err(|_| Errno::EINVAL)?;
        let (_, socket) = self.socket_at(h)?;
        match socket.kind {
            Kind::Connected(conn) => self.host.with(|_, cx| cx.set_tcp_config(conn, &tcp))?,
            Kind::Listening { id, .. } => {
                self.host.with(|_, cx| cx.set_listener_config(id, &tcp))?
            }
            Kind::Idle | Kind::Over => {}
        }
        let (_, socket) = self.socket_at(h)?;
        socket.tcp = tcp;
        Ok(())
    }

    fn max_segment(&mut self, h: usize) -> Result<Value, Errno> {
        let (_, socket) = self.socket_at(h)?;
        let mut mss = socket.tcp.mss;
        if let Kind::Connected(conn) = socket.kind
            && let Some(info) = self.host.with(|_, cx| cx.info(conn))
            && info.state.is_synchronized()
        {
            mss = info.snd_mss;
        }
        Ok(Value::Int(mss.into()))
    }

    /// The protocol's state, by Linux's numbers.
    fn state_number(&mut self, h: usize) -> Result<u8, Errno> {
        let (_, socket) = self.socket_at(h)?;
        Ok(match socket.kind {
            Kind::Listening { .. } => LISTEN,
            Kind::Idle => number(State::Closed),
            Kind::Connected(conn) => {
                let info = self.host.with(|_, cx| cx.info(conn));
                number(info.map_or(State::Closed, |info| {
                    let fin_sent = info.snd_nxt == info.snd_una + 2;
                    match info.state {
                        State::SynReceived if fin_sent => State::FinWait1,
                        state => state,
                    }
                }))
            }
            Kind::Over => {
                let tuple = socket.tuple;
                let waits = |tuple| self.host.with(|_, cx| cx.time_wait_until(&tuple)).is_some();
                number(match tuple.is_some_and(waits) {
                    true => State::TimeWait,
                    false => State::Closed,
                })
            }
        })
    }

    /// struct tcp_info, as far as its fields have a meaning here; the others are 0.
    fn tcp_info(&mut self, h: usize) -> Result<Value, Errno> {
        const LEN: usize = 104;
        const OPTION_TIMESTAMPS: u8 = 1;
        const OPTION_SACK: u8 = 2;
        const OPTION_WSCALE: u8 = 4;
        let mut bytes = vec![0; LEN];
        bytes[0] = self.state_number(h)?;
        let (_, socket) = self.socket_at(h)?;
        let advertised_mss = socket.tcp.mss;
        let Kind::Connected(conn) = socket.kind else {
            return Ok(Value::Bytes(bytes));
        };
        let Some(info) = self.host.with(|_, cx| cx.info(conn)) else {
            return Ok(Value::Bytes(bytes));
        };
        let (snd_shift, rcv_shift) = info.window_shifts;
        bytes[4] = info.backoff;
        if info.timestamps {
            bytes[5] |= OPTION_TIMESTAMPS;
        }
        if info.sack {
            bytes[5] |= OPTION_SACK;
        }
        if snd_shift | rcv_shift != 0 {
            bytes[5] |= OPTION_WSCALE;
        }
        bytes[6] = snd_shift | rcv_shift << 4;
        let mss = u32::from(info.snd_mss).max(1);
        let in_flight = info.snd_nxt.offset_from(info.snd_una);
        let fields = [
            (8, info.rto_us),
            (16, mss),
            (24, in_flight.div_ceil(mss)),
            (68, info.srtt_us),
            (72, info.rttvar_us),
            (76, info.ssthresh / mss),
            (80, info.cwnd / mss),
            (84, advertised_mss.into()),
        ];
        for (offset, value) in fields {
            bytes[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        }
        Ok(Value::Bytes(bytes))
    }
}

/// The parameters with one option changed.
fn set(
    socket: &mut Socket,
    level: c_int,
    option: c_int,
    value: impl Fn() -> Result<c_int, Errno>,
    connected: bool,
) -> Result<tcp::Config, Errno> {
    let positive = |most: u32| {
        let n = u32::try_from(value()?).map_err(|_| Errno::EINVAL)?;
        if n == 0 || n > most {
            return Err(Errno::EINVAL);
        }
        Ok(n)
    };
    // Linux takes any size of a buffer, and makes of it what it can.
    let buffer = || Ok::<_, Errno>(u32::try_from(value()?).unwrap_or(0).clamp(1, 1 << 30));
    let mut tcp = socket.tcp.clone();
    match (level, option) {
        (libc::SOL_SOCKET, libc::SO_RCVBUF) => tcp.rcv_buf = buffer()?,
        (libc::SOL_SOCKET, libc::SO_SNDBUF) => tcp.snd_buf = buffer()?,
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE) => socket.keepalive_on = value()? != 0,
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE) => {
            socket.keepalive.idle_ms = positive(32_767)? * 1000;
        }
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL) => {
            socket.keepalive.interval_ms = positive(32_767)? * 1000;
        }
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT) => socket.keepalive.count = positive(127)? as u8,
        (libc::IPPROTO_TCP, libc::TCP_NODELAY) => tcp.nodelay = value()? != 0,
        (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) => {
            tcp.user_timeout_ms = u32::try_from(value()?).map_err(|_| Errno::EINVAL)?;
        }
        (libc::IPPROTO_TCP, libc::TCP_QUICKACK) => {
            tcp.delayed_ack_ms = match value()? {
                0 => socket.delayed_ack_ms,
                _ => 0,
            };
        }
        (libc::IPPROTO_TCP, libc::TCP_LINGER2) => {
            let seconds = positive(2_000_000)?;
            tcp.fin_wait2_timeout_ms = seconds * 1000;
        }
        (libc::IPPROTO_TCP, libc::TCP_SYNCNT) => tcp.syn_retries = positive(127)? as u8,
        (libc::IPPROTO_TCP, libc::TCP_MAXSEG) => {
            if connected {
                return Err(Errno::EINVAL);
            }
            tcp.mss = positive(65_495)? as u16;
        }
        _ => return Err(Errno::ENOPROTOOPT),
    }
    tcp.keepalive = socket.keepalive_on.then_some(socket.keepalive);
    Ok(tcp)
}
