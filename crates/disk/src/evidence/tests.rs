//! What follows from given statements.

use super::*;
use crate::signature::{Signature, Strength};

const OURS: &str = "11111111-2222-3333-4444-555555555555";
const OTHER: &str = "99999999-2222-3333-4444-555555555555";

fn silence() -> Evidence {
    Evidence {
        data: None,
        own: Vec::new(),
        blkid: blkid::Verdict::Nothing,
        listed: Vec::new(),
        udev: None,
        head: vec![0; HEAD],
    }
}

fn own(name: &'static str, offset: u64, uuid: Option<&str>, strength: Strength) -> Signature {
    Signature { name, offset, uuid: uuid.map(str::to_owned), strength }
}

fn listed(fs_type: &str, offset: u64, uuid: &str) -> wipefs::Listed {
    wipefs::Listed { offset, uuid: Some(uuid.to_owned()), fs_type: fs_type.to_owned() }
}

fn probe(fs_type: &str, usage: &str, uuid: &str) -> blkid::Verdict {
    blkid::Verdict::Found(blkid::Probe {
        fs_type: Some(fs_type.to_owned()),
        usage: Some(usage.to_owned()),
        uuid: Some(uuid.to_owned()),
        partition_table: None,
    })
}

/// A sound ext4 that was never mounted.
fn ext4(uuid: &str) -> Evidence {
    let mut head = vec![0; HEAD];
    head[1080..1082].copy_from_slice(b"\x53\xef");
    Evidence {
        data: Some(1024),
        own: vec![
            own("ext", 1080, Some(uuid), Strength::Primary),
            own("ext", 8_389_688, Some(uuid), Strength::Weak),
        ],
        blkid: probe("ext4", "filesystem", uuid),
        listed: vec![listed("ext4", 0x438, uuid)],
        udev: Some(udev::Remembered { what: "ext4".to_owned(), uuid: Some(uuid.to_owned()) }),
        head,
    }
}

fn remembered(what: &str, uuid: Option<&str>) -> Option<udev::Remembered> {
    Some(udev::Remembered { what: what.to_owned(), uuid: uuid.map(str::to_owned) })
}

#[track_caller]
fn check_objection(evidence: &Evidence, expected: &str) {
    assert_eq!(evidence.objection().as_deref(), Some(expected));
    assert!(matches!(evidence.other(), Contents::Other { what } if what == expected));
}

#[test]
fn silence_of_all_probes_is_nothing() {
    assert_eq!(silence().objection(), None);
    assert_eq!(silence().other(), Contents::Nothing);
    assert_eq!(silence().foreign(OURS), None);
}

#[test]
fn one_dissenting_probe_is_enough() {
    check_objection(
        &Evidence { data: Some(4097), ..silence() },
        "it holds data of unknown kind at offset 4097",
    );
    check_objection(
        &Evidence { own: vec![own("gpt backup", 512, None, Strength::Weak)], ..silence() },
        "it holds gpt backup at offset 512",
    );
    check_objection(
        &Evidence { blkid: blkid::Verdict::Ambivalent, ..silence() },
        "blkid finds several things (ambivalent)",
    );
    check_objection(
        &Evidence { blkid: probe("xfs", "filesystem", OURS), ..silence() },
        "blkid finds xfs",
    );
    check_objection(
        &Evidence { blkid: blkid::Verdict::Found(blkid::Probe::default()), ..silence() },
        "blkid finds something without a type",
    );
    check_objection(
        &Evidence { listed: vec![listed("dos", 510, "")], ..silence() },
        "wipefs lists dos at offset 510",
    );
    check_objection(
        &Evidence { udev: remembered("ext4", None), ..silence() },
        "udev remembers ext4",
    );
}

#[test]
fn every_statement_is_in_the_message_and_long_lists_are_cut() {
    let mut evidence = ext4(OURS);
    evidence.own.extend((1..9).map(|n| own("xfs", n << 30, None, Strength::Weak)));
    assert_eq!(
        evidence.objection().as_deref(),
        Some(
            "it holds ext at offset 1080, ext at offset 8389688, xfs at offset 1073741824, \
             xfs at offset 2147483648, xfs at offset 3221225472, xfs at offset 4294967296 \
             and 4 more; blkid finds ext4; wipefs lists ext4 at offset 1080; udev remembers ext4"
        )
    );
}

#[test]
fn a_file_system_is_one_when_all_agree() {
    let expected = Contents::Filesystem { fs_type: "ext4".to_owned(), uuid: Some(OURS.to_owned()) };
    assert_eq!(ext4(OURS).file_system().as_ref(), Some(&expected));
    // leftovers and user data may look like backups of something else
    let mut evidence = ext4(OURS);
    evidence.own.push(own("xfs", 1 << 40, None, Strength::Weak));
    evidence.udev = remembered("xfs", None);
    assert_eq!(evidence.file_system(), Some(expected));
}

#[test]
fn a_doubted_file_system_is_something_else() {
    let changes: [fn(&mut Evidence); 7] = [
        |e| e.own.push(own("crypto_LUKS", 0, None, Strength::Primary)),
        |e| e.own.clear(),
        |e| e.own.retain(|found| found.strength == Strength::Weak),
        |e| e.blkid = blkid::Verdict::Ambivalent,
        |e| e.blkid = blkid::Verdict::Nothing,
        |e| e.blkid = probe("linux_raid_member", "raid", OURS),
        |e| {
            if let blkid::Verdict::Found(probe) = &mut e.blkid {
                probe.partition_table = Some("dos".to_owned());
            }
        },
    ];
    for change in changes {
        let mut evidence = ext4(OURS);
        change(&mut evidence);
        assert_eq!(evidence.file_system(), None);
        let contents = evidence.other();
        assert!(matches!(contents, Contents::Other { .. }), "{contents:?}");
    }
}

#[track_caller]
fn check_foreign(change: impl Fn(&mut Evidence), expected: Option<&str>) {
    let mut evidence = ext4(OURS);
    change(&mut evidence);
    assert_eq!(evidence.foreign(OURS).as_deref(), expected);
}

#[test]
fn own_leftovers_are_not_foreign() {
    check_foreign(|_| {}, None);
    check_foreign(|e| e.udev = None, None);
    check_foreign(|e| (e.blkid, e.listed, e.own) = (blkid::Verdict::Nothing, vec![], vec![]), None);
    assert_eq!(Evidence { data: Some(0), ..silence() }.foreign(OURS), None);
    assert_eq!(ext4(OURS).foreign(&OURS.to_uppercase()), None);
}

#[test]
fn anything_of_others_is_foreign() {
    let not_ours = |what: &str| format!("{what} does not carry the UUID {OURS}");
    assert_eq!(ext4(OTHER).foreign(OURS), Some(not_ours("ext at offset 1080")));
    check_foreign(
        |e| e.own.push(own("ext", 5, Some(OTHER), Strength::Weak)),
        Some(&not_ours("ext at offset 5")),
    );
    check_foreign(
        |e| e.own.push(own("gpt", 512, None, Strength::Primary)),
        Some(&not_ours("gpt at offset 512")),
    );
    check_foreign(
        |e| e.listed.push(listed("swap", 4086, OTHER)),
        Some(&not_ours("swap at offset 4086")),
    );
    check_foreign(
        |e| e.blkid = probe("ext4", "filesystem", OTHER),
        Some(&not_ours("ext4, found by blkid,")),
    );
    check_foreign(
        |e| e.blkid = probe("crypto_LUKS", "crypto", OURS),
        Some(&not_ours("crypto_LUKS, found by blkid,")),
    );
    check_foreign(
        |e| e.blkid = blkid::Verdict::Ambivalent,
        Some("blkid finds several things (ambivalent)"),
    );
    check_foreign(
        |e| e.udev = remembered("xfs", None),
        Some(&not_ours("xfs, remembered by udev,")),
    );
}

#[test]
fn data_in_the_first_sector_is_no_leftover_of_a_mkfs() {
    for at in [0, 3, 511] {
        let mut evidence = silence();
        evidence.head[at] = b'x';
        let what = format!("it holds data of unknown kind at offset {at}");
        assert_eq!(evidence.foreign(OURS), Some(what));
        check_foreign(
            |e| e.head[at] = b'x',
            Some(&format!("it holds data of unknown kind at offset {at}")),
        );
    }
    check_foreign(|e| e.head[512] = b'x', None);
}

#[test]
fn a_mounted_or_finished_file_system_is_not_made_again() {
    let mounted = Some("its file system has been mounted since it was made");
    check_foreign(|e| e.head[1024 + 44] = 1, mounted);
    check_foreign(|e| e.head[1024 + 52] = 1, mounted);

    let mut xfs = Evidence { own: vec![own("xfs", 0, Some(OURS), Strength::Primary)], ..silence() };
    xfs.head[..4].copy_from_slice(b"XFSB");
    assert_eq!(
        xfs.foreign(OURS).as_deref(),
        Some("its mkfs had finished: the file system can be checked and mounted as it is")
    );
    xfs.head[126] = 1;
    assert_eq!(xfs.foreign(OURS), None);
}
