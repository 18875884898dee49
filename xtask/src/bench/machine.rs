//! Where and when the figures were measured.

use std::fmt;

use anyhow::Result;
use xshell::{Shell, cmd};

/// What may explain a figure, besides the driver.
pub(crate) struct Machine {
    processor: String,
    cores: String,
    load: String,
    kernel: String,
    compiler: String,
    pub(crate) date: String,
}

impl Machine {
    pub(crate) fn look(sh: &Shell) -> Result<Self> {
        let load = sh.read_file("/proc/loadavg")?;
        Ok(Self {
            processor: processor(&sh.read_file("/proc/cpuinfo")?).to_owned(),
            cores: cmd!(sh, "nproc").quiet().read()?,
            load: load.split(' ').next().unwrap_or_default().to_owned(),
            kernel: cmd!(sh, "uname -sr").quiet().read()?,
            compiler: cmd!(sh, "rustc --version").quiet().read()?,
            date: cmd!(sh, "date -u +%F").quiet().read()?,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, load, kernel, compiler, .. } = self;
        write!(f, "{processor}, {cores} cores (load {load} at the start), {kernel}, {compiler}")
    }
}

fn processor(cpuinfo: &str) -> &str {
    let mut rows = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let model = rows.find(|(name, _)| name.trim_end() == "model name");
    model.map_or("unknown processor", |(_, model)| model.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_has_a_name_on_some_machines() {
        let cpuinfo = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Intel(R) Xeon(R)\n";
        assert_eq!(processor(cpuinfo), "Intel(R) Xeon(R)");
        assert_eq!(processor("processor\t: 0\nBogoMIPS\t: 243.75\n"), "unknown processor");
    }
}
