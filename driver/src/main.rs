//! `oci`: block volumes of Oracle Cloud Infrastructure for kubelet.

use std::{process::ExitCode, sync::Arc};

use clock::SystemClock;
use oci_block::{OciBlock, Settings};

fn main() -> ExitCode {
    let settings = Settings::from_vars(driver::env_var);
    let log = driver::Log {
        file: settings.log.clone(),
        default_file: settings.default_log.clone(),
        driver_dir: settings.driver_dir.clone(),
        run_dir: settings.run_dir.clone(),
        level: settings.log_level.clone(),
        format: settings.log_format.clone(),
    };
    driver::exec(&log, oci_block::HELP, || {
        let runner = driver::host_runner(settings.tool_path.clone());
        Box::new(OciBlock::new(settings, runner, Arc::new(SystemClock)))
    })
}
