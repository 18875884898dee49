//! The driver is killed at every step; the same call again reaches the same end.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use testbed::{Answer, Cluster, Setup};

use crate::support::{Kubelet, cluster, cluster_with, success};

/// Runs `call` in a fresh cluster and kills it at the `point`-th moment around a request; false, if
/// the call has fewer.
fn killed_at_request(cluster: &Cluster, call: &[&str], point: usize) -> bool {
    let process: Arc<Mutex<Option<u32>>> = Arc::default();
    let moments = Arc::new(AtomicUsize::new(0));
    let (victim, count) = (Arc::clone(&process), Arc::clone(&moments));
    cluster.sim.on_request(move |_event| {
        if count.fetch_add(1, Ordering::SeqCst) + 1 == point {
            kill(&victim);
        }
    });
    let mut child = cluster.controller().command(call).spawn().unwrap();
    *process.lock().unwrap() = Some(child.id());
    child.wait().unwrap();
    cluster.sim.on_request(|_event| ());
    moments.load(Ordering::SeqCst) >= point
}

fn kill(victim: &Mutex<Option<u32>>) {
    loop {
        if let Some(id) = *victim.lock().unwrap() {
            Command::new("kill").args(["-9", &id.to_string()]).status().unwrap();
            return;
        }
        thread::yield_now();
    }
}

#[track_caller]
fn check_requests(
    prepare: impl Fn(&Cluster),
    call: impl Fn(&Cluster) -> Vec<String>,
    ends: &[&str],
) {
    let delay = Duration::from_millis(300);
    let setup = Setup { nodes: 1, attach_delay: delay, detach_delay: delay, ..Setup::default() };
    let mut point = 1;
    loop {
        let cluster = cluster_with(&setup);
        prepare(&cluster);
        let args = call(&cluster);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        if !killed_at_request(&cluster, &args, point) {
            break;
        }
        success(&cluster.controller().call(&args).unwrap());
        let states: Vec<_> =
            cluster.sim.attachments().iter().map(|it| it.lifecycle_state).collect();
        assert_eq!(states, ends, "killed at {point}");
        point += 1;
    }
    assert!(point > 8, "only {point} points");
}

fn attach_call(cluster: &Cluster) -> Vec<String> {
    ["attach", &cluster.options(&[]), "node-1"].map(str::to_owned).to_vec()
}

#[test]
fn attach_goes_on_after_any_request() {
    check_requests(|_| (), attach_call, &["ATTACHED"]);
}

#[test]
fn detach_goes_on_after_any_request() {
    let attached = |cluster: &Cluster| {
        let args = attach_call(cluster);
        success(&cluster.controller().call(&args).unwrap());
    };
    let call =
        |cluster: &Cluster| ["detach", cluster.volume_name(), "node-1"].map(str::to_owned).to_vec();
    check_requests(attached, call, &["DETACHED"]);
}

/// Programs that do what they are named after, but at the `at`-th start kill the driver.
struct Tools {
    dir: PathBuf,
}

impl Tools {
    fn new(dir: &Path, at: usize, how: &str) -> Self {
        fs::create_dir_all(dir).unwrap();
        let count = dir.join("count");
        fs::write(&count, "0").unwrap();
        let deed = match how {
            "before" => r#"kill -9 $PPID; exec "$real" "$@""#,
            "instead" => "kill -9 $PPID; exit 1",
            _ => r#""$real" "$@"; kill -9 $PPID; exit 0"#,
        };
        for program in PROGRAMS {
            let Ok(real) = real(program) else { continue };
            let text = format!(
                "#!/bin/sh\nreal={real}\nn=$(($(cat {count}) + 1)); echo $n > {count}\n\
                 if [ $n = {at} ]; then {deed}; fi\nexec \"$real\" \"$@\"\n",
                count = count.display()
            );
            let path = dir.join(program);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { dir: dir.to_owned() }
    }

    fn starts(&self) -> usize {
        fs::read_to_string(self.dir.join("count")).unwrap().trim().parse().unwrap()
    }
}

fn real(program: &str) -> Result<String, ()> {
    let dirs = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let found = dirs.iter().map(|dir| format!("{dir}/{program}")).find(|it| Path::new(it).exists());
    found.ok_or(())
}

/// Calls again as kubelet does, until nobody else is at work.
fn again(place: &testbed::Place<'_>, args: &[&str]) -> Answer {
    for _ in 0..30 {
        let answer = place.call(args).unwrap();
        if !answer.message().contains("is still running") {
            return answer;
        }
    }
    panic!("the volume stays locked");
}

#[track_caller]
fn check_tools(verb: &str, how: &str) {
    check_tools_with(verb, how, "ext4", "e2fsck -fn");
}

#[track_caller]
fn check_tools_with(verb: &str, how: &str, fs_type: &str, checker: &str) {
    let mut at = 1;
    loop {
        let cluster = cluster();
        let kubelet = Kubelet { cluster: &cluster, number: 1 };
        let options = cluster.options(&[("kubernetes.io/fsType", fs_type)]);
        let device = kubelet.attach(&options);
        let dir = kubelet.dir();
        let mount = ["mountdevice", &*dir, &device, &options];
        let unmount = ["unmountdevice", &*dir];
        let args = if verb == "mountdevice" { &mount[..] } else { &unmount[..] };
        if verb == "unmountdevice" {
            success(&kubelet.mount(&device, &options));
            kubelet.sh(r#"echo kept > "$0/file""#);
        }

        let place = cluster.node(1);
        let tools = Tools::new(&cluster.dir().join("tools"), at, how);
        let mut command = place.command(args);
        command.env("OCI_FLEXD_TOOL_PATH", &tools.dir).output().unwrap();
        if tools.starts() < at {
            break;
        }
        success(&again(&place, args));

        if verb == "mountdevice" {
            kubelet.sh(r#"echo kept > "$0/file""#);
            assert_eq!(kubelet.sh(r#"grep -cF "$0" /proc/self/mountinfo"#), "1", "{how} {at}");
            success(&kubelet.unmount());
        }
        // Whole, and nobody's any more.
        kubelet.sh(&format!("{checker} {device} >&2"));
        success(&kubelet.mount(&device, &options));
        assert_eq!(kubelet.sh(r#"cat "$0/file""#), "kept");
        at += 1;
    }
    assert!(at > 1, "no program was started");
}

#[test]
fn mountdevice_goes_on_when_killed_before_a_program() {
    check_tools("mountdevice", "before");
}

#[test]
fn mountdevice_goes_on_when_killed_with_a_program() {
    check_tools("mountdevice", "instead");
}

#[test]
fn mountdevice_goes_on_when_killed_after_a_program() {
    check_tools("mountdevice", "after");
}

#[test]
fn mountdevice_of_xfs_goes_on_when_killed_with_a_program() {
    check_tools_with("mountdevice", "instead", "xfs", "xfs_repair -n");
}

#[test]
fn unmountdevice_goes_on_when_killed_around_a_program() {
    for how in ["before", "instead", "after"] {
        check_tools("unmountdevice", how);
    }
}

/// All that the node's calls run.
const PROGRAMS: [&str; 9] = [
    "blkid",
    "e2fsck",
    "mkfs.ext4",
    "mkfs.xfs",
    "mount",
    "udevadm",
    "umount",
    "wipefs",
    "xfs_repair",
];
