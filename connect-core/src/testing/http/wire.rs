//! Requests off the wire and replies onto it: no more of HTTP/1.1 (RFC 9112) than clients use here.

use super::{Ending, Reply, Request};
use bytes::{Buf, Bytes, BytesMut};
use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// More headers than any client of ours sends.
const HEADERS_MAX: usize = 64;
/// Bodies beyond this are a bug of the client under test.
const BODY_BYTES_MAX: usize = 1 << 30;

/// The next request, or `None` if the client has closed the connection between two.
pub(super) async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    connection: usize,
) -> io::Result<Option<Request>> {
    let mut request = loop {
        if let Some((request, head)) = parse_head(buffer, connection)? {
            buffer.advance(head);
            break request;
        }
        if stream.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    };
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let chunked =
        request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    request.body = if chunked {
        read_chunks(stream, buffer).await?
    } else {
        let length = request.header("content-length").map_or(Ok(0), |length| length.parse::<usize>());
        take(stream, buffer, length.map_err(invalid)?).await?
    };
    Ok(Some(request))
}

fn parse_head(buffer: &[u8], connection: usize) -> io::Result<Option<(Request, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(buffer).map_err(invalid)? else {
        return Ok(None);
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let request = Request {
        method: head.method.unwrap_or_default().to_owned(),
        path: head.path.unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect(),
        body: Bytes::new(),
        connection,
    };
    Ok(Some((request, length)))
}

async fn read_chunks(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Bytes> {
    let mut body = BytesMut::new();
    loop {
        let line = read_line(stream, buffer).await?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(digits, 16).map_err(invalid)?;
        if length == 0 {
            // Trailers up to the empty line.
            while !read_line(stream, buffer).await?.is_empty() {}
            return Ok(body.freeze());
        }
        if body.len().saturating_add(length) > BODY_BYTES_MAX {
            return Err(invalid("the body is larger than any test needs"));
        }
        body.extend_from_slice(&take(stream, buffer, length).await?);
        read_line(stream, buffer).await?;
    }
}

async fn read_line(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<String> {
    loop {
        if let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") {
            let line = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.advance(end + 2);
            return Ok(line);
        }
        more(stream, buffer).await?;
    }
}

async fn take(stream: &mut TcpStream, buffer: &mut BytesMut, length: usize) -> io::Result<Bytes> {
    if length > BODY_BYTES_MAX {
        return Err(invalid("the body is larger than any test needs"));
    }
    buffer.reserve(length.saturating_sub(buffer.len()));
    while buffer.len() < length {
        more(stream, buffer).await?;
    }
    Ok(buffer.split_to(length).freeze())
}

async fn more(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<()> {
    match stream.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Headers that speak of one connection or of how a body is framed, which a proxy decides anew (RFC 9110 §7.6.1).
fn is_framing(name: &str) -> bool {
    let names = ["connection", "content-length", "expect", "keep-alive", "transfer-encoding"];
    names.iter().any(|framing| name.eq_ignore_ascii_case(framing))
}

/// Sends `request` to `upstream` over a connection of its own and returns the answer.
pub(super) async fn exchange(upstream: SocketAddr, request: &Request) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(upstream).await?;
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
    for (name, value) in request.headers.iter().filter(|(name, _)| !is_framing(name)) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", request.body.len()));
    // A server may answer and close before it has read the whole body; its answer counts then.
    let sent = match stream.write_all(head.as_bytes()).await {
        Ok(()) => stream.write_all(&request.body).await,
        failed => failed,
    };
    let answer = read_answer(&mut stream, request.method == "HEAD").await;
    answer.map_err(|error| sent.err().unwrap_or(error))
}

async fn read_answer(stream: &mut TcpStream, head_only: bool) -> io::Result<Reply> {
    let mut buffer = BytesMut::new();
    let Head { reply, length, chunked, .. } = loop {
        let Some(head) = parse_answer_head(&buffer)? else {
            more(stream, &mut buffer).await?;
            continue;
        };
        buffer.advance(head.bytes);
        // Interim answers (RFC 9110 §15.2) are for the proxy.
        if head.reply.status >= 200 {
            break head;
        }
    };
    let body = match length {
        // The length that GET would have is all that is told.
        Some(length) if head_only => return Ok(reply.header("content-length", &length.to_string())),
        _ if head_only || matches!(reply.status, 204 | 304) => return Ok(reply),
        _ if chunked => read_chunks(stream, &mut buffer).await?,
        Some(length) => take(stream, &mut buffer, length).await?,
        None => {
            while stream.read_buf(&mut buffer).await? > 0 {}
            buffer.freeze()
        }
    };
    Ok(reply.body(body))
}

/// An answer without its body.
struct Head {
    reply: Reply,
    /// The length of the body, if it was told.
    length: Option<usize>,
    chunked: bool,
    /// The length of the head.
    bytes: usize,
}

fn parse_answer_head(buffer: &[u8]) -> io::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(bytes) = head.parse(buffer).map_err(invalid)? else {
        return Ok(None);
    };
    let mut reply = Reply::new(head.code.unwrap_or_default());
    let (mut length, mut chunked) = (None, false);
    for header in head.headers.iter() {
        let value = String::from_utf8_lossy(header.value);
        if header.name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse().map_err(invalid)?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.trim().eq_ignore_ascii_case("chunked");
        } else if !is_framing(header.name) {
            reply = reply.header(header.name, &value);
        }
    }
    Ok(Some(Head { reply, length, chunked, bytes }))
}

pub(super) async fn write_reply(stream: &mut TcpStream, reply: &Reply, head_only: bool) -> io::Result<()> {
    let bytes = encode(reply, head_only);
    let end = match reply.ending {
        Ending::Whole => bytes.len(),
        Ending::Closed(at) | Ending::Reset(at) => at.min(bytes.len()),
    };
    stream.write_all(&bytes[..end]).await?;
    match reply.ending {
        Ending::Whole => Ok(()),
        Ending::Closed(_) => stream.shutdown().await,
        // With a linger time of zero, closing sends RST: dropping the stream does the rest.
        Ending::Reset(_) => stream.set_zero_linger(),
    }
}

fn encode(reply: &Reply, head_only: bool) -> Vec<u8> {
    // The phrase has no meaning (RFC 9112 §4).
    let mut head = format!("HTTP/1.1 {} scripted\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let named = reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    // 204 and 304 have no body and no length (RFC 9110 §8.6).
    if !named && !matches!(reply.status, 204 | 304) {
        head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    if !head_only {
        bytes.extend_from_slice(&reply.body);
    }
    bytes
}
