use super::*;
use crate::testing::{Gate, http::HttpServer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn world() -> (HttpServer, FaultProxy) {
    let server = HttpServer::with_handler(|request| {
        Reply::new(200).header("x-seen", &request.path).body(request.body.clone())
    });
    let server = server.await.unwrap();
    let proxy = FaultProxy::start(server.addr(), |request| match request.method.as_str() {
        "PUT" => "write",
        _ => "other",
    });
    let proxy = proxy.await.unwrap();
    (server, proxy)
}

/// The answer to a request with this method and body, or how the connection ended.
async fn send(proxy: &FaultProxy, method: &str, body: &str) -> Result<String, io::ErrorKind> {
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} /a?b=c HTTP/1.1\r\nHost: h\r\nX-A: b\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).await.map(|_| text).map_err(|error| error.kind())
}

const SEEN: &str = "HTTP/1.1 200 scripted\r\nx-seen: /a?b=c\r\ncontent-length: 2\r\n\r\nhi";

#[tokio::test]
async fn what_has_no_fault_passes_unchanged() {
    let (server, proxy) = world().await;
    assert_eq!(send(&proxy, "PUT", "hi").await.unwrap(), SEEN);
    assert_eq!(send(&proxy, "HEAD", "hi").await.unwrap(), SEEN.strip_suffix("hi").unwrap());
    let request = &server.requests()[0];
    assert_eq!(
        (request.method.as_str(), request.path.as_str(), request.text().as_str()),
        ("PUT", "/a?b=c", "hi")
    );
    assert_eq!((request.header("host"), request.header("x-a")), (Some("h"), Some("b")));
    assert_eq!(proxy.counts(), BTreeMap::from([("other", 1), ("write", 1)]));
}

#[tokio::test]
async fn a_request_fails_before_or_after_it_was_executed() {
    let (server, proxy) = world().await;
    let busy = Reply::new(503).body("later");
    proxy.fail("write", 2, Fault::Before(busy.clone()));
    proxy.fail("write", 3, Fault::After(busy));
    proxy.fail("write", 4, Fault::reset_before());
    proxy.fail("write", 5, Fault::reset_after());
    let answered = "HTTP/1.1 503 scripted\r\ncontent-length: 5\r\n\r\nlater";
    let reset = io::ErrorKind::ConnectionReset;
    for (expected, executed) in
        [(Ok(SEEN), 1), (Ok(answered), 1), (Ok(answered), 2), (Err(reset), 2), (Err(reset), 3), (Ok(SEEN), 4)]
    {
        assert_eq!(send(&proxy, "PUT", "hi").await, expected.map(str::to_owned));
        assert_eq!(server.requests().len(), executed);
    }
    assert_eq!((proxy.count("write"), proxy.unmet()), (6, 0));
}

#[tokio::test]
async fn an_answer_is_cut_off_in_the_middle() {
    let (_server, proxy) = world().await;
    proxy.fail("write", 1, Fault::Cut(SEEN.len() - 1));
    assert_eq!(send(&proxy, "PUT", "hi").await.unwrap(), SEEN.strip_suffix('i').unwrap());
}

#[tokio::test]
async fn faults_of_a_kind_stand_until_healed_and_count_from_when_they_were_set() {
    let (server, proxy) = world().await;
    send(&proxy, "PUT", "hi").await.unwrap();
    proxy.fail("write", 2, Fault::Before(Reply::new(500)));
    proxy.fail_all("write", Fault::Before(Reply::new(429)));
    for status in ["429", "500", "429"] {
        assert_eq!(send(&proxy, "PUT", "hi").await.unwrap().split(' ').nth(1), Some(status));
    }
    assert!(send(&proxy, "GET", "").await.unwrap().starts_with("HTTP/1.1 200"), "another kind");
    proxy.fail("write", 1, Fault::Before(Reply::new(500)));
    assert_eq!(proxy.unmet(), 1);
    proxy.heal();
    assert_eq!(send(&proxy, "PUT", "hi").await.unwrap(), SEEN);
    assert_eq!((server.requests().len(), proxy.unmet()), (3, 0));
}

#[tokio::test]
async fn a_held_request_is_executed_later_and_a_held_answer_at_once() {
    let (server, proxy) = world().await;
    // Longer than any test runs: only the side on which it waits can be seen.
    let long = Duration::from_secs(3600);
    proxy.fail("write", 1, Fault::HoldRequest(long));
    proxy.fail("write", 2, Fault::HoldAnswer(long));
    let client = async {
        tokio::select! {
            answer = send(&proxy, "PUT", "held") => panic!("answered: {answer:?}"),
            () = proxy.counted("write", 1) => {}
        }
        tokio::select! {
            answer = send(&proxy, "PUT", "hi") => panic!("answered: {answer:?}"),
            () = server.received(1) => {}
        }
    };
    client.await;
    assert_eq!(server.requests()[0].text(), "hi");
    proxy.fail("write", 1, Fault::HoldRequest(Duration::from_millis(1)));
    proxy.fail("write", 2, Fault::HoldAnswer(Duration::from_millis(1)));
    assert_eq!(send(&proxy, "PUT", "hi").await.unwrap(), SEEN);
    assert_eq!(send(&proxy, "PUT", "hi").await.unwrap(), SEEN);
}

#[tokio::test]
async fn a_request_whose_client_gave_up_is_executed_all_the_same() {
    let (server, proxy) = world().await;
    let gate = Gate::new();
    proxy.fail("write", 1, Fault::After(Reply::new(200).when(&gate)));
    tokio::select! {
        answer = send(&proxy, "PUT", "hi") => panic!("answered: {answer:?}"),
        () = proxy.counted("write", 1) => {}
    }
    server.received(1).await;
}

#[tokio::test]
async fn chunked_endless_and_missing_answers_of_upstream_are_passed_on() {
    let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy = FaultProxy::start(upstream.local_addr().unwrap(), |_| "any").await.unwrap();
    let answers = [
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhi",
        "",
    ];
    let server = async {
        for answer in answers {
            let (mut stream, _) = upstream.accept().await.unwrap();
            let mut buffer = bytes::BytesMut::new();
            wire::read_request(&mut stream, &mut buffer, 0).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    };
    let client = async {
        for expected in ["200", "200", "502"] {
            let answer = send(&proxy, "PUT", "hi").await.unwrap();
            assert_eq!(answer.split(' ').nth(1), Some(expected), "{answer}");
            assert_eq!(answer.ends_with("\r\n\r\nhi"), expected == "200", "{answer}");
        }
    };
    tokio::join!(server, client);
}
