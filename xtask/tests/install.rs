//! deploy/install.sh in a temporary folder, with copies of `sleep` as the driver.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that starts programs and stops where it cannot go on"
)]

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use xshell::{Cmd, Shell, cmd};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/install.sh");

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
        self.install_with_log(binary, &self.path("log"))
    }

    fn install_with_log(&self, binary: &Path, log: &Path) -> Cmd<'_> {
        let plugins = self.path("plugins");
        cmd!(self.sh, "sh {SCRIPT} --plugin-dir {plugins} --log-dir {log} {binary}").quiet()
    }

    /// An installer at work.
    fn start(&self, binary: &str) -> Child {
        Command::new("sh")
            .args([SCRIPT, "--plugin-dir"])
            .arg(self.path("plugins"))
            .arg("--log-dir")
            .arg(self.path("log"))
            .arg(binary)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Installs where `prepare` was done to a machine of its own, whose working directory is this node's.
    fn install_after(&self, prepare: &str) -> Cmd<'_> {
        let root = self.root.path();
        let install = format!(
            "cd {0}; log=log; {prepare} sh {SCRIPT} --plugin-dir {0}/plugins --log-dir {0}/$log /bin/true",
            root.display()
        );
        cmd!(self.sh, "unshare --mount --propagation private sh -ec {install}").quiet()
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
    for (start, machine, message) in [
        (
            "\x7fELF",
            "\u{0}",
            "is for another processor, and this machine is x86_64; take the package for that",
        ),
        ("<html>", "", "is no program; copy the package again"),
        ("", "", "is no program; copy the package again"),
        ("#!/bin/sh\necho the reason; exit 3", "", "does not run on this machine: the reason"),
        ("#!/bin/sh\nexit 3", "", "does not run on this machine: it ended without a word"),
    ] {
        let text = node.path("text");
        node.write(&text, &format!("{start}{}", machine.repeat(60)), 0o755);
        check_refusal(node.install(&text), &format!("{} {message}", text.display()));
    }
    let arm = node.path("arm");
    let mut bytes = fs::read("/bin/true").unwrap();
    bytes[18] = 183;
    fs::write(&arm, bytes).unwrap();
    check_refusal(
        node.install(&arm),
        &format!(
            "{} is for aarch64, and this machine is x86_64; take the package for that",
            arm.display()
        ),
    );
    let gone = node.path("gone");
    check_refusal(
        node.install(&gone),
        &format!(
            "there is no driver at {}; cargo xtask dist makes a package with one, or name it as the last argument",
            gone.display()
        ),
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
    let plugins = node.path("plugins");
    let plugins = plugins.display();
    assert_eq!(
        said,
        format!(
            "install.sh: installed {driver}/oci, and a link to its log, {log}/oci_flexvolume_driver.log\n\
             install.sh: kubelet needs --volume-plugin-dir={plugins}, and kube-controller-manager \
             --flex-volume-plugin-dir={plugins}\n\
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

#[test]
fn a_log_folder_that_is_there_keeps_its_mode() {
    let node = Node::new();
    let log = node.path("var/log");
    fs::create_dir_all(&log).unwrap();
    for before in [0o755, 0o1777, 0o700] {
        fs::set_permissions(&log, fs::Permissions::from_mode(before)).unwrap();
        node.install_with_log(Path::new("/bin/true"), &log).ignore_stdout().run().unwrap();
        assert_eq!(fs::metadata(&log).unwrap().mode() & 0o7777, before);
    }
    // Of those that are made only the last is closed.
    let log = node.path("var/other/log");
    node.install_with_log(Path::new("/bin/true"), &log).ignore_stdout().run().unwrap();
    assert_eq!((mode(&node.path("var/other")), mode(&log)), (0o755, 0o750));
}

#[test]
fn a_folder_that_cannot_be_one_is_told() {
    let node = Node::new();
    let [file, link, gone] = ["file", "link", "gone"].map(|name| node.path(name));
    fs::write(&file, "").unwrap();
    symlink(&gone, &link).unwrap();
    let inside = node.driver("log");
    let shown = |path: &Path| path.display().to_string();
    for (log, message) in [
        (&file, format!("--log-dir {} is not a folder", shown(&file))),
        (
            &link,
            format!(
                "--log-dir {} is a link that leads nowhere; make {}, or remove the link",
                shown(&link),
                shown(&gone)
            ),
        ),
        (
            &inside,
            format!(
                "--log-dir must not be in {}: kubelet watches that, and each line of the log would have it run init",
                shown(&node.path("plugins"))
            ),
        ),
    ] {
        check_refusal(node.install_with_log(Path::new("/bin/true"), log), &message);
    }
    symlink(&gone, node.path("plugins")).unwrap();
    check_refusal(
        node.install(Path::new("/bin/true")),
        &format!(
            "--plugin-dir {} is a link that leads nowhere; make {}, or remove the link",
            shown(&node.path("plugins")),
            shown(&gone)
        ),
    );
    fs::remove_file(node.path("plugins")).unwrap();
    for name in ["oci", "oci_flexvolume_driver.log"] {
        let folder = node.driver(name);
        fs::create_dir_all(&folder).unwrap();
        check_refusal(
            node.install(Path::new("/bin/true")),
            &format!("{} is a folder; move it away first", shown(&folder)),
        );
        fs::remove_dir(folder).unwrap();
    }
}

#[test]
fn what_the_machine_refuses_is_told_with_its_cure() {
    let node = Node::new();
    fs::set_permissions(node.root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(node.driver("")).unwrap();
    let dir = node.driver("");
    let dir = dir.display().to_string();
    let dir = dir.trim_end_matches('/');
    let plugins = node.path("plugins");
    let plugins = plugins.display();
    let elsewhere = "give another folder with --plugin-dir, and name it to kubelet \
                     (--volume-plugin-dir) and kube-controller-manager (--flex-volume-plugin-dir)";
    for (prepare, message) in [
        (
            "mount -t tmpfs -o ro none plugins;",
            format!(
                "cannot make {dir}: the file system is read-only; if that is to stay so, {elsewhere}"
            ),
        ),
        (
            "mount --bind plugins plugins; mount -o remount,bind,ro plugins;",
            format!(
                "cannot copy /bin/true to {dir}: the file system is read-only; if that is to stay so, \
                 {elsewhere}"
            ),
        ),
        (
            "mkdir log; mount -t tmpfs -o ro none log; log=log/below;",
            format!(
                "cannot make {}: the file system is read-only; if that is to stay so, give another \
                 folder with --log-dir",
                node.path("log/below").display()
            ),
        ),
        (
            "mount -t tmpfs -o noexec none plugins;",
            format!(
                "nothing can be run in {dir}, because its file system is mounted noexec: mount -o \
                 remount,exec {plugins}, or give another folder with --plugin-dir, and name it to kubelet \
                 (--volume-plugin-dir) and kube-controller-manager (--flex-volume-plugin-dir)"
            ),
        ),
        (
            "mount -t tmpfs -o size=8k none plugins;",
            format!("cannot copy /bin/true to {dir}: there is no room left; see df -h and df -i"),
        ),
        (
            "cp SCRIPT script; exec setpriv --reuid 65534 --regid 65534 --clear-groups sh script \
             --plugin-dir $PWD/plugins /bin/true;",
            format!("cannot copy /bin/true to {dir}: run it as root: sudo install.sh"),
        ),
    ] {
        check_refusal(node.install_after(&prepare.replace("SCRIPT", SCRIPT)), &message);
    }
    assert_eq!(node.listing(), []);
}

/// Each of them may put its driver there last, and none half of it.
#[test]
fn installers_at_once_wait_for_each_other() {
    let node = Node::new();
    node.write(&node.driver("oci_flexvolume_driver.log"), "a line\n", 0o644);
    for _ in 0..20 {
        let both = ["/bin/true", "/bin/sleep"].map(|binary| node.start(binary));
        for installer in both {
            let output = installer.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
        let installed = fs::read(node.driver("oci")).unwrap();
        assert!(["/bin/true", "/bin/sleep"].iter().any(|it| fs::read(it).unwrap() == installed));
    }
    let names: Vec<_> = node.listing().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["oci", "oci_flexvolume_driver.log"]);
    let old = fs::read_to_string(node.path("log/oci_flexvolume_driver.log.old")).unwrap();
    assert_eq!(old, "a line\n", "it is kept once");
}

#[test]
fn one_that_is_killed_leaves_a_driver_that_works() {
    let node = Node::new();
    node.install(Path::new("/bin/true")).ignore_stdout().run().unwrap();
    for step in 0..40 {
        let mut installer = node.start("/bin/true");
        thread::sleep(Duration::from_millis(step));
        installer.kill().unwrap();
        installer.wait().unwrap();
        assert!(Command::new(node.driver("oci")).status().unwrap().success(), "after {step} ms");
    }
    node.install(Path::new("/bin/true")).ignore_stdout().run().unwrap();
    let names: Vec<_> = node.listing().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["oci", "oci_flexvolume_driver.log"]);
}

/// A user who may write to the folder could have left a link there.
#[test]
fn a_draft_that_is_a_link_is_not_followed() {
    let node = Node::new();
    let victim = node.path("victim");
    node.write(&victim, "kept", 0o600);
    fs::create_dir_all(node.driver("")).unwrap();
    symlink(&victim, node.driver(".oci.new")).unwrap();
    node.install(Path::new("/bin/true")).ignore_stdout().run().unwrap();
    assert_eq!((fs::read_to_string(&victim).unwrap().as_str(), mode(&victim)), ("kept", 0o600));
}

#[test]
fn paths_may_have_blanks_and_quotes() {
    let mut node = Node::new();
    let inner = node.path("a b'c \"d\" $e");
    fs::create_dir(&inner).unwrap();
    let outer = std::mem::replace(&mut node.root, tempfile::tempdir_in(&inner).unwrap());
    let binary = node.path("the driver");
    fs::copy("/bin/true", &binary).unwrap();
    node.install(&binary).ignore_stdout().run().unwrap();
    assert_eq!(mode(&node.driver("oci")), 0o755);
    let log = fs::read_link(node.driver("oci_flexvolume_driver.log")).unwrap();
    assert_eq!(log, node.path("log/oci_flexvolume_driver.log"));
    drop(node);
    outer.close().unwrap();
}

#[test]
fn the_script_is_clean() {
    let shellcheck = Command::new("shellcheck").arg(SCRIPT).output();
    let output = shellcheck.unwrap_or_else(|error| panic!("install shellcheck: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
