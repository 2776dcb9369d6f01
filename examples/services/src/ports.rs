//! Free ports for servers that must come back on the same port after a stop.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

use crate::{Error, Result};

/// Below every operating system's range for outgoing connections (Linux 32768, others 49152): while a server is
/// stopped, no client's connection can take its port.
const LOW: u16 = 15_000;
const HIGH: u16 = 32_000;
const ATTEMPTS: u64 = 200;

/// Ports already handed out by this process, whose servers may not have bound them yet.
static TAKEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port on 127.0.0.1 that nothing listens on and that this process has not handed out before.
///
/// # Errors
///
/// [`Error::Io`] when 200 random ports are all taken.
pub(crate) fn free_port() -> Result<u16> {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    #[allow(clippy::cast_possible_truncation, reason = "the low bits are the random ones")]
    let mut state = (clock as u64) ^ (u64::from(std::process::id()) << 32);
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..ATTEMPTS {
        let port = LOW + u16::try_from(next(&mut state) % u64::from(HIGH - LOW)).unwrap_or(0);
        if taken.contains(&port) {
            continue;
        }
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => {
                taken.insert(port);
                return Ok(port);
            }
            Err(e) => last = e,
        }
    }
    Err(Error::Io { doing: format!("find a free port from {LOW} to {HIGH}"), source: last })
}

/// Says early and clearly that a chosen port is taken; a server says it late, between other lines.
///
/// # Errors
///
/// [`Error::Config`] when something listens there.
pub(crate) fn check_free(port: u16) -> Result<u16> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(port),
        Err(e) => Err(Error::Config(format!("cannot listen on 127.0.0.1:{port} ({e}): choose another port"))),
    }
}

/// splitmix64: one step of a generator whose quality only has to keep processes apart.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_by_number() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = check_free(port).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()), "{error}");
        drop(listener);
        assert_eq!(check_free(port).unwrap(), port);
    }

    #[test]
    fn ports_are_never_handed_out_twice_and_lie_below_the_outgoing_range() {
        let ports: Vec<u16> = (0..50).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
        assert!(ports.iter().all(|port| (LOW..HIGH).contains(port)), "{ports:?}");
    }
}
