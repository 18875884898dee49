//! What the executable says when it is called by hand.

use std::ffi::OsString;

/// The answer to `--version` or `--help`; kubelet never asks for either.
pub(crate) fn answer(args: &[OsString], help: &str) -> Option<String> {
    let [arg] = args else { return None };
    match arg.to_str()? {
        "--version" | "-V" => Some(format!("oci {}\n", env!("CARGO_PKG_VERSION"))),
        "--help" | "-h" => Some(help.to_owned()),
        _ => None,
    }
}
