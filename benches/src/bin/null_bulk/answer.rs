//! The answer to a bulk body: built once per action, cut to the number of documents.

const HEAD: &[u8] = br#"{"took":1,"errors":false,"items":["#;
const TAIL: &[u8] = b"]}";

/// Answers of one connection; grows to the largest body seen.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    index: Items,
    create: Items,
}

/// One item's text, repeated, each followed by a comma.
#[derive(Debug, Default)]
struct Items {
    text: Vec<u8>,
    count: usize,
}

impl Answers {
    /// The three parts of the answer for `documents` items; `create` says which action the body used.
    ///
    /// Items are as long as Elasticsearch's own, with its usual fields; the id is the same in all.
    pub(crate) fn parts(&mut self, documents: usize, create: bool) -> [&[u8]; 3] {
        let (items, action) = if create { (&mut self.create, "create") } else { (&mut self.index, "index") };
        let item = format!(
            concat!(
                r#"{{"{}":{{"_index":"bench","_type":"_doc","_id":"bench-logs+0+1000000","_version":1,"#,
                r#""result":"created","_shards":{{"total":2,"successful":1,"failed":0}},"_seq_no":1000000,"#,
                r#""_primary_term":1,"status":201}}}},"#
            ),
            action
        );
        while items.count < documents {
            items.text.extend_from_slice(item.as_bytes());
            items.count += 1;
        }
        let length = (documents * item.len()).saturating_sub(1);
        [HEAD, &items.text[..length], TAIL]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_holds_one_201_per_document() {
        let mut answers = Answers::default();
        for (documents, create) in [(3, false), (0, false), (1, true), (2, false)] {
            let text = answers.parts(documents, create).concat();
            let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
            let items = json["items"].as_array().unwrap();
            assert_eq!((items.len(), json["errors"].as_bool()), (documents, Some(false)));
            let action = if create { "create" } else { "index" };
            assert!(items.iter().all(|item| item[action]["status"] == 201));
        }
    }
}
