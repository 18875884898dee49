//! `cargo xtask tidy`: the rules of this workspace that no other tool knows. Also a test.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use crate::checkout::Checkout;

mod edges;
mod fault_rows;
mod links;
mod manifest;
mod sources;
mod variables;
mod words;

/// Check the rules of the workspace: who may import whom, file headers and length, links, paths and variables in
/// documents, rows of the fault matrix, words
#[derive(clap::Args)]
pub(crate) struct Args;

impl Args {
    pub(crate) fn run(&self, checkout: &Checkout) -> Result<()> {
        let complaints = complaints(checkout)?;
        ensure!(complaints.is_empty(), "not tidy:\n{}", complaints.join("\n"));
        println!("✓ tidy");
        Ok(())
    }
}

/// Everything that is not as it should be, one line each, with the file that is to change.
fn complaints(checkout: &Checkout) -> Result<Vec<String>> {
    let mut complaints = edges::complaints(&edges::metadata(&checkout.sh)?);
    complaints.extend(manifest::complaints(&read(&checkout.dir.join("Cargo.toml"))?));
    let (mut variables, mut literals) = (BTreeSet::new(), BTreeSet::new());
    for folder in ["crates", "driver", "xtask"] {
        for file in files(&checkout.dir.join(folder), "rs")? {
            let (name, text) = (file.strip_prefix(&checkout.dir)?, read(&file)?);
            complaints.extend(sources::complaints(name, &text));
            complaints.extend(words::complaints(name, &text));
            if is_driver(name) {
                variables.extend(variables::literals(&text));
            }
            if name.iter().any(|part| part == "tests") {
                literals.extend(fault_rows::literals(&text));
            }
        }
    }
    complaints
        .extend(variables::complaints(&variables, &read(&checkout.dir.join(variables::PAGE))?));
    complaints.extend(fault_rows::complaints(&literals));
    for file in documents(&checkout.dir)? {
        let name = file.strip_prefix(&checkout.dir)?;
        let text = read(&file)?;
        complaints.extend(links::complaints(&checkout.dir, name, &text));
        complaints.extend(words::complaints(name, &text));
    }
    Ok(complaints)
}

/// Whether a source file becomes a part of the binary.
fn is_driver(file: &Path) -> bool {
    let parts: Vec<_> = file.iter().filter_map(|it| it.to_str()).collect();
    match parts.as_slice() {
        ["driver", "src", ..] => true,
        ["crates", name, "src", rest @ ..] => {
            !["oci-sim", "testbed"].contains(name) && !rest.contains(&"tests.rs")
        }
        _ => false,
    }
}

/// The documents beside README.md, and those below docs/.
fn documents(dir: &Path) -> Result<Vec<PathBuf>> {
    let beside = fs::read_dir(dir)?.map(|entry| Ok(entry?.path()));
    let beside = beside.collect::<Result<Vec<_>>>()?;
    let mut all: Vec<_> =
        beside.into_iter().filter(|it| it.is_file() && has_extension(it, "md")).collect();
    all.extend(files(&dir.join("docs"), "md")?);
    Ok(all)
}

/// The files with this extension in a folder and all below it, in order.
fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            found.extend(files(&path, extension)?);
        } else if has_extension(&path, extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|it| it == extension)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkout_is_tidy() {
        let complaints = complaints(&Checkout::open().unwrap()).unwrap();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}
