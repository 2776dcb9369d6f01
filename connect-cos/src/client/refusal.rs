//! What a store says when it refuses a request, read from its answer before the client library makes a long text of it.

use http::{Request, Response, StatusCode};
use opendal::{Buffer, Error, ErrorKind, HttpBody, HttpTransport, HttpTransporter};
use std::{error::Error as _, fmt};

/// Bytes of a store's sentence that are kept.
const SENTENCE_MAX: usize = 300;

/// A request that a store understood and does not want: its status, code and sentence, and the keys to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `None`: there was no answer in HTTP.
    status: Option<u16>,
    code: String,
    sentence: String,
}

/// What a person has to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matter {
    /// The keys, or when they are valid.
    Credentials,
    /// What the keys are allowed to do.
    Permission,
    Region,
    Endpoint,
    /// The store wants a checksum with each write.
    Checksum,
    /// Something else in the request.
    Request,
}

impl Refusal {
    /// What a person has to look at, by <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html> and
    /// <https://www.tencentcloud.com/document/product/436/7730>.
    pub(crate) fn matter(&self) -> Matter {
        let sentence = self.sentence.to_ascii_lowercase();
        match self.code.as_str() {
            "ExpiredToken"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "RequestTimeTooSkewed"
            | "InvalidSecurity"
            | "NotSignedUp"
            | "RequestExpired" => Matter::Credentials,
            "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException"
                if sentence.contains("region") =>
            {
                Matter::Region
            }
            "AuthorizationHeaderMalformed" => Matter::Credentials,
            "PermanentRedirect" | "IllegalLocationConstraintException" => Matter::Endpoint,
            "InvalidRequest" | "MissingContentMD5" | "InvalidDigest"
                if ["checksum", "content-md5"].iter().any(|word| sentence.contains(word)) =>
            {
                Matter::Checksum
            }
            "" if self.status.is_none_or(|status| matches!(status, 301 | 400)) => Matter::Endpoint,
            _ if self.status == Some(401) => Matter::Credentials,
            _ if self.status == Some(403) => Matter::Permission,
            _ => Matter::Request,
        }
    }

    /// Whether other credentials may be taken. A refusal without a code, such as the answer to HEAD, may mean that too.
    pub(crate) fn asks_for_credentials(&self) -> bool {
        matches!(self.matter(), Matter::Credentials | Matter::Permission)
            || (self.status == Some(400) && self.code.is_empty())
    }

    /// The refusal that an error of the client library is, if it is one.
    pub(crate) fn of(error: &Error) -> Option<&Self> {
        error.source()?.downcast_ref()
    }

    fn read(status: StatusCode, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let element = |name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>"))?;
            let (inside, _) = rest.split_once("</")?;
            Some(inside.trim().replace("&apos;", "'").replace("&quot;", "\"").replace("&amp;", "&"))
        };
        let code = element("Code").unwrap_or_default();
        let sentence = element("Message").unwrap_or_else(|| text.trim().to_owned());
        Self { status: Some(status.as_u16()), code, sentence: shortened(&sentence) }
    }
}

fn shortened(sentence: &str) -> String {
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let mut sentence = words.join(" ");
    if let Some((end, _)) = sentence.char_indices().nth(SENTENCE_MAX) {
        sentence.truncate(end);
        sentence.push('…');
    }
    sentence
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "the store answers {status}")?,
            None => f.write_str("the store cannot be asked")?,
        }
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.sentence.is_empty() {
            write!(f, ": {}", self.sentence)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// The transport that sees each answer first.
pub(super) struct Reading(pub(super) HttpTransporter, pub(super) BodyDigest);

/// What is added to each request with a body, for services whose client cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyDigest {
    Nothing,
    ContentMd5,
}

impl HttpTransport for Reading {
    async fn fetch(&self, mut request: Request<Buffer>) -> opendal::Result<Response<HttpBody>> {
        if self.1 == BodyDigest::ContentMd5 && !request.body().is_empty() {
            let digest = content_md5(request.body());
            if let Ok(value) = http::HeaderValue::from_str(&digest) {
                request.headers_mut().insert("content-md5", value);
            }
        }
        let response = self.0.fetch(request).await.map_err(not_tls)?;
        if !may_refuse(response.status()) {
            return Ok(response);
        }
        let (parts, mut body) = response.into_parts();
        let body = body.to_buffer().await?;
        let refusal = Refusal::read(parts.status, &body.to_bytes());
        if is_of_the_upload(&refusal.code) {
            let stream = futures_util::stream::iter([Ok(body)]);
            return Ok(Response::from_parts(parts, HttpBody::new(stream, None)));
        }
        Err(Error::new(ErrorKind::PermissionDenied, refusal.to_string()).set_source(refusal))
    }
}

/// Statuses that speak of the request as a whole. All others mean something to the client library.
fn may_refuse(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::BAD_REQUEST
            | StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
    )
}

/// Answers of status 400 that pass, or tell of one upload.
fn is_of_the_upload(code: &str) -> bool {
    const CODES: [&str; 9] = [
        "RequestTimeout",
        "IncompleteBody",
        "BadDigest",
        "XAmzContentSHA256Mismatch",
        "InvalidPart",
        "InvalidPartOrder",
        "EntityTooSmall",
        "EntityTooLarge",
        "NoSuchUpload",
    ];
    CODES.contains(&code)
}

/// An address that answers a TLS greeting with something else never will: that is a mistake, not a network's fault.
fn not_tls(error: Error) -> Error {
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if ["InvalidContentType", "wrong version number"].iter().any(|known| text.contains(known)) {
            let sentence = "it does not speak TLS; is it http:// rather than https://?".to_owned();
            let refusal = Refusal { status: None, code: String::new(), sentence };
            return Error::new(ErrorKind::PermissionDenied, refusal.to_string()).set_source(refusal);
        }
        source = cause.source();
    }
    error
}

fn content_md5(body: &Buffer) -> String {
    use base64::Engine as _;
    use md5::Digest as _;
    let mut digest = md5::Md5::new();
    body.clone().for_each(|chunk| digest.update(&chunk));
    base64::engine::general_purpose::STANDARD.encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, code: &str, message: &str) -> Refusal {
        let body = format!("<?xml?><Error><Code>{code}</Code><Message>{message}</Message><R>r</R></Error>");
        Refusal::read(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn a_refusal_is_the_stores_status_code_and_sentence() {
        let shown = refusal(403, "AccessDenied", "Access &quot;here&quot; Denied").to_string();
        assert_eq!(shown, "the store answers 403 AccessDenied: Access \"here\" Denied");
        let html = Refusal::read(StatusCode::BAD_REQUEST, "<p>x</p>\n ".repeat(99).as_bytes());
        assert!(html.to_string().starts_with("the store answers 400: <p>x</p> <p>x</p>"), "{html}");
        assert!(html.to_string().chars().count() < 350);
        assert_eq!(Refusal::read(StatusCode::FORBIDDEN, b"").to_string(), "the store answers 403");
    }

    #[test]
    fn each_refusal_says_what_to_look_at() {
        for (status, code, message, matter) in [
            (400, "ExpiredToken", "", Matter::Credentials),
            (403, "InvalidAccessKeyId", "", Matter::Credentials),
            (403, "SignatureDoesNotMatch", "", Matter::Credentials),
            (401, "", "", Matter::Credentials),
            (403, "AccessDenied", "", Matter::Permission),
            (403, "", "", Matter::Permission),
            (400, "AuthorizationHeaderMalformed", "the region 'a' is wrong; expecting 'b'", Matter::Region),
            (301, "PermanentRedirect", "", Matter::Endpoint),
            (400, "", "Client sent an HTTP request to an HTTPS server", Matter::Endpoint),
            (
                400,
                "InvalidRequest",
                "Content-MD5 OR x-amz-checksum- HTTP header is required",
                Matter::Checksum,
            ),
            (400, "InvalidArgument", "", Matter::Request),
        ] {
            assert_eq!(refusal(status, code, message).matter(), matter, "{status} {code}");
        }
    }

    #[test]
    fn content_md5_is_the_base64_of_the_digest() {
        assert_eq!(content_md5(&Buffer::from("abc")), "kAFQmDzST7DWlj99KOF/cg==");
    }
}
