//! Lists in pages: `limit`, `page` and the header `opc-next-page`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use crate::query::Query;
use crate::reply::{Refusal, Reply};

/// The page that the query asks for. Items come with their serial number, ascending: a page begins behind the last one
/// shown, so that no item is lost or seen twice when others come and go.
pub(crate) fn page(items: Vec<(u64, Value)>, query: &Query, size: usize) -> Result<Reply, Refusal> {
    let size = match query.value("limit").map(str::parse::<usize>) {
        None => size,
        Some(Ok(limit @ 1..=1000)) => limit.min(size),
        Some(_) => return Err(Refusal::invalid("limit must be between 1 and 1000")),
    };
    let after = match query.value("page") {
        None => 0,
        Some(text) => read(text).ok_or_else(|| Refusal::invalid("page is not a page token"))?,
    };
    let mut rest = items.into_iter().filter(|(serial, _)| *serial > after);
    let page: Vec<(u64, Value)> = rest.by_ref().take(size).collect();
    let last = page.last().map(|(serial, _)| *serial).filter(|_| rest.next().is_some());
    let reply = Reply::ok(page.into_iter().map(|(_, item)| item).collect());
    Ok(match last {
        Some(serial) => reply.header("opc-next-page", token(serial)),
        None => reply,
    })
}

/// An empty page before the first one, as the service may give.
pub(crate) fn empty_page() -> Reply {
    Reply::ok(Value::Array(Vec::new())).header("opc-next-page", first_page())
}

/// What leads to the beginning of every list.
pub(crate) fn first_page() -> String {
    token(0)
}

/// An opaque token that needs every percent escape there is: `+`, `/` and `=`.
fn token(serial: u64) -> String {
    format!("+/{}==", BASE64.encode(serial.to_string()))
}

fn read(token: &str) -> Option<u64> {
    let text = BASE64.decode(token.strip_prefix("+/")?.strip_suffix("==")?).ok()?;
    String::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, shown: &[u64], next: Option<&str>) {
        let items = [2, 3, 5, 8, 9].map(|serial| (serial, Value::from(serial)));
        let reply = page(items.to_vec(), &Query::parse(query), 2).unwrap();
        assert_eq!(reply.body, Some(shown.iter().copied().map(Value::from).collect()));
        let header = reply.headers.first().map(|(_, value)| value.as_str());
        assert_eq!(header, next);
    }

    #[test]
    fn pages_follow_each_other() {
        check("", &[2, 3], Some("+/Mw====")); // 3
        check("page=%2B%2FMw%3D%3D%3D%3D", &[5, 8], Some("+/OA====")); // 8
        check("page=%2B%2FOA%3D%3D%3D%3D", &[9], None);
        check("limit=1", &[2], Some("+/Mg===="));
        check("limit=1000", &[2, 3], Some("+/Mw===="));
        check("page=%2B%2FOQ%3D%3D%3D%3D", &[], None);
    }

    #[test]
    fn nonsense_is_refused() {
        for query in ["limit=0", "limit=1001", "limit=x", "page=", "page=Mw==", "page=+/!=="] {
            let refusal = page(Vec::new(), &Query::parse(query), 2).unwrap_err();
            assert_eq!(
                (refusal.status, refusal.code.as_str()),
                (400, "InvalidParameter"),
                "{query}"
            );
        }
    }
}
