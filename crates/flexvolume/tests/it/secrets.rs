//! A marked secret in every call: it is in no reply and in no log record.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};

use flexvolume::{Call, dispatch};

use crate::{
    backend::{Echo, MountOnly},
    records,
};

const MARK: &str = "MARKED4secret5value";
const MARK_BASE64: &str = "TUFSS0VENHNlY3JldDV2YWx1ZQ==";

/// Options that hold the mark, well and badly made.
fn documents() -> Vec<Vec<u8>> {
    let key = "kubernetes.io/secret/pass";
    let mut documents: Vec<Vec<u8>> = [
        format!(r#"{{"{key}":"{MARK_BASE64}"}}"#),
        format!(r#"{{"{key}":"{MARK}!"}}"#),
        format!(r#"{{"{key}":"{MARK}"}}"#),
        format!(r#"{{"{key}":["{MARK}"]}}"#),
        format!(r#"{{"{key}":{{"{MARK}":"{MARK}"}}}}"#),
        format!(r#"{{"{key}":{MARK}}}"#),
        format!(r#"{{"{key}":"{MARK}"#),
        format!(r#"{{"{key}":"{MARK_BASE64}"}} {MARK}"#),
        format!(r#"{{"password":"{MARK}"}}"#),
        format!(r#"{{"password":"{MARK}",}}"#),
        format!(r#"["secret","{MARK}"]"#),
        format!(r#""{MARK} is no object but a secret""#),
    ]
    .map(String::into_bytes)
    .to_vec();
    documents.push([br#"{"kubernetes.io/secret/a":"\xff"#, MARK.as_bytes(), b"\xff\"}"].concat());
    documents
}

/// Every call with the document in every place, with too few and with too many arguments.
fn argument_lists(document: &[u8]) -> Vec<Vec<OsString>> {
    const NAMES: [&str; 14] = [
        "init",
        "getvolumename",
        "attach",
        "detach",
        "isattached",
        "waitforattach",
        "mountdevice",
        "unmountdevice",
        "mount",
        "unmount",
        "expandvolume",
        "expandfs",
        "waitfordetach",
        "",
    ];
    let document = OsString::from_vec(document.to_vec());
    let mut lists = vec![vec![document.clone()]];
    for name in NAMES {
        for count in 1..=6 {
            for place in 0..count {
                let mut list = vec![OsString::from("5"); count];
                list[place] = document.clone();
                list.insert(0, name.into());
                lists.push(list);
            }
            let mut all = vec![document.clone(); count];
            all.insert(0, name.into());
            lists.push(all);
        }
    }
    lists
}

#[test]
fn no_secret_leaves_by_any_output() {
    // a plain word in place of options is a node name or a path, and those may be shown
    let braced = |it: &Vec<u8>| it.starts_with(b"{");
    let mut answered = 0;
    for document in documents().iter().filter(|it| braced(it)) {
        for args in argument_lists(document) {
            let mut shown = String::new();
            let records = records::of(|| {
                for driver in [&Echo as &dyn flexvolume::Driver, &MountOnly] {
                    let reply = dispatch(driver, &args);
                    shown += &reply.to_line();
                    shown += &format!("{reply:?}");
                }
                shown += &format!("{:?}", Call::parse(&args));
            });
            shown += &records.concat();
            for mark in [MARK, MARK_BASE64] {
                assert!(!shown.contains(mark), "{args:?} shows {shown}");
            }
            answered += 1;
        }
    }
    assert!(answered > 1000, "{answered}");
}

#[test]
fn no_text_of_an_options_error_quotes_the_document() {
    for document in documents() {
        let args = ["mount".into(), "/pod".into(), OsString::from_vec(document.clone())];
        let mut shown = String::new();
        let records = records::of(|| {
            let reply = dispatch(&Echo, &args);
            shown = format!("{reply:?} {:?}", Call::parse(&args));
        });
        assert!(!(shown.clone() + &records.concat()).contains(MARK), "{shown}");
    }
}

#[test]
fn a_failed_call_with_secrets_exits_with_zero() {
    for document in documents() {
        if !document.windows(6).any(|it| it == b"secret") {
            continue;
        }
        let options = OsString::from_vec(document);
        let short = dispatch(&Echo, &["mount".into(), options.clone()]);
        let full = dispatch(&Echo, &["mount".into(), "/pod".into(), options]);
        for reply in [short, full] {
            assert!(reply.message().is_some() && reply.exit_code() == 0, "{reply:?}");
        }
    }
    assert_eq!(dispatch(&Echo, &["mount".into(), "/pod".into(), "{}".into()]).exit_code(), 1);
}
