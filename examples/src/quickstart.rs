//! What the quickstart needs around its two pipelines.

mod options;
mod summary;
mod watch;

pub use options::Options;
pub use summary::Summary;
pub use watch::send_and_watch;
