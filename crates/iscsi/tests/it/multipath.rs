//! One disk through two portals (three loop devices play two paths and their map; needs root).

use std::{fs, path::PathBuf, time::Duration};

use disk::{Access, DeviceNumber, Disk};
use expect_test::{Expect, expect};
use iscsi::Target;
use tempfile::TempDir;

use crate::{
    in_use::{Loop, alone},
    world::{Event, IQN, World, chain, target, unit_dir},
};

/// A machine with a session through each portal, `sda` and `sdb`, and the sysfs of their disks.
struct Scene {
    world: World,
    /// `sda`, `sdb`, `dm-0`
    disks: [Loop; 3],
    sysfs: TempDir,
}

const WWID: &str = "naa.60a1";

impl Scene {
    fn new(alone: &std::sync::MutexGuard<'_, ()>) -> Self {
        let (world, sysfs) = (World::new(), tempfile::tempdir().unwrap());
        let disks = [Loop::new(alone), Loop::new(alone), Loop::new(alone)];
        world.tree().remove(&["dev/sda".into()]);
        for (name, disk) in ["sda", "sdb", "dm-0"].iter().zip(&disks) {
            world.tree().add(&format!("dev/{name} -> {}", disk.device));
        }
        let scene = Self { world, disks, sysfs };
        for (session, address) in [(1, "169.254.2.2"), (2, "169.254.2.3")] {
            scene.world.happens(Event::Session(address, IQN, "LOGGED_IN"));
            let unit = unit_dir(session, 1);
            let (name, number) =
                (["sda", "sdb"][session as usize - 1], scene.number(session as usize - 1));
            scene.world.tree().add(&format!(
                "{unit}/state = running\n{unit}/rescan =\n{unit}/delete =\n\
                 {unit}/block/{name}/dev = {number}\n{unit}/block/{name}/size = 32768"
            ));
        }
        for at in 0..3 {
            let number = scene.number(at).to_string();
            scene.write(at, "dev", &number);
            scene.write(at, "size", "32768");
            scene.write(at, "ro", "0");
        }
        scene.write(0, "device/wwid", WWID);
        scene.write(1, "device/wwid", WWID);
        scene.world.has_map(scene.sysfs.path(), Vec::new());
        scene
    }

    /// multipathd has made a map of these paths.
    fn mapped(self, paths: &[usize]) -> Self {
        self.write(2, "dm/uuid", "mpath-360a1");
        self.write(2, "dm/name", "mpatha");
        self.write(2, "uevent", "DEVNAME=dm-0");
        for path in paths {
            let number = self.number(*path).to_string();
            self.write(2, &format!("slaves/path{path}/dev"), &number);
            self.write(*path, "holders/dm-0/dev", &self.number(2).to_string());
        }
        let holders = paths.iter().map(|path| self.dir(*path).join("holders")).collect();
        self.world.has_map(self.sysfs.path(), holders);
        self
    }

    fn number(&self, at: usize) -> DeviceNumber {
        self.disks[at].number()
    }

    fn dir(&self, at: usize) -> PathBuf {
        self.sysfs.path().join("dev/block").join(self.number(at).to_string())
    }

    fn write(&self, at: usize, file: &str, text: &str) {
        let path = self.dir(at).join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Which of our devices the disk is.
    fn disk(&self) -> String {
        match self.world.initiator().multipath_disk(&paths()) {
            Ok(path) => format!("/dev/{}", path.file_name().unwrap().display()),
            Err(error) => self.anonymous(&chain(&error)),
        }
    }

    fn log_out(&self) -> String {
        let outcome = match self.world.initiator().log_out_paths(&paths()) {
            Ok(outcome) => format!("{outcome:?}"),
            Err(error) => self.anonymous(&chain(&error)),
        };
        let left = paths().map(|path| {
            self.world.initiator().session(&path).unwrap().map_or("none".into(), |it| it.state)
        });
        format!("{outcome}\nran: {}\nsessions: {}\n", self.world.take(), left.join(", "))
    }

    fn anonymous(&self, text: &str) -> String {
        let root = self.world.tree().path("dev");
        let text = text.replace(root.to_str().unwrap(), "/dev");
        let names = ["sda", "sdb", "dm-0"].iter().zip(&self.disks).zip(0..);
        names.fold(text, |text, ((name, disk), at)| {
            text.replace(&disk.device, &format!("/dev/{name}"))
                .replace(&format!("device {} ", self.number(at)), &format!("device {name} "))
        })
    }
}

/// The main portal, and another.
fn paths() -> [Target; 2] {
    ["169.254.2.2", "169.254.2.3"].map(|address| target(address, IQN, 1))
}

#[test]
fn the_disk_is_the_map_of_both_paths() {
    let scene = Scene::new(&alone()).mapped(&[0, 1]);
    assert_eq!(scene.disk(), "/dev/dm-0");
    let initiator = scene.world.initiator();
    assert_eq!(initiator.targets_of(scene.number(2)).unwrap(), paths());
    assert_eq!(initiator.targets_of(scene.number(1)).unwrap(), paths()[1..]);
}

#[test]
fn the_map_follows_paths_that_have_grown() {
    let scene = Scene::new(&alone()).mapped(&[0, 1]);
    scene.world.has_map_size(scene.dir(2).join("size"));
    for session in [1, 2] {
        let name = ["sda", "sdb"][session as usize - 1];
        let size = format!("{}/block/{name}/size", unit_dir(session, 1));
        scene.world.happens(Event::Write(size, "131072"));
    }
    assert_eq!(scene.disk(), "/dev/dm-0");
    assert_eq!(scene.world.take(), "multipathd resize map mpatha");
}

#[test]
fn a_path_that_is_down_is_not_waited_for() {
    let scene = Scene::new(&alone()).mapped(&[0, 1]);
    scene.world.happens(Event::State(2, "FAILED"));
    assert_eq!(scene.disk(), "/dev/dm-0");
    assert_eq!(scene.world.waited(), Duration::ZERO);
}

#[test]
fn without_a_map_no_path_is_taken_for_the_disk() {
    let scene = Scene::new(&alone());
    expect!["the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 has the paths /dev/sda, /dev/sdb and no multipath map (no map stands on them): multipathd must run: install multipath-tools (Oracle Linux: device-mapper-multipath), then systemctl enable --now multipathd"]
        .assert_eq(&scene.disk());
    assert_eq!(scene.world.waited(), Duration::from_secs(30));
}

#[test]
fn a_map_of_one_path_alone_is_not_yet_the_map() {
    let scene = Scene::new(&alone()).mapped(&[0]);
    let said = scene.disk();
    assert!(said.contains("no multipath map (sdb is not in the map mpatha)"), "{said}");
}

#[test]
fn a_map_with_a_stranger_in_it_is_left_alone() {
    let alone = alone();
    let scene = Scene::new(&alone).mapped(&[0, 1]);
    scene.write(2, "slaves/stranger/dev", "250:7");
    expect!["the multipath map mpatha stands on device 250:7 too, which is no path of the volume; it is left alone"]
        .assert_eq(&scene.disk());
    expect![[r#"
        the multipath map mpatha stands on device 250:7 too, which is no path of the volume; it is left alone
        ran: 
        sessions: LOGGED_IN, LOGGED_IN
    "#]]
    .assert_eq(&scene.log_out());
}

#[test]
fn paths_to_different_disks_are_refused() {
    let scene = Scene::new(&alone()).mapped(&[0, 1]);
    scene.write(1, "device/wwid", "naa.60a2");
    expect!["the paths lead to different disks: /dev/sda is naa.60a1, /dev/sdb is naa.60a2"]
        .assert_eq(&scene.disk());
    fs::remove_file(scene.dir(1).join("device/wwid")).unwrap();
    expect![
        "/dev/sdb shows no world-wide identifier, without which it is no path of a multipath disk"
    ]
    .assert_eq(&scene.disk());
}

#[test]
fn a_logout_removes_the_map_and_ends_every_session() {
    let scene = Scene::new(&alone()).mapped(&[0, 1]);
    expect![[r#"
        Done
        ran: multipath -f mpatha logout delete logout delete
        sessions: none, none
    "#]]
    .assert_eq(&scene.log_out());
    expect![[r#"
        AlreadyDone
        ran: delete delete
        sessions: none, none
    "#]]
    .assert_eq(&scene.log_out());
}

#[test]
fn a_map_in_use_stays_and_so_do_its_sessions() {
    let scene = Scene::new(&alone()).mapped(&[0, 1]);
    let host = disk::Host { sysfs: scene.sysfs.path().to_owned(), ..disk::Host::default() };
    let disk = Disk::open(&scene.world.tree().path("dev/dm-0"), &host).unwrap();
    let _claim = disk.claim(Access::Read).unwrap();
    let said = scene.log_out();
    assert!(said.contains("so it stays logged in: /dev/dm-0 is in use"), "{said}");
    assert!(said.ends_with("ran: \nsessions: LOGGED_IN, LOGGED_IN\n"), "{said}");
}

/// A claim, a flush and `multipath -f` would wait in the kernel, and could not be ended.
#[test]
fn a_map_that_queues_and_has_no_path_is_not_touched() {
    let scene = Scene::new(&alone()).mapped(&[0, 1]);
    scene.world.map_queues(true);
    scene.write(0, "device/state", "transport-offline");
    scene.write(1, "device/state", "blocked");
    let blocked = scene.log_out();
    scene.write(1, "device/state", "transport-offline");
    // Were it claimed, it would be said to be in use.
    let host = disk::Host { sysfs: scene.sysfs.path().to_owned(), ..disk::Host::default() };
    let disk = Disk::open(&scene.world.tree().path("dev/dm-0"), &host).unwrap();
    let claim = disk.claim(Access::Read).unwrap();
    expect![[r#"
        the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is not ready: its device is "blocked" in the kernel, I/O to it would hang
        ran: 
        sessions: LOGGED_IN, LOGGED_IN
        the disk of iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.2:3260 is not ready: no path of its multipath map mpatha works, and I/O to the map would hang, because it queues: bring a path back, or call `multipathd disablequeueing map mpatha`, which gives up what has not been written
        ran: 
        sessions: LOGGED_IN, LOGGED_IN
    "#]].assert_eq(&(blocked + &scene.log_out()));
    drop(claim);
    scene.write(0, "device/state", "running");
    scene.write(1, "device/state", "running");
    assert!(scene.log_out().starts_with("Done"));
}

#[test]
fn a_map_that_is_opened_meanwhile_stays() {
    let scene = Scene::new(&alone()).mapped(&[0, 1]);
    for _ in 0..5 {
        scene.world.answers("multipath -f", 1, "mpatha: map in use");
    }
    expect![[r#"
        the multipath map mpatha is still there after multipath -f: mpatha: map in use
        ran: multipath -f mpatha multipath -f mpatha multipath -f mpatha multipath -f mpatha multipath -f mpatha
        sessions: LOGGED_IN, LOGGED_IN
    "#]]
    .assert_eq(&scene.log_out());
}

/// Such as udev, which looks at a map whenever one of its paths has changed.
#[test]
fn a_map_that_is_only_looked_at_is_removed_afterwards() {
    let scene = Scene::new(&alone()).mapped(&[0, 1]);
    scene.world.answers("multipath -f", 1, "mpatha: map in use");
    expect![[r#"
        Done
        ran: multipath -f mpatha multipath -f mpatha logout delete logout delete
        sessions: none, none
    "#]]
    .assert_eq(&scene.log_out());
}

#[test]
fn a_path_alone_cannot_be_logged_out_under_its_map() {
    let scene = Scene::new(&alone()).mapped(&[0, 1]);
    // The kernel keeps the path for the map.
    let host = disk::Host { sysfs: scene.sysfs.path().to_owned(), ..disk::Host::default() };
    let disk = Disk::open(&scene.world.tree().path("dev/sda"), &host).unwrap();
    let _claim = disk.claim(Access::Read).unwrap();
    let error = scene.world.initiator().log_out(&paths()[0]).unwrap_err();
    assert!(error.is_in_use());
    assert!(chain(&error).contains("dm-0 is built on it"), "{}", chain(&error));
}

#[track_caller]
fn check_login(world: &World, expected: &Expect) {
    let mut lines = String::new();
    for path in paths() {
        let outcome = match world.initiator().log_in_path(&path, &paths(), None) {
            Ok(outcome) => format!("{outcome:?}"),
            Err(error) => chain(&error),
        };
        lines += &format!("{outcome}\nran: {}\n", world.take());
    }
    expected.assert_eq(&lines);
}

#[test]
fn the_other_portals_are_no_obstacle_to_a_path() {
    check_login(
        &World::new(),
        &expect![[r#"
            Done
            ran: new update login
            Done
            ran: new update login
        "#]],
    );
    // A third portal is: no option names it.
    let world = World::new();
    world.happens(Event::Session("169.254.2.9", IQN, "LOGGED_IN"));
    let error = world.initiator().log_in_path(&paths()[0], &paths(), None).unwrap_err();
    assert!(error.to_string().ends_with(
        "is already reached through another portal, 169.254.2.9:3260: log out there first, if that session is this \
         volume's"
    ));
}

#[test]
fn a_broken_path_under_a_map_is_left_to_iscsid() {
    let scene = Scene::new(&alone()).mapped(&[0, 1]);
    scene.world.happens(Event::State(2, "FAILED"));
    let path = &paths()[1];
    let error = scene.world.initiator().log_in_path(path, &paths(), None).unwrap_err();
    expect!["the session to iqn.2015-12.com.oracleiaas:1f2e (LUN 1) at 169.254.2.3:3260 does not work: its state is FAILED; iscsid goes on trying, see journalctl --unit iscsid"]
        .assert_eq(&chain(&error));
    assert_eq!(scene.world.take(), "");
}

#[test]
fn one_known_path_is_its_own_disk_until_a_map_stands_on_it() {
    let alone = alone();
    let one = &paths()[..1];
    let name = |scene: &Scene| {
        let path = scene.world.initiator().multipath_disk(one);
        path.map(|path| path.file_name().unwrap().to_owned()).map_err(|error| chain(&error))
    };
    let scene = Scene::new(&alone);
    assert_eq!(name(&scene).unwrap(), "sda");
    let scene = scene.mapped(&[0]);
    assert_eq!(name(&scene).unwrap(), "dm-0");
}
