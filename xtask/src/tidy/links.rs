//! Links in documents: those to files of this checkout must lead somewhere.

use std::path::Path;

/// The links of the document `name`, a path below `dir`, that lead to no file or folder.
pub(super) fn complaints(dir: &Path, name: &Path, text: &str) -> Vec<String> {
    let folder = dir.join(name.parent().unwrap_or(Path::new("")));
    targets(text)
        .into_iter()
        .filter(|(_, target)| !target.contains(':') && !folder.join(target).exists())
        .map(|(line, target)| format!("{}:{line}: no such file: {target}", name.display()))
        .collect()
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
}
