//! A driver with a bug, for the contract suite: `attach` panics.

use std::process::ExitCode;

use flexvolume::{Capabilities, Driver, Options, Result};

struct Panics;

impl Driver for Panics {
    fn init(&self) -> Result<Capabilities> {
        Err(flexvolume::Failure::NotSupported)
    }

    #[expect(clippy::panic, reason = "the bug")]
    fn attach(&self, options: &Options, _node: &str) -> Result<std::path::PathBuf> {
        panic!("a bug that shows {options:?} MARKER");
    }
}

fn main() -> ExitCode {
    let log = driver::env_var("OCI_FLEXD_DRIVER_LOG_DIR").unwrap_or_default();
    let file = std::path::Path::new(&log).join("log");
    driver::exec(&driver::Log { file, level: None }, || Box::new(Panics))
}
