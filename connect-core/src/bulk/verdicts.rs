//! What an answer says about the rows of a request.

use super::request::row_number;
use crate::{Class, Error, Outcome};

/// The rows of a request by what happens next.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    /// Rows whose fate is known, with it.
    pub(super) settled: Vec<u32>,
    pub(super) fates: Vec<Result<(), Error>>,
    /// Rows that are poison unless somebody else is to blame, in order.
    pub(super) doubted: Vec<(u32, Error)>,
    /// Rows to send again.
    pub(super) again: Vec<u32>,
    /// Why: of the retriable errors, the one with the longest wish to be left alone.
    pub(super) reason: Option<Error>,
    /// A row's error that stops the task.
    pub(super) fatal: Option<Error>,
}

impl Verdicts {
    /// Sorts the rows of a request of `sent` rows. `None`: all were delivered.
    pub(super) fn of(outcome: Outcome, sent: usize) -> Option<Self> {
        let answers = outcome.into_rows()?;
        let mut verdicts = Self::default();
        if answers.len() > sent {
            let excess = format!("{} answers for {sent} rows: they can't be told apart", answers.len());
            verdicts.fatal = Some(Error::fatal("match answers with rows", excess));
            return Some(verdicts);
        }
        let answered = row_number(answers.len());
        for (row, answer) in (0..).zip(answers) {
            verdicts.sort(row, answer);
        }
        verdicts.again.extend(answered..row_number(sent));
        if verdicts.reason.is_none() && !verdicts.again.is_empty() {
            verdicts.reason =
                Some(Error::retriable("find an answer for each row", "rows were left unanswered").doubtful());
        }
        Some(verdicts)
    }

    fn sort(&mut self, row: u32, answer: Result<(), Error>) {
        match answer {
            Err(error) if error.class() == Class::Retriable => {
                self.again.push(row);
                if self.reason.as_ref().is_none_or(|reason| reason.retry_after() < error.retry_after()) {
                    self.reason = Some(error);
                }
            }
            Err(error) if error.class() == Class::Poison && error.is_doubtful() => {
                self.doubted.push((row, error));
            }
            Err(error) if error.class() == Class::Fatal => self.fatal = self.fatal.take().or(Some(error)),
            fate => {
                self.settled.push(row);
                self.fates.push(fate);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_row_without_an_answer_is_sent_again() {
        let outcome = [Ok(()), Err(Error::poison("write", "bad"))].into_iter().collect();
        let verdicts = Verdicts::of(outcome, 4).expect("not all delivered");
        assert_eq!((verdicts.settled, verdicts.again), (vec![0, 1], vec![2, 3]));
        assert_eq!(verdicts.fates[1].as_ref().map_err(Error::class), Err(Class::Poison));
        assert!(verdicts.reason.is_some());
    }

    #[test]
    fn more_answers_than_rows_stop_the_task() {
        let verdicts = Verdicts::of([Ok(()), Ok(())].into_iter().collect(), 1).expect("not all delivered");
        assert_eq!(verdicts.fatal.map(|error| error.class()), Some(Class::Fatal));
        assert!(verdicts.settled.is_empty());
    }

    #[test]
    fn the_longest_wish_to_be_left_alone_is_kept() {
        let busy = |seconds| Err(Error::retriable("write", "busy").after(Some(Duration::from_secs(seconds))));
        let verdicts = Verdicts::of([busy(1), busy(7), busy(3)].into_iter().collect(), 3).expect("not all");
        assert_eq!(verdicts.reason.and_then(|e| e.retry_after()), Some(Duration::from_secs(7)));
    }
}
