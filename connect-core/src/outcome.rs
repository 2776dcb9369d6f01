//! What became of the rows of a request.

use crate::Error;

/// A verdict per row, in order. A row without an answer was not answered: it is sent again.
///
/// ```
/// use connect_core::{Error, Outcome};
/// let all_delivered = Outcome::delivered();
/// let one_refused: Outcome = [Ok(()), Err(Error::poison("index the document", "mapper_parsing_exception"))].into_iter().collect();
/// # let _ = (all_delivered, one_refused);
/// ```
#[derive(Debug)]
#[must_use]
pub struct Outcome(Option<Vec<Result<(), Error>>>);

impl Outcome {
    /// Every row was delivered. Costs nothing per row.
    pub fn delivered() -> Self {
        Self(None)
    }

    /// Every row was delivered.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        self.0.is_none()
    }

    /// The verdicts, or `None` if every row was delivered.
    #[must_use]
    pub fn rows(&self) -> Option<&[Result<(), Error>]> {
        self.0.as_deref()
    }

    /// The verdicts, or `None` if every row was delivered.
    #[must_use]
    pub fn into_rows(self) -> Option<Vec<Result<(), Error>>> {
        self.0
    }
}

impl FromIterator<Result<(), Error>> for Outcome {
    fn from_iter<I: IntoIterator<Item = Result<(), Error>>>(rows: I) -> Self {
        Self(Some(rows.into_iter().collect()))
    }
}
