//! The kinds of search nodes.

use std::fmt::Debug;

use crate::cache::{Bundle, Module};

/// A kind of search node. Only this crate has any.
#[expect(private_bounds, reason = "sealed: a new kind needs a launcher in this crate")]
pub trait Engine: Sealed + Debug + Send + Sync + 'static {
    /// Its name in lower case, used in messages and directory names.
    const NAME: &'static str;
}

pub(crate) trait Sealed {
    const BUNDLE: Bundle;
}

/// What Elasticsearch from 8 on needs of the virtual machine when it runs without its distribution.
const ELASTICSEARCH_JVM: &[&str] = &[
    // A distribution of none of the known types does not start.
    "-Des.distribution.type=tar",
    "-Dlog4j2.disable.jmx=true",
    // The node sets a field of `java.io` that decides whether file names are normalised.
    "--add-opens=java.base/java.io=ALL-UNNAMED",
];

/// The HTTP transport, which Elasticsearch from 8 on takes from a module's directory alone.
macro_rules! transport {
    ($version:literal, $java:literal) => {
        Some(Module {
            name: "transport-netty4",
            jars: &["netty-", "transport-netty4-"],
            descriptor: concat!(
                "name=transport-netty4\ndescription=HTTP transport\nversion=",
                $version,
                "\nelasticsearch.version=",
                $version,
                "\njava.version=",
                $java,
                "\nclassname=org.elasticsearch.transport.netty4.Netty4Plugin\nextended.plugins=\n\
                 has.native.controller=false\n",
            ),
        })
    };
}

/// Elasticsearch 7.17.28.
#[derive(Debug, Clone, Copy)]
pub struct Elasticsearch;

impl Engine for Elasticsearch {
    const NAME: &'static str = "elasticsearch";
}

impl Sealed for Elasticsearch {
    const BUNDLE: Bundle = Bundle {
        name: "elasticsearch-7.17.28",
        pom: include_str!("../../poms/elasticsearch.xml"),
        main: "ElasticsearchMain",
        source: include_str!("../../java/ElasticsearchMain.java"),
        java: 17,
        jvm: &[],
        module: None,
    };
}

/// Elasticsearch 8.19.0.
#[derive(Debug, Clone, Copy)]
pub struct Elasticsearch8;

impl Engine for Elasticsearch8 {
    const NAME: &'static str = "elasticsearch8";
}

impl Sealed for Elasticsearch8 {
    const BUNDLE: Bundle = Bundle {
        name: "elasticsearch-8.19.0",
        pom: include_str!("../../poms/elasticsearch8.xml"),
        main: "ModularElasticsearchMain",
        source: include_str!("../../java/ModularElasticsearchMain.java"),
        java: 17,
        jvm: ELASTICSEARCH_JVM,
        module: transport!("8.19.0", "17"),
    };
}

/// Elasticsearch 9.1.0.
#[derive(Debug, Clone, Copy)]
pub struct Elasticsearch9;

impl Engine for Elasticsearch9 {
    const NAME: &'static str = "elasticsearch9";
}

impl Sealed for Elasticsearch9 {
    const BUNDLE: Bundle = Bundle {
        name: "elasticsearch-9.1.0",
        pom: include_str!("../../poms/elasticsearch9.xml"),
        main: "ModularElasticsearchMain",
        source: include_str!("../../java/ModularElasticsearchMain.java"),
        java: 21,
        jvm: ELASTICSEARCH_JVM,
        module: transport!("9.1.0", "21"),
    };
}

/// OpenSearch 2.18.0.
#[derive(Debug, Clone, Copy)]
pub struct OpenSearch;

impl Engine for OpenSearch {
    const NAME: &'static str = "opensearch";
}

impl Sealed for OpenSearch {
    const BUNDLE: Bundle = Bundle {
        name: "opensearch-2.18.0",
        pom: include_str!("../../poms/opensearch.xml"),
        main: "OpenSearchMain",
        source: include_str!("../../java/OpenSearchMain.java"),
        java: 17,
        jvm: &[],
        module: None,
    };
}

/// OpenSearch 3.3.2.
#[derive(Debug, Clone, Copy)]
pub struct OpenSearch3;

impl Engine for OpenSearch3 {
    const NAME: &'static str = "opensearch3";
}

impl Sealed for OpenSearch3 {
    const BUNDLE: Bundle = Bundle {
        name: "opensearch-3.3.2",
        pom: include_str!("../../poms/opensearch3.xml"),
        main: "OpenSearch3Main",
        source: include_str!("../../java/OpenSearch3Main.java"),
        java: 21,
        jvm: &[],
        module: None,
    };
}
