//! Texts of the service without what differs from one answer to the next: the same cause is to give the
//! same text.

/// Takes the request's id and every time out of `text`.
pub(crate) fn steady(text: &str, request_id: Option<&str>) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        if is_request_id(word, request_id) {
            drop_label(&mut words);
        } else if is_time(word) {
            drop_date(&mut words);
            words.push("…");
        } else if !(is_zone(word) && words.last() == Some(&"…")) {
            words.push(word);
        }
    }
    words.join(" ").trim_end_matches([' ', ',', ';', ':', '.']).to_owned()
}

/// 32 hexadecimal digits, as often as a service behind the service has added its own; or what the
/// header said.
fn is_request_id(word: &str, known: Option<&str>) -> bool {
    let word = word.rsplit([':', '=']).next().unwrap_or(word);
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let is_id = |part: &str| part.len() == 32 && part.bytes().all(|it| it.is_ascii_hexdigit());
    let is_known =
        known.is_some_and(|known| !word.is_empty() && known.split('/').any(|it| it == word));
    is_known || known == Some(word) || (!word.is_empty() && word.split('/').all(is_id))
}

/// `opc-request-id:`, `(Request ID`.
fn drop_label(words: &mut Vec<&str>) {
    let plain = |word: &str| -> String {
        word.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase()
    };
    let is_label = |word: &&str| {
        ["opcrequestid", "requestid", "request", "id", "opc"].contains(&&*plain(word))
    };
    while words.last().is_some_and(is_label) {
        words.pop();
    }
}

/// `03:48:28`, alone, in quotes or in `2026-11-20T12:00:00.123Z`.
fn is_time(word: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|it| it.is_ascii_digit());
    let parts: Vec<&str> = word.split(':').collect();
    let [hour, minute, second] = parts[..] else { return false };
    let second = second.as_bytes();
    let ends = |hour: &str| hour.len() >= 2 && hour.is_char_boundary(hour.len() - 2);
    ends(hour)
        && digits(&hour[hour.len() - 2..])
        && !hour[..hour.len() - 2].ends_with(|c: char| c.is_ascii_hexdigit())
        && minute.len() == 2
        && digits(minute)
        && second.iter().take(2).filter(|it| it.is_ascii_digit()).count() == 2
}

/// `'Fri, 27 Nov 2026` before a time.
fn drop_date(words: &mut Vec<&str>) {
    let is_year = |word: &&str| word.len() == 4 && word.bytes().all(|it| it.is_ascii_digit());
    let is_weekday = |word: &&str| {
        word.trim_start_matches(['\'', '"', '[', '(']).len() == 4 && word.ends_with(',')
    };
    if words.last().is_some_and(is_year) && words.len() >= 3 {
        words.truncate(words.len() - 3);
        if words.last().is_some_and(is_weekday) {
            words.pop();
        }
    }
}

fn is_zone(word: &str) -> bool {
    ["UTC", "GMT"].contains(&word.trim_matches(|c: char| !c.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789ABCDEF0123456789ABCDEF";

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(steady(text, Some(&format!("{ID}/mine"))), expected);
    }

    #[test]
    fn request_ids_are_taken_out() {
        let two = format!("{ID}/{ID}");
        check(&format!("refused (opc-request-id: {two})"), "refused");
        check(&format!("refused, opc-request-id={two}."), "refused");
        check(&format!("refused. Request ID: {two}"), "refused");
        check(&format!("refused {ID} again"), "refused again");
        check("refused, request id mine", "refused");
        check(&format!("opc-request-id:{ID}"), "");
    }

    #[test]
    fn times_are_taken_out() {
        check(
            "Date 'Fri, 27 Nov 2026 03:48:28 UTC' is not within allowed clock skew. Current 'Fri, 27 \
             Nov 2026 03:55:20 UTC', valid datetime range: ['Fri, 27 Nov 2026 03:50:20 UTC', 'Fri, 27 \
             Nov 2026 04:00:20 UTC']",
            "Date … is not within allowed clock skew. Current … valid datetime range: … …",
        );
        check("busy since 2026-11-20T12:00:00.123Z, wait", "busy since … wait");
        check("busy since 12:00:00", "busy since …");
    }

    #[test]
    fn what_tells_something_stays() {
        for text in [
            "Volume ocid1.volume.oc1.phx.abyhqljr currently attached",
            "sizeInGBs must be between 50 and 32768",
            "the card 02:00:17:0a:0b:0c at fd00::1:2:3 of 10.0.0.5:3260",
            "iqn.2015-12.com.oracleiaas:40b7ee03-883f-46c6-a951-63d2841d2195 is unknown",
            "é: ü:ö:ä is no time",
        ] {
            check(text, text);
        }
    }

    mod properties {
        use proptest::prelude::*;

        proptest! {
            #[test]
            fn no_text_panics(text in "\\PC{0,60}|([0-9é:T ]{1,4}[:/ ]){1,8}", id in "\\PC{0,9}") {
                let steady = super::steady(&text, Some(&id));
                prop_assert!(steady.len() <= text.len() + 3 * text.split_whitespace().count());
            }
        }
    }
}
