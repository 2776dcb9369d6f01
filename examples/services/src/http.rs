//! One HTTP/1.1 request over a plain connection: enough to ask a node of ours how it is.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::{Error, Result};

/// Sends one request to `address` (`host:port`) and answers status and body.
///
/// The connection is closed afterwards. Each read and write may take `timeout`.
///
/// # Errors
///
/// [`Error::Io`] when the connection fails, times out or does not carry an HTTP answer.
pub fn request(
    address: &str,
    method: &str,
    path: &str,
    json: &str,
    timeout: Duration,
) -> Result<(u16, String)> {
    exchange(address, method, path, json, timeout)
        .map_err(Error::io(format!("{method} http://{address}{path}")))
}

fn exchange(
    address: &str,
    method: &str,
    path: &str,
    json: &str,
    timeout: Duration,
) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let length = json.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{json}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    parse(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP/1.1"))
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.lines().any(|line| line.eq_ignore_ascii_case("transfer-encoding: chunked"));
    Some((status, if chunked { unchunk(body)? } else { body.to_owned() }))
}

fn unchunk(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.push_str(rest.get(..size)?);
        body = rest.get(size..)?.strip_prefix("\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_split_into_status_and_body() {
        assert_eq!(parse("HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n{}"), Some((404, "{}".to_owned())));
        assert_eq!(parse("SSH-2.0\r\n\r\n"), None);
    }

    #[test]
    fn chunks_are_joined() {
        let answer =
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(parse(answer), Some((200, "abc0123456789".to_owned())));
    }
}
