//! The size of the binary.

use std::{fs, path::Path};

use anyhow::Result;

use super::figure::{Bound, Figure};

/// The size of what is shipped; it has no symbols left.
pub(super) fn figure(binary: &Path) -> Result<Figure> {
    Ok(Figure {
        what: "binary without symbols",
        unit: "MB",
        median: fs::metadata(binary)?.len() as f64 / 1e6,
        best: None,
        also: None,
        bound: Bound::AtMost(4.0),
        go: "21 MB",
        because: "TLS, its root certificates and the decryption of keys are inside".to_owned(),
    })
}
