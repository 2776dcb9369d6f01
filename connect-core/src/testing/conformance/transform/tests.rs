use super::*;
use std::sync::atomic::{AtomicI64, Ordering};

/// Splits a value at commas; refuses what is not UTF-8, after it has emitted something.
struct Split(Flaw);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    CountsAcrossRecords,
    EmptyForNull,
    DropsHeaders,
    Panics,
    DescribesItsAddress,
}

static COUNT: AtomicI64 = AtomicI64::new(0);

impl Transform for Split {
    fn apply(&self, record: Record<'_>, out: &mut Output) -> Result<(), Error> {
        let Some(value) = record.value() else {
            match self.0 {
                Flaw::EmptyForNull => out.derive(record).value(Some(b"")).emit(),
                Flaw::Panics => panic!("no value"),
                _ => out.keep(record),
            }
            return Ok(());
        };
        for part in value.split(|&byte| byte == b',') {
            let draft = out.derive(record).value(Some(part));
            match self.0 {
                Flaw::DropsHeaders => draft.headers([]).emit(),
                Flaw::CountsAcrossRecords => {
                    draft.timestamp_ms(Some(COUNT.fetch_add(1, Ordering::Relaxed))).emit();
                }
                _ => draft.emit(),
            }
        }
        std::str::from_utf8(value).map_err(|error| Error::poison("read the text", error))?;
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        let count =
            if self.0 == Flaw::DescribesItsAddress { COUNT.fetch_add(1, Ordering::Relaxed) } else { 0 };
        Some(format!("split {count}"))
    }
}

struct Harness(Flaw);

impl TransformHarness for Harness {
    type Transform = Split;

    fn build(&self) -> Split {
        Split(self.0)
    }

    fn accepted(&self) -> Vec<Message> {
        vec!["a,b,c".into(), ("key", "d").into()]
    }

    fn refused(&self) -> Vec<Message> {
        vec![Message::new(&b"a,\xff,b"[..])]
    }
}

#[tokio::test]
async fn a_transform_that_keeps_the_contract_passes_every_check() {
    let report = run_all(&Harness(Flaw::None)).await;
    report.assert_passed();
    assert!(report.not_applicable().is_empty());
}

#[tokio::test]
async fn each_flaw_is_found_by_the_check_that_is_about_it() {
    let cases = [
        (Flaw::CountsAcrossRecords, "equal_records_give_equal_results"),
        (Flaw::CountsAcrossRecords, "neighbours_make_no_difference"),
        (Flaw::EmptyForNull, "odd_records_do_no_harm"),
        (Flaw::DropsHeaders, "headers_and_timestamps_are_kept"),
        (Flaw::Panics, "odd_records_do_no_harm"),
        (Flaw::DescribesItsAddress, "equal_records_give_equal_results"),
    ];
    for (flaw, check) in cases {
        let report = run_all(&Harness(flaw)).await;
        assert!(report.failed().contains(&check), "{check} found nothing\n{report}");
    }
}
