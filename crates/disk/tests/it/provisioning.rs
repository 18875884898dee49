//! The target's own word that nothing is stored on a disk.

use std::{fs, sync::Mutex, time::Duration};

use clock::ManualClock;
use command::{Command, Output, Runner};
use disk::{BlankCheck, Coverage, Disk, Host};

use crate::{loop_disk::LoopDisk, namespace::private, tool};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 1 << 30;

/// The disk as a SCSI disk.
fn scsi(disk: &LoopDisk) -> Disk {
    let sysfs = disk.dir().join("sys");
    let dir = sysfs.join("dev/block").join(disk.open().number().to_string());
    fs::create_dir_all(dir.join("device")).unwrap();
    let number = disk.open().number().to_string();
    let sectors = (SIZE / 512).to_string();
    for (name, text) in
        [("dev", &*number), ("size", &sectors), ("ro", "0"), ("device/state", "running")]
    {
        fs::write(dir.join(name), text).unwrap();
    }
    Disk::open(disk.path(), &Host { sysfs, ..Host::default() }).unwrap()
}

/// A target that says of its thin disk what it is told to; real programs for all else.
#[derive(Debug, Default)]
struct Target {
    /// The capacity's bits.
    provisioning: &'static str,
    /// The answers to GET LBA STATUS, in order.
    answers: Vec<&'static str>,
    asked: Mutex<Vec<String>>,
}

impl Runner for Target {
    fn run(&self, command: &Command) -> Result<Output, command::Error> {
        let stdout = match command.program() {
            "sg_readcap" => format!(
                "Read Capacity results:\n   Logical block provisioning: {}\n   Last LBA=2097151 (0x1fffff), Number of \
                 logical blocks=2097152\n   Logical block length=512 bytes\n",
                self.provisioning
            ),
            "sg_get_lba_status" => {
                let mut asked = self.asked.lock().unwrap();
                let line = command.to_string();
                asked.push(line.rsplit_once(' ').unwrap().0.to_owned());
                match self.answers.get(asked.len() - 1) {
                    Some(answer) => format!("Completion condition=0\nRTP=0\n{answer}\n"),
                    None => {
                        // Invalid opcode: sg3_utils(8)
                        return Ok(Output { code: 9, stdout: String::new(), stderr: "no".into() });
                    }
                }
            }
            _ => return tool::runner().run(command),
        };
        Ok(Output { code: 0, stdout, stderr: String::new() })
    }
}

/// No time for samples, so only the target can prove anything.
const AT_LEAST: BlankCheck = BlankCheck::Sampled { budget: Duration::ZERO, seed: 0 };

fn prove(disk: &Disk, runner: &dyn Runner, check: BlankCheck) -> Result<Coverage, disk::Error> {
    let blank = disk.prove_blank(runner, &ManualClock::default(), check)?;
    Ok(blank.coverage().unwrap())
}

#[track_caller]
fn check(provisioning: &'static str, answers: &[&'static str], proven: bool, asked: &[&str]) {
    private(|| {
        let disk = LoopDisk::new(SIZE);
        let target = Target { provisioning, answers: answers.to_vec(), ..Target::default() };
        let seen = prove(&scsi(&disk), &target, AT_LEAST).unwrap();
        assert_eq!((seen.is_proof(), seen.deallocated), (proven, proven), "{seen}");
        let lines = asked
            .iter()
            .map(|lba| format!("sg_get_lba_status --brief --readonly --lba={lba} --maxlen=1032"));
        assert_eq!(*target.asked.lock().unwrap(), lines.collect::<Vec<_>>());
    });
}

#[test]
fn what_is_deallocated_and_reads_as_zeros_is_proven() {
    check("lbpme=1, lbprz=1", &["0x0000000000000000  0x200000  1  0"], true, &["0"]);
    check(
        "lbpme=1, lbprz=1",
        &["0x0000000000000000  0x800  1  0", "0x0000000000000800  0x1ff800  1  0"],
        true,
        &["0", "2048"],
    );
}

#[test]
fn anything_else_proves_nothing() {
    let all = &["0x0000000000000000  0x200000  1  0"];
    check("lbpme=1, lbprz=0", all, false, &[]);
    check("lbpme=0, lbprz=1", all, false, &[]);
    check("", all, false, &[]);
    check("lbpme=1, lbprz=1", &[], false, &["0"]);
    check("lbpme=1, lbprz=1", &["0x0000000000000000  0x200000  0  0"], false, &["0"]);
    check("lbpme=1, lbprz=1", &["0x0000000000000000  0x100000  1  0"], false, &["0", "1048576"]);
    check("lbpme=1, lbprz=1", &["RTP=1"; 3], false, &["0"]);
}

#[test]
fn the_word_of_a_target_does_not_outweigh_what_is_seen() {
    private(|| {
        let disk = LoopDisk::new(SIZE);
        let target = || Target {
            provisioning: "lbpme=1, lbprz=1",
            answers: vec!["0x0000000000000000  0x200000  1  0"],
            ..Target::default()
        };
        let seen = prove(&scsi(&disk), &target(), BlankCheck::default()).unwrap();
        assert!(seen.read > 34 * MIB, "{seen}");
        assert_eq!(
            seen.to_string(),
            format!(
                "proven: the target says that all 1073741824 bytes are deallocated and read as zeros, and {} bytes were \
                 read, all of them zeros",
                seen.read
            )
        );
        // Who wants everything read gets that.
        let full = prove(&scsi(&disk), &target(), BlankCheck::Full).unwrap();
        assert_eq!((full.read, full.deallocated), (SIZE, false));

        disk.write(17 * MIB - 1, b"x");
        let error = prove(&scsi(&disk), &target(), BlankCheck::default()).unwrap_err();
        assert!(error.is_not_blank(), "{error}");
    });
}

/// Without sg3-utils, or with programs that hang until they are killed, the disk is read.
#[test]
fn a_missing_program_says_nothing() {
    #[derive(Debug)]
    struct Without(fn() -> command::Error);
    impl Runner for Without {
        fn run(&self, command: &Command) -> Result<Output, command::Error> {
            if command.program().starts_with("sg_") {
                Err(self.0())
            } else {
                tool::runner().run(command)
            }
        }
    }
    private(|| {
        let disk = LoopDisk::new(SIZE);
        let missing =
            || command::Error::NotFound { program: "sg_readcap", search_path: "/".into() };
        let hangs = || command::Error::Signalled { program: "sg_readcap", signal: 9 };
        for failure in [missing, hangs] {
            let seen = prove(&scsi(&disk), &Without(failure), AT_LEAST).unwrap();
            assert!(!seen.is_proof(), "{seen}");
        }
    });
}
