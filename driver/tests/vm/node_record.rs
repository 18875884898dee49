//! Node records that were not written to their end: iscsiadm was killed there, or power failed.

use std::{thread, time::Duration};

use testbed::{FaultRow, seen_to_fail, seen_to_succeed, success};

use crate::{guest::Guest, shell::sh, volume::Volume, wait_for_attach::iqn};

const NODES: &str = "/etc/iscsi/nodes";
/// What is seen of the driver's one record.
const RECORD: &str = "# BEGIN RECORD 2.1.8\nnode.startup = manual\nnode.session.scan = manual\nnode.conn[0].startup = manual";

/// What is left of the record of `$name`, which was `/tmp/whole`: in words, and made by a shell.
const REMAINS: [(&str, &str); 10] = [
    ("an empty file", ": >$name"),
    ("NUL bytes", "head -c 2800 /dev/zero >$name"),
    ("a third of it", "head -c 1000 /tmp/whole >$name"),
    ("an empty folder", "mkdir $name"),
    ("an empty file of an interface", "mkdir $name; : >$name/default"),
    ("an empty folder of a portal group", "mkdir $name,1"),
    (
        "a third of that of a portal group",
        "mkdir $name,1; head -c 1000 /tmp/whole >$name,1/default",
    ),
    ("one without a name", "grep -v ^node.name /tmp/whole >$name"),
    ("one without an address", "grep -v address /tmp/whole >$name"),
    // And what works by itself: an administrator has looked for targets.
    ("a discovery", "mkdir $name,1; sed 's/tpgt = -1/tpgt = 1/' /tmp/whole >$name,1/default"),
];

#[test]
fn a_torn_record_is_written_anew() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.attached(1);
    success(&volume.wait(&device));
    let iqn = iqn(&device);
    let record = sh(&format!("ls {NODES}/{iqn}/*"));
    sh(&format!(
        "cp {record} /tmp/whole; mkdir {NODES}/{iqn}-other; : >{NODES}/{iqn}-other/169.254.2.2,3260"
    ));
    success(&volume.unmount());
    let others = sh(&format!("find {NODES}"));
    let mut row = FaultRow::new(
        "X7",
        "iscsiadm killed, or power lost, while it wrote the node record: what is left of it laid by hand",
    );
    for (what, script) in REMAINS {
        let lay = format!("mkdir {NODES}/{iqn}; name={record}; {script}");
        sh(&lay);
        let answer = volume.wait(&device);
        assert!(answer.is_success(), "{what}: {answer:?}");
        let records = sh(&format!("iscsiadm -m node -T {iqn} | grep -E 'BEGIN|startup|scan'"));
        assert_eq!(records, RECORD, "{what}");
        sh(&format!("rm -r {NODES}/{iqn}; {lay}"));
        success(&volume.unmount());
        assert_eq!(sh(&format!("find {NODES}")), others, "{what}");
    }
    let all = REMAINS.len();
    row.saw(
        "Success",
        &format!("{all} kinds of remains, waitforattach and unmountdevice, nothing left over"),
    );
}

#[test]
fn a_record_that_is_torn_under_a_session_does_no_harm() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let device = volume.up();
    let iqn = iqn(&device);
    let tear = || sh(&format!("truncate -s 1000 {NODES}/{iqn}/*"));
    tear();
    success(&volume.expand(&device, 16 << 20));
    let answer = volume.wait(&device);
    seen_to_succeed("X7", "the node record torn under a session; waitforattach", &answer);
    // iscsid keeps a session that has no record, and gives one up whose record is torn.
    start_iscsid_anew(&guest);
    unmount(&volume);

    success(&volume.mount(&device));
    tear();
    start_iscsid_anew(&guest);
    let answer = volume.unmount();
    seen_to_fail(
        "X7",
        "the node record torn under a session, iscsid started anew; unmountdevice",
        &answer,
        &["does not know the session", "systemctl restart iscsid"],
    );
    start_iscsid_anew(&guest);
    unmount(&volume);
    assert_eq!((guest.sessions(), &*sh(&format!("ls {NODES}"))), (0, ""));
}

#[test]
fn a_record_of_an_administrator_outlives_what_is_refused() {
    let guest = Guest::fresh();
    let (volume, other) = (guest.volume(), guest.volume());
    let (device, others) = (volume.attached(1), other.attached(1));
    let iqn = iqn(&device);
    sh(&format!(
        "iscsiadm -m node -T {iqn} -p 169.254.2.2:3260 --op new
        iscsiadm -m node -T {iqn} -p 169.254.2.2:3260 --op update -n node.session.auth.username -v theirs"
    ));
    let record = || sh(&format!("cat {NODES}/{iqn}/*"));
    let before = record();
    let left = format!(
        "find /var/lib/oci-flexvolume-driver /run/oci-flexvolume-driver/sessions -name '*{}*' 2>/dev/null || :",
        volume.name()
    );
    for (done, use_chap, part) in [
        ("useChap without credentials", "true", "wants CHAP credentials, and this node knows none"),
        ("the portal does not answer", "false", "169.254.2.2:3260"),
    ] {
        if use_chap == "false" {
            guest.storage.kill();
        }
        let options = volume.options(&[("useChap", use_chap)]);
        let answer = guest.node(1).call(&["waitforattach", &*device, &options]).unwrap();
        let done = format!("{done}, and the target's node record is an administrator's");
        seen_to_fail("U9", done, &answer, &[part]);
        assert_eq!((record(), &*sh(&left)), (before.clone(), ""));
    }
    guest.storage.restart();

    // Nor does a sweep touch it.
    success(&other.wait(&others));
    sh("touch -d '1 hour ago' /run/oci-flexvolume-driver/sessions/*");
    success(&other.wait(&others));
    success(&other.wait(&others));
    assert_eq!(record(), before);
    success(&volume.wait(&device));
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 1);
}

fn start_iscsid_anew(guest: &Guest) {
    guest.kill_iscsid();
    guest.start_iscsid();
}

/// unmountdevice, as soon as an iscsid that was started anew has its session up again.
#[track_caller]
fn unmount(volume: &Volume<'_>) {
    let mut answer = volume.unmount();
    for _ in 0..100 {
        if !answer.message().contains("blocked") {
            break;
        }
        thread::sleep(Duration::from_millis(200));
        answer = volume.unmount();
    }
    success(&answer);
}
