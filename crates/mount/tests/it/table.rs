//! The mount table while others change it.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crate::{
    loop_disk::{LoopDisk, mounter},
    namespace::private,
    tool::run,
};

#[test]
fn our_mount_is_seen_at_every_reading() {
    private(|| {
        let disk = LoopDisk::ext4();
        disk.mount("ext4").unwrap();
        let number = disk.open().number();
        let others = disk.dir().join("others");
        fs::create_dir(&others).unwrap();
        let stop = AtomicBool::new(false);
        let is_stopped = || stop.load(Ordering::Relaxed);
        thread::scope(|scope| {
            // two threads share this process's namespace, where they mount and unmount
            for name in ["a", "b"] {
                let dir = others.join(name);
                fs::create_dir(&dir).unwrap();
                scope.spawn(move || {
                    while !is_stopped() {
                        run(&format!("mount -t tmpfs none {}", dir.display()));
                        run(&format!("umount {}", dir.display()));
                    }
                });
            }
            for _ in 0..300 {
                let found = mounter().at(&disk.mnt()).map(|found| found.map(|f| f.number));
                let places = mounter().places(number).map(|places| places.len());
                let is_right = matches!((found, places), (Ok(Some(f)), Ok(1)) if f == number);
                if !is_right {
                    stop.store(true, Ordering::Relaxed);
                    panic!("missed");
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
    });
}
