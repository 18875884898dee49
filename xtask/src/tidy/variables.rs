//! Environment variables: each that the driver reads is in the documentation, and the other way round.

use std::collections::BTreeSet;

/// The variables of Oracle and of this driver that stand in only one of the two.
///
/// A name that ends in `_` is the beginning of several. In the page `…_REST` is a name that begins as the one before.
pub(super) fn complaints(sources: &BTreeSet<String>, page: &str) -> Vec<String> {
    let code = || page.split('`').skip(1).step_by(2);
    let documented: BTreeSet<_> = code().filter_map(name).collect();
    let ends: Vec<_> = code().filter_map(|it| it.strip_prefix('…')).collect();
    let is_told = |it: &str| documented.contains(it) || ends.iter().any(|end| it.ends_with(end));
    let is_read = |it: &str| {
        sources
            .iter()
            .any(|read| if read.ends_with('_') { it.starts_with(read) } else { it == read })
    };
    let untold = sources.iter().filter(|it| !is_told(it));
    let unread = documented.iter().filter(|it| !is_read(it));
    untold
        .map(|it| format!("{PAGE}: does not tell of the variable {it}"))
        .chain(unread.map(|it| format!("{PAGE}: the driver does not read the variable {it}")))
        .collect()
}

/// The variables that a source file names in its literals.
pub(super) fn literals(source: &str) -> impl Iterator<Item = String> {
    source.split('"').skip(1).filter_map(name).map(str::to_owned)
}

/// The variable that a literal or a piece of code names, without what may follow it.
fn name(text: &str) -> Option<&str> {
    let text = text.split(['=', '*']).next()?;
    let is_name = text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    (is_name && text.starts_with("OCI_") && text != API_KEY).then_some(text)
}

pub(super) const PAGE: &str = "docs/configuration.md";

/// The line that Oracle's console puts behind a private key.
const API_KEY: &str = "OCI_API_KEY";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_stands_in_both_or_is_complained_of() {
        let source =
            r#"var("OCI_PROXY"), var("OCI_A_PATH"), path("OCI_A_CERT"), all("OCI_R_"), "OCI_NEW""#;
        let sources = literals(source).collect();
        let page = "`OCI_PROXY` `OCI_A_PATH`, `…_CERT`; `OCI_R_*`, `OCI_R_ONE=x`, OCI_WORD, `OCI_OLD`, `OCI_API_KEY`";
        assert_eq!(
            complaints(&sources, page),
            [
                "docs/configuration.md: does not tell of the variable OCI_NEW",
                "docs/configuration.md: the driver does not read the variable OCI_OLD",
            ]
        );
    }
}
