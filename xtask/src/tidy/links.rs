//! Links and paths in documents: those to files of this checkout must lead somewhere.

use std::path::Path;

/// The links and paths in the document `name`, itself a path below `dir`, that lead to no file or folder.
pub(super) fn complaints(dir: &Path, name: &Path, text: &str) -> Vec<String> {
    let folder = dir.join(name.parent().unwrap_or(Path::new("")));
    let links = targets(text).into_iter();
    let links = links.filter(|(_, it)| !it.contains(':') && !folder.join(it).exists());
    let paths = paths(text).filter(|(_, it)| !dir.join(it).exists());
    links
        .chain(paths)
        .map(|(line, target)| format!("{}:{line}: no such file: {target}", name.display()))
        .collect()
}

/// What is written `as code` and begins like a path of this checkout, with line numbers.
fn paths(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = text
        .lines()
        .enumerate()
        .flat_map(|(at, line)| line.split('`').skip(1).step_by(2).map(move |code| (at + 1, code)));
    code.filter(|(_, code)| {
        let is_ours = code.split_once('/').is_some_and(|(first, _)| FOLDERS.contains(&first));
        // A pattern, or a name to be filled in, is no path.
        is_ours && code.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
    })
}

/// The files linked to, with their line numbers; without the place in the file, and without links
/// to a place in the same file.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut targets = Vec::new();
    let mut in_code = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            let links = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
            let definition = line.strip_prefix('[').and_then(|it| it.split_once("]: "));
            let all = links.chain(definition.map(|(_, target)| target.trim()));
            let files = all.filter_map(|target| target.split('#').next());
            targets.extend(files.filter(|it| !it.is_empty()).map(|it| (at + 1, it)));
        }
    }
    targets
}

const FOLDERS: [&str; 6] = ["crates", "deploy", "docs", "driver", "examples", "xtask"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_files_must_lead_somewhere() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("docs")).unwrap();
        std::fs::write(dir.path().join("README.md"), "").unwrap();
        let text = "[a](../README.md#top) [b](gone.md), [c](#here)\n\
            [d](https://example.com/x) ![e](../docs \"title\")\n\
            ```\n[f](code.md)\n```\n\
            [g]: ../lost.md\n[h]: ../README.md\n";
        assert_eq!(
            complaints(dir.path(), Path::new("docs/page.md"), text),
            ["docs/page.md:1: no such file: gone.md", "docs/page.md:6: no such file: ../lost.md"]
        );
    }

    #[test]
    fn paths_must_lead_somewhere() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("crates/disk")).unwrap();
        let text = "`crates/disk` and `crates/gone/src`\n`crates/*/src`, `docs/NAME of it`, `target/x`, \
            crates/plain, `xtask/lost.rs`\n";
        assert_eq!(
            complaints(dir.path(), Path::new("page.md"), text),
            ["page.md:1: no such file: crates/gone/src", "page.md:2: no such file: xtask/lost.rs"]
        );
    }
}
