//! What is shown of a text that is too long.

/// At most `limit` characters of `text`, on one line: its beginning, where programs tell the cause, and its end,
/// where they tell what came of it.
pub fn shortened(text: &str, limit: usize) -> String {
    let parts = text.split(|c: char| c.is_control() || c.is_whitespace());
    let line = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let length = line.chars().count();
    if length <= limit {
        return line;
    }
    let shown = limit.saturating_sub(GAP.chars().count());
    let head: String = line.chars().take(shown.div_ceil(2)).collect();
    let tail: String = line.chars().skip(length - shown / 2).collect();
    [head.trim_end(), tail.trim_start()].join(GAP)
}

const GAP: &str = " … ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginning_and_end_are_kept() {
        for (text, limit, shown) in [
            ("", 9, ""),
            ("\n\n", 9, ""),
            ("one\r\n\ttwo\x1b[1mred\0", 99, "one two [1mred"),
            ("exactly 10", 10, "exactly 10"),
            ("the cause, usage, usage, the end", 19, "the caus … the end"),
            ("äöüÄÖÜß", 6, "äö … ß"),
            ("anything", 0, " … "),
        ] {
            assert_eq!(shortened(text, limit), shown, "{text:?}");
        }
    }
}
