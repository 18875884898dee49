//! Why an argument list is not a call.
//!
//! Of an argument no text here quotes more than the name of an option: the rest may be secret.

use thiserror::Error;

/// An argument list that is not a call of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CallError {
    /// Nothing was given at all.
    #[error("no call given; the first argument must be one, as in `init`")]
    Missing,
    /// A call of another version of the protocol, or no call. The answer is "Not supported".
    #[error("not a call of the flexvolume protocol")]
    Unknown,
    /// The call is known, the number of its arguments is wrong.
    #[error("wrong number of arguments: expected {}, given {given}; usage: {call} {usage}", usage.matches('<').count())]
    ArgumentCount {
        /// The call's name.
        call: &'static str,
        /// Its arguments, each in angle brackets.
        usage: &'static str,
        /// How many there were.
        given: usize,
    },
    /// A name that is not UTF-8.
    #[error("`{call}`: the {what} is not UTF-8")]
    NotUtf8 {
        /// The call's name.
        call: &'static str,
        /// Which argument.
        what: &'static str,
    },
    /// A name that no object of Kubernetes has.
    #[error("`{call}`: the {what} is empty or longer than 1024 bytes")]
    NoName {
        /// The call's name.
        call: &'static str,
        /// Which argument.
        what: &'static str,
    },
    /// Options where a name or a path belongs.
    #[error("`{call}`: a JSON object stands where the {what} belongs; expected {usage}")]
    Misplaced {
        /// The call's name.
        call: &'static str,
        /// Which argument.
        what: &'static str,
        /// The call's arguments, each in angle brackets.
        usage: &'static str,
    },
    /// A size that is no number.
    #[error("`{call}`: the {what} is not a whole number of bytes")]
    NotBytes {
        /// The call's name.
        call: &'static str,
        /// Which argument.
        what: &'static str,
    },
    /// The options argument cannot be read.
    #[error("`{call}`: cannot read the options")]
    Options {
        /// The call's name.
        call: &'static str,
        /// What is wrong with it.
        source: OptionsError,
    },
}

/// Options that cannot be read, or that lack what the call needs.
///
/// The JSON parser's own texts are dropped because they quote the document.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// The argument does not begin with `{`.
    #[error("not a JSON object; it must begin with {{")]
    NotAnObject,
    /// Broken JSON.
    #[error("broken JSON at line {line}, column {column}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// An option whose value is a list or an object.
    #[error("option {key:?} must be a string")]
    NotText {
        /// The option.
        key: String,
    },
    /// A secret that is not base64.
    #[error("secret {key:?} is not valid base64")]
    Secret {
        /// The secret's whole option name.
        key: String,
    },
    /// The caller's word on reading and writing is not known.
    #[error("option {key:?} is neither \"ro\" nor \"rw\"")]
    ReadWrite {
        /// The option.
        key: &'static str,
    },
    /// An option that the caller always sends, absent or empty.
    #[error("option {key:?} is missing or empty")]
    Missing {
        /// The option.
        key: &'static str,
    },
}
