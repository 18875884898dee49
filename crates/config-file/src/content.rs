//! What a file holds.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

/// What a file holds, and who may read it.
pub struct Content {
    /// All of it.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The permission bits, of the file that was read.
    pub mode: u32,
}

/// Reads a regular file of at most [`LARGEST`] bytes; symbolic links are followed.
///
/// # Errors
/// The file cannot be opened or read, is none (a pipe, a device, a directory), or is larger.
pub fn read(path: &Path) -> io::Result<Content> {
    // without NONBLOCK the open of a pipe waits until another process writes to it
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let too_large = || io::Error::other("it is larger than 1 MiB, and no such file is");
    let size = usize::try_from(about.size()).ok().filter(|size| *size <= LARGEST);
    // all room at once, so that no copy of a secret is left behind
    let mut bytes = Zeroizing::new(Vec::with_capacity(size.ok_or_else(too_large)? + SPARE));
    file.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LARGEST {
        return Err(too_large());
    }
    Ok(Content { bytes, mode: about.mode() & 0o7777 })
}

impl Content {
    /// The text, as [`text`](crate::text()) has it.
    ///
    /// # Errors
    /// It is no text.
    pub fn text(&self) -> io::Result<Zeroizing<String>> {
        crate::text(&self.bytes)
    }

    /// The text, for a parser that itself says what a file is that is none: what is not UTF-8 is U+FFFD.
    pub fn text_or_binary(&self) -> Zeroizing<String> {
        self.text()
            .unwrap_or_else(|_| Zeroizing::new(String::from_utf8_lossy(&self.bytes).into_owned()))
    }
}

/// Shows nothing of it.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// How large a file may be, in bytes: as large as a Secret of Kubernetes.
pub const LARGEST: usize = 1 << 20;
/// What `read_to_end` needs beyond the size to see the end.
const SPARE: usize = 32;

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
        path::PathBuf,
    };

    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    /// What is said of a path that `make` has made.
    #[track_caller]
    fn check(make: impl Fn(&Path), expected: Result<usize, &str>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        make(&path);
        let seen = read(&path).map(|it| it.bytes.len()).map_err(|it| it.to_string());
        assert_eq!(seen, expected.map_err(str::to_owned));
    }

    fn of_size(size: usize) -> impl Fn(&Path) {
        move |path| fs::write(path, vec![b'x'; size]).unwrap()
    }

    #[test]
    fn only_regular_files_of_a_usual_size_are_read() {
        check(of_size(0), Ok(0));
        check(of_size(LARGEST), Ok(LARGEST));
        check(of_size(LARGEST + 1), Err("it is larger than 1 MiB, and no such file is"));
        check(
            |path| File::create(path).unwrap().set_len(1 << 40).unwrap(),
            Err("it is larger than 1 MiB, and no such file is"),
        );
        let not_regular = Err("it is not a regular file");
        check(|path| fs::create_dir(path).unwrap(), not_regular);
        check(|path| mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).unwrap(), not_regular);
        check(
            |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
            Err("No such device or address (os error 6)"),
        );
        for device in ["/dev/zero", "/dev/null", "/dev/tty0"] {
            check(|path| symlink(device, path).unwrap(), not_regular);
        }
        check(|_| (), Err("No such file or directory (os error 2)"));
        check(
            |path| symlink(path, path).unwrap(),
            Err("Too many levels of symbolic links (os error 40)"),
        );
    }

    #[test]
    fn a_link_to_a_file_is_followed_as_kubernetes_mounts_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("..2024_01_01");
        fs::create_dir(&data).unwrap();
        fs::write(data.join("token"), "text").unwrap();
        fs::set_permissions(data.join("token"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&data, dir.path().join("..data")).unwrap();
        symlink("..data/token", dir.path().join("token")).unwrap();
        let content = read(&dir.path().join("token")).unwrap();
        assert_eq!((&**content.bytes, content.mode), (&b"text"[..], 0o640));
    }

    #[test]
    fn a_file_that_says_no_size_is_read() {
        // files of /proc have size 0
        assert!(!read(&PathBuf::from("/proc/self/status")).unwrap().bytes.is_empty());
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        let content = Content { bytes: Zeroizing::new(b"MARKER".to_vec()), mode: 0o600 };
        assert_eq!(format!("{content:?}"), "Content { mode: 384, .. }");
    }
}
