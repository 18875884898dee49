//! Whatever is given, one JSON object comes back.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};

use flexvolume::dispatch;
use proptest::{collection::vec, prelude::*};
use serde_json::Value;

use crate::backend::{Echo, MountOnly};

fn argument() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => vec(any::<u8>(), 0..40),
        2 => json(),
        1 => "[{}\":,a-z\\\\\u{0}-\u{1f} ]{0,30}".prop_map(String::into_bytes),
        1 => Just(b"/dev/sdb".to_vec()),
        1 => "[0-9]{1,22}".prop_map(String::into_bytes),
        1 => Just(vec![b'x'; 3000]),
    ]
}

/// An options object, at times with its end missing.
fn json() -> impl Strategy<Value = Vec<u8>> {
    let key = prop_oneof![
        Just("kubernetes.io/pvOrVolumeName".to_owned()),
        Just("kubernetes.io/secret/pass".to_owned()),
        ".{0,9}",
    ];
    let value = prop_oneof![
        ".{0,20}".prop_map(Value::from),
        Just(Value::from("czNjcmV0")),
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        Just(Value::from(vec!["a"])),
    ];
    (vec((key, value), 0..4), 0..3usize).prop_map(|(pairs, missing)| {
        let mut text = Value::Object(pairs.into_iter().collect()).to_string().into_bytes();
        text.truncate(text.len() - missing.min(1));
        text
    })
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
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
    ]);
    prop_oneof![9 => known.prop_map(|it| it.as_bytes().to_vec()), 1 => argument()]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_arguments_are_answered_with_one_object(name in name(), rest in vec(argument(), 0..6)) {
        let args: Vec<OsString> = std::iter::once(name).chain(rest).map(OsString::from_vec).collect();
        for driver in [&Echo as &dyn flexvolume::Driver, &MountOnly] {
            let reply = dispatch(driver, &args);
            let line = reply.to_line();
            let body = line.strip_suffix('\n').unwrap();
            prop_assert!(!body.contains(char::is_control), "{body:?}");
            let Ok(Value::Object(object)) = serde_json::from_str(body) else { panic!("{body}") };
            let status = object["status"].as_str().unwrap();
            prop_assert!(["Success", "Failure", "Not supported"].contains(&status));
            prop_assert!(reply.exit_code() <= u8::from(status == "Failure"));
            prop_assert_eq!(object.contains_key("message"), status == "Failure");
            for (key, value) in &object {
                prop_assert!(KEYS.contains(&key.as_str()) && !value.is_null(), "{body}");
            }
            let message = object.get("message").and_then(Value::as_str).unwrap_or_default();
            prop_assert!(message.len() <= 1024 && !message.contains(char::is_control));
        }
    }
}

const KEYS: [&str; 5] = ["status", "message", "device", "attached", "capabilities"];
