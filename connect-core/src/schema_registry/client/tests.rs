use super::*;
use crate::testing::http::{HttpServer, Reply};
use serde_json::json;

const NOT_FOUND: &str = r#"{"error_code":40403,"message":"Schema 7 not found"}"#;

fn config(urls: &[String]) -> SchemaRegistryConfig {
    let parse = |url: &String| crate::config::Value::parse(url).unwrap();
    SchemaRegistryConfig::new(urls.iter().map(parse).collect())
}

fn client(server: &HttpServer) -> SchemaRegistry {
    SchemaRegistry::new(&config(&[server.url()])).unwrap()
}

fn schema(text: &str) -> Reply {
    Reply::json(200, json!({ "schema": text }).to_string())
}

#[tokio::test]
async fn a_schema_comes_with_all_it_refers_to_each_once_and_dependencies_first() {
    let server = HttpServer::with_handler(|request| {
        let link = |name: &str| json!({ "name": name, "subject": format!("{name}/x"), "version": 2 });
        let answer = match request.path.as_str() {
            "/schemas/ids/7" => {
                json!({ "schema": "root", "schemaType": "PROTOBUF", "references": [link("a"), link("b")] })
            }
            "/subjects/a%2Fx/versions/2?deleted=true" => json!({ "schema": "A", "references": [link("c")] }),
            "/subjects/b%2Fx/versions/2?deleted=true" => json!({ "schema": "B", "references": [link("c")] }),
            "/subjects/c%2Fx/versions/2?deleted=true" => json!({ "schema": "C", "references": [link("a")] }),
            other => panic!("{other}"),
        };
        Reply::json(200, answer.to_string())
    })
    .await
    .unwrap();
    let Lookup::Found(found) = client(&server).schema(7).await.unwrap() else { panic!("it is there") };
    assert_eq!((found.id, found.kind, found.text.as_str()), (7, SchemaKind::Protobuf, "root"));
    let names: Vec<_> = found.references.iter().map(|r| (r.name.as_str(), r.text.as_str())).collect();
    assert_eq!(names, [("c", "C"), ("a", "A"), ("b", "B")]);
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    assert!(requests[0].header("accept").unwrap().contains("schemaregistry"));
}

#[tokio::test]
async fn a_number_that_is_not_there_is_no_error() {
    let server = HttpServer::start().await.unwrap();
    server.push(Reply::json(404, NOT_FOUND));
    assert_eq!(client(&server).schema(7).await.unwrap(), Lookup::Missing("Schema 7 not found".into()));
    let root = json!({ "schema": "{}", "references": [{ "name": "a", "subject": "s", "version": 1 }] });
    server.push(Reply::json(200, root.to_string()));
    server.push(Reply::json(404, r#"{"error_code":40402,"message":"Version 1 not found."}"#));
    let missing = Lookup::Missing("it refers to a: Version 1 not found.".into());
    assert_eq!(client(&server).schema(7).await.unwrap(), missing);
}

#[tokio::test]
async fn a_404_that_no_registry_sent_condemns_no_record() {
    let server = HttpServer::start().await.unwrap();
    server.push(Reply::new(404).body("<html>not here</html>"));
    server.push(Reply::new(200).body("<html>hello</html>"));
    for _ in 0..2 {
        let error = client(&server).schema(7).await.unwrap_err();
        assert_eq!(error.class(), Class::Fatal);
        assert!(error.report().contains("/schemas/ids/7"), "{}", error.report());
    }
}

#[tokio::test]
async fn faults_are_retriable_and_say_how_long_to_wait() {
    let server = HttpServer::start().await.unwrap();
    let client = client(&server);
    server.push(Reply::new(429).header("retry-after", "3"));
    server.push(Reply::json(500, r#"{"error_code":50001,"message":"store error"}"#));
    server.push(Reply::reset());
    let first = client.schema(7).await.unwrap_err();
    assert_eq!((first.class(), first.retry_after()), (Class::Retriable, Some(Duration::from_secs(3))));
    let second = client.schema(7).await.unwrap_err();
    assert!(second.class() == Class::Retriable && second.report().contains("store error"));
    assert_eq!(client.schema(7).await.unwrap_err().class(), Class::Retriable);
}

#[tokio::test]
async fn a_refusal_is_fatal_before_the_first_answer_and_retriable_after_it() {
    let server = HttpServer::start().await.unwrap();
    let client = client(&server);
    server.push(Reply::new(401));
    assert_eq!(client.schema(7).await.unwrap_err().class(), Class::Fatal);
    server.push(schema("\"string\""));
    client.schema(7).await.unwrap();
    server.push(Reply::new(401));
    assert_eq!(client.schema(7).await.unwrap_err().class(), Class::Retriable);
}

#[tokio::test]
async fn the_next_url_is_asked_when_one_is_away() {
    let (away, server) = (HttpServer::start().await.unwrap(), HttpServer::start().await.unwrap());
    away.push(Reply::new(503));
    server.push(schema("\"string\""));
    let client = SchemaRegistry::new(&config(&[away.url(), server.url()])).unwrap();
    assert!(matches!(client.schema(7).await.unwrap(), Lookup::Found(_)));
}

#[tokio::test]
async fn a_schema_is_missing_once_no_url_that_answers_has_it() {
    let (behind, server) = (HttpServer::start().await.unwrap(), HttpServer::start().await.unwrap());
    let client = SchemaRegistry::new(&config(&[behind.url(), server.url()])).unwrap();
    // The first has not heard of it, or of what it refers to, yet.
    behind.push(Reply::json(404, NOT_FOUND));
    let root = json!({ "schema": "{}", "references": [{ "name": "a", "subject": "s", "version": 1 }] });
    server.push(Reply::json(200, root.to_string()));
    behind.push(Reply::json(404, r#"{"error_code":40401,"message":"Subject s not found."}"#));
    server.push(schema("A"));
    assert!(matches!(client.schema(7).await.unwrap(), Lookup::Found(found) if found.references.len() == 1));
    // All say so; one says so and the other is away, whichever is asked first.
    for answers in [[404, 404], [404, 503], [503, 404]] {
        for (server, status) in [&behind, &server].into_iter().zip(answers) {
            server.push(Reply::json(status, NOT_FOUND));
        }
        assert_eq!(
            client.schema(7).await.unwrap(),
            Lookup::Missing("Schema 7 not found".into()),
            "{answers:?}"
        );
    }
    for server in [&behind, &server] {
        server.push(Reply::new(503));
    }
    assert_eq!(client.schema(7).await.unwrap_err().class(), Class::Retriable);
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown() {
    let server = HttpServer::start().await.unwrap();
    let user =
        SchemaRegistryConfig { user_info: Some("Aladdin:open sesame".into()), ..config(&[server.url()]) };
    let token = SchemaRegistryConfig { token: Some("hunter2".into()), ..config(&[server.url()]) };
    for (config, header) in [(user, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), (token, "Bearer hunter2")] {
        server.push(Reply::new(401));
        let client = SchemaRegistry::new(&config).unwrap();
        let error = client.schema(7).await.unwrap_err();
        assert_eq!(server.requests().pop().unwrap().header("authorization"), Some(header));
        let shown = format!("{client:?} {error:?} {config:?}");
        assert!(!shown.contains("sesame") && !shown.contains("hunter2"), "{shown}");
    }
}
