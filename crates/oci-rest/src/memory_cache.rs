//! What processes of one user share until the next reboot, never on a disk.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Read, Write},
    iter,
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use clock::Clock;
use ring::digest::{SHA256, digest};
use rustix::{
    fs::{AtFlags, FsWord, Mode, OFlags, fstatfs, openat, renameat, unlinkat},
    process::geteuid,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A folder in a memory file system with small files, one for each identity.
///
/// Folder and files belong to this process's user and are closed to everybody else, or they are not
/// used. An entry counts only during the boot in which it was written. Nothing here is an error:
/// without a cache one asks again. Trouble is logged.
#[derive(Clone, Debug)]
pub struct MemoryCache {
    dir: PathBuf,
}

impl MemoryCache {
    /// A cache in `dir`, which is made when it is needed.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// What was stored for `identity`.
    pub fn load(&self, identity: &str) -> Option<Zeroizing<String>> {
        let dir = self.dir.exists().then(|| self.open()).and_then(usable)?;
        let text = match read(&dir, &name(identity)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return self.complain(&error),
        };
        let entry = serde_json::from_str::<Entry>(&text).ok();
        let entry = entry.filter(|it| it.identity == identity && Some(&it.boot) == boot().as_ref());
        if entry.is_none() {
            self.remove(identity);
        }
        entry.map(|it| it.value)
    }

    /// Keeps `value` for `identity`.
    pub fn store(&self, identity: &str, value: &str) {
        let written = (|| {
            let dir = self.open()?;
            let boot = boot().ok_or_else(|| io::Error::other("the kernel tells no boot id"))?;
            let value = Zeroizing::new(value.to_owned());
            let entry = Entry { boot, identity: identity.to_owned(), value };
            let text = Zeroizing::new(serde_json::to_string(&entry)?);
            write(&dir, &name(identity), &text)
        })();
        if let Err(error) = written {
            self.complain::<()>(&error);
        }
    }

    /// Forgets what was stored for `identity`.
    pub fn remove(&self, identity: &str) {
        if let Ok(dir) = self.open() {
            // what is not there need not be removed
            let _ = unlinkat(&dir, name(identity), AtFlags::empty());
        }
    }

    /// Waits until no other process holds `identity`, or `limit` has passed. It is held until the
    /// value is dropped.
    pub fn lock(&self, identity: &str, clock: &dyn Clock, limit: Duration) -> Option<File> {
        let dir = usable(self.open())?;
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&dir, format!("{}.lock", name(identity)), flags, PRIVATE).ok()?;
        let file = File::from(file);
        let tries = usize::try_from(limit.as_millis() / TRY_EVERY.as_millis()).unwrap_or_default();
        let held = clock::poll(clock, iter::repeat_n(TRY_EVERY, tries), || match file.try_lock() {
            Ok(()) => Ok(Some(())),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        });
        matches!(held, Ok(Some(()))).then_some(file)
    }

    /// The folder, if it is as it must be.
    fn open(&self) -> io::Result<OwnedFd> {
        if !self.dir.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let dir = openat(rustix::fs::CWD, &self.dir, flags, Mode::empty())?;
        if !MEMORY.contains(&fstatfs(&dir)?.f_type) {
            return Err(io::Error::other("it is not in a memory file system (tmpfs)"));
        }
        check_private(&File::from(dir.try_clone()?).metadata()?)?;
        Ok(dir)
    }

    fn complain<T>(&self, error: &io::Error) -> Option<T> {
        log::info!("nothing is remembered in {}: {error}", self.dir.display());
        None
    }
}

fn usable(dir: io::Result<OwnedFd>) -> Option<OwnedFd> {
    dir.ok()
}

fn read(dir: &OwnedFd, name: &str) -> io::Result<Zeroizing<String>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(openat(dir, name, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("an entry is not a file"));
    }
    check_private(&metadata)?;
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// Under a name of its own first, so that a reader finds the old entry or the new one.
fn write(dir: &OwnedFd, name: &str, text: &str) -> io::Result<()> {
    let new = format!("{name}.{}", std::process::id());
    let _ = unlinkat(dir, &new, AtFlags::empty());
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(dir, &new, flags, PRIVATE)?);
    let written = file.write_all(text.as_bytes());
    let written = written.and_then(|()| Ok(renameat(dir, &new, dir, name)?));
    if written.is_err() {
        // what stays holds a secret that no call reads
        let _ = unlinkat(dir, &new, AtFlags::empty());
    }
    written
}

fn check_private(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.uid() != geteuid().as_raw() || metadata.mode() & 0o077 != 0 {
        return Err(io::Error::other("it is not this user's alone (owner, mode)"));
    }
    Ok(())
}

fn name(identity: &str) -> String {
    digest(&SHA256, identity.as_bytes()).as_ref().iter().map(|it| format!("{it:02x}")).collect()
}

/// Differs after each boot.
fn boot() -> Option<String> {
    let text = fs::read_to_string(Path::new("/proc/sys/kernel/random/boot_id")).ok()?;
    Some(text.trim().to_owned())
}

#[derive(Serialize, Deserialize)]
struct Entry {
    boot: String,
    identity: String,
    value: Zeroizing<String>,
}

const PRIVATE: Mode = Mode::from_bits_truncate(0o600);
const TRY_EVERY: Duration = Duration::from_millis(50);
/// Many times a token and a key.
const LONGEST: u64 = 1 << 16;
/// `TMPFS_MAGIC` and `RAMFS_MAGIC` of linux/magic.h.
const MEMORY: [FsWord; 2] = [0x0102_1994, 0x8584_58f6];
