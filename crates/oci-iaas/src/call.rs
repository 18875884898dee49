//! What an operation puts into its HTTP request.

use http::Method;
use serde::de::DeserializeOwned;

use crate::{Ocid, encode::encode};

/// An operation with one answer.
pub trait Operation {
    /// What the answer's JSON decodes to. An answer without a body counts as `null`, so that an
    /// operation whose success is 204 has the output `()`.
    type Output: DeserializeOwned;

    /// The request.
    fn call(&self) -> Call;

    /// What it is about, for messages: `volume ocid1.volume…`.
    fn subject(&self) -> String;

    /// Compares the answer with what was asked: an answer about something else is none.
    ///
    /// # Errors
    /// The first difference.
    fn check(&self, answer: &Self::Output) -> Result<(), Mismatch>;
}

/// An operation whose answer is a bare JSON array, one page at a time.
pub trait ListOperation {
    /// What one element of the array decodes to.
    type Item: DeserializeOwned;

    /// The request for the first page, or for the `page` that the header `opc-next-page` of the
    /// answer before it named. A page may be empty although another one follows.
    fn call(&self, page: Option<&str>) -> Call;

    /// What it is about, for messages: `compartment ocid1.compartment…`.
    fn subject(&self) -> String;

    /// What tells an element from all others, whatever its state.
    fn key<'a>(&self, item: &'a Self::Item) -> &'a str;

    /// Compares one element with what was asked.
    ///
    /// # Errors
    /// The first difference.
    fn check(&self, item: &Self::Item) -> Result<(), Mismatch>;
}

/// In what an answer differs from what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {answered}, and {asked} was asked for")]
pub struct Mismatch {
    /// The field, as the API spells it.
    pub field: &'static str,
    /// What was asked for.
    pub asked: String,
    /// What was answered.
    pub answered: String,
}

impl Mismatch {
    /// Fails unless the two are the same.
    ///
    /// # Errors
    /// They differ.
    pub fn unless_same<T>(field: &'static str, asked: &T, answered: &T) -> Result<(), Self>
    where
        T: PartialEq + ToString + ?Sized,
    {
        if asked == answered {
            return Ok(());
        }
        Err(Self { field, asked: asked.to_string(), answered: answered.to_string() })
    }

    /// Fails unless an answered OCID is of one of these kinds ([`Ocid::kind`]).
    ///
    /// # Errors
    /// It is of another kind.
    pub fn unless_kind(field: &'static str, kinds: &[&str], answered: &Ocid) -> Result<(), Self> {
        if kinds.contains(&answered.kind()) {
            return Ok(());
        }
        let asked = format!("an OCID of kind {}", kinds.join(" or "));
        Err(Self { field, asked, answered: answered.to_string() })
    }
}

/// One HTTP request of the API, without host, credentials and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The method. GET, PUT and DELETE may be repeated; POST only with a retry token.
    pub method: Method,
    /// Path and query, percent-encoded: to be signed and sent byte by byte as it is.
    pub path_and_query: String,
    /// JSON.
    pub body: Option<String>,
    /// Header `if-match`: the etag that the resource must still have.
    pub if_match: Option<String>,
    /// Header `opc-retry-token`: 1 to 64 characters, the same in every repetition of the call.
    pub retry_token: Option<String>,
}

impl Call {
    /// A request with neither body nor headers of its own. `path_and_query` starts with the version of
    /// the service's API, and its parts are encoded by [`encode`].
    #[must_use]
    pub fn request(method: Method, path_and_query: impl Into<String>) -> Self {
        let path_and_query = path_and_query.into();
        Self { method, path_and_query, body: None, if_match: None, retry_token: None }
    }

    pub(crate) fn get<const N: usize>(path: [&str; N]) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn new<const N: usize>(method: Method, path: [&str; N]) -> Self {
        let mut path_and_query = String::from(BASE_PATH);
        for segment in path {
            path_and_query.push('/');
            path_and_query.push_str(&encode(segment));
        }
        Self::request(method, path_and_query)
    }

    /// Asks for a page of a list, as long as the API makes them.
    pub(crate) fn page(self, page: Option<&str>) -> Self {
        self.query("limit", Some(LONGEST_PAGE)).query("page", page)
    }

    /// Adds `name=value` to the query, or nothing if there is no value.
    pub(crate) fn query<V: AsRef<str>>(mut self, name: &str, value: Option<V>) -> Self {
        if let Some(value) = value {
            let separator = if self.path_and_query.contains('?') { '&' } else { '?' };
            self.path_and_query.push(separator);
            self.path_and_query.push_str(&encode(name));
            self.path_and_query.push('=');
            self.path_and_query.push_str(&encode(value.as_ref()));
        }
        self
    }
}

const BASE_PATH: &str = "/20160918";
/// The service may make them shorter.
const LONGEST_PAGE: &str = "1000";
