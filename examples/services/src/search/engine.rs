//! The kinds of search nodes.

use std::fmt::Debug;

use crate::cache::Bundle;

/// A kind of search node. Only this crate has any.
#[expect(private_bounds, reason = "sealed: a new kind needs a launcher in this crate")]
pub trait Engine: Sealed + Debug + Send + Sync + 'static {
    /// Its name in lower case, used in messages and directory names.
    const NAME: &'static str;
}

/// Elasticsearch 7.17.28.
#[derive(Debug, Clone, Copy)]
pub struct Elasticsearch;

/// OpenSearch 2.18.0.
#[derive(Debug, Clone, Copy)]
pub struct OpenSearch;

pub(crate) trait Sealed {
    const BUNDLE: Bundle;
}

impl Engine for Elasticsearch {
    const NAME: &'static str = "elasticsearch";
}

impl Sealed for Elasticsearch {
    const BUNDLE: Bundle = Bundle {
        name: "elasticsearch-7.17.28",
        pom: include_str!("../../poms/elasticsearch.xml"),
        main: "ElasticsearchMain",
        source: include_str!("../../java/ElasticsearchMain.java"),
    };
}

impl Engine for OpenSearch {
    const NAME: &'static str = "opensearch";
}

impl Sealed for OpenSearch {
    const BUNDLE: Bundle = Bundle {
        name: "opensearch-2.18.0",
        pom: include_str!("../../poms/opensearch.xml"),
        main: "OpenSearchMain",
        source: include_str!("../../java/OpenSearchMain.java"),
    };
}
