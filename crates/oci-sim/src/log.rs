//! What was asked, in order: the log that tests read and the program prints.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::faults::Effect;

/// One request, and what became of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// Its number, from 1.
    pub number: u64,
    /// When it arrived, by the cloud's clock.
    pub at: SystemTime,
    /// The operation by Oracle's name, `Metadata`, or `Unknown`.
    pub operation: &'static str,
    /// The HTTP method.
    pub method: String,
    /// Path and query as received.
    pub path: String,
    /// The body as received.
    pub body: String,
    /// `opc-retry-token`.
    pub retry_token: Option<String>,
    /// `if-match`.
    pub if_match: Option<String>,
    /// `opc-request-id` of the answer; absent if there was none.
    pub request_id: Option<String>,
    /// The signature was good.
    pub is_signed: bool,
    /// The user who has delegated what he may do, by the token of the request.
    pub on_behalf_of: Option<String>,
    /// The faults that hit it.
    pub faults: Vec<Effect>,
    /// The answer's status; absent while it is being performed, and if the connection was reset instead.
    pub status: Option<u16>,
}

/// A moment in the life of a request, for [`Sim::on_request`](crate::Sim::on_request).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// Before or after.
    pub phase: Phase,
    /// The request, as far as it is known.
    pub entry: Entry,
}

/// Which moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has arrived; nothing is performed yet.
    Received,
    /// It is performed; the answer is not sent yet.
    Performed,
}

/// All requests so far.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<Entry>>);

impl Log {
    /// Adds a request; gives it its number.
    pub(crate) fn begin(&self, mut entry: Entry) -> Entry {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entry.number = u64::try_from(entries.len()).unwrap_or(u64::MAX) + 1;
        entries.push(entry.clone());
        entry
    }

    /// Notes what became of it.
    pub(crate) fn finish(&self, finished: &Entry) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.iter_mut().rfind(|entry| entry.number == finished.number) {
            entry.clone_from(finished);
        }
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
