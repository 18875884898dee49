//! A record as one line: `key=value` pairs, or a JSON object.

use std::{
    process,
    time::{Duration, SystemTime},
};

use log::{
    Record,
    kv::{self, VisitSource},
};
use serde_json::Value;

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `key=value`, quoted as in JSON where it is not one plain word.
    Text,
    /// A JSON object.
    Json,
}

/// What is on every line, beside the record's own.
pub(crate) struct Head<'a> {
    pub(crate) time: SystemTime,
    pub(crate) call: &'a str,
    pub(crate) elapsed: Duration,
}

impl Format {
    /// The form of that name; nothing if there is none.
    pub(crate) fn named(name: Option<&str>) -> Option<Self> {
        match name.map(str::to_ascii_lowercase).as_deref() {
            None | Some("text") => Some(Self::Text),
            Some("json") => Some(Self::Json),
            Some(_) => None,
        }
    }
}

/// The line of `record`, with its end. Whatever a tool or a service said, it cannot forge another one.
pub(crate) fn line(format: Format, head: &Head<'_>, record: &Record<'_>) -> String {
    let mut pairs = Pairs::default();
    pairs.text("time", &humantime::format_rfc3339_millis(head.time).to_string());
    pairs.text("level", &record.level().as_str().to_ascii_lowercase());
    pairs.text("call", head.call);
    pairs.0.push(("pid".into(), process::id().into()));
    let elapsed = u64::try_from(head.elapsed.as_millis()).unwrap_or(u64::MAX);
    pairs.0.push(("ms".into(), elapsed.into()));
    pairs.text("at", record.target());
    pairs.text("msg", &record.args().to_string());
    // Only a value that fails to print itself would end this early.
    let _ = record.key_values().visit(&mut pairs);
    match format {
        Format::Text => join(&pairs, "", " ", "\n", |key, value| format!("{key}={}", word(value))),
        Format::Json => join(&pairs, "{", ",", "}\n", |key, value| format!("{:?}:{value}", key)),
    }
}

fn join(
    pairs: &Pairs,
    start: &str,
    between: &str,
    end: &str,
    pair: impl Fn(&str, &Value) -> String,
) -> String {
    let pairs: Vec<_> = pairs.0.iter().map(|(key, value)| pair(key, value)).collect();
    format!("{start}{}{end}", pairs.join(between))
}

fn word(value: &Value) -> String {
    let plain = |c: char| !c.is_whitespace() && !"\"=\\{}".contains(c);
    match value {
        Value::String(text) if !text.is_empty() && text.chars().all(plain) => text.clone(),
        value => value.to_string(),
    }
}

/// In the order in which they were named.
#[derive(Default)]
struct Pairs(Vec<(String, Value)>);

impl Pairs {
    fn text(&mut self, key: &str, value: &str) {
        self.0.push((key.to_owned(), one_line(value).into()));
    }
}

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let plain = value.to_u64().map(Value::from).or(value.to_bool().map(Value::from));
        match plain {
            Some(plain) => self.0.push((key.to_string(), plain)),
            None => self.text(key.as_str(), &value.to_string()),
        }
        Ok(())
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if breaks_lines(c) { ' ' } else { c }).collect()
}

/// Control characters, Unicode's own ends of lines and paragraphs, and what turns the direction of writing.
fn breaks_lines(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use log::Level;

    use super::*;

    fn check(format: Format, message: &str, pairs: &[(&str, kv::Value<'_>)], expected: &Expect) {
        let head = Head {
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
            call: "0badcafe",
            elapsed: Duration::from_micros(12_345),
        };
        let mut record = Record::builder();
        record.level(Level::Warn).target("mount::busy").key_values(&pairs);
        let line = line(format, &head, &record.args(format_args!("{message}")).build());
        expected.assert_eq(&line.replace(&process::id().to_string(), "PID"));
    }

    #[test]
    fn a_line_has_its_fields_in_order() {
        let pairs = [("volume", "aaaa".into()), ("bytes", 5_u64.into()), ("ro", true.into())];
        check(
            Format::Text,
            "mounted",
            &pairs,
            &expect![[r#"
                time=2023-11-14T22:13:20.123Z level=warn call=0badcafe pid=PID ms=12 at=mount::busy msg=mounted volume=aaaa bytes=5 ro=true
            "#]],
        );
        check(
            Format::Json,
            "mounted",
            &pairs,
            &expect![[r#"
                {"time":"2023-11-14T22:13:20.123Z","level":"warn","call":"0badcafe","pid":PID,"ms":12,"at":"mount::busy","msg":"mounted","volume":"aaaa","bytes":5,"ro":true}
            "#]],
        );
    }

    #[test]
    fn no_text_forges_a_line_or_a_field() {
        let hostile = "a\nb\r\u{1b}[31mc\u{85}\u{2028}\u{202e} level=error \"x\\";
        check(
            Format::Text,
            hostile,
            &[("node", hostile.into()), ("empty", "".into()), ("pair", "a=b".into())],
            &expect![[r#"
                time=2023-11-14T22:13:20.123Z level=warn call=0badcafe pid=PID ms=12 at=mount::busy msg="a b  [31mc    level=error \"x\\" node="a b  [31mc    level=error \"x\\" empty="" pair="a=b"
            "#]],
        );
        check(
            Format::Json,
            hostile,
            &[("node", hostile.into())],
            &expect![[r#"
                {"time":"2023-11-14T22:13:20.123Z","level":"warn","call":"0badcafe","pid":PID,"ms":12,"at":"mount::busy","msg":"a b  [31mc    level=error \"x\\","node":"a b  [31mc    level=error \"x\\"}
            "#]],
        );
    }

    #[test]
    fn a_format_has_a_name() {
        for (name, format) in [
            (None, Some(Format::Text)),
            (Some("text"), Some(Format::Text)),
            (Some("JSON"), Some(Format::Json)),
            (Some("yaml"), None),
        ] {
            assert_eq!(Format::named(name), format);
        }
    }
}
