use connect_core::testing::{
    Message,
    conformance::transform::{self, TransformHarness},
};
use connect_transforms::{
    DataProcessing,
    processing::{BatchMode, ChainRules, FieldRule, FilterMode, OnFailure, Rules},
};

struct Harness(Rules);

impl TransformHarness for Harness {
    type Transform = DataProcessing;

    fn build(&self) -> DataProcessing {
        DataProcessing::new(&self.0).expect("the rules are right")
    }

    fn accepted(&self) -> Vec<Message> {
        let value = if self.0.batch.is_some() {
            r#"[{"a":1,"b":{"c":2.0}},{"a":3},{"a":7}]"#
        } else {
            r#"{"a":1,"b":{"c":2.0}}"#
        };
        let filtered = if self.0.batch.is_some() { "[]" } else { r#"{"a":7}"# };
        vec![value.into(), filtered.into(), Message::tombstone("key")]
    }

    fn refused(&self) -> Vec<Message> {
        if self.0.on_failure == OnFailure::Keep {
            return Vec::new();
        }
        vec!["text".into(), Message::new(vec![0xff]), r#"{"a":1"#.into(), "12".into()]
    }
}

#[tokio::test]
async fn it_passes_the_conformance_suite_in_all_its_forms() {
    let chain = || {
        ChainRules::json()
            .field(FieldRule::key("a").named("x"))
            .field(FieldRule::path("$..c").named("c"))
            .field(FieldRule::now("t"))
    };
    let rules = || Rules::new([chain()]).filter("x", FilterMode::Except, "7");
    for rules in [
        rules(),
        rules().metadata(),
        rules().batch(BatchMode::OneByOne),
        rules().batch(BatchMode::Merge),
        rules().on_failure(OnFailure::Keep),
    ] {
        transform::run_all(&Harness(rules)).await.assert_passed();
    }
}
