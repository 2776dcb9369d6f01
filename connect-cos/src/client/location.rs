//! `store.url`, and how it becomes a store.

use super::{Store, fs::FsStore};
use crate::{
    config::{Checksum, CosConfig},
    error::StoreError,
    room::Allowed,
};
use connect_core::config::Problems;
use std::{path::PathBuf, sync::Arc};

/// Where objects go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    File(PathBuf),
    S3 { bucket: String, root: String },
    Cos { bucket: String, root: String },
}

impl Location {
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("it has no scheme")?;
        if scheme == "file" {
            let path = PathBuf::from(rest);
            return if path.is_absolute() {
                Ok(Self::File(path))
            } else {
                Err("the directory is not absolute".into())
            };
        }
        let (bucket, root) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || bucket.contains(['@', ':', '?', '#']) {
            return Err("after the scheme comes the bucket, and nothing else before the next slash".into());
        }
        let (bucket, root) = (bucket.to_owned(), format!("/{}", root.trim_matches('/')));
        match scheme {
            "s3" if cfg!(feature = "s3") => Ok(Self::S3 { bucket, root }),
            "cos" if cfg!(feature = "cos") => Ok(Self::Cos { bucket, root }),
            "s3" | "cos" => {
                Err(format!("this program was built without the feature `{scheme}` of connect-cos"))
            }
            _ => Err("the scheme is unknown".into()),
        }
    }

    /// How long names may be.
    pub(crate) fn allowed(&self) -> Allowed {
        let of_store = |store, whole, root: &str| {
            let root = if root == "/" { 0 } else { root.len() };
            // The root's slash in front is not part of a key, one behind it is.
            Allowed { store, whole, segment: whole, root, aside: 0, suffix: 0 }
        };
        match self {
            // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
            Self::S3 { root, .. } => of_store("S3", 1024, root),
            // <https://www.tencentcloud.com/document/product/436/13324>
            Self::Cos { root, .. } => of_store("COS", 850, root),
            // Linux's NAME_MAX, and PATH_MAX without the zero at the end.
            Self::File(root) => Allowed {
                store: "a file system",
                whole: 4095,
                segment: 255,
                root: root.as_os_str().len() + 1,
                aside: super::fs::PROOFS.len() + 1,
                suffix: super::fs::PROOF_SUFFIX_MAX,
            },
        }
    }

    /// Keys that this kind of store does not know, or needs.
    pub(crate) fn check(&self, config: &CosConfig, problems: &mut Problems) {
        let unknown: &[(&str, bool)] = match self {
            Self::File(_) => &[
                ("store.endpoint", config.endpoint.is_some()),
                ("store.region", config.region.is_some()),
                ("store.access.key.id", config.access_key.is_some()),
            ],
            Self::Cos { .. } => &[("store.region", config.region.is_some())],
            Self::S3 { .. } => &[],
        };
        for (key, _) in unknown.iter().filter(|(_, given)| *given) {
            problems.add(*key, "this kind of store has no use for it");
        }
        if config.endpoint.as_ref().is_some_and(|endpoint| endpoint.contains('@')) {
            // It could be shown where endpoints are.
            problems.add("store.endpoint", "a user does not belong in a URL: use store.access.key.id");
        }
        if config.endpoint.as_ref().is_some_and(|endpoint| endpoint.contains(['?', '#'])) {
            problems.add("store.endpoint", "an address has no query and no fragment");
        }
        let known = |endpoint: &str| endpoint.starts_with("http://") || endpoint.starts_with("https://");
        if config.endpoint.as_ref().is_some_and(|endpoint| !known(endpoint)) {
            problems.add("store.endpoint", "write the scheme too: https:// or http:// in front");
        }
        if matches!(self, Self::Cos { .. }) && config.checksum == Checksum::Crc32c {
            problems.add_allowed("store.checksum.algorithm", "COS does not know it", "auto, none or md5");
        }
        if matches!(self, Self::Cos { .. }) && config.endpoint.is_none() {
            problems
                .add("store.endpoint", "required for cos://, such as https://cos.ap-guangzhou.myqcloud.com");
        }
    }

    /// The store itself. Touches nothing yet.
    #[cfg_attr(
        not(any(feature = "s3", feature = "cos")),
        allow(unused_variables, reason = "a directory has no settings")
    )]
    pub(crate) fn store(&self, config: &CosConfig) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Self::File(root) => Ok(Arc::new(FsStore::new(root.clone()))),
            #[cfg(feature = "s3")]
            Self::S3 { bucket, root } => {
                super::renewing::Renewing::shared(bucket, root, config, super::opendal_store::s3)
            }
            #[cfg(not(feature = "s3"))]
            Self::S3 { .. } => {
                Err(StoreError::new(crate::error::Answer::Fatal, "built without the feature `s3`"))
            }
            #[cfg(feature = "cos")]
            Self::Cos { bucket, root } => {
                super::renewing::Renewing::shared(bucket, root, config, super::opendal_store::cos)
            }
            #[cfg(not(feature = "cos"))]
            Self::Cos { .. } => {
                Err(StoreError::new(crate::error::Answer::Fatal, "built without the feature `cos`"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_kind_of_store_a_bucket_and_a_root() {
        for (url, want) in [
            ("file:///data/out", Location::File("/data/out".into())),
            ("s3://b", Location::S3 { bucket: "b".into(), root: "/".into() }),
            ("cos://b-125/a/b/", Location::Cos { bucket: "b-125".into(), root: "/a/b".into() }),
        ] {
            assert_eq!(Location::parse(url).unwrap(), want);
        }
        for url in ["", "data", "file://data", "s3://", "s3://key@b", "gs://b"] {
            assert!(Location::parse(url).is_err(), "{url}");
        }
    }
}
