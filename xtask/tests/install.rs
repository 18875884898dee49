//! deploy/install.sh in a temporary folder, with copies of `sleep` as the driver.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that starts programs and stops where it cannot go on"
)]

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;
use xshell::{Cmd, Shell, cmd};

struct Node {
    root: TempDir,
    sh: Shell,
}

impl Node {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), sh: Shell::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A path in the driver's own folder.
    fn driver(&self, name: &str) -> PathBuf {
        self.path("plugins/oracle~oci").join(name)
    }

    fn write(&self, path: &Path, text: &str, mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn install(&self, binary: &Path) -> Cmd<'_> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/install.sh");
        let (plugins, logs) = (self.path("plugins"), self.path("log"));
        cmd!(self.sh, "sh {script} --plugin-dir {plugins} --log-dir {logs} {binary}").quiet()
    }

    /// Everything in the driver's folder: name, mode, inode.
    fn listing(&self) -> Vec<(String, u32, u64)> {
        let entries = fs::read_dir(self.driver("")).unwrap().map(|it| it.unwrap());
        let mut list: Vec<_> = entries
            .map(|it| {
                let metadata = it.metadata().unwrap();
                (it.file_name().into_string().unwrap(), metadata.mode() & 0o777, metadata.ino())
            })
            .collect();
        list.sort();
        list
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn a_first_installation_puts_binary_and_log_into_place() {
    let node = Node::new();
    node.install(Path::new("/bin/true")).ignore_stdout().run().unwrap();
    assert_eq!(fs::read(node.driver("oci")).unwrap(), fs::read("/bin/true").unwrap());
    assert_eq!(mode(&node.driver("oci")), 0o755);
    assert_eq!(mode(&node.path("log")), 0o750);
    let log = fs::read_link(node.driver("oci_flexvolume_driver.log")).unwrap();
    assert_eq!(log, node.path("log/oci_flexvolume_driver.log"));
    let names: Vec<_> = node.listing().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["oci", "oci_flexvolume_driver.log"]);
}

#[test]
fn a_second_installation_replaces_the_binary_and_nothing_else() {
    let node = Node::new();
    node.install(Path::new("/bin/true")).ignore_stdout().run().unwrap();
    let before = node.listing();
    node.install(Path::new("/bin/true")).ignore_stdout().run().unwrap();
    let after = node.listing();
    assert_eq!(before[1], after[1], "the link is left alone");
    assert_ne!(before[0].2, after[0].2, "the binary came by rename");
    assert_eq!(before.len(), after.len());
}

#[test]
fn a_running_driver_runs_on() {
    let node = Node::new();
    node.install(Path::new("/bin/sleep")).ignore_stdout().run().unwrap();
    let mut running =
        Command::new(node.driver("oci")).arg("60").stdin(Stdio::null()).spawn().unwrap();
    node.install(Path::new("/bin/true")).ignore_stdout().run().unwrap();
    assert!(running.try_wait().unwrap().is_none());
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(fs::read(node.driver("oci")).unwrap(), fs::read("/bin/true").unwrap());
}

#[test]
fn an_old_log_is_kept_beside_the_new_one() {
    let node = Node::new();
    let log = node.driver("oci_flexvolume_driver.log");
    let old = node.path("log/oci_flexvolume_driver.log.old");
    for (line, kept) in [("first\n", "first\n"), ("second\n", "first\nsecond\n")] {
        if log.exists() || log.is_symlink() {
            fs::remove_file(&log).unwrap();
        }
        node.write(&log, line, 0o644);
        node.install(Path::new("/bin/true")).ignore_stdout().run().unwrap();
        assert!(log.is_symlink());
        assert_eq!((fs::read_to_string(&old).unwrap().as_str(), mode(&old)), (kept, 0o640));
    }
}

#[test]
fn a_configuration_is_tightened_and_never_changed() {
    for (before, after) in [(0o644, 0o600), (0o604, 0o600), (0o640, 0o640), (0o600, 0o600)] {
        let node = Node::new();
        let config = node.driver("config.yaml");
        node.write(&config, "auth: {}\n", before);
        node.install(Path::new("/bin/true")).ignore_stdout().run().unwrap();
        assert_eq!(mode(&config), after);
        assert_eq!(fs::read_to_string(&config).unwrap(), "auth: {}\n");
    }
}

#[track_caller]
fn check_refusal(command: Cmd<'_>, message: &str) {
    let output = command.ignore_status().output().unwrap();
    assert!(!output.status.success());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("install.sh: {message}\n"));
}

#[test]
fn what_cannot_be_installed_leaves_the_driver_as_it_was() {
    let node = Node::new();
    node.install(Path::new("/bin/true")).ignore_stdout().run().unwrap();
    let before = node.listing();
    let text = node.path("text");
    node.write(&text, "\x7fELF for another machine", 0o755);
    check_refusal(node.install(&text), &format!("{} does not run on this machine", text.display()));
    let gone = node.path("gone");
    check_refusal(
        node.install(&gone),
        &format!("there is no driver at {}; name it as the last argument", gone.display()),
    );
    let binary = Path::new("/bin/true");
    check_refusal(node.install(binary).arg("--frob"), "unknown option --frob; see --help");
    check_refusal(node.install(binary).arg("--plugin-dir"), "--plugin-dir needs a folder");
    check_refusal(
        node.install(binary).args(["--log-dir", "logs"]),
        "--log-dir needs an absolute path, not 'logs'",
    );
    assert_eq!(node.listing(), before);
}

#[test]
fn folders_that_the_driver_does_not_know_are_told() {
    let node = Node::new();
    let said = node.install(Path::new("/bin/true")).read().unwrap();
    let (driver, log) = (node.path("plugins/oracle~oci"), node.path("log"));
    let (driver, log) = (driver.display(), log.display());
    assert_eq!(
        said,
        format!(
            "install.sh: installed {driver}/oci, and a link to its log, {log}/oci_flexvolume_driver.log\n\
             install.sh: kubelet and kube-controller-manager need OCI_FLEXD_DRIVER_DIRECTORY={driver} in their \
             environment\n\
             install.sh: kubelet and kube-controller-manager need OCI_FLEXD_DRIVER_LOG_DIR={log} in their \
             environment"
        )
    );
}

#[test]
fn help_names_the_folders() {
    let help = Node::new().install(Path::new("/bin/true")).arg("--help").read().unwrap();
    assert!(help.contains("--plugin-dir DIR") && help.contains("--log-dir DIR"), "{help}");
}
