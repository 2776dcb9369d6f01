use super::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn connect(server: &HttpServer) -> TcpStream {
    TcpStream::connect(server.addr()).await.unwrap()
}

async fn answer(stream: &mut TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

const EMPTY_200: &str = "HTTP/1.1 200 scripted\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn replies_come_from_the_queue_first_and_from_the_handler_after_it() {
    let server =
        HttpServer::with_handler(|request| Reply::new(200).body(request.path.clone())).await.unwrap();
    server.push(Reply::json(429, "{}").header("Retry-After", "3"));
    let mut client = connect(&server).await;
    client
        .write_all(b"GET /a HTTP/1.1\r\n\r\nGET /b?c=d HTTP/1.1\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).await.unwrap();
    assert_eq!(
        text,
        "HTTP/1.1 429 scripted\r\ncontent-type: application/json\r\nRetry-After: 3\r\ncontent-length: 2\r\n\r\n{}\
         HTTP/1.1 200 scripted\r\ncontent-length: 6\r\n\r\n/b?c=d"
    );
    let requests = server.requests();
    assert_eq!(requests.iter().map(|request| request.connection).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(requests[1].header("CONNECTION"), Some("close"));
}

#[tokio::test]
async fn bodies_are_read_by_length_and_in_chunks_over_one_connection() {
    let server = HttpServer::with_handler(|_| Reply::new(200)).await.unwrap();
    let mut client = connect(&server).await;
    for part in ["POST /x HTTP/1.1\r\nContent-Le", "ngth: 5\r\n\r\nhe", "llo"] {
        client.write_all(part.as_bytes()).await.unwrap();
        client.flush().await.unwrap();
    }
    assert_eq!(answer(&mut client, EMPTY_200.len()).await, EMPTY_200);
    let chunked = "PUT /y HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nA: b\r\n\r\n";
    client.write_all(chunked.as_bytes()).await.unwrap();
    assert_eq!(answer(&mut client, EMPTY_200.len()).await, EMPTY_200);
    let bodies: Vec<String> = server.take_requests().iter().map(Request::text).collect();
    assert_eq!(bodies, ["hello", "hello world"]);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn an_answer_waits_at_its_gate_while_the_request_is_already_known() {
    let server = HttpServer::start().await.unwrap();
    let gate = Gate::new();
    server.push(Reply::new(200).when(&gate));
    let mut client = connect(&server).await;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    server.received(1).await;
    gate.arrived(1).await;
    let mut byte = [0];
    assert_eq!(client.try_read(&mut byte).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    gate.open();
    assert_eq!(answer(&mut client, EMPTY_200.len()).await, EMPTY_200);
}

#[tokio::test]
async fn a_connection_can_be_reset_or_closed_before_and_in_the_middle_of_an_answer() {
    let server = HttpServer::start().await.unwrap();
    let whole = Reply::new(200).body("0123456789");
    let cases = [
        (Reply::reset(), Err(io::ErrorKind::ConnectionReset), ""),
        (Reply::close(), Ok(0), ""),
        (whole.clone().close_after(47), Ok(47), "HTTP/1.1 200 scripted\r\ncontent-length: 10\r\n\r\n01"),
    ];
    for (reply, expected, text) in cases {
        server.push(reply);
        let mut client = connect(&server).await;
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut got = String::new();
        assert_eq!(client.read_to_string(&mut got).await.map_err(|error| error.kind()), expected);
        assert_eq!(got, text);
    }
    server.push(whole.reset_after(47));
    let mut client = connect(&server).await;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let ended = client.read_to_end(&mut Vec::new()).await;
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn head_and_204_have_no_body_and_an_unscripted_request_gets_501() {
    let server = HttpServer::start().await.unwrap();
    server.push(Reply::new(200).body("not sent"));
    server.push(Reply::new(204));
    let mut client = connect(&server).await;
    client.write_all(b"HEAD / HTTP/1.1\r\n\r\n").await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).await.unwrap();
    assert_eq!(
        text,
        "HTTP/1.1 200 scripted\r\ncontent-length: 8\r\n\r\nHTTP/1.1 204 scripted\r\n\r\n\
         HTTP/1.1 501 scripted\r\ncontent-length: 36\r\n\r\nnothing is scripted for this request"
    );
}

#[tokio::test]
async fn dropping_the_server_ends_its_connections_and_frees_the_port() {
    let server = HttpServer::start().await.unwrap();
    let (addr, gate) = (server.addr(), Gate::new());
    server.push(Reply::new(200).when(&gate));
    let mut client = connect(&server).await;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    gate.arrived(1).await;
    drop(server);
    assert_eq!(client.read_to_end(&mut Vec::new()).await.unwrap_or(0), 0);
    let again = HttpServer::start_at(addr).await.unwrap();
    again.push(Reply::new(200));
    let mut client = connect(&again).await;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut client, EMPTY_200.len()).await, EMPTY_200);
}
