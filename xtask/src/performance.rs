//! `docs/performance.md`: three tasks write it, each its own part; one more is written by hand.

use std::fs;

use anyhow::{Context as _, Result};

use crate::checkout::Checkout;

/// A part of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// What the driver costs: the beginning, up to the first mount.
    Bench,
    /// How soon a login's disk is found: from [`LOGIN`] on, up to the storm.
    Login,
    /// Many attaches at once: the end, from [`STORM`] on.
    Storm,
}

/// Replaces one part and keeps the others.
pub(crate) fn write(checkout: &Checkout, part: Part, text: &str) -> Result<()> {
    let path = checkout.dir.join(FILE);
    let page = fs::read_to_string(&path).with_context(|| format!("cannot read {FILE}"))?;
    fs::write(&path, replace(&page, part, text)).with_context(|| format!("cannot write {FILE}"))?;
    println!("Written to {FILE}.");
    Ok(())
}

fn replace(page: &str, part: Part, text: &str) -> String {
    let (rest, storm) = page.split_at(page.find(STORM).unwrap_or(page.len()));
    let (rest, login) = rest.split_at(rest.find(LOGIN).unwrap_or(rest.len()));
    let (bench, first_mount) = rest.split_at(rest.find(FIRST_MOUNT).unwrap_or(rest.len()));
    let (bench, login, storm) = match part {
        Part::Bench => (text, login, storm),
        Part::Login => (bench, text, storm),
        Part::Storm => (bench, login, text),
    };
    let parts =
        [bench, first_mount, login, storm].map(str::trim).into_iter().filter(|it| !it.is_empty());
    parts.collect::<Vec<_>>().join("\n\n") + "\n"
}

/// The heading of a part that is written by hand.
const FIRST_MOUNT: &str = "## A first mount";
/// The heading of the login's part.
pub(crate) const LOGIN: &str = "## From a login to its disk";
/// The heading of the storm's part.
pub(crate) const STORM: &str = "## A storm of attaches";
const FILE: &str = "docs/performance.md";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_keeps_the_others() {
        let page = "# Performance\n";
        let page = replace(page, Part::Storm, "## A storm of attaches\n\none\n");
        assert_eq!(page, "# Performance\n\n## A storm of attaches\n\none\n");
        let page = replace(&page, Part::Bench, "# Performance\n\nfast\n");
        assert_eq!(page, "# Performance\n\nfast\n\n## A storm of attaches\n\none\n");
        let page = replace(&page, Part::Storm, "## A storm of attaches\n\ntwo\n");
        assert_eq!(page, "# Performance\n\nfast\n\n## A storm of attaches\n\ntwo\n");
        let by_hand = page.replace("## A storm", "## A first mount\n\nslow\n\n## A storm");
        let kept = replace(&by_hand, Part::Bench, "# Performance\n\nfaster\n");
        assert_eq!(kept, by_hand.replace("fast\n", "faster\n"));
        let page = replace(&page, Part::Login, "## From a login to its disk\n\nsoon\n");
        let page = replace(&page, Part::Bench, "# Performance\n\nfaster\n");
        assert_eq!(
            page,
            "# Performance\n\nfaster\n\n## From a login to its disk\n\nsoon\n\n\
             ## A storm of attaches\n\ntwo\n"
        );
    }
}
