//! Whether a broker answers: it names the coordinator of a group.
//!
//! An open port says little: the broker listens before its controller lets clients in. Asking for a coordinator is
//! answered only by a broker that is in service, and creates `__consumer_offsets`, which otherwise costs the first
//! consumer of each test a second.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(2);
const GROUP: &str = "services-probe";
const FIND_COORDINATOR: i16 = 10;
const CORRELATION: i32 = 7;

/// One FindCoordinator request (version 0).
///
/// # Errors
///
/// What went wrong, for the message shown when the time is up.
pub(super) fn coordinator_answers(address: &str) -> Result<(), String> {
    let answer = ask(address).map_err(|e| format!("no answer from {address}: {e}"))?;
    match error_code(&answer) {
        Some(0) => Ok(()),
        Some(code) => Err(format!("{address} has no group coordinator yet, error code {code}")),
        None => Err(format!("{address} does not answer as Kafka does")),
    }
}

fn ask(address: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(&request())?;
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut answer = Vec::new();
    stream.take(u64::from(u32::from_be_bytes(size))).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Size, request header version 1 (key, version, correlation id, client id), and the group's name.
fn request() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(FIND_COORDINATOR.to_be_bytes());
    body.extend(0_i16.to_be_bytes());
    body.extend(CORRELATION.to_be_bytes());
    for text in ["services", GROUP] {
        body.push(0);
        // Both texts are short constants.
        body.push(text.len() as u8);
        body.extend(text.as_bytes());
    }
    let mut request = u32::try_from(body.len()).unwrap_or_default().to_be_bytes().to_vec();
    request.append(&mut body);
    request
}

/// The error code behind the correlation id; `None` when this is not an answer to our request.
fn error_code(answer: &[u8]) -> Option<i16> {
    let (correlation, rest) = answer.split_first_chunk::<4>()?;
    let (code, _) = rest.split_first_chunk::<2>()?;
    (i32::from_be_bytes(*correlation) == CORRELATION).then(|| i16::from_be_bytes(*code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_another_request_is_not_taken_for_ours() {
        assert_eq!(error_code(&[0, 0, 0, 7, 0, 15, 9]), Some(15));
        assert_eq!(error_code(&[0, 0, 0, 8, 0, 0]), None);
        assert_eq!(error_code(b"HTTP"), None);
    }
}
