//! A driver with a bug, for the contract suite: `attach` panics, `isattached` does so in another thread.

use std::{process::ExitCode, thread};

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

    #[expect(clippy::panic, reason = "the bug")]
    fn is_attached(&self, _options: &Options, _node: &str) -> Result<bool> {
        thread::spawn(|| panic!("a bug beside the call"));
        loop {
            thread::park();
        }
    }
}

fn main() -> ExitCode {
    let dir = driver::env_var("OCI_FLEXD_DRIVER_LOG_DIR").unwrap_or_default();
    let dir = std::path::Path::new(&dir);
    let log = driver::Log {
        file: dir.join("log"),
        default_file: dir.join("log"),
        driver_dir: "/nonexistent".into(),
        run_dir: dir.join("run"),
        level: None,
        format: None,
    };
    driver::exec(&log, "", || Box::new(Panics))
}
