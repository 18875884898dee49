//! Bytes as text, in the encodings that editors write.

use std::io;

use zeroize::Zeroizing;

/// The text of a file: UTF-8, or UTF-16 if a byte order mark says so. The mark is no part of it.
///
/// # Errors
/// It is neither, or a line begins with another byte order mark, which would be part of its first word without being
/// seen. The error names the line and quotes nothing.
pub fn text(bytes: &[u8]) -> io::Result<Zeroizing<String>> {
    let text = match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => utf8(bytes),
    }?;
    match text.lines().position(|line| line.trim_start().starts_with('\u{feff}')) {
        None => Ok(text),
        Some(line) => {
            let problem = format!("a byte order mark (U+FEFF) begins line {}; delete it", line + 1);
            Err(io::Error::new(io::ErrorKind::InvalidData, problem))
        }
    }
}

fn utf8(bytes: &[u8]) -> io::Result<Zeroizing<String>> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        wrong(&format!("line {line} is not UTF-8"))
    })?;
    if text.contains('\0') {
        return Err(wrong("it holds NUL bytes, as UTF-16 without a byte order mark does"));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

fn utf16(bytes: &[u8], number: fn([u8; 2]) -> u16) -> io::Result<Zeroizing<String>> {
    let (pairs, rest) = bytes.as_chunks();
    // all room at once, so that no copy of a secret is left behind
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for character in char::decode_utf16(pairs.iter().copied().map(number)) {
        text.push(character.map_err(|_| wrong("it is not UTF-16, as its first bytes say"))?);
    }
    if rest.is_empty() { Ok(text) } else { Err(wrong("it is UTF-16 and ends amid a character")) }
}

fn wrong(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{problem}; save it as UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<&str, &str>) {
        let seen = text(bytes).map_err(|it| it.to_string());
        let seen = seen.as_ref().map(|it| it.as_str()).map_err(String::as_str);
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_editors_write_is_read() {
        check(b"", Ok(""));
        check("a: ü\r\n".as_bytes(), Ok("a: ü\r\n"));
        check("\u{feff}a".as_bytes(), Ok("a"));
        check(b"\xFF\xFEa\0\xFC\0\x3D\xD8\x00\xDE", Ok("aü😀"));
        check(b"\xFE\xFF\0a\0\xFC", Ok("aü"));
    }

    #[test]
    fn what_is_no_text_is_said_by_line() {
        check(b"a\nb\nMARKER \xFF", Err("line 3 is not UTF-8; save it as UTF-8"));
        check(
            b"a\0b\0",
            Err("it holds NUL bytes, as UTF-16 without a byte order mark does; save it as UTF-8"),
        );
        let marks = "\u{feff}\u{feff}a: b\n";
        check(marks.as_bytes(), Err("a byte order mark (U+FEFF) begins line 1; delete it"));
        check(
            "a: b\n \u{feff}c: d\n".as_bytes(),
            Err("a byte order mark (U+FEFF) begins line 2; delete it"),
        );
        check(b"\xFF\xFE\xFF\xFEa\0", Err("a byte order mark (U+FEFF) begins line 1; delete it"));
        check(b"\xFF\xFEa\0b", Err("it is UTF-16 and ends amid a character; save it as UTF-8"));
        check(
            b"\xFF\xFE\x00\xDE",
            Err("it is not UTF-16, as its first bytes say; save it as UTF-8"),
        );
    }
}
