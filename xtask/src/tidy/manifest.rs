//! The workspace manifest: every dependency says in a comment what it is for.

/// The dependencies without a reason.
pub(super) fn complaints(manifest: &str) -> Vec<String> {
    let lines = manifest.lines().enumerate();
    let table = lines.skip_while(|(_, line)| *line != TABLE).skip(1);
    table
        .take_while(|(_, line)| !line.starts_with('['))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .filter(|(_, line)| !line.contains("path = ") && !line.contains(" # "))
        .map(|(at, line)| {
            let name = line.split_whitespace().next().unwrap_or_default();
            format!("Cargo.toml:{}: say what {name} is for in a comment behind it", at + 1)
        })
        .collect()
}

const TABLE: &str = "[workspace.dependencies]";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_of_others_needs_a_reason() {
        let manifest = "[workspace]\nresolver = \"3\"\n[workspace.dependencies]\n# ours\n\
            clock = { path = \"crates/clock\" }\n\nlog = \"0.4\" # the facade\nhttp = \"1\"\n\
            [profile.release]\nlto = \"fat\"\n";
        assert_eq!(
            complaints(manifest),
            ["Cargo.toml:8: say what http is for in a comment behind it"]
        );
    }
}
