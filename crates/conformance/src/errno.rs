//! Errors as errno values.

use core::ffi::c_int;
use core::fmt;

use stack::{CloseReason, ConfigError, ConnectError, OpenError};

/// An errno value of Linux, positive; the C face negates it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub c_int);

impl Errno {
    pub(crate) const EADDRINUSE: Errno = Errno(libc::EADDRINUSE);
    pub(crate) const EADDRNOTAVAIL: Errno = Errno(libc::EADDRNOTAVAIL);
    pub(crate) const EAGAIN: Errno = Errno(libc::EAGAIN);
    pub(crate) const EALREADY: Errno = Errno(libc::EALREADY);
    pub(crate) const EBADF: Errno = Errno(libc::EBADF);
    pub(crate) const ECONNABORTED: Errno = Errno(libc::ECONNABORTED);
    pub(crate) const ECONNREFUSED: Errno = Errno(libc::ECONNREFUSED);
    pub(crate) const ECONNRESET: Errno = Errno(libc::ECONNRESET);
    pub(crate) const EFAULT: Errno = Errno(libc::EFAULT);
    pub(crate) const EHOSTUNREACH: Errno = Errno(libc::EHOSTUNREACH);
    pub(crate) const EINVAL: Errno = Errno(libc::EINVAL);
    pub(crate) const EISCONN: Errno = Errno(libc::EISCONN);
    pub(crate) const EMFILE: Errno = Errno(libc::EMFILE);
    pub(crate) const EMSGSIZE: Errno = Errno(libc::EMSGSIZE);
    pub(crate) const ENETUNREACH: Errno = Errno(libc::ENETUNREACH);
    pub(crate) const ENOBUFS: Errno = Errno(libc::ENOBUFS);
    pub(crate) const ENOENT: Errno = Errno(libc::ENOENT);
    pub(crate) const ENOPROTOOPT: Errno = Errno(libc::ENOPROTOOPT);
    pub(crate) const ENOTCONN: Errno = Errno(libc::ENOTCONN);
    pub(crate) const EOPNOTSUPP: Errno = Errno(libc::EOPNOTSUPP);
    pub(crate) const EPIPE: Errno = Errno(libc::EPIPE);
    pub(crate) const ETIMEDOUT: Errno = Errno(libc::ETIMEDOUT);
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", std::io::Error::from_raw_os_error(self.0))
    }
}

/// What the user is told of the end of a connection, whose peer had sent its FIN or not; `None` if
/// there is nothing wrong with it.
pub(crate) fn of_close(reason: CloseReason, peer_closed: bool) -> Option<Errno> {
    match reason {
        CloseReason::Normal | CloseReason::DataLost | CloseReason::FinWait2Timeout => None,
        CloseReason::Refused => Some(Errno::ECONNREFUSED),
        CloseReason::Reset if peer_closed => Some(Errno::EPIPE),
        CloseReason::Reset => Some(Errno::ECONNRESET),
        CloseReason::Aborted => Some(Errno::ECONNABORTED),
        CloseReason::TimedOut | CloseReason::UserTimeout | CloseReason::KeepaliveTimeout => {
            Some(Errno::ETIMEDOUT)
        }
        CloseReason::Unreachable => Some(Errno::EHOSTUNREACH),
    }
}

impl From<ConfigError> for Errno {
    fn from(error: ConfigError) -> Errno {
        match error {
            ConfigError::DuplicateListener(_) => Errno::EADDRINUSE,
            ConfigError::NotOurs(_) | ConfigError::BadPorts(..) => Errno::EADDRNOTAVAIL,
            ConfigError::NotUnicast(_) | ConfigError::NoRoute(_) => Errno::ENETUNREACH,
            ConfigError::TooManySockets(_)
            | ConfigError::TooManyParameters
            | ConfigError::TimeWait(_) => Errno::ENOBUFS,
            _ => Errno::EINVAL,
        }
    }
}

impl From<OpenError> for Errno {
    fn from(error: OpenError) -> Errno {
        match error {
            OpenError::Config(error) => error.into(),
            OpenError::Connect(ConnectError::NoTupleFree { .. }) => Errno::EADDRNOTAVAIL,
            OpenError::Connect(_) => Errno::ENOBUFS,
        }
    }
}
