//! YAML as Go's `yaml.v2` reads it: the first document of a text.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, IgnoredAny, Visitor},
};

mod problem;

pub use problem::Problem;

/// The first document of a text.
#[derive(Debug)]
pub struct First<T> {
    /// What it says; nothing if it is empty.
    pub value: Option<T>,
    /// Whether another one that says something follows, which Go's programs do not read either.
    pub has_more: bool,
}

/// Reads the first document.
///
/// The parser's time grows with the square of the depth of brackets, which is bounded here by their
/// number: 5000 take 0.2 s. Everything else is linear, or bounded by the parser.
///
/// # Errors
/// The text is not YAML, or not what `T` takes. Nothing of it is quoted.
pub fn first<T: DeserializeOwned>(text: &str) -> Result<First<T>, Problem> {
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > MOST_BRACKETS {
        return Err(Problem::new(
            None,
            "more than 5000 opening brackets; remove what is not needed",
        ));
    }
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let Some(document) = documents.next() else {
        return Ok(First { value: None, has_more: false });
    };
    let value = Option::deserialize(document).map_err(|error| Problem::from_yaml(&error, text))?;
    let says_something = |it| !matches!(Option::<IgnoredAny>::deserialize(it), Ok(None));
    Ok(First { value, has_more: documents.any(says_something) })
}

/// Of a switch: what `yaml.v2` takes for true and false, quoted or not; nothing is false.
///
/// # Errors
/// The value is none of them.
pub fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    deserializer.deserialize_str(Switch)
}

struct Switch;

impl Visitor<'_> for Switch {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<bool, E> {
        match &*text.to_ascii_lowercase() {
            "y" | "yes" | "true" | "on" => Ok(true),
            "n" | "no" | "false" | "off" | "" | "~" | "null" => Ok(false),
            _ => Err(E::custom(problem::NO_SWITCH)),
        }
    }
}

const MOST_BRACKETS: usize = 5000;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Keys {
        group: Option<Group>,
        #[serde(deserialize_with = "switch")]
        switch: bool,
        list: Option<Vec<Entry>>,
        ignored: Option<IgnoredAny>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Group {
        user: Option<String>,
        key: Option<String>,
        region: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    struct Entry {
        #[expect(dead_code, reason = "only that it must be there")]
        name: String,
    }

    #[track_caller]
    fn user(text: &str) -> Option<String> {
        first::<Keys>(text).unwrap().value?.group?.user
    }

    #[test]
    fn what_go_reads_is_read() {
        for (text, expected) in [
            ("", None),
            ("# nothing\n", None),
            ("---\n", None),
            ("group:\n  user: x\n", Some("x")),
            ("group:\r\n  user: x\r\n", Some("x")),
            ("group:\n  user: x\t# tab and comment\n", Some("x")),
            ("group:\n  user:\tx\n", Some("x")),
            ("%YAML 1.1\n---\ngroup: {user: x}\n", Some("x")),
            ("{\n\t\"group\": {\n\t\t\"user\": \"x\"}}", Some("x")),
            ("group: {user: 0012}", Some("0012")),
            ("group: {user: 0x10}", Some("0x10")),
            ("group: {user: 1e3}", Some("1e3")),
            ("group: {user: 12:34:56}", Some("12:34:56")),
            ("group: {user: yes}", Some("yes")),
            ("group: {user: 2001-01-01}", Some("2001-01-01")),
            ("group: {user: NULL}", None),
            ("group: {user: ~}", None),
            ("group: ~", None),
            ("ignored: &a x\ngroup: {user: *a}", Some("x")),
            ("ignored: {a: [{b: c}, {b: c, b: d}], 1: 2}\ngroup: {user: x}", Some("x")),
        ] {
            assert_eq!(user(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_first_document_counts() {
        let read = |text: &str| {
            let first = first::<Keys>(text).unwrap();
            (first.value.is_some(), first.has_more)
        };
        assert_eq!(read("group: {}"), (true, false));
        assert_eq!(read("---\ngroup: {}\n---\n"), (true, false));
        assert_eq!(read("group: {}\n---\n# no more\n...\n"), (true, false));
        assert_eq!(read("group: {}\n---\nother: 1"), (true, true));
        assert_eq!(read("group: {}\n---\n["), (true, true));
        assert_eq!(read("group: {}\n...\njunk"), (true, true));
        assert_eq!(read("---\n# c\n---\ngroup: {}"), (false, true));
    }

    #[test]
    fn a_switch_has_the_words_of_yaml() {
        for (text, expected) in [
            ("true", true),
            ("yes", true),
            ("y", true),
            ("On", true),
            ("'true'", true),
            ("TRUE # so it is", true),
            ("no", false),
            ("OFF", false),
            ("False", false),
            ("~", false),
            ("", false),
            ("''", false),
            ("null", false),
            ("\"on\"", true),
        ] {
            let keys: Keys = first(&format!("switch: {text}\n")).unwrap().value.unwrap();
            assert_eq!(keys.switch, expected, "{text}");
        }
    }

    #[track_caller]
    fn check(text: &str, problem: &str) {
        assert_eq!(first::<Keys>(text).unwrap_err().to_string(), problem, "{text}");
    }

    #[test]
    fn cause_and_cure_are_said_by_line() {
        let tab = "a tab indents the line, which YAML does not allow; use spaces";
        check("group:\n\tuser: x\n", &format!("line 2 column 1: {tab}"));
        check("group:\n  user: x\n\tregion: y\n", &format!("line 3 column 1: {tab}"));
        check("group:\n  user: x\n  \tregion: y\n", &format!("line 3 column 3: {tab}"));
        check("\tgroup:\n", &format!("line 1 column 1: {tab}"));
        check("group:\n  key: |\n\tMARKER\n", &format!("line 3 column 1: {tab}"));
        let reserved = "YAML reserves the character that the value begins with; put the value in \
                        quotes";
        for mark in ["@", "%", "`"] {
            check(
                &format!("group:\n  user: {mark}MARKER\n"),
                &format!("line 2 column 9: {reserved}"),
            );
        }
        check(
            "group:\n  user: *MARKER\n",
            "line 2 column 9: the value begins with *, a reference in YAML; put the value in quotes",
        );
        check(
            "group:\n  user: 'MARKER\n  region: y\n",
            "line 2 column 9: the quotation that begins here does not end; if the value has quotes of \
             its own, put it in the other kind",
        );
        check(
            "group:\n  user: \"\\q\"\n",
            "line 2 column 10: the backslash means nothing in YAML; put the value in single quotes",
        );
        check(
            "group:\n  user: a: MARKER\n",
            "line 2 column 10: a colon where none can be: check the indentation of the line, and put \
             a value with a colon in quotes",
        );
        check(
            "group:\n    user: x\n  region: y\n",
            "line 3 column 3: not the indentation of the lines before it; keys of one group begin in \
             one column",
        );
        check("group:\n  user: x\u{1}\n", "line 2: a control character; remove it");
        check(
            "group: {user: MARKER\n",
            "line 2 column 1: not valid YAML; put values with special characters in quotes",
        );
    }

    #[test]
    fn a_key_that_is_not_indented_is_told_how_to_be() {
        let cure = "a line of several that is not indented deeper than its key; such a value needs \
                    `key: |`, and its lines need more spaces than that line";
        let pem = "-----BEGIN X-----\nMARKER\n-----END X-----\n";
        check(&format!("group:\n  key: |\n{pem}"), &format!("line 3: {cure}"));
        check(&format!("group:\n  key:\n{pem}"), &format!("line 3: {cure}"));
        check("group:\n  key: |\n  -----BEGIN X-----\n  M\n", &format!("line 3: {cure}"));
        check("group:\n  key: |\n    -----BEGIN X-----\n  MARKER\n", &format!("line 4: {cure}"));
    }

    #[test]
    fn a_value_of_the_wrong_kind_says_which() {
        check(
            "group: MARKER\n",
            "line 1 column 8: text where a group of keys belongs; check the indentation, and write a \
             colon and a blank behind each key",
        );
        check(
            "group:\nuser: MARKER\n",
            "line 2 column 1: a key that is not known here; correct or remove it",
        );
        check("- MARKER", "a list where text or a group of keys belongs; check the indentation");
        let instead = "where text belongs; check the indentation, and put a value with brackets or \
                       braces in quotes";
        check("group:\n  user: [MARKER]\n", &format!("line 2 column 9: a list {instead}"));
        check("group:\n  user: {{MARKER}}\n", &format!("line 2 column 9: a group {instead}"));
        for text in
            ["group:\n  key: x\n  user:MARKER\n", "group:\n  key: x\n  user=MARKER\n  region: y\n"]
        {
            check(text, "line 3: write a colon and a blank behind each key");
        }
        check("switch: MARKER", "line 1 column 9: neither true nor false; write one of the two");
        check("list:\n- MARKER: 1", "line 2 column 3: `name` is missing");
    }

    #[test]
    fn only_known_names_are_named() {
        check(
            "group:\n  user: a\n  user: MARKER\n",
            "line 2 column 3: `user` is given twice; remove one of the two",
        );
        check(
            "group:\n  usr: MARKER\n",
            "line 2 column 3: a key that is not known here, perhaps `user`; correct or remove it",
        );
        check(
            "group:\n  MARKER: `, expected one of `key`\n",
            "line 2 column 3: a key that is not known here; correct or remove it",
        );
        check(
            "group:\n  <<: {user: MARKER}\n",
            "line 2 column 3: a merge key (<<), which is not read; write the keys out",
        );
    }

    #[test]
    fn what_takes_the_parser_long_is_not_given_to_it() {
        for bracket in ["[", "{", "[{", "&a [", "a: {"] {
            check(
                &format!("ignored: {}", bracket.repeat(200_000)),
                "more than 5000 opening brackets; remove what is not needed",
            );
        }
        // what is allowed ends too: the deepest, and references that multiply
        let deep = format!("ignored: {}{}", "[".repeat(5000), "]".repeat(5000));
        first::<Keys>(&deep).unwrap();
        first::<Keys>(&format!("ignored:\n{}x", "- ".repeat(20_000))).unwrap();
        let laughs: String = (1..40).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
            text + &format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)
        });
        first::<IgnoredAny>(&laughs).unwrap();
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn no_text_panics_or_is_quoted(
                parts in prop::collection::vec("[\\[\\]{}\"',:|>&*!#%@`~ \t\n-]{0,3}|MARKER|group|user|key|\n  ", 0..12),
            ) {
                if let Err(problem) = first::<Keys>(&parts.concat()) {
                    let said = format!("{problem} {problem:?}");
                    prop_assert!(!said.contains("MARKER") && !said.contains('\n'), "{said}");
                }
            }
        }
    }
}
