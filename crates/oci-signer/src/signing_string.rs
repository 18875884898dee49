//! The text that is signed.

use std::fmt::Write;

use http::{HeaderMap, header::HOST, request::Parts};

use crate::{Coverage, Error, coverage::REQUEST_TARGET, error::Kind};

/// The text that a signature of `request` signs: a line `name: value` for each covered part, without
/// a newline at the end.
///
/// Values come from `headers`, which are about to be added, else from the request; the host may also
/// come from its URI.
///
/// # Errors
/// If a covered header is missing or is no text.
pub fn signing_string(
    request: &Parts,
    headers: &HeaderMap,
    coverage: Coverage,
) -> Result<String, Error> {
    let mut text = String::with_capacity(TYPICAL_LENGTH);
    for name in coverage.names(&request.method) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(name);
        text.push_str(": ");
        if name == REQUEST_TARGET {
            push_target(&mut text, request);
        } else {
            text.push_str(value(name, request, headers)?);
        }
    }
    Ok(text)
}

/// The method in lower case, then path and query as they go over the wire.
fn push_target(text: &mut String, request: &Parts) {
    text.extend(request.method.as_str().chars().map(|letter| letter.to_ascii_lowercase()));
    text.push(' ');
    match request.uri.path_and_query() {
        // a query without a path is sent with a slash before it, which `Display` adds
        Some(target) => _ = write!(text, "{target}"),
        None => text.push('/'),
    }
}

fn value<'a>(
    name: &'static str,
    request: &'a Parts,
    headers: &'a HeaderMap,
) -> Result<&'a str, Kind> {
    match headers.get(name).or_else(|| request.headers.get(name)) {
        Some(value) => value.to_str().map_err(|_| Kind::NotText { name }),
        None if name == HOST => {
            request.uri.authority().map(|it| it.as_str()).ok_or(Kind::Missing { name })
        }
        None => Err(Kind::Missing { name }),
    }
}

const TYPICAL_LENGTH: usize = 512;
