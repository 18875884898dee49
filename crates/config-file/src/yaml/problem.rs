//! What is wrong with a YAML text, without a word of it.

use std::fmt;

/// What is wrong with a YAML text: place, cause and cure. It quotes nothing of the text; names in it are
/// those of keys that are known.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    place: Option<Place>,
    what: String,
    is_unknown_key: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Line(usize),
    Column(usize, usize),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            None => {}
            Some(Place::Line(line)) => write!(f, "line {line}: ")?,
            Some(Place::Column(line, column)) => write!(f, "line {line} column {column}: ")?,
        }
        f.write_str(&self.what)
    }
}

impl Problem {
    /// Whether it is a key that is not known.
    pub fn is_unknown_key(&self) -> bool {
        self.is_unknown_key
    }

    pub(super) fn new(place: Option<Place>, what: impl Into<String>) -> Self {
        Self { place, what: what.into(), is_unknown_key: false }
    }

    /// The parser's own words quote the text: only their beginnings are looked at, and names that the
    /// program knows.
    pub(super) fn from_yaml(error: &serde_yaml::Error, text: &str) -> Self {
        let said = error.to_string();
        let place = error.location().map(|at| Place::Column(at.line(), at.column()));
        // of what is wrong with the whole, the parser says the beginning
        let place = place.filter(|it| *it != Place::Column(1, 1) || text.starts_with('\t'));
        value(&said, place).unwrap_or_else(|| syntax(&said, place, text))
    }
}

/// What is YAML, and not what belongs there.
fn value(said: &str, place: Option<Place>) -> Option<Problem> {
    let after = |mark: &str| said.split_once(mark).map(|(_, rest)| rest);
    let what = if let Some(rest) = after("unknown field `") {
        return Some(unknown_key(rest, place));
    } else if let Some(rest) = after("duplicate field `") {
        format!("`{}` is given twice; remove one of the two", name(rest))
    } else if let Some(rest) = after("missing field `") {
        format!("`{}` is missing", name(rest))
    } else if let Some(rest) = after("invalid type: ") {
        wrong_kind(rest, said)
    } else if said.contains(NO_SWITCH) {
        NO_SWITCH.to_owned()
    } else {
        return None;
    };
    Some(Problem::new(place, what))
}

fn unknown_key(rest: &str, place: Option<Place>) -> Problem {
    if rest.starts_with("<<`") {
        return Problem::new(place, "a merge key (<<), which is not read; write the keys out");
    }
    // the last such words are the parser's, whatever the key is
    let (given, known) = rest.rsplit_once("`, expected").unwrap_or((rest, ""));
    let known = known.split('`').skip(1).step_by(2);
    let near = known.filter(|it| is_near(given, it)).map(|it| format!(", perhaps `{it}`")).next();
    let near = near.unwrap_or_default();
    let what = format!("a key that is not known here{near}; correct or remove it");
    Problem { is_unknown_key: true, ..Problem::new(place, what) }
}

/// Of a key that the program knows: up to the closing quotation mark.
fn name(rest: &str) -> &str {
    rest.split('`').next().unwrap_or_default()
}

fn wrong_kind(rest: &str, said: &str) -> String {
    let found = match rest.split([' ', ',']).next() {
        Some("sequence") => "a list",
        Some("map") => "a group",
        Some("unit") => "nothing",
        _ => "text",
    };
    let wants_group = said.contains(", expected struct ") || said.contains(", expected a map");
    match (found, wants_group) {
        ("text" | "nothing", true) => {
            format!("{found} where a group of keys belongs; check the indentation, and {NO_BLANK}")
        }
        ("text" | "nothing", false) => {
            format!("{found} where a list belongs; check the indentation")
        }
        (_, true) => {
            format!("{found} where text or a group of keys belongs; check the indentation")
        }
        (_, false) => format!(
            "{found} where text belongs; check the indentation, and put a value with brackets or \
             braces in quotes"
        ),
    }
}

/// What is not YAML.
fn syntax(said: &str, place: Option<Place>, text: &str) -> Problem {
    let lines: Vec<&str> = text.lines().collect();
    let line = |number: usize| lines.get(number.wrapping_sub(1)).copied().unwrap_or_default();
    let at = match place {
        Some(Place::Column(line, _) | Place::Line(line)) => line,
        None => 0,
    };
    let says = |part: &str| said.contains(part);
    let indent = |line: &str| line.find(|it: char| it != ' ' && it != '\t').unwrap_or(line.len());
    if says("control characters are not allowed") {
        let bad = |it: &str| it.chars().any(|it| it.is_control() && it != '\t' && it != '\u{85}');
        let found = lines.iter().position(|it| bad(it)).map(|at| Place::Line(at + 1));
        return Problem::new(found, "a control character; remove it");
    }
    let here = line(at);
    if here.get(..indent(here)).is_some_and(|it| it.contains('\t')) {
        let column = here.find('\t').unwrap_or_default() + 1;
        let what = "a tab indents the line, which YAML does not allow; use spaces";
        return Problem::new(Some(Place::Column(at, column)), what);
    }
    if says("could not find expected ':'") {
        // it is missed at the next line
        let before = begun(said).unwrap_or(at.saturating_sub(1));
        let name =
            line(before).trim_start().trim_start_matches(|it: char| it.is_ascii_alphabetic());
        let is_key = name.starts_with([':', '=']) && name.len() < line(before).trim_start().len();
        let what = if is_key { NO_BLANK } else { NOT_INDENTED };
        return Problem::new(Some(Place::Line(before)), what);
    }
    let quotation = says("while scanning a quoted scalar");
    if quotation && let Some(place) = begun_at(said) {
        return Problem::new(Some(place), NO_END);
    }
    let what = CAUSES.iter().find(|(part, _)| says(part)).map_or(NOT_YAML, |(_, what)| *what);
    Problem::new(place, what)
}

/// Where what was being read began: the last `at line L column C` of the parser's words.
fn begun_at(said: &str) -> Option<Place> {
    let (_, place) = said.rsplit_once(" at line ")?;
    let (line, column) = place.split_once(" column ")?;
    Some(Place::Column(line.parse().ok()?, column.parse().ok()?))
}

fn begun(said: &str) -> Option<usize> {
    match begun_at(said)? {
        Place::Column(line, _) | Place::Line(line) => Some(line),
    }
}

/// Whether one letter more, less or another makes one name of the other, in whatever case.
fn is_near(given: &str, known: &str) -> bool {
    let (given, known) = (given.to_ascii_lowercase(), known.to_ascii_lowercase());
    let head = given.bytes().zip(known.bytes()).take_while(|(a, b)| a == b).count();
    let rest = |it: &str, skipped: usize| it.bytes().skip(head + skipped).collect::<Vec<_>>();
    given == known
        || rest(&given, 1) == rest(&known, 1)
        || rest(&given, 1) == rest(&known, 0)
        || rest(&given, 0) == rest(&known, 1)
}

/// Of the parser's words, and what they mean.
const CAUSES: [(&str, &str); 6] = [
    (
        "found character that cannot start any token",
        "YAML reserves the character that the value begins with; put the value in quotes",
    ),
    ("unknown anchor", "the value begins with *, a reference in YAML; put the value in quotes"),
    (
        "unknown escape character",
        "the backslash means nothing in YAML; put the value in single quotes",
    ),
    (
        "mapping values are not allowed",
        "a colon where none can be: check the indentation of the line, and put a value with a colon in \
         quotes",
    ),
    (
        "did not find expected key",
        "not the indentation of the lines before it; keys of one group begin in one column",
    ),
    ("unknown directive name", "a line that begins with %, which YAML reserves; remove it"),
];
const NO_END: &str = "the quotation that begins here does not end; if the value has quotes of its own, \
                      put it in the other kind";
const NOT_INDENTED: &str = "a line of several that is not indented deeper than its key; such a value \
                            needs `key: |`, and its lines need more spaces than that line";
const NO_BLANK: &str = "write a colon and a blank behind each key";
const NOT_YAML: &str = "not valid YAML; put values with special characters in quotes";
pub(super) const NO_SWITCH: &str = "neither true nor false; write one of the two";
