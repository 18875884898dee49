//! What kubelet passes on with a call.

use serde_json::{Map, Value};

/// The options that kubelet sends for the volume `name`, and `more`, which win; the last ones most.
pub fn options<'a>(
    name: &'a str,
    more: impl IntoIterator<Item = &'a (&'a str, &'a str)>,
) -> String {
    let usual = [
        ("kubernetes.io/fsType", "ext4"),
        ("kubernetes.io/pvOrVolumeName", name),
        ("kubernetes.io/readwrite", "rw"),
    ];
    let all = usual.into_iter().chain(more.into_iter().copied());
    let object: Map<_, _> = all.map(|(key, value)| (key.to_owned(), Value::from(value))).collect();
    Value::Object(object).to_string()
}
