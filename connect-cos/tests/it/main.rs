//! The sink as its users see it, against a directory and an S3 server.

mod conformance;
mod s3;
mod server;
