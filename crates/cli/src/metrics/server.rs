//! The endpoint that Prometheus scrapes: HTTP on a socket of the kernel's, by a thread of its own.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::sync::oneshot;

use super::limited::{Limited, Limits};

/// The media type of what is served.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A running endpoint, until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `registry` at `/metrics` on `address`, on CPUs other than `workers` if there are any, so
    /// that no scrape takes time from a worker.
    ///
    /// # Errors
    /// The address cannot be had, or the operating system gives no thread.
    pub fn start(
        address: SocketAddr,
        registry: Registry,
        workers: &[usize],
    ) -> anyhow::Result<Server> {
        Server::start_with(address, registry, workers, Limits::default())
    }

    pub(super) fn start_with(
        address: SocketAddr,
        registry: Registry,
        workers: &[usize],
        limits: Limits,
    ) -> anyhow::Result<Server> {
        let cannot = || format!("cannot serve metrics on {address}");
        let listener = TcpListener::bind(address).with_context(cannot)?;
        listener.set_nonblocking(true).with_context(cannot)?;
        let address = listener.local_addr().with_context(cannot)?;
        let io = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .with_context(cannot)?;
        let registry = Arc::new(registry);
        let scrape = move || async move { answer(&registry) };
        let router = Router::new().route("/metrics", get(scrape));
        let mut others = runtime::allowed_cpus()?;
        others.retain(|cpu| !workers.contains(cpu));
        let (stop, stopped) = oneshot::channel();
        let body = move || {
            if !others.is_empty()
                && let Err(error) = runtime::pin(&others)
            {
                tracing::warn!("metrics: {error}");
            }
            // Connections that are open when it is stopped end with the runtime.
            io.block_on(async move {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => {
                        let limited = Limited::new(listener, limits);
                        tokio::select! {
                            ended = axum::serve(limited, router) => {
                                tracing::error!("metrics: the endpoint ended: {ended:?}");
                            }
                            _ = stopped => {}
                        }
                    }
                    Err(error) => tracing::error!("metrics: {error}"),
                }
            });
        };
        let thread = std::thread::Builder::new()
            .name("metrics".into())
            .spawn(body)
            .with_context(cannot)?;
        Ok(Server {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens: the port, if any was asked for, is known here.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Dropping the sender would do; this says it.
        let _ = self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the metrics panicked");
        }
    }
}

fn answer(registry: &Registry) -> Response {
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
