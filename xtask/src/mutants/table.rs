//! The checks, where they stand, and the source without them.

/// A check that is taken out.
pub(super) struct Mutant {
    /// Which invariant it is, and what it looks at.
    pub(super) check: &'static str,
    pub(super) file: &'static str,
    pub(super) with: &'static str,
    pub(super) without: &'static str,
    /// Whose tests must notice.
    pub(super) package: &'static str,
    /// Which of them are run; all, if empty.
    pub(super) tests: &'static str,
}

const BLANK: &str = "crates/disk/src/blank.rs";
const DEVICE: &str = "crates/disk/src/device.rs";
const EVIDENCE: &str = "crates/disk/src/evidence.rs";
const IDENTITY: &str = "crates/oci-block/src/identity.rs";
const LOSSES: &str = "crates/oci-block/src/losses.rs";
pub(super) const MOUNT_DEVICE: &str = "crates/oci-block/src/mount_device.rs";
const MOUNTING: &str = "crates/mount/src/mounting.rs";
const PLAN: &str = "crates/oci-block/src/plan.rs";
const PRIVATE_DIR: &str = "crates/oci-block/src/private_dir.rs";

pub(super) const fn mutant(
    check: &'static str,
    file: &'static str,
    [with, without]: [&'static str; 2],
    [package, tests]: [&'static str; 2],
) -> Mutant {
    Mutant { check, file, with, without, package, tests }
}

/// In the order of the invariants in `docs/architecture.md`: formatting, the right disk, letting go.
pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "format: the pod does not want it read-only",
        PLAN,
        [
            "        Wanted { read_only: true, .. } => refuse(\"the pod asks for it read-only\"),\n",
            "",
        ],
        ["oci-block", "plan"],
    ),
    mutant(
        "format: the pod allows it",
        PLAN,
        ["        Wanted { format: false, .. } => refuse(\"the option format is never\"),\n", ""],
        ["oci-block", "plan"],
    ),
    mutant(
        "format: the disk takes writes",
        BLANK,
        ["if self.is_read_only() {", "if false {"],
        ["disk", ""],
    ),
    mutant(
        "format: the disk is whole, not a partition",
        BLANK,
        ["if self.is_partition()? {", "if false {"],
        ["disk", ""],
    ),
    mutant(
        "format: nothing is found to use it",
        BLANK,
        ["if !users.is_empty() {", "if false {"],
        ["disk", ""],
    ),
    mutant(
        "format: short reads are failures",
        "crates/disk/src/reader.rs",
        [
            "Ok(length) if length == piece.len() => return Ok(()),",
            "Ok(_) if true => return Ok(()),",
        ],
        ["disk", ""],
    ),
    mutant(
        "format: every byte is zero",
        EVIDENCE,
        [
            "} else if let Some(offset) = self.data {",
            "} else if let Some(offset) = self.data.filter(|_| false) {",
        ],
        ["disk", "destroyers"],
    ),
    mutant(
        "format: our own search finds nothing",
        EVIDENCE,
        [
            "if let Some(own) = listing(&self.own) {",
            "if let Some(own) = listing(&self.own).filter(|_| false) {",
        ],
        ["disk", "destroyers"],
    ),
    mutant(
        "format: blkid finds nothing",
        EVIDENCE,
        [
            "blkid::Verdict::Found(probe) => signs.push(format!(\"blkid finds {probe}\")),",
            "blkid::Verdict::Found(_) => {}",
        ],
        ["disk", ""],
    ),
    mutant(
        "format: blkid is not ambivalent",
        EVIDENCE,
        ["signs.push(\"blkid finds several things (ambivalent)\".to_owned());", ""],
        ["disk", ""],
    ),
    mutant(
        "format: wipefs lists nothing",
        EVIDENCE,
        [
            "if let Some(listed) = listing(&self.listed) {",
            "if let Some(listed) = listing(&self.listed).filter(|_| false) {",
        ],
        ["disk", ""],
    ),
    mutant(
        "format: udev remembers nothing",
        EVIDENCE,
        [
            "if let Some(udev) = &self.udev {\n            signs",
            "if let Some(udev) = self.udev.as_ref().filter(|_| false) {\n            signs",
        ],
        ["disk", ""],
    ),
    mutant(
        "format: all are asked twice",
        BLANK,
        [
            "        ask(&extents::sampled(self.size(), seed))?;\n        Ok(claim)",
            "        Ok(claim)",
        ],
        ["disk", ""],
    ),
    mutant(
        "format: the volume was never seen with a file system",
        MOUNT_DEVICE,
        [
            "            RecordState::Known(VolumeRecord { fs_uuid: Some(uuid), .. }) => {\n                let uuid",
            "            RecordState::Known(VolumeRecord { fs_uuid: Some(uuid), .. }) if uuid == \"-\" => {\n                let uuid",
        ],
        ["driver", "destroyers::a_"],
    ),
    mutant(
        "format: the record is whole",
        MOUNT_DEVICE,
        [
            "            RecordState::Corrupt => {\n                return Err(Refusal::RecordDamaged { volume: volume(), record }.into());\n            }\n",
            "            RecordState::Corrupt => {}\n",
        ],
        ["driver", "destroyers::a_"],
    ),
    mutant(
        "format: the intent is durable first",
        MOUNT_DEVICE,
        [
            "        self.remember(VolumeRecord { formatting: Some(uuid.clone()), ..self.volume_record() })?;\n",
            "",
        ],
        ["driver", "kill::mountdevice_of_a_blank_disk_goes_on"],
    ),
    mutant(
        "format: only an interrupted one of this very disk is finished",
        MOUNT_DEVICE,
        [
            "        if !is_same(before, identity) || before.size != disk.size() {",
            "        if false {",
        ],
        ["driver", "destroyers::an_"],
    ),
    mutant(
        "format: what is left carries our UUID only",
        EVIDENCE,
        ["        finished(&self.head).map(str::to_owned)", "        None"],
        ["disk", ""],
    ),
    mutant(
        "format: the result is looked at",
        "crates/mount/src/format.rs",
        ["if !self.is_complete(&disk, fs, uuid)? {", "if false {"],
        ["mount", ""],
    ),
    mutant(
        "right disk: its identity is proven",
        "crates/oci-block/src/staged_disk.rs",
        [
            "        let identity = prove_identity(volume, &disk, &recall, &records)?;\n",
            "        let identity = disk.identity();\n",
        ],
        ["driver", "wrong_disk"],
    ),
    mutant(
        "right disk: udev says that the link leads to it",
        "crates/oci-block/src/disk_path.rs",
        ["Ok(disk.is_linked(path)?.then_some(disk))", "Ok(Some(disk))"],
        ["driver", "wrong_disk"],
    ),
    mutant(
        "right disk: its file system is the one seen before",
        MOUNT_DEVICE,
        [
            "        prove_file_system(volume, disk, self.device, uuid.as_deref(), recall, records)?;\n",
            "",
        ],
        ["driver", "wrong_disk"],
    ),
    mutant(
        "right disk: it is no other volume's",
        IDENTITY,
        ["find(|(_, volume_record)| is_same(volume_record, &now))", "find(|_| false)"],
        ["driver", "wrong_disk"],
    ),
    mutant(
        "right disk: its file system is no other volume's",
        IDENTITY,
        ["find(|(_, it)| !is_another(it, disk, device))", "find(|_| false)"],
        ["driver", "wrong_disk"],
    ),
    mutant(
        "right disk: its number is the one that is pinned",
        DEVICE,
        [
            "        same_number(&self.path, self.number, number_at(&self.path)?)?;\n        same_number",
            "        same_number",
        ],
        ["disk", ""],
    ),
    mutant(
        "right disk: what is mounted is looked at",
        MOUNTING,
        ["if request.is_met_by(found) {", "if true {"],
        ["mount", ""],
    ),
    mutant(
        "right disk: it is not mounted elsewhere",
        MOUNTING,
        ["if !places.is_empty() {", "if false {"],
        ["mount", ""],
    ),
    mutant(
        "letting go: no process has it open exclusively",
        DEVICE,
        [
            "            .custom_flags(flag(OFlags::EXCL))\n            .open(&self.path);",
            "            .open(&self.path);",
        ],
        ["disk", ""],
    ),
    mutant(
        "letting go: what was written to the file system is on the disk, or its loss is said",
        "crates/mount/src/unmounting.rs",
        ["flushed(&self.dir).map_err(", "flushed(&self.dir).or(Ok(())).map_err("],
        ["mount", ""],
    ),
    mutant(
        "letting go: lost writes are noted before the unmount",
        LOSSES,
        ["        if let Some(loss) = &loss {\n            self.note(loss)?;\n        }\n", ""],
        ["driver", "kill::unmountdevice_of_a_disk_that_loses"],
    ),
    mutant(
        "letting go: what was asked and not answered is said",
        LOSSES,
        ["            None if was_asked &&", "            None if false &&"],
        ["driver", "kill::unmountdevice_of_a_disk_that_loses"],
    ),
    mutant(
        "letting go: the mounted disk says whose it is",
        "crates/oci-block/src/volume_at.rs",
        [
            "    if let Some(mounted) = &mounted {",
            "    if let Some(mounted) = mounted.as_ref().filter(|_| false) {",
        ],
        ["oci-block", "volume_at"],
    ),
    mutant(
        "letting go: an alias does not outweigh a volume's own key",
        "crates/oci-block/src/volume_at.rs",
        ["if known.has(own) || is_strange", "if false"],
        ["oci-block", "volume_at"],
    ),
    mutant(
        "a login that makes nothing leaves no note",
        "crates/oci-block/src/login.rs",
        ["        if self.has_noted {", "        if false {"],
        ["oci-block", "login"],
    ),
    mutant(
        "what another tool has made is not noted",
        "crates/oci-block/src/login.rs",
        ["                || self.initiator.has_foreign_record(target)", ""],
        ["oci-block", "login"],
    ),
    mutant(
        "files: links are not followed",
        PRIVATE_DIR,
        ["flags | OFlags::NOFOLLOW | OFlags::NONBLOCK", "flags | OFlags::NONBLOCK"],
        ["oci-block", "private_dir"],
    ),
    mutant(
        "files: no other user owns or writes to them",
        PRIVATE_DIR,
        ["        check(&path, &metadata, Shared::Never)?;\n        Ok(file)", "        Ok(file)"],
        ["oci-block", "private_dir"],
    ),
    mutant(
        "letting go: what was written to the disk is on it",
        "crates/iscsi/src/release.rs",
        ["            disk.flush().map_err(not_released)?;\n", ""],
        ["iscsi", ""],
    ),
    mutant(
        "letting go: the boot volume is spared",
        "crates/iscsi/src/logout.rs",
        ["        self.refuse_boot_target(target)?;\n", ""],
        ["iscsi", ""],
    ),
    mutant(
        "letting go: the session is gone",
        "crates/iscsi/src/logout.rs",
        ["if gone.is_some() {", "if gone.is_some() || true {"],
        ["iscsi", ""],
    ),
    mutant(
        "letting go: other mounts of the disk keep it",
        "crates/mount/src/unmounting.rs",
        ["if !places.is_empty() {", "if false {"],
        ["mount", ""],
    ),
    mutant(
        "one call at a time for a volume",
        "crates/oci-block/src/lock.rs",
        [
            "Err(fs::TryLockError::WouldBlock) => Ok(None),",
            "Err(fs::TryLockError::WouldBlock) => Ok(Some(())),",
        ],
        ["oci-block", "lock"],
    ),
    mutant(
        "records are checksummed",
        "crates/oci-block/src/volume_record.rs",
        ["(sum == checksum(body)).then(", "(sum != \"\").then("],
        ["oci-block", "volume_record"],
    ),
    mutant(
        "repair is left to people",
        "crates/mount/src/check.rs",
        [
            "        4..=7 => Verdict::Damaged,\n        _ => Verdict::Failed,\n    }\n}",
            "        4..=7 => Verdict::Sound,\n        _ => Verdict::Failed,\n    }\n}",
        ],
        ["mount", "check"],
    ),
    mutant(
        "detach: only from that instance",
        "crates/oci-block/src/detach.rs",
        [
            "AttachmentStatus::NotAttached | AttachmentStatus::AttachedElsewhere(_) => {",
            "AttachmentStatus::AttachedElsewhere(it) => remove(cloud, it)?,\n                AttachmentStatus::NotAttached => {",
        ],
        ["driver", "detach"],
    ),
    mutant(
        "detach: not while it is in use",
        "crates/oci-block/src/detach.rs",
        ["                    refuse_in_use(driver, cloud, &name.all(it), node, it)?;\n", ""],
        ["driver", ""],
    ),
    mutant(
        "detach: only the attachment that was looked at",
        "crates/oci-block/src/detach.rs",
        [
            "&DetachVolume { id, if_match: seen.etag.as_deref() }",
            "&DetachVolume { id, if_match: None }",
        ],
        ["driver", "detach"],
    ),
];
