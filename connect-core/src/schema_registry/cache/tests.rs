use super::*;
use crate::{
    Class,
    config::Value as _,
    schema_registry::{RegistryUrl, SchemaRegistryConfig},
    testing::http::{HttpServer, Reply},
};

async fn registry() -> HttpServer {
    HttpServer::with_handler(|request| {
        let id: u32 = request.path.rsplit('/').next().unwrap().parse().unwrap();
        match id {
            404 => Reply::json(404, r#"{"error_code":40403,"message":"Schema 404 not found"}"#),
            _ => Reply::json(200, format!(r#"{{"schema":"text {id}"}}"#)),
        }
    })
    .await
    .unwrap()
}

fn schemas(server: &HttpServer, capacity: usize) -> Schemas<String> {
    let config = SchemaRegistryConfig::new(vec![RegistryUrl::parse(&server.url()).unwrap()]);
    Schemas::new(SchemaRegistry::new(&config).unwrap(), capacity, |schema| match schema.id {
        13 => Err("bad luck".to_owned()),
        _ => Ok(schema.text.to_uppercase()),
    })
}

#[tokio::test]
async fn each_number_is_fetched_and_parsed_once_whatever_became_of_it() {
    let server = registry().await;
    let schemas = schemas(&server, 10);
    let ids = [1, 1, 2, 404, 13, 2, 1];
    schemas.prepare(ids).expect("nothing is known yet").await.unwrap();
    assert!(schemas.prepare(ids).is_none());
    assert!(schemas.prepare([]).is_none());
    assert_eq!(server.requests().len(), 4);
    assert_eq!(schemas.get(2).unwrap().as_str(), "TEXT 2");
    for (id, says) in [
        (404, "the schema registry does not have schema 404: Schema 404 not found"),
        (13, "schema 13 cannot be used: bad luck"),
        (3, "schema 3 was not fetched"),
    ] {
        let error = schemas.get(id).unwrap_err();
        assert!(error.class() == Class::Poison && error.report().contains(says), "{}", error.report());
    }
}

#[tokio::test]
async fn a_number_that_was_missing_is_asked_for_again_after_a_minute() {
    let server = registry().await;
    let schemas = schemas(&server, 10);
    schemas.prepare([404, 1]).unwrap().await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(schemas.prepare([404, 1]).is_none());
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(schemas.prepare([404]).is_some() && schemas.prepare([1]).is_none());
}

#[tokio::test]
async fn what_is_unused_goes_when_there_are_too_many_and_what_is_in_use_stays() {
    let server = registry().await;
    let schemas = schemas(&server, 2);
    schemas.prepare([1, 2, 404]).unwrap().await.unwrap();
    schemas.prepare([3]).unwrap().await.unwrap();
    assert!([1, 2, 3].iter().all(|id| schemas.get(*id).is_ok()), "all were used within the last minutes");
    assert!(schemas.prepare([404]).is_some(), "a missing number goes first");
    tokio::time::pause();
    tokio::time::advance(STAYS).await;
    assert!(schemas.prepare([1]).is_none());
    tokio::time::resume();
    tokio::time::sleep(Duration::from_millis(1)).await;
    schemas.prepare([4]).unwrap().await.unwrap();
    assert!(schemas.get(1).is_ok() && schemas.get(4).is_ok());
    assert_eq!([2, 3].iter().filter(|id| schemas.get(**id).is_ok()).count(), 1);
}

#[tokio::test]
async fn an_attempt_that_fails_keeps_what_it_has() {
    let server = registry().await;
    let schemas = schemas(&server, 10);
    schemas.prepare([1]).unwrap().await.unwrap();
    server.push(Reply::new(503));
    let error = schemas.prepare([1, 2]).unwrap().await.unwrap_err();
    assert_eq!(error.class(), Class::Retriable);
    assert!(schemas.get(1).is_ok());
    schemas.prepare([1, 2]).unwrap().await.unwrap();
    assert!(schemas.get(2).is_ok());
}
