//! Sessions that the target authenticates: the secret opens the disk and is to be seen nowhere.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use testbed::{Answer, FaultRow, Place, seen_to_fail, seen_to_succeed, success};

use crate::{
    guest::Guest,
    shell::{sh, try_sh},
    volume::Volume,
};

const USE_CHAP: [(&str, &str); 1] = [("useChap", "true")];

/// A volume that is attached with CHAP: its device and its secret.
fn attached(volume: &Volume<'_>) -> (String, String) {
    let args = ["attach", &volume.options(&USE_CHAP), "node-1"];
    let answer = volume.guest.controller().call(&args).unwrap();
    success(&answer);
    let (_, secret) = volume.guest.storage.chap(&volume.ocid).unwrap();
    (answer.field("device").unwrap(), secret)
}

fn wait(volume: &Volume<'_>, place: &Place<'_>, device: &str, more: &[(&str, &str)]) -> Answer {
    place.call(&["waitforattach", device, &volume.options(more)]).unwrap()
}

/// Reads all command lines of the machine, again and again, while `work` goes on; how often `secret` was in one.
fn seen_in_process_table(secret: &str, work: impl FnOnce()) -> (usize, usize) {
    let over = Arc::new(AtomicBool::new(false));
    let (watch, marker) = (Arc::clone(&over), secret.to_owned());
    let watcher = thread::spawn(move || {
        let (mut looks, mut found) = (0, 0);
        while !watch.load(Ordering::Relaxed) {
            looks += 1;
            for entry in fs::read_dir("/proc").unwrap().flatten() {
                let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                found += usize::from(String::from_utf8_lossy(&line).contains(&marker));
            }
        }
        (looks, found)
    });
    work();
    over.store(true, Ordering::Relaxed);
    watcher.join().unwrap()
}

/// The files of the machine that hold `secret`.
fn files_with(secret: &str) -> String {
    sh(&format!("grep -rlF -e {secret} /etc /var /run /tmp/hosts 2>/dev/null || true"))
}

#[test]
fn what_a_login_is_like_is_not_for_iscsid_conf_to_say() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let (device, _) = attached(&volume);
    sh("cd /etc/iscsi && cp -a iscsid.conf /tmp/iscsid.conf
        printf '%s\\n' 'node.session.nr_sessions = 2' 'node.session.auth.username_in = them' \
            'node.session.auth.password_in = anothersecret' >>iscsid.conf");
    let answer = wait(&volume, &guest.node_with_credentials(), &device, &USE_CHAP);
    sh("cp -a /tmp/iscsid.conf /etc/iscsi/iscsid.conf");
    seen_to_succeed("W11", "CHAP; iscsid.conf says two sessions and mutual CHAP", &answer);
    assert_eq!(guest.sessions(), 1);
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
}

#[test]
fn the_secret_opens_the_disk_and_is_seen_nowhere() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let (device, secret) = attached(&volume);
    let node = guest.node_with_credentials();
    let mut command_lines =
        FaultRow::new("W11", "CHAP, with the API's secret; every command line read");
    let (looks, found) = seen_in_process_table(&secret, || {
        success(&wait(&volume, &node, &device, &USE_CHAP));
        let args = ["mountdevice", &volume.dir(), &device, &volume.options(&USE_CHAP)];
        success(&node.call(&args).unwrap());
    });
    assert_eq!(found, 0);
    assert!(looks > 10, "{looks}");
    command_lines.saw("Success", &format!("in 0 of {looks} readings of the process table"));

    let record = sh("ls /etc/iscsi/nodes/*/*");
    assert_eq!(files_with(&secret), record, "only the node record holds it");
    assert_eq!(sh(&format!("stat -c %a {record}")), "600");
    sh(&format!("echo letter >{}/letter", volume.dir()));
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
    assert_eq!(files_with(&secret), "", "it goes with the session");
    success(&volume.detach(1));
    assert_eq!(guest.sim.violations(), [""; 0]);
}

#[test]
fn a_target_that_wants_chap_needs_no_option_but_credentials() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let (device, _) = attached(&volume);
    let refused = wait(&volume, &guest.node(1), &device, &[]);
    seen_to_fail(
        "W11",
        "CHAP wanted, and the node has no credentials",
        &refused,
        &["wants CHAP credentials, and this node knows none", "config.yaml"],
    );
    assert_eq!(guest.sessions(), 0);

    success(&wait(&volume, &guest.node_with_credentials(), &device, &[]));
    assert_eq!(guest.sessions(), 1);
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
}

#[test]
fn a_wrong_secret_leaves_nothing_and_a_rotated_one_works() {
    let guest = Guest::fresh();
    let volume = guest.volume();
    let (device, secret) = attached(&volume);
    let node = guest.node_with_credentials();
    let attachment = guest.sim.attachments()[0].id.clone();

    guest.sim.set_chap_secret(&attachment, "wrongsecret12");
    let refused = wait(&volume, &node, &device, &USE_CHAP);
    seen_to_fail(
        "W11",
        "the target has another secret than the API tells",
        &refused,
        &["the target wants other CHAP credentials (iscsiadm exit code 24"],
    );
    assert!(!refused.message().contains("wrongsecret12"), "{refused:?}");
    assert_eq!(guest.sessions(), 0);
    assert!(!try_sh("ls /etc/iscsi/nodes/*/*"), "a record stays");
    assert_eq!(files_with("wrongsecret12"), "");

    guest.sim.set_chap_secret(&attachment, &secret);
    success(&wait(&volume, &node, &device, &USE_CHAP));
    success(&volume.unmount());

    guest.sim.set_chap_secret(&attachment, "rotatedsecret");
    guest.storage.rotate_chap(&volume.ocid, "rotatedsecret");
    let rotated = wait(&volume, &node, &device, &USE_CHAP);
    seen_to_succeed("W11", "the secret rotated between two logins", &rotated);
    assert_eq!(files_with(&secret), "");
    success(&volume.unmount());
    assert_eq!(guest.sessions(), 0);
}
