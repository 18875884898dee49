//! Mounts that go wrong are noticed in the mount table, and undone.

use command::{Command, Output, Runner, testing::Script};
use mount::Mounter;

use crate::{
    loop_disk::{LoopDisk, with_runner},
    namespace::private,
    tool::{run, runner},
};

/// Programs of the host, but this line instead of mount.
#[derive(Debug)]
struct InsteadOfMount(String);

impl Runner for InsteadOfMount {
    fn run(&self, command: &Command) -> Result<Output, command::Error> {
        if command.program() != "mount" {
            return runner().run(command);
        }
        if !self.0.is_empty() {
            run(&self.0);
        }
        Ok(Output { code: 0, stdout: String::new(), stderr: String::new() })
    }
}

#[test]
fn a_mount_that_went_wrong_is_undone() {
    private(|| {
        let (disk, other) = (LoopDisk::ext4(), LoopDisk::ext4());
        let mnt = disk.mnt();
        let (path, number) = (other.path().display(), other.open().number());
        let wrong = |line: String| -> Mounter { with_runner(InsteadOfMount(line)) };

        let mounter = wrong(format!("mount {path} {}", mnt.display()));
        let error = disk.mount_with(&mounter, &mnt, "ext4", "", false).unwrap_err();
        assert_eq!(
            disk.anonymous(&error),
            format!(
                "mounting DISK at DIR/mnt gave {path} ({number}, ext4, read-write), \
                 not DISK (NUMBER, ext4, read-write): it was undone"
            )
        );
        assert_eq!(mounter.at(&mnt).unwrap(), None);

        let mounter = wrong(format!("mount -o ro {} {}", disk.path().display(), mnt.display()));
        let error = disk.mount_with(&mounter, &mnt, "ext4", "", false).unwrap_err();
        assert!(matches!(error, mount::Error::Unexpected { .. }), "{error}");
        assert_eq!(mounter.at(&mnt).unwrap(), None);

        let error = disk.mount_with(&wrong(String::new()), &mnt, "ext4", "", false).unwrap_err();
        assert_eq!(disk.anonymous(&error), "cannot mount DISK at DIR/mnt: exit code 0: ");
    });
}

/// mount(8) wants the quotes too: it takes them off itself.
#[test]
fn a_context_with_categories_reaches_mount_in_its_quotes() {
    private(|| {
        let disk = LoopDisk::ext4();
        let context = "noatime,context=\"system_u:object_r:container_file_t:s0:c1,c2\"";
        let (path, mnt) = (disk.path().display(), disk.mnt());
        let line = format!("mount -t ext4 -o '{context}' {path} {}", mnt.display());
        let mounter = with_runner(Script::default().expect(&line, 32, ""));
        let error = disk.mount_with(&mounter, &mnt, "ext4", context, false).unwrap_err();
        assert_eq!(disk.anonymous(&error), "cannot mount DISK at DIR/mnt: exit code 32: ");
    });
}

#[test]
fn the_wrong_kind_of_file_system_is_a_failure() {
    private(|| {
        let disk = LoopDisk::ext4();
        let error = disk.mount("xfs").unwrap_err();
        let message = disk.anonymous(&error);
        assert!(message.starts_with("cannot mount DISK at DIR/mnt: exit code 32: "), "{message}");
    });
}
