//! What is said to each target.

use core::num::NonZeroU32;

use http::client::Request;
use load::exchange::{Expects, Http};
use load::{Exchange, Raw};

use crate::config::ConfigError;
use crate::config::load::{End, Load, Mode, Scheme, Target};

/// What is said to `target`.
///
/// # Errors
/// It cannot be said.
pub(super) fn exchange(config: &Load, target: &Target) -> Result<Exchange, ConfigError> {
    match target.url.scheme {
        Scheme::Tcp => Ok(Exchange::Raw(raw(config))),
        Scheme::Http => match http(config, target) {
            Ok(http) => Ok(Exchange::Http(http)),
            Err(error) => Err(ConfigError::flag(
                &target.url.to_string(),
                error.to_string(),
            )),
        },
    }
}

fn raw(config: &Load) -> Raw {
    let len = usize::try_from(config.request_bytes.get()).unwrap_or(usize::MAX);
    let request: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
    Raw::new(request, config.response_bytes.get())
}

fn http(config: &Load, target: &Target) -> Result<Http, http::client::InvalidRequest> {
    let url = &target.url;
    let request = Request::new("GET", &url.path, &url.authority);
    let requests = match (config.mode, config.requests) {
        (_, Some(requests)) => u32::try_from(requests.get()).ok(),
        (Mode::Connections, None) => Some(1),
        _ => None,
    };
    match requests.and_then(NonZeroU32::new) {
        // The server closes when it is asked to.
        Some(requests) if config.close == End::Server => {
            Http::closed_by_server(&request, Expects::default(), requests)
        }
        _ => Http::new(&request, Expects::default()),
    }
}
