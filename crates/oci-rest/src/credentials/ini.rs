//! `~/.oci/config` by the rules of Python's `configparser`, with which Oracle's tools read it.

use std::{collections::HashMap, fmt};

use zeroize::Zeroizing;

/// What a section says, by keys in small letters.
pub(super) type Values = HashMap<String, Zeroizing<String>>;

/// Why a section cannot be read. Nothing of the text is shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// There is no such section.
    Absent {
        /// A line that begins one whose name differs only in case or blanks.
        near: Option<usize>,
        /// The first line that stands before all sections.
        stray: Option<usize>,
    },
    /// A line is neither a key with a value, nor a section, nor a comment.
    Line(usize),
    /// A key is given in both lines.
    Key(usize, usize),
    /// The section begins in both lines.
    Section(usize, usize),
}

/// The section `name`, with what it leaves out taken from `[DEFAULT]`.
///
/// What other sections hold does no harm, where `configparser` refuses the whole file.
///
/// Source: Python, `configparser.ConfigParser(interpolation=None)`.
pub(super) fn section(text: &str, name: &str) -> Result<Values, Wrong> {
    let mut reader = Reader::new(name);
    let text = Zeroizing::new(text.replace("\r\n", "\n").replace('\r', "\n"));
    for (at, line) in text.lines().enumerate() {
        reader.line(at + 1, line)?;
    }
    reader.finish()
}

/// Whose lines are being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Own,
    Default,
    Other,
}

struct Reader<'a> {
    name: &'a str,
    /// None before the first section.
    whose: Option<Whose>,
    own: Section,
    default: Section,
    /// The key whose value may go on in the next line.
    key: Option<String>,
    /// Blanks before it; what has more goes on with it.
    indent: usize,
    begun: Option<usize>,
    near: Option<usize>,
    stray: Option<usize>,
}

#[derive(Default)]
struct Section(HashMap<String, (usize, Zeroizing<String>)>);

impl<'a> Reader<'a> {
    fn new(name: &'a str) -> Self {
        Self {
            name,
            whose: None,
            own: Section::default(),
            default: Section::default(),
            key: None,
            indent: 0,
            begun: None,
            near: None,
            stray: None,
        }
    }

    fn line(&mut self, at: usize, line: &str) -> Result<(), Wrong> {
        let value = trim(line);
        if value.starts_with(['#', ';']) {
            return Ok(());
        }
        if value.is_empty() {
            self.go_on("");
            return Ok(());
        }
        let indent = line.chars().take_while(|it| is_blank(*it)).count();
        if self.key.is_some() && indent > self.indent {
            self.go_on(value);
            return Ok(());
        }
        self.indent = indent;
        match title(value) {
            Some(title) => self.begin(at, title),
            None => self.pair(at, value),
        }
    }

    fn begin(&mut self, at: usize, title: &str) -> Result<(), Wrong> {
        self.key = None;
        if title == self.name {
            if let Some(first) = self.begun.filter(|_| title != DEFAULT) {
                return Err(Wrong::Section(first, at));
            }
            self.begun = Some(at);
        } else if trim(title).eq_ignore_ascii_case(self.name) {
            self.near = self.near.or(Some(at));
        }
        self.whose = Some(match title {
            DEFAULT => Whose::Default,
            _ if title == self.name => Whose::Own,
            _ => Whose::Other,
        });
        Ok(())
    }

    fn pair(&mut self, at: usize, line: &str) -> Result<(), Wrong> {
        let Some(whose) = self.whose else {
            self.stray = self.stray.or(Some(at));
            return Ok(());
        };
        let split = line.split_once(['=', ':']).map(|(key, value)| (trim(key), trim(value)));
        let Some((key, value)) = split.filter(|(key, _)| !key.is_empty()) else {
            return if whose == Whose::Other { Ok(()) } else { Err(Wrong::Line(at)) };
        };
        let key = key.to_lowercase();
        if let Some(section) = self.section(whose) {
            let entry = (at, Zeroizing::new(value.to_owned()));
            if let Some((first, _)) = section.0.insert(key.clone(), entry) {
                return Err(Wrong::Key(first, at));
            }
        }
        self.key = Some(key);
        Ok(())
    }

    /// Another line of the value that was read last.
    fn go_on(&mut self, line: &str) {
        let (Some(key), Some(whose)) = (self.key.take(), self.whose) else { return };
        if let Some((_, value)) = self.section(whose).and_then(|it| it.0.get_mut(&key)) {
            // all room at once, so that no copy of a secret is left behind
            let mut longer = Zeroizing::new(String::with_capacity(value.len() + 1 + line.len()));
            longer.extend([value.as_str(), "\n", line]);
            *value = longer;
        }
        self.key = Some(key);
    }

    fn section(&mut self, whose: Whose) -> Option<&mut Section> {
        match whose {
            Whose::Own => Some(&mut self.own),
            Whose::Default => Some(&mut self.default),
            Whose::Other => None,
        }
    }

    fn finish(self) -> Result<Values, Wrong> {
        if self.begun.is_none() {
            return Err(Wrong::Absent { near: self.near, stray: self.stray });
        }
        let all = self.default.0.into_iter().chain(self.own.0);
        Ok(all.map(|(key, (_, value))| (key, end_trimmed(value))).collect())
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent { near: Some(line), .. } => write!(
                f,
                "the file has no such profile; line {line} begins one that differs in case or blanks"
            ),
            Self::Absent { stray: Some(line), .. } => write!(
                f,
                "the file has no such profile; line {line} belongs to none: its name in brackets must \
                 stand above it"
            ),
            Self::Absent { .. } => f.write_str("the file has no such profile"),
            Self::Line(line) => write!(f, "line {line} is not key = value"),
            Self::Key(first, line) => {
                write!(f, "line {line} gives a key that line {first} gives; remove one of the two")
            }
            Self::Section(first, line) => write!(
                f,
                "line {line} begins the profile that line {first} begins; make one of the two"
            ),
        }
    }
}

/// What stands between the first bracket, which begins the line, and the last. What follows is ignored.
fn title(line: &str) -> Option<&str> {
    let (title, _) = line.strip_prefix('[')?.rsplit_once(']')?;
    (!title.is_empty()).then_some(title)
}

fn trim(text: &str) -> &str {
    text.trim_matches(is_blank)
}

fn end_trimmed(text: Zeroizing<String>) -> Zeroizing<String> {
    Zeroizing::new(text.trim_end_matches(is_blank).to_owned())
}

/// As Python's `str.isspace`.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

const DEFAULT: &str = "DEFAULT";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Sections = BTreeMap<String, BTreeMap<String, String>>;

    /// `testdata/record_configparser.py` has written what Python reads.
    #[test]
    fn it_reads_what_configparser_reads() {
        let rows = include_str!("../../testdata/configparser.json");
        let rows: Vec<(String, Option<Sections>)> = serde_json::from_str(rows).unwrap();
        let whole = rows.iter().filter_map(|(text, sections)| Some((text, sections.as_ref()?)));
        let mut compared = 0;
        for (text, sections) in whole {
            for (name, expected) in sections {
                // Python has an empty [DEFAULT] where there is none
                if let Err(Wrong::Absent { .. }) = section(text, name)
                    && name == DEFAULT
                    && expected.is_empty()
                {
                    continue;
                }
                let read = section(text, name).unwrap();
                let read = read.iter().map(|(key, value)| (key.clone(), value.to_string()));
                assert_eq!(&read.collect::<BTreeMap<_, _>>(), expected, "{name} of {text:?}");
                compared += 1;
            }
        }
        assert!(compared > 500, "{compared}");
    }

    /// What `configparser` refuses is read only if what is wrong is in no section that counts.
    #[test]
    fn it_refuses_what_configparser_refuses_of_one_profile() {
        let rows = include_str!("../../testdata/configparser.json");
        let rows: Vec<(String, Option<Sections>)> = serde_json::from_str(rows).unwrap();
        let alone = |text: &&String| {
            let titles = text.split(['\n', '\r']).filter(|it| it.contains('['));
            text.starts_with("[p]") && titles.count() == 1
        };
        let refused = rows.iter().filter(|(_, sections)| sections.is_none()).map(|(text, _)| text);
        let mut seen = 0;
        for text in refused.filter(alone) {
            assert!(section(text, "p").is_err(), "{text:?}");
            seen += 1;
        }
        assert!(seen > 20, "{seen}");
    }

    #[track_caller]
    fn check(text: &str, name: &str, expected: &Result<&[(&str, &str)], &str>) {
        let read = section(text, name).map_err(|it| it.to_string());
        let pairs = |it: &Values| {
            let mut all: Vec<_> = it.iter().map(|(k, v)| (k.clone(), v.to_string())).collect();
            all.sort();
            all
        };
        let expected = expected.map(|it| {
            it.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        });
        assert_eq!(read.as_ref().map(pairs).map_err(String::as_str), expected, "{text:?}");
    }

    #[test]
    fn what_other_profiles_hold_does_no_harm() {
        for junk in ["MARKER", "=v", "a=1\na=2", "[q]\n[q]", "[]", "[q"] {
            check(&format!("[p]\na=1\n[q]\n{junk}\n"), "p", &Ok(&[("a", "1")]));
        }
        check("junk\n[p]\na=1", "p", &Ok(&[("a", "1")]));
        // a continuation line is none of a section's, whatever it looks like
        check("[q]\na=1\n  [p]\n[p]\nb=2", "p", &Ok(&[("b", "2")]));
    }

    #[test]
    fn what_is_wrong_is_said_by_line() {
        check("[p]\na=1\nMARKER", "p", &Err("line 3 is not key = value"));
        check("[DEFAULT]\nMARKER\n[p]", "p", &Err("line 2 is not key = value"));
        check("[p]\n[MARKER", "p", &Err("line 2 is not key = value"));
        check(
            "[p]\nA=1\n\na:MARKER",
            "p",
            &Err("line 4 gives a key that line 2 gives; remove one of the two"),
        );
        check(
            "[p]\n[q]\n[p]",
            "p",
            &Err("line 3 begins the profile that line 1 begins; make one of the two"),
        );
        check("[q]\n", "p", &Err("the file has no such profile"));
        check("", "DEFAULT", &Err("the file has no such profile"));
        check(
            "# c\na=MARKER\n",
            "DEFAULT",
            &Err(
                "the file has no such profile; line 2 belongs to none: its name in brackets must \
                  stand above it",
            ),
        );
        for near in ["[P]", "[ p ]"] {
            check(
                near,
                "p",
                &Err(
                    "the file has no such profile; line 1 begins one that differs in case or blanks",
                ),
            );
        }
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn no_text_panics_or_is_quoted(text in "([\\[\\]=:#; \t\r\n]|p|DEFAULT|MARKER|\\PC){0,20}") {
                if let Err(wrong) = section(&text, "p") {
                    let said = format!("{wrong} {wrong:?}");
                    prop_assert!(!said.contains("MARKER"), "{said}");
                }
            }
        }
    }
}
