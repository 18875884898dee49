//! Words: a storage engineer who reads this workspace meets none that belongs to it alone.

use std::path::Path;

/// The words of a source or document that are not to stand there.
pub(super) fn complaints(name: &Path, text: &str) -> Vec<String> {
    if EXEMPT.iter().any(|it| name.starts_with(it)) {
        return Vec::new();
    }
    let found = |(line, text): (usize, &str)| {
        let text = spaced(text);
        let word = WORDS.iter().find(|word| text.contains(&spaced(word)))?;
        Some(format!("{}:{}: \"{word}\": say it plainly", name.display(), line + 1))
    };
    text.lines().enumerate().filter_map(found).collect()
}

/// Letters only, each word between blanks.
fn spaced(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|it| !it.is_empty());
    words.fold(" ".to_owned(), |text, word| text + &word.to_ascii_lowercase() + " ")
}

const WORDS: [&str; 12] = [
    "anybody",
    "door",
    "doors",
    "for ever",
    "house",
    "in hand",
    "nobody",
    "of ours",
    "somebody",
    "whoever",
    "witness",
    "witnesses",
];

/// What is a record of its time, what the tests write, and this file.
const EXEMPT: [&str; 4] =
    ["CHANGELOG.md", "docs/decisions", "docs/fault-matrix.md", "xtask/src/tidy/words.rs"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_are_found_in_any_case_and_between_any_signs() {
        let text =
            "a plain line\n// Whoever\nfn nobody_knows()\nno bodyguards\n`for ever`, of hours\n";
        assert_eq!(
            complaints(Path::new("a.rs"), text),
            [
                "a.rs:2: \"whoever\": say it plainly",
                "a.rs:3: \"nobody\": say it plainly",
                "a.rs:5: \"for ever\": say it plainly",
            ]
        );
        assert!(complaints(Path::new("docs/decisions/0001.md"), text).is_empty());
    }
}
