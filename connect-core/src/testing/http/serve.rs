//! Connections of a server: requests in, replies out, one after another.

use super::{Ending, Reply, Request, wire};
use std::{future::Future, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Decides what is answered.
pub(super) trait Answers: Send + Sync + 'static {
    /// The reply to `request`.
    fn answer(&self, request: Request) -> impl Future<Output = Reply> + Send;
}

/// Serves `listener` until dropped.
pub(super) async fn accept(listener: TcpListener, answers: Arc<impl Answers>) {
    let mut connections = JoinSet::new();
    for number in 0.. {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            // Ended connections are collected on the way; while there is none, this branch is off.
            Some(_) = connections.join_next() => continue,
        };
        if let Ok((stream, _)) = stream {
            connections.spawn(serve(stream, number, Arc::clone(&answers)));
        }
    }
}

/// One connection until somebody closes it. What the client does wrong ends the connection, not the server.
async fn serve(mut stream: TcpStream, number: usize, answers: Arc<impl Answers>) {
    let mut buffer = bytes::BytesMut::new();
    while let Ok(Some(request)) = wire::read_request(&mut stream, &mut buffer, number).await {
        let head_only = request.method == "HEAD";
        let last = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let reply = answers.answer(request).await;
        if let Some(gate) = &reply.gate {
            gate.pass().await;
        }
        let sent = wire::write_reply(&mut stream, &reply, head_only).await;
        if last || reply.ending != Ending::Whole || sent.is_err() {
            return;
        }
    }
}
