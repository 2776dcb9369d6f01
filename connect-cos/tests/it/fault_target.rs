//! Servers that a fault proxy stands in front of.

use crate::{
    cos_server::{self, CosServer},
    server::{BUCKET, KEY, SECRET, Server},
};
use connect_core::{config::Secret, testing::http::Request};
use connect_cos::CosConfig;
use std::{net::SocketAddr, path::Path};

/// A store, reached through a proxy.
pub(crate) enum Target {
    /// s3s in this process.
    S3s(Server),
    /// The stand-in for COS.
    Cos(CosServer),
}

impl Target {
    pub(crate) fn s3s() -> Self {
        Self::S3s(Server::start(true))
    }

    pub(crate) async fn cos() -> Self {
        Self::Cos(CosServer::start().await)
    }

    /// Where the server itself listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        match self {
            Self::S3s(server) => server.url.strip_prefix("http://").unwrap().parse().unwrap(),
            Self::Cos(server) => server.addr(),
        }
    }

    /// A sink's configuration that reaches the server by way of `proxy`.
    pub(crate) fn config(&self, proxy: SocketAddr) -> CosConfig {
        match self {
            Self::S3s(_) => CosConfig {
                endpoint: Some(format!("http://{proxy}")),
                access_key: Some(Secret::from(KEY)),
                secret_key: Some(Secret::from(SECRET)),
                ..CosConfig::new(format!("s3://{BUCKET}"))
            },
            // COS knows buckets by host name only. This one and the endpoint make 127.0.0.1 together.
            Self::Cos(_) => CosConfig {
                endpoint: Some(format!("http://0.0.1:{}", proxy.port())),
                access_key: Some(Secret::from(cos_server::KEY)),
                secret_key: Some(Secret::from(cos_server::SECRET)),
                session_token: Some(Secret::from(cos_server::TOKEN)),
                ..CosConfig::new("cos://127".to_owned())
            },
        }
    }

    /// Removes all objects and returns their bytes.
    pub(crate) async fn take_objects(&self) -> Vec<Vec<u8>> {
        match self {
            Self::S3s(server) => {
                let mut objects = Vec::new();
                take_files(&server.dir(), &mut objects);
                objects
            }
            Self::Cos(server) => server.take_objects(),
        }
    }
}

fn take_files(dir: &Path, objects: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            take_files(&path, objects);
        } else {
            objects.push(std::fs::read(&path).unwrap());
            std::fs::remove_file(&path).unwrap();
        }
    }
}

/// The kind of a request to an object store.
pub(crate) fn kind(request: &Request) -> &'static str {
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    let of_upload = query.contains("uploadId=");
    match request.method.as_str() {
        "POST" if of_upload => "complete",
        "POST" if query.starts_with("uploads") => "initiate",
        "PUT" if of_upload => "part",
        "PUT" => "put",
        "HEAD" => "stat",
        "DELETE" if of_upload => "abort",
        _ => "other",
    }
}
