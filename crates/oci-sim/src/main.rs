//! The simulated cloud as a program.

use std::error::Error;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;
use oci_sim::{Entry, Event, Phase, Running, Script, Sim};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::arguments::Arguments;

mod arguments;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut message = format!("oci-sim: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                message += &format!(": {error}");
                cause = error.source();
            }
            // where else could it be told
            let _ = writeln!(io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the cloud until a signal ends it.
fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    // before anything that must be taken away again
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let mut script = arguments.script.as_deref().map(Script::read).transpose()?.unwrap_or_default();
    script.instances.extend(arguments.instances.iter().cloned());
    script.volumes.extend(arguments.volumes.iter().cloned());
    let cloud = Sim::start(arguments.config())?;
    let temporary = tempfile::tempdir()?;
    let folder = arguments.write_credentials.as_deref().unwrap_or(temporary.path());
    write_credentials(&cloud, folder)?;
    let added = script.play(&cloud)?;
    cloud.on_request(|event| {
        if let Event { phase: Phase::Performed, entry, .. } = event {
            // the reader may be gone
            let _ = writeln!(io::stdout(), "{}", line(entry));
        }
    });
    let _ = io::stdout().write_all(welcome(&cloud, &folder.canonicalize()?, &added).as_bytes());
    signals.forever().next();
    for violation in cloud.violations() {
        let _ = writeln!(io::stdout(), "violation: {violation}");
    }
    Ok(())
}

/// The key, the authority, and the configuration files of the driver and of Oracle's own clients.
fn write_credentials(cloud: &Running, folder: &Path) -> Result<(), Box<dyn Error>> {
    let user = cloud.credentials();
    fs::create_dir_all(folder)
        .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    let key_file = folder.canonicalize()?.join("api_key.pem");
    let sdk = format!(
        "[DEFAULT]\ntenancy={}\nuser={}\nfingerprint={}\nkey_file={}\nregion=us-phoenix-1\n",
        user.tenancy,
        user.user,
        user.fingerprint,
        key_file.display(),
    );
    write_secret(&key_file, &user.private_key_pem)?;
    write_secret(&folder.join("config.yaml"), &cloud.driver_config())?;
    write_secret(&folder.join("sdk-config"), &sdk)?;
    write_secret(&folder.join("ca.pem"), cloud.ca_pem())
}

fn write_secret(path: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

fn welcome(cloud: &Running, folder: &Path, added: &[(String, String)]) -> String {
    let file = |name: &str| -> PathBuf { folder.join(name) };
    let things: String = added.iter().map(|(name, id)| format!("  {name:<12} {id}\n")).collect();
    format!(
        "The simulated cloud is running; Ctrl-C stops it.\n\n\
         \x20 API          {https}  or  {http}\n\
         \x20 metadata     {metadata}\n\
         \x20 CA           {ca}\n\
         \x20 driver       {config}\n\
         \x20 SDK and CLI  {sdk}\n\
         \x20 compartment  {compartment}\n{things}\n\
         For the driver:\n\
         \x20 export TRUSTED_CA_CERT_PATH={ca} OCI_METADATA_BASE_URL={metadata}\n\
         For Oracle's command line:\n\
         \x20 oci --config-file {sdk} --endpoint {http} compute instance list --compartment-id {compartment}\n\n",
        https = cloud.endpoint(),
        http = cloud.http_endpoint(),
        metadata = cloud.metadata_url(),
        ca = file("ca.pem").display(),
        config = file("config.yaml").display(),
        sdk = file("sdk-config").display(),
        compartment = cloud.compartment(),
    )
}

/// One request as a line: time, status, operation, method and path, and the faults that hit it.
fn line(entry: &Entry) -> String {
    let time = humantime::format_rfc3339_millis(entry.at).to_string();
    let time = time.get(11..23).unwrap_or(&time);
    let status = entry.status.map_or_else(|| "reset".into(), |status| status.to_string());
    let mut line =
        format!("{time} {status:<5} {:<23} {} {}", entry.operation, entry.method, entry.path);
    if !entry.faults.is_empty() {
        line += &format!("  faults {:?}", entry.faults);
    }
    line
}
