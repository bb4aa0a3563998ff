//! What one client, or many, may take of the metrics' thread: so many connections, and so long for
//! each request.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// What connections to the endpoint may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at a time; more wait in the kernel's queue until one ends.
    pub(super) connections: usize,
    /// From the beginning of a connection, or from the last octet of an answer, to the end of the next
    /// request's head and of its answer. A connection that is idle for so long is closed, too.
    pub(super) request: Duration,
}

impl Default for Limits {
    /// A few Prometheus servers, and somebody who looks.
    fn default() -> Limits {
        Limits {
            connections: 16,
            request: Duration::from_secs(30),
        }
    }
}

/// A listener that keeps to the limits.
pub(super) struct Limited {
    listener: TcpListener,
    room: Arc<Semaphore>,
    request: Duration,
}

impl Limited {
    pub(super) fn new(listener: TcpListener, limits: Limits) -> Limited {
        Limited {
            listener,
            room: Arc::new(Semaphore::new(limits.connections)),
            request: limits.request,
        }
    }
}

impl axum::serve::Listener for Limited {
    type Io = Timed;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Timed, SocketAddr) {
        // Nobody closes the semaphore.
        let room = Arc::clone(&self.room).acquire_owned().await.ok();
        let (stream, peer) = axum::serve::Listener::accept(&mut self.listener).await;
        let timed = Timed {
            stream,
            request: self.request,
            over: Box::pin(tokio::time::sleep(self.request)),
            _room: room,
        };
        (timed, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that fails when its time for a request is over.
#[derive(Debug)]
pub(super) struct Timed {
    stream: TcpStream,
    request: Duration,
    over: Pin<Box<Sleep>>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Timed {
    /// What `done` says, or that the time is over if it has to wait.
    fn in_time<T>(
        &mut self,
        cx: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() || self.over.as_mut().poll(cx).is_pending() {
            return done;
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.in_time(cx, read)
    }
}

impl AsyncWrite for Timed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(_)) = written {
            // Part of an answer: whoever reads it may send the next request.
            let until = Instant::now() + self.request;
            self.over.as_mut().reset(until);
        }
        self.in_time(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
