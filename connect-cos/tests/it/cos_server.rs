//! A stand-in for Tencent COS in this process: what its documents say of objects, multipart uploads, metadata and
//! conditional writes. Each request's signature is verified, and each `x-cos-` header has to be covered by it.

use connect_core::testing::http::{HttpServer, Reply, Request};
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

pub(crate) const KEY: &str = "AKIDtests";
pub(crate) const SECRET: &str = "a-cos-secret-of-the-tests";
pub(crate) const TOKEN: &str = "a-cos-token-of-the-tests";
/// Parts below it are refused, but for the last one.
const MIN_PART: usize = 1 << 20;

/// The server. Its bucket is the host that requests name, whatever it is.
pub(crate) struct CosServer {
    server: HttpServer,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    uploads: HashMap<String, Upload>,
    begun: usize,
}

#[derive(Clone)]
struct Object {
    bytes: Vec<u8>,
    metadata: Vec<(String, String)>,
}

struct Upload {
    key: String,
    metadata: Vec<(String, String)>,
    parts: BTreeMap<usize, Vec<u8>>,
}

impl CosServer {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let server = HttpServer::with_handler(move |request| match verify(request) {
            Ok(()) => shared.lock().unwrap().answer(request),
            Err(code) => error(403, &code),
        });
        Self { server: server.await.unwrap(), state }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Removes all objects and returns their bytes, in order of name.
    pub(crate) fn take_objects(&self) -> Vec<Vec<u8>> {
        let objects = std::mem::take(&mut self.state.lock().unwrap().objects);
        objects.into_values().map(|object| object.bytes).collect()
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Reply {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let (key, query) = (decode(path.trim_start_matches('/')), parameters(query));
        let upload = query.get("uploadid").cloned();
        let number = query.get("partnumber").and_then(|number| number.parse().ok());
        match (request.method.as_str(), upload, number) {
            ("PUT", Some(upload), Some(number)) => self.part(&upload, number, &request.body),
            ("PUT", None, _) => self.put(key, request),
            ("POST", Some(upload), _) => self.complete(&upload, request),
            ("POST", None, _) if query.contains_key("uploads") => self.begin(key, request),
            ("DELETE", Some(upload), _) => match self.uploads.remove(&upload) {
                Some(_) => Reply::new(204),
                None => error(404, "NoSuchUpload"),
            },
            ("DELETE", None, _) => {
                self.objects.remove(&key);
                Reply::new(204)
            }
            ("HEAD" | "GET", None, _) if !key.is_empty() => self.get(&key),
            ("GET", None, _) => self.list(query.get("prefix").map_or("", String::as_str)),
            _ => error(405, "MethodNotAllowed"),
        }
    }

    /// COS has this header for what S3 says by `If-None-Match: *`.
    fn is_refused(&self, key: &str, request: &Request) -> bool {
        request.header("x-cos-forbid-overwrite") == Some("true") && self.objects.contains_key(key)
    }

    fn put(&mut self, key: String, request: &Request) -> Reply {
        if self.is_refused(&key, request) {
            return error(409, "FileAlreadyExists");
        }
        let bytes = request.body.to_vec();
        let etag = etag(&bytes);
        self.objects.insert(key, Object { bytes, metadata: metadata(request) });
        Reply::new(200).header("etag", &etag)
    }

    fn begin(&mut self, key: String, request: &Request) -> Reply {
        if self.is_refused(&key, request) {
            return error(409, "FileAlreadyExists");
        }
        self.begun += 1;
        let id = format!("upload{}", self.begun);
        let metadata = metadata(request);
        self.uploads.insert(id.clone(), Upload { key, metadata, parts: BTreeMap::new() });
        xml(
            200,
            &format!(
                "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
            ),
        )
    }

    fn part(&mut self, upload: &str, number: usize, bytes: &[u8]) -> Reply {
        let Some(upload) = self.uploads.get_mut(upload) else { return error(404, "NoSuchUpload") };
        upload.parts.insert(number, bytes.to_vec());
        Reply::new(200).header("etag", &etag(bytes))
    }

    fn complete(&mut self, id: &str, request: &Request) -> Reply {
        let Some(upload) = self.uploads.get(id) else { return error(404, "NoSuchUpload") };
        if self.is_refused(&upload.key, request) {
            return error(409, "FileAlreadyExists");
        }
        let listed = numbers(&request.text());
        let mut bytes = Vec::new();
        for (at, number) in listed.iter().enumerate() {
            match upload.parts.get(number) {
                None => return error(400, "InvalidPart"),
                Some(part) if at + 1 < listed.len() && part.len() < MIN_PART => {
                    return error(400, "EntityTooSmall");
                }
                Some(part) => bytes.extend_from_slice(part),
            }
        }
        let (tag, upload) = (etag(&bytes), self.uploads.remove(id).unwrap());
        self.objects.insert(upload.key, Object { bytes, metadata: upload.metadata });
        let tag = tag.replace('"', "&quot;");
        xml(
            200,
            &format!("<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"),
        )
    }

    fn get(&self, key: &str) -> Reply {
        let Some(object) = self.objects.get(key) else { return error(404, "NoSuchKey") };
        let reply = Reply::new(200).header("etag", &etag(&object.bytes)).body(object.bytes.clone());
        object.metadata.iter().fold(reply, |reply, (name, value)| reply.header(name, value))
    }

    fn list(&self, prefix: &str) -> Reply {
        let mut contents = String::new();
        for (key, object) in self.objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
            contents.push_str(&format!(
                "<Contents><Key>{key}</Key><Size>{}</Size></Contents>",
                object.bytes.len()
            ));
        }
        xml(200, &format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"))
    }
}

fn xml(status: u16, body: &str) -> Reply {
    Reply::new(status)
        .header("content-type", "application/xml")
        .body(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{body}"))
}

fn error(status: u16, code: &str) -> Reply {
    xml(status, &format!("<Error><Code>{code}</Code><Message>of the stand-in</Message></Error>"))
}

fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", hex(&Sha1::digest(bytes)))
}

fn metadata(request: &Request) -> Vec<(String, String)> {
    let own = request.headers.iter().filter(|(name, _)| name.to_ascii_lowercase().starts_with("x-cos-meta-"));
    own.cloned().collect()
}

/// The numbers of a completion's parts, in its order.
fn numbers(body: &str) -> Vec<usize> {
    let after = body.split("<PartNumber>").skip(1);
    after.filter_map(|rest| rest.split('<').next()?.trim().parse().ok()).collect()
}

/// Query parameters by their name in lower case.
fn parameters(query: &str) -> HashMap<String, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name).to_ascii_lowercase(), decode(value)))
        .collect()
}

/// Checks a request's signature. Fails with COS's code.
fn verify(request: &Request) -> Result<(), String> {
    let authorization = request.header("authorization").ok_or("AccessDenied")?;
    let fields: HashMap<&str, &str> =
        authorization.split('&').filter_map(|field| field.split_once('=')).collect();
    let field = |name: &str| fields.get(name).copied().ok_or("InvalidArgument");
    if field("q-ak")? != KEY {
        return Err("InvalidAccessKeyId".into());
    }
    if request.header("x-cos-security-token") != Some(TOKEN) {
        return Err("InvalidToken".into());
    }
    let listed = |list: &'static str| -> Result<Vec<String>, &str> {
        Ok(field(list)?.split(';').filter(|name| !name.is_empty()).map(decode).collect())
    };
    let (header_names, parameter_names) = (listed("q-header-list")?, listed("q-url-param-list")?);
    for (name, _) in &request.headers {
        let name = name.to_ascii_lowercase();
        // The token is the one header that OpenDAL leaves out; COS checks it by itself.
        if name.starts_with("x-cos-") && name != "x-cos-security-token" && !header_names.contains(&name) {
            return Err(format!("UnsignedHeader:{name}"));
        }
    }
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let query = parameters(query);
    let parameters = joined(&parameter_names, |name| query.get(name).cloned());
    let headers = joined(&header_names, |name| request.header(name).map(str::to_owned));
    let method = request.method.to_ascii_lowercase();
    let http = format!("{method}\n{}\n{parameters}\n{headers}\n", decode(path));
    let key = hex(&hmac(SECRET.as_bytes(), field("q-key-time")?.as_bytes()));
    let text = format!("sha1\n{}\n{}\n", field("q-sign-time")?, hex(&Sha1::digest(http.as_bytes())));
    let signature = hex(&hmac(key.as_bytes(), text.as_bytes()));
    if signature == field("q-signature")? { Ok(()) } else { Err("SignatureDoesNotMatch".into()) }
}

fn joined(names: &[String], value: impl Fn(&str) -> Option<String>) -> String {
    let pairs = names.iter().map(|name| format!("{name}={}", encode(&value(name).unwrap_or_default())));
    pairs.collect::<Vec<_>>().join("&")
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encode(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_request_with_a_wrong_or_missing_signature_is_refused() {
    let request = |headers: &[(&str, &str)]| Request {
        method: "PUT".into(),
        path: "/a".into(),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: bytes::Bytes::new(),
        connection: 0,
    };
    assert_eq!(verify(&request(&[])).unwrap_err(), "AccessDenied");
    let signed = format!(
        "q-sign-algorithm=sha1&q-ak={KEY}&q-sign-time=1;2&q-key-time=1;2&q-header-list=&q-url-param-list=&q-signature=0"
    );
    let mut headers = vec![("Authorization", signed.as_str())];
    assert_eq!(verify(&request(&headers)).unwrap_err(), "InvalidToken");
    headers.push(("x-cos-security-token", TOKEN));
    assert_eq!(verify(&request(&headers)).unwrap_err(), "SignatureDoesNotMatch");
    headers.push(("x-cos-forbid-overwrite", "true"));
    assert_eq!(verify(&request(&headers)).unwrap_err(), "UnsignedHeader:x-cos-forbid-overwrite");
}
