//! One HTTP/1.1 connection with keep-alive.

use crate::{answer::Answers, stats::Stats};
use benches::BoxError;
use memchr::memmem;
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Instant,
};

const BUFFER: usize = 256 * 1024;
const BANNER: &str = r#"{"name":"null","cluster_name":"null","cluster_uuid":"null","version":{"number":"7.17.28","build_flavor":"oss","lucene_version":"8.11.3","minimum_wire_compatibility_version":"6.8.0","minimum_index_compatibility_version":"6.0.0-beta1"},"tagline":"You Know, for Search"}"#;

/// A client's connection: a fixed buffer, read in place.
pub(crate) struct Connection<'s> {
    stream: TcpStream,
    stats: &'s Stats,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    answers: Answers,
}

struct Request {
    method: String,
    path: String,
    length: usize,
    arrived: Instant,
}

/// What a body turned out to be.
#[derive(Default)]
struct Body {
    line_feeds: usize,
    first: Vec<u8>,
    last: u8,
    kept: Vec<u8>,
}

impl<'s> Connection<'s> {
    pub(crate) fn new(stream: TcpStream, stats: &'s Stats) -> Result<Self, BoxError> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, stats, buffer: vec![0; BUFFER], start: 0, end: 0, answers: Answers::default() })
    }

    /// Serves requests until the client closes.
    pub(crate) fn serve(&mut self) -> Result<(), BoxError> {
        while let Some(request) = self.head()? {
            let bulk = request.method == "POST" && request.path.ends_with("/_bulk");
            let body = self.body(request.length, bulk && self.stats.verifies_ids())?;
            if bulk {
                self.bulk(&request, &body)?;
                continue;
            }
            match (request.method.as_str(), request.path.as_str()) {
                ("GET", "/") => self.answer("200 OK", &[BANNER.as_bytes()])?,
                ("GET", "/stats") => self.answer("200 OK", &[self.stats.json().as_bytes()])?,
                ("POST", "/reset") => {
                    self.stats.reset();
                    self.answer("200 OK", &[b"{}"])?;
                }
                (method, path) => {
                    let text = format!(r#"{{"error":"null_bulk has no {method} {path}","status":404}}"#);
                    self.answer("404 Not Found", &[text.as_bytes()])?;
                }
            }
        }
        Ok(())
    }

    fn bulk(&mut self, request: &Request, body: &Body) -> Result<(), BoxError> {
        let documents = body.line_feeds / 2;
        if body.last != b'\n' || body.line_feeds % 2 == 1 {
            self.stats.refused();
            let text =
                r#"{"error":"a bulk body is two lines per document, each with a line feed","status":400}"#;
            return self.answer("400 Bad Request", &[text.as_bytes()]);
        }
        let ids = ids(&body.kept)?;
        self.stats.accepted(documents as u64, request.length as u64, request.arrived, &ids);
        let create = body.first.starts_with(br#"{"create""#);
        let parts = self.answers.parts(documents, create);
        respond(&mut self.stream, "200 OK", &parts)
    }

    /// Reads a request's head; `None` when the client closed between requests.
    fn head(&mut self) -> Result<Option<Request>, BoxError> {
        loop {
            if let Some(length) = memmem::find(&self.buffer[self.start..self.end], b"\r\n\r\n") {
                let head = &self.buffer[self.start..self.start + length + 4];
                let request = parse(head)?;
                self.start += length + 4;
                return Ok(Some(request));
            }
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            }
            match self.stream.read(&mut self.buffer[self.end..])? {
                0 if self.end == 0 => return Ok(None),
                0 => return Err("the client closed inside a head, or the head is larger than 256 KiB".into()),
                got => self.end += got,
            }
        }
    }

    /// Reads exactly `length` bytes and counts their line feeds.
    fn body(&mut self, length: usize, keep: bool) -> Result<Body, BoxError> {
        let (mut body, mut left) = (Body::default(), length);
        while left > 0 {
            if self.start == self.end {
                (self.start, self.end) = (0, self.stream.read(&mut self.buffer)?);
                if self.end == 0 {
                    return Err("the client closed inside a body".into());
                }
            }
            let piece = &self.buffer[self.start..self.end.min(self.start + left)];
            if body.first.len() < 16 {
                body.first.extend_from_slice(&piece[..piece.len().min(16)]);
            }
            body.line_feeds += memchr::memchr_iter(b'\n', piece).count();
            body.last = piece.last().copied().unwrap_or(0);
            if keep {
                body.kept.extend_from_slice(piece);
            }
            self.start += piece.len();
            left -= piece.len();
        }
        Ok(body)
    }

    fn answer(&mut self, status: &str, parts: &[&[u8]]) -> Result<(), BoxError> {
        respond(&mut self.stream, status, parts)
    }
}

fn parse(head: &[u8]) -> Result<Request, BoxError> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(head)?;
    let mut length = 0;
    for header in request.headers.iter() {
        let value = str::from_utf8(header.value)?;
        if header.name.eq_ignore_ascii_case("content-length") {
            length = value.parse()?;
        } else if header.name.eq_ignore_ascii_case("transfer-encoding")
            || header.name.eq_ignore_ascii_case("content-encoding")
        {
            return Err(format!("null_bulk takes plain bodies with a length, not {value}").into());
        }
    }
    let path = request.path.unwrap_or("/").split('?').next().unwrap_or("/");
    let method = request.method.unwrap_or("GET");
    Ok(Request { method: method.to_owned(), path: path.to_owned(), length, arrived: Instant::now() })
}

fn respond(stream: &mut TcpStream, status: &str, parts: &[&[u8]]) -> Result<(), BoxError> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-elastic-product: Elasticsearch\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes();
    // The first part is short: it travels with the head.
    let mut rest = parts.iter();
    head.extend_from_slice(rest.next().unwrap_or(&&b""[..]));
    stream.write_all(&head)?;
    for part in rest {
        stream.write_all(part)?;
    }
    Ok(())
}

/// Partition and offset of each action line's id; the document lines are passed over.
fn ids(body: &[u8]) -> Result<Vec<(i32, u64)>, BoxError> {
    let mut ids = Vec::new();
    for action in body.split(|&byte| byte == b'\n').step_by(2).filter(|line| !line.is_empty()) {
        let id = memmem::find(action, br#""_id":""#).map(|at| &action[at + 7..]);
        let id = id.and_then(|rest| rest.split(|&byte| byte == b'"').next());
        let id = str::from_utf8(id.ok_or("an action without an _id")?)?;
        let mut parts = id.rsplitn(3, '+');
        let (offset, partition) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        ids.push((partition.parse()?, offset.parse()?));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    fn talk(stats: &Stats, request: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        thread::scope(|scope| {
            let served = scope.spawn(|| Connection::new(server, stats).unwrap().serve());
            client.write_all(request).unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            served.join().unwrap().unwrap();
            answer
        })
    }

    fn post(body: &str) -> Vec<u8> {
        format!("POST /bench/_bulk?x=1 HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    #[test]
    fn two_bodies_on_one_connection_are_counted_by_document_and_by_id() {
        let stats = Stats::new(true);
        let one = "{\"index\":{\"_id\":\"t+0+7\"}}\n{\"a\":1}\n{\"index\":{\"_id\":\"t+3+7\"}}\n{\"a\":2}\n";
        let answer = talk(&stats, &[post(one), post(one)].concat());
        assert_eq!(answer.matches("\"status\":201").count(), 4);
        assert!(stats.json().contains(r#""distinct":2,"documents":4"#), "{}", stats.json());
    }

    #[test]
    fn a_body_with_an_odd_line_is_refused() {
        let stats = Stats::new(false);
        let answer = talk(&stats, &post("{\"index\":{}}\n"));
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(stats.json().contains(r#""documents":0"#) && stats.json().contains(r#""refused":1"#));
    }

    #[test]
    fn the_banner_looks_like_elasticsearch() {
        let answer = talk(&Stats::new(false), b"GET / HTTP/1.1\r\n\r\n");
        assert!(answer.contains("You Know, for Search") && answer.contains("x-elastic-product"));
    }
}
