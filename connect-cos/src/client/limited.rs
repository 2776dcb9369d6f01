//! The longest wait for each answer of a store.

use crate::config::CosConfig;
use http::{Method, Request, Response};
use opendal::{Buffer, Error, ErrorKind, HttpBody, HttpTransport, HttpTransporter};
use std::time::Duration;

/// A transport that waits for each answer, body included, no longer than the configuration says.
///
/// The limit is one of the transport because a call of the client library may make several requests: the close of an
/// upload sends its last part and completes it, and only the completion may take a store minutes.
pub(super) struct Limited {
    inner: HttpTransporter,
    request: Limit,
    completion: Limit,
}

/// A duration and the key that sets it.
#[derive(Clone, Copy)]
struct Limit(Duration, &'static str);

impl Limited {
    pub(super) fn new(inner: HttpTransporter, config: &CosConfig) -> Self {
        Self {
            inner,
            request: Limit(config.request_timeout, "request.timeout.ms"),
            completion: Limit(config.completion_timeout, "completion.timeout.ms"),
        }
    }
}

impl HttpTransport for Limited {
    async fn fetch(&self, request: Request<Buffer>) -> opendal::Result<Response<HttpBody>> {
        let Limit(time, key) = if completes_an_upload(&request) { self.completion } else { self.request };
        match tokio::time::timeout(time, whole(&self.inner, request)).await {
            Ok(answer) => answer,
            Err(_) => {
                let text = format!("no answer within {time:?} ({key})");
                Err(Error::new(ErrorKind::Unexpected, text).set_temporary())
            }
        }
    }
}

/// The answer with its body, which is short: this sink never reads an object.
async fn whole(inner: &HttpTransporter, request: Request<Buffer>) -> opendal::Result<Response<HttpBody>> {
    // The length in the answer to HEAD is the object's; there is no body to read.
    let bodiless = request.method() == Method::HEAD;
    let answer = inner.fetch(request).await?;
    if bodiless {
        return Ok(answer);
    }
    let (parts, mut body) = answer.into_parts();
    let body = body.to_buffer().await?;
    Ok(Response::from_parts(parts, HttpBody::new(futures_util::stream::iter([Ok(body)]), None)))
}

/// Whether the request is a `CompleteMultipartUpload`, of S3 or COS.
fn completes_an_upload(request: &Request<Buffer>) -> bool {
    let of_upload = |query: &str| query.split('&').any(|pair| pair.starts_with("uploadId="));
    request.method() == Method::POST && request.uri().query().is_some_and(of_upload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    /// A store that accepts connections and says nothing.
    struct Silent;

    impl HttpTransport for Silent {
        async fn fetch(&self, _: Request<Buffer>) -> opendal::Result<Response<HttpBody>> {
            std::future::pending().await
        }
    }

    /// A store that answers 200 at once and its body never, as COS does while it puts parts together.
    struct Bodiless;

    impl HttpTransport for Bodiless {
        async fn fetch(&self, _: Request<Buffer>) -> opendal::Result<Response<HttpBody>> {
            let body = futures_util::stream::pending::<opendal::Result<Buffer>>();
            Ok(Response::new(HttpBody::new(body, None)))
        }
    }

    /// The seconds that a request waits, and its error.
    async fn waited(store: impl HttpTransport, method: Method, path: &str) -> (u64, String) {
        let config = CosConfig {
            request_timeout: Duration::from_secs(5),
            completion_timeout: Duration::from_secs(90),
            ..CosConfig::new("s3://bucket".to_owned())
        };
        let limited = Limited::new(HttpTransporter::new(store), &config);
        let request = Request::builder().method(method).uri(path).body(Buffer::new()).unwrap();
        let begun = Instant::now();
        let error = limited.fetch(request).await.err().unwrap();
        assert!(error.is_temporary(), "{error}");
        (begun.elapsed().as_secs(), error.message().to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_but_a_completion_has_the_time_of_a_request() {
        for (method, path) in [
            (Method::POST, "http://h/o?uploads"),
            (Method::PUT, "http://h/o?partNumber=2&uploadId=u"),
            (Method::PUT, "http://h/o"),
            (Method::HEAD, "http://h/o"),
            (Method::GET, "http://h/?list-type=2"),
            (Method::DELETE, "http://h/o?uploadId=u"),
        ] {
            let answer = waited(Silent, method, path).await;
            assert_eq!(answer, (5, "no answer within 5s (request.timeout.ms)".to_owned()), "{path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_completion_has_its_own_time_and_its_body_counts() {
        let expected = (90, "no answer within 90s (completion.timeout.ms)".to_owned());
        assert_eq!(waited(Silent, Method::POST, "http://h/o?uploadId=u").await, expected);
        assert_eq!(waited(Bodiless, Method::POST, "http://h/o?uploadId=u").await, expected);
    }
}
