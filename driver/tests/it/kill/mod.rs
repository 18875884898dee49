//! A call is killed at every step; the same call again reaches the same end.

mod case;
mod requests;
mod sweep;

use case::{Case, Start};

#[test]
fn waitforattach_goes_on_after_any_kill() {
    sweep::check(&Case { verb: "waitforattach", start: Start::Blank, fs_type: "ext4" });
}

#[test]
fn mountdevice_of_a_blank_disk_goes_on_after_any_kill() {
    sweep::check(&Case { verb: "mountdevice", start: Start::Blank, fs_type: "ext4" });
}

#[test]
fn mountdevice_of_a_blank_disk_as_xfs_goes_on_after_any_kill() {
    sweep::check(&Case { verb: "mountdevice", start: Start::Blank, fs_type: "xfs" });
}

#[test]
fn mountdevice_of_a_formatted_disk_goes_on_after_any_kill() {
    sweep::check(&Case { verb: "mountdevice", start: Start::Formatted, fs_type: "ext4" });
}

#[test]
fn mountdevice_of_a_disk_that_was_torn_away_goes_on_after_any_kill() {
    sweep::check(&Case { verb: "mountdevice", start: Start::Torn, fs_type: "ext4" });
}

#[test]
fn unmountdevice_goes_on_after_any_kill() {
    sweep::check(&Case { verb: "unmountdevice", start: Start::Mounted, fs_type: "ext4" });
}

#[test]
fn unmountdevice_of_a_disk_that_loses_writes_says_so_after_any_kill() {
    sweep::check(&Case { verb: "unmountdevice", start: Start::Losing, fs_type: "ext4" });
}

#[test]
fn unmountdevice_of_xfs_on_a_disk_that_loses_writes_says_so_after_any_kill() {
    sweep::check(&Case { verb: "unmountdevice", start: Start::Losing, fs_type: "xfs" });
}

// ext4 asks for CAP_SYS_RESOURCE, which containers do not have.
#[test]
fn expandfs_of_xfs_goes_on_after_any_kill() {
    sweep::check(&Case { verb: "expandfs", start: Start::Grown, fs_type: "xfs" });
}
