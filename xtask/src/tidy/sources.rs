//! Source files: each says its job on its first line, and none is long.

use std::path::Path;

/// What is wrong with one source file.
pub(super) fn complaints(name: &Path, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !text.starts_with("//! ") {
        complaints.push(format!("{}:1: say the file's job in a `//!` sentence", name.display()));
    }
    let lines = lines_before_tests(text);
    if !is_test(name) && lines > LIMIT {
        let name = name.display();
        complaints
            .push(format!("{name}: {lines} lines before its tests, at most {LIMIT}: two jobs?"));
    }
    complaints
}

/// Test files are lists of cases and may be long.
fn is_test(name: &Path) -> bool {
    name.ends_with("tests.rs") || name.components().any(|it| it.as_os_str() == "tests")
}

/// Tests stand at the bottom of a file, in a module of their own.
fn lines_before_tests(text: &str) -> usize {
    let tests = text.find("\n#[cfg(test)]\nmod ").map_or(text, |at| &text[..=at]);
    tests.lines().count()
}

const LIMIT: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str, expected: &[&str]) {
        assert_eq!(complaints(Path::new(name), text), expected);
    }

    #[test]
    fn a_file_begins_with_its_job() {
        check("a.rs", "//! Adds.\n", &[]);
        for text in ["", "use std::fs;\n", "\n//! Adds.\n", "//!\n", "/// Adds.\n"] {
            check("a.rs", text, &["a.rs:1: say the file's job in a `//!` sentence"]);
        }
    }

    #[test]
    fn a_long_file_is_two_files_but_tests_do_not_count() {
        let full = "//! Adds.\n".to_owned() + &"x\n".repeat(399);
        let tests = "#[cfg(test)]\nmod tests {\n}\n".to_owned() + &"x\n".repeat(900);
        check("src/a.rs", &full, &[]);
        check("src/a.rs", &(full.clone() + &tests), &[]);
        let message = "src/a.rs: 401 lines before its tests, at most 400: two jobs?";
        check("src/a.rs", &(full.clone() + "x\n"), &[message]);
        check("src/a.rs", &(full.clone() + "x\n" + &tests), &[message]);
        for name in ["crates/a/tests/it/main.rs", "crates/a/src/tests.rs"] {
            check(name, &(full.clone() + "x\n"), &[]);
        }
    }
}
