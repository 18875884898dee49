//! Everybody who can hold a disk, and that a claim notices each of them.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use clock::{Clock as _, ManualClock, SystemClock};
use disk::{Access, BlankCheck, Disk, Error, Host, User};

use crate::{
    loop_disk::LoopDisk,
    namespace::private,
    tool::{run, runner},
};

const SIZE: u64 = 24 << 20;

fn ext4() -> LoopDisk {
    let disk = LoopDisk::formatted(SIZE, "mke2fs -q -t ext4");
    fs::create_dir(disk.dir().join("mnt")).unwrap();
    disk
}

/// Other programs, such as the losetup of another test, look at every loop device, and other tests unmount
/// lazily; then once more.
fn undisturbed(attempt: &dyn Fn() -> Error) -> Error {
    loop {
        let error = attempt();
        let text = error.to_string();
        if !text.contains("has it open") && !text.contains("unmounted lazily") {
            return error;
        }
    }
}

/// The disk is in use by `users`, for claims and proofs.
#[track_caller]
fn check(disk: &LoopDisk, users: &str) {
    let opened = disk.open();
    let before = disk.writes();
    let clock = ManualClock::default();
    let attempts: [&dyn Fn() -> Error; 4] = [
        &|| opened.claim(Access::Read).unwrap_err(),
        &|| opened.claim(Access::Write).unwrap_err(),
        &|| opened.prove_blank(&runner(), &clock, BlankCheck::default()).unwrap_err(),
        &|| opened.prove_unfinished(&runner(), &clock, "x").unwrap_err(),
    ];
    for attempt in attempts {
        let error = undisturbed(attempt);
        assert!(error.is_in_use());
        let message = disk.anonymous(&error).replace(disk.dir().to_str().unwrap(), "DIR");
        assert_eq!(message, format!("DISK is in use{users}"));
    }
    assert_eq!(disk.writes(), before);
}

const HIDDEN: &str = ", by something that does not show (another mount namespace, a lazy unmount, \
                      a process)";

#[test]
fn a_mount() {
    private(|| {
        let disk = ext4();
        run(&format!("mount {} {}/mnt", disk.path().display(), disk.dir().display()));
        check(&disk, ": it is mounted at DIR/mnt");
        run(&format!("umount {}/mnt", disk.dir().display()));
        disk.open().claim(Access::Write).unwrap();
    });
}

#[test]
fn a_lazy_unmount_with_an_open_file() {
    private(|| {
        let disk = ext4();
        run(&format!("mount {} {}/mnt", disk.path().display(), disk.dir().display()));
        let dir = disk.dir().join("mnt");
        let mut child = holder(&[], &format!("exec 9>{}/file", dir.display()));
        run(&format!("umount -l {}", dir.display()));
        let error = disk.open().claim(Access::Read).unwrap_err().to_string();
        let user = "sh has /file open of a file system that was unmounted lazily";
        // Other tests have such files, too.
        let users = error.split_once(" is in use: ").unwrap().1;
        assert!(users.split(", ").any(|it| it == user), "{error}");
        drop(child.stdin.take());
        child.wait().unwrap();
        disk.open().claim(Access::Write).unwrap();
    });
}

/// A shell that says `ready` and then waits for the end of its input.
fn holder(unshare: &[&str], script: &str) -> Child {
    let mut child = Command::new("unshare")
        .args(unshare)
        .args(["sh", "-c", &format!("{script} && echo ready && read line")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    child
}

#[test]
fn a_mount_in_another_namespace() {
    private(|| {
        let disk = ext4();
        let mount = format!("mount {} {}/mnt", disk.path().display(), disk.dir().display());
        let mut child = holder(&["--mount", "--propagation", "private"], &mount);
        check(&disk, ": it is mounted at DIR/mnt in the mount namespace of sh");
        drop(child.stdin.take());
        child.wait().unwrap();
        disk.open().claim(Access::Write).unwrap();
    });
}

/// As when the last process of a container has just ended.
#[test]
fn a_mount_in_a_namespace_that_ends_is_waited_for() {
    private(|| {
        let disk = ext4();
        let mount = format!("mount {} {}/mnt", disk.path().display(), disk.dir().display());
        let mut child = holder(&["--mount", "--propagation", "private"], &mount);
        let opened = disk.open();
        let clock = ManualClock::default();
        assert!(opened.claim_soon(Access::Read, &clock).unwrap_err().is_in_use());
        assert!(clock.slept().iter().sum::<Duration>() > Duration::from_secs(3));

        let stdin = child.stdin.take();
        let end = thread::spawn(move || {
            SystemClock.sleep(Duration::from_millis(300));
            drop(stdin);
            child.wait().unwrap();
        });
        assert!(opened.claim(Access::Read).unwrap_err().is_in_use());
        opened.claim_soon(Access::Read, &SystemClock).unwrap();
        end.join().unwrap();
    });
}

#[test]
fn a_partition() {
    private(|| {
        let disk = LoopDisk::new(SIZE);
        let path = disk.path().display();
        run(&format!("addpart {path} 1 2048 20000"));
        let name = disk.path().file_name().unwrap().to_str().unwrap();

        // idle, it does not keep the disk from being claimed, but from being proven blank
        disk.open().claim(Access::Write).unwrap();
        let clock = ManualClock::default();
        let prove =
            |disk: &Disk| disk.prove_blank(&runner(), &clock, BlankCheck::default()).unwrap_err();
        assert_eq!(
            disk.anonymous(&prove(&disk.open())),
            format!("DISK is in use: it has the partition {name}p1")
        );
        let partition = format!("{path}p1");
        let opened = Disk::open(partition.as_ref(), &Host::default()).unwrap();
        assert_eq!(
            disk.anonymous(&prove(&opened)),
            "DISKp1 is a partition: only whole disks are formatted"
        );

        run(&format!("mke2fs -q {partition}"));
        let dir = disk.dir().join("mnt");
        fs::create_dir(&dir).unwrap();
        run(&format!("mount {partition} {}", dir.display()));
        check(&disk, &format!(": it has the partition {name}p1, it is mounted at DIR/mnt"));
        run(&format!("umount {}", dir.display()));
    });
}

#[test]
fn swap_space() {
    private(|| {
        let disk = LoopDisk::formatted(SIZE, "mkswap -q");
        run(&format!("chmod 0600 {}", disk.path().display()));
        run(&format!("swapon {}", disk.path().display()));
        let result = std::panic::catch_unwind(|| check(&disk, ": it is swap space"));
        run(&format!("swapoff {}", disk.path().display()));
        result.unwrap();
    });
}

#[test]
fn a_claim_of_another_process() {
    private(|| {
        let disk = LoopDisk::new(SIZE);
        let opened = disk.open();
        let claim = opened.claim(Access::Write).unwrap();
        check(&disk, HIDDEN);
        drop(claim);
        opened.claim(Access::Write).unwrap();
    });
}

#[test]
fn a_plain_open_is_shown_but_keeps_no_one_away() {
    private(|| {
        let disk = LoopDisk::new(SIZE);
        let mut child = holder(&[], &format!("exec 3<{}", disk.path().display()));
        let users = || -> Vec<String> {
            let users = disk.open().users().unwrap();
            let users = users.iter().map(ToString::to_string);
            users.filter(|user| user.starts_with("sh ") || user.contains("udev")).collect()
        };
        assert_eq!(users(), ["sh has it open"]);
        disk.open().claim(Access::Write).unwrap();
        disk.open().prove_blank(&runner(), &ManualClock::default(), BlankCheck::default()).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(users(), [""; 0]);
    });
}

/// It is not why the disk is in use, and has gone when an operator looks.
#[test]
fn udev_is_not_shown() {
    private(|| {
        let disk = LoopDisk::new(SIZE);
        let rename = "echo '(udev-worker)' >/proc/$$/comm";
        let script = format!("{rename} && exec 3<{}", disk.path().display());
        let mut child = holder(&[], &script);
        let users = disk.open().users().unwrap();
        let is_it = |user: &User| matches!(user, User::Process { pid, .. } if *pid == child.id());
        assert!(!users.iter().any(is_it), "{users:?}");
        drop(child.stdin.take());
        child.wait().unwrap();
    });
}
