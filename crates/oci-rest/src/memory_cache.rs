//! Files for root's eyes only that no reboot, backup or image keeps: what is dear to get, for the next process.

use std::{
    fs::{self, DirBuilder, File},
    io::{Read, Write},
    os::{fd::OwnedFd, unix::fs::DirBuilderExt},
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use clock::{Clock, poll};
use rustix::{
    fs::{AtFlags, Mode, OFlags, fstat, fstatfs, openat, renameat, unlinkat},
    process::geteuid,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// A folder in a memory file system (tmpfs), such as below `/run`.
///
/// It is used only if it is a folder of the calling user that nobody else may enter, and in memory; else
/// nothing is kept, and nothing fails. What was written before the last boot is not read.
#[derive(Clone, Debug)]
pub struct MemoryCache {
    dir: PathBuf,
    boot_id: String,
}

/// What a file holds, and since which boot.
#[derive(Serialize, Deserialize)]
struct Entry<T> {
    boot_id: String,
    value: T,
}

impl MemoryCache {
    /// A cache in `dir`, which is made when something is kept.
    pub fn new(dir: &Path) -> Self {
        let boot_id = fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned();
        Self { dir: dir.to_owned(), boot_id }
    }

    /// What is kept as `name`.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let dir = self.open().ok()?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&dir, name, flags, Mode::empty()).ok()?);
        let mut text = Zeroizing::new(Vec::with_capacity(SIZE));
        file.read_to_end(&mut text).ok()?;
        let entry: Option<Entry<T>> = serde_json::from_slice(&text).ok();
        if entry.is_none() {
            self.remove(name);
        }
        entry.filter(|it| it.boot_id == self.boot_id).map(|it| it.value)
    }

    /// Keeps `value`; whoever reads meanwhile sees the old one or the new one.
    pub(crate) fn write<T: Serialize>(&self, name: &str, value: &T) {
        if let Err(problem) = self.try_write(name, value) {
            log::debug!("nothing is kept in {}: {problem}", self.dir.display());
        }
    }

    /// Forgets `name`.
    pub(crate) fn remove(&self, name: &str) {
        if let Ok(dir) = self.open() {
            let _ = unlinkat(&dir, name, AtFlags::empty());
        }
    }

    /// Makes processes that find nothing fetch it one after the other: the second finds what the first has
    /// kept. Nothing after five seconds, or where nothing can be kept.
    pub(crate) fn lock(&self, clock: &dyn Clock) -> Option<File> {
        let dir = self.make().ok()?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(&dir, "lock", flags, Mode::from_raw_mode(0o600)).ok()?);
        let waits = std::iter::repeat_n(Duration::from_millis(50), 100);
        let locked = poll(clock, waits, || Ok::<_, ()>(file.try_lock().ok())).ok()?;
        locked.map(|()| file)
    }

    fn try_write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), String> {
        let dir = self.make()?;
        let entry = Entry { boot_id: self.boot_id.clone(), value };
        let mut text = Zeroizing::new(Vec::with_capacity(SIZE));
        serde_json::to_writer(&mut *text, &entry).map_err(|it| it.to_string())?;
        let new = format!("{name}.{}", process::id());
        let _ = unlinkat(&dir, &*new, AtFlags::empty());
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&dir, &*new, flags, Mode::from_raw_mode(0o600)).map_err(text_of)?;
        let written = File::from(file)
            .write_all(&text)
            .map_err(text_of)
            .and_then(|()| renameat(&dir, &*new, &dir, name).map_err(text_of));
        if written.is_err() {
            let _ = unlinkat(&dir, &*new, AtFlags::empty());
        }
        written
    }

    fn make(&self) -> Result<OwnedFd, String> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir).map_err(text_of)?;
        self.open()
    }

    /// The folder, if what is said of it at [`MemoryCache`] is true: asked of the descriptor, not of the path.
    fn open(&self) -> Result<OwnedFd, String> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::open(&self.dir, flags, Mode::empty()).map_err(text_of)?;
        let found = fstat(&dir).map_err(text_of)?;
        if found.st_uid != geteuid().as_raw() || found.st_mode & OTHERS != 0 {
            return Err("it is not a folder of this user alone".to_owned());
        }
        let kind = fstatfs(&dir).map_err(text_of)?.f_type;
        // Its type differs between platforms, its 32 bits do not.
        if !IN_MEMORY.contains(&(kind as u32)) {
            return Err("it is not in a memory file system".to_owned());
        }
        Ok(dir)
    }
}

fn text_of(error: impl ToString) -> String {
    error.to_string()
}

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const OTHERS: u32 = 0o077;
/// More than any entry: a text that grows would leave a copy behind.
const SIZE: usize = 16 << 10;
/// `TMPFS_MAGIC` and `RAMFS_MAGIC` of linux/magic.h
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use clock::ManualClock;

    use super::*;

    /// `/dev/shm` is in memory on every Linux.
    fn folder() -> tempfile::TempDir {
        tempfile::tempdir_in("/dev/shm").unwrap()
    }

    fn cache(dir: &Path) -> MemoryCache {
        MemoryCache::new(&dir.join("cache"))
    }

    #[test]
    fn what_is_kept_is_read_by_the_next_process_and_by_nobody_else() {
        let dir = folder();
        cache(dir.path()).write("name", &7);
        assert_eq!(cache(dir.path()).read("name"), Some(7));
        assert_eq!(cache(dir.path()).read::<u32>("other"), None);
        let mode =
            |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("cache"), mode("cache/name")), (0o700, 0o600));
        cache(dir.path()).remove("name");
        assert_eq!(cache(dir.path()).read::<u32>("name"), None);
    }

    #[test]
    fn nothing_is_kept_where_others_could_see_it_or_a_reboot_would_keep_it() {
        let dir = folder();
        cache(dir.path()).write("name", &7);
        fs::set_permissions(dir.path().join("cache"), PermissionsExt::from_mode(0o750)).unwrap();
        assert_eq!(cache(dir.path()).read::<u32>("name"), None);

        let linked = folder();
        symlink(dir.path().join("cache"), linked.path().join("cache")).unwrap();
        cache(linked.path()).write("name", &8);
        assert_eq!(cache(linked.path()).read::<u32>("name"), None);

        let on_disk = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        cache(on_disk.path()).write("name", &7);
        assert!(!on_disk.path().join("cache/name").exists());
    }

    #[test]
    fn what_another_boot_has_kept_or_nobody_can_read_is_not_there() {
        let dir = folder();
        let other = MemoryCache { boot_id: "another".into(), ..cache(dir.path()) };
        other.write("name", &7);
        assert_eq!(cache(dir.path()).read::<u32>("name"), None);
        fs::write(dir.path().join("cache/name"), "{").unwrap();
        assert_eq!(other.read::<u32>("name"), None);
        assert!(!dir.path().join("cache/name").exists());
    }

    #[test]
    fn the_lock_is_waited_for_five_seconds() {
        let dir = folder();
        let clock = ManualClock::default();
        let first = cache(dir.path()).lock(&clock);
        assert!(first.is_some() && cache(dir.path()).lock(&clock).is_none());
        assert_eq!(clock.slept().iter().sum::<Duration>(), Duration::from_secs(5));
        drop(first);
        assert!(cache(dir.path()).lock(&clock).is_some());
    }
}
