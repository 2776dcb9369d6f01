//! Writes dead letters, one request at a time, until each is durable.

use super::state::Posted;
use crate::{Backoff, BackoffConfig, Budget, Class, DeadLetters, Error, Letter, retry::after};
use std::{collections::VecDeque, future::pending, sync::Arc};
use tokio::{task::JoinSet, time::Instant};

/// One per letter, in order.
type Answers = Vec<Result<(), Error>>;

/// Letters in one request.
const LETTERS_MAX: usize = 500;

/// Letters that wait for the queue, and those that are with it.
pub(crate) struct Letterbox {
    target: Option<Arc<dyn DeadLetters>>,
    waiting: VecDeque<Letter>,
    sending: JoinSet<(Vec<Letter>, Answers)>,
    posted: VecDeque<Posted>,
    backoff: Backoff,
    not_before: Option<Instant>,
    budget: Budget,
}

impl Letterbox {
    pub(crate) fn new(target: Option<Arc<dyn DeadLetters>>, backoff: BackoffConfig, budget: Budget) -> Self {
        Self {
            target,
            waiting: VecDeque::new(),
            sending: JoinSet::new(),
            posted: VecDeque::new(),
            backoff: Backoff::new(backoff),
            not_before: None,
            budget,
        }
    }

    pub(crate) async fn open(&self) -> Result<(), Error> {
        match &self.target {
            Some(target) => target.open().await,
            None => Ok(()),
        }
    }

    /// Takes letters in. Their bytes count against the budget until they are durable.
    pub(crate) fn put(&mut self, letters: Vec<Letter>) {
        for mut letter in letters {
            let permit = self.budget.charge(letter.bytes());
            letter.record.hold(permit);
            self.waiting.push_back(letter);
        }
    }

    /// Waits for the next answer. Safe to drop: requests go on.
    pub(crate) async fn next(&mut self) -> Posted {
        loop {
            if let Some(posted) = self.posted.pop_front() {
                return posted;
            }
            if self.sending.is_empty() && !self.waiting.is_empty() {
                if let Some(at) = self.not_before {
                    tokio::time::sleep_until(at).await;
                    self.not_before = None;
                }
                self.send();
            }
            match self.sending.join_next().await {
                Some(Ok((letters, answers))) => self.answered(letters, answers),
                Some(Err(panic)) => return Posted::Failed(Error::retriable("write dead letters", panic)),
                None => pending().await,
            }
        }
    }

    fn send(&mut self) {
        let Some(target) = &self.target else {
            let reason = "no dead letter queue is configured";
            self.posted.push_back(Posted::Failed(Error::fatal("write dead letters", reason)));
            return;
        };
        let target = Arc::clone(target);
        let count = self.waiting.len().min(LETTERS_MAX);
        let letters: Vec<Letter> = self.waiting.drain(..count).collect();
        self.sending.spawn(async move {
            let answers = target.write(&letters).await;
            (letters, answers)
        });
    }

    fn answered(&mut self, letters: Vec<Letter>, answers: Answers) {
        let unanswered = || Err(Error::retriable("write a dead letter", "it was not answered"));
        let answers = answers.into_iter().chain(std::iter::repeat_with(unanswered));
        let mut again = Vec::new();
        let mut transient = None;
        for (letter, answer) in letters.into_iter().zip(answers) {
            match answer {
                Ok(()) => {
                    let record = letter.record.iter().next().expect("a letter holds one record");
                    let origin = record.origin();
                    self.posted.push_back(Posted::Written(origin.id, origin.offset));
                }
                Err(error) if error.class() == Class::Retriable => {
                    transient = Some(error);
                    again.push(letter);
                }
                // The queue's own policy for letters that it can't take has been applied already.
                Err(error) => self.posted.push_back(Posted::Failed(error)),
            }
        }
        match transient {
            None => self.backoff.reset(),
            Some(error) => {
                self.not_before = Some(after(Instant::now(), self.backoff.next_wait(error.retry_after())));
                self.posted.push_back(Posted::Retrying(error));
            }
        }
        for letter in again.into_iter().rev() {
            self.waiting.push_front(letter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Stage, resident, testing};

    /// As many letters as a full budget has, about short records and with an answer's text.
    #[test]
    #[ignore = "run by the test below, which gives it a process of its own"]
    fn letters() {
        let budget = Budget::new(64 << 20);
        let mut letterbox = Letterbox::new(None, BackoffConfig::default(), budget.clone());
        let before = resident::bytes();
        while budget.room() > 0 {
            let batch = testing::batch(["twenty bytes of text"]);
            let record = batch.get(0).expect("it has one").detach();
            let error = Error::poison("index a document", "x".repeat(300)).about("orders-3 at offset 17");
            let (pipeline, stage) = ("pipeline".into(), Stage::TaskPut);
            letterbox.put(vec![Letter { record, stage, error, failed: Vec::new(), pipeline, task: 0 }]);
        }
        let taken = resident::bytes() - before;
        assert!(taken < budget.held() * 5 / 4, "{taken} bytes taken, {} charged", budget.held());
    }

    #[test]
    fn letters_that_wait_take_about_what_is_charged() {
        resident::alone("runtime::letterbox::tests::letters");
    }
}
