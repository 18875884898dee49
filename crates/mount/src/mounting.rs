//! Mounting a disk at a folder, and proving that it is mounted there.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};

use command::Command;
use disk::{Access, Contents, Disk};

use crate::{Entry, Error, MountOptions, Mounter, at, check::damaged, places, real, said};

/// What is to be mounted where.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// the disk, which must not be claimed by the caller
    pub disk: &'a Disk,
    /// where; made if it is missing
    pub dir: &'a Path,
    /// the file system that the disk is known to hold
    pub fs_type: &'a str,
    /// the user's options
    pub options: &'a MountOptions,
    /// refuse writes, whatever the options say
    pub read_only: bool,
}

/// Whether there was anything to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// it was done now
    Done,
    /// it had been done before
    AlreadyDone,
}

impl Mounter {
    /// Mounts a disk. It may be called again: the right mount at the right place is a success.
    ///
    /// The mount table decides, before and after: device, root of the file system, its kind
    /// and whether it takes writes. What is not as asked is unmounted at once.
    ///
    /// # Errors
    /// If the file system does not know an option, the place is not an empty folder, something else is mounted there, the disk is mounted
    /// elsewhere or used otherwise, or mount fails; [`Error::Failed`] if it is mounted and has met
    /// errors since; [`Error::NeedsRepair`] if the kernel finds the
    /// file system damaged.
    pub fn mount(&self, request: &Request<'_>) -> Result<Outcome, Error> {
        let disk = request.disk;
        disk.confirm()?;
        self.require_writable(disk, request.is_read_only())?;
        let table = self.mounts()?;
        let places = places(&table, disk.number());
        if let Some(found) = at(&table, request.dir)? {
            if places.iter().filter(|place| **place == found.dir).count() > 1 {
                log::warn!(
                    "{} is mounted several times at {}",
                    disk.path().display(),
                    found.dir.display()
                );
            }
            // First, because one that has failed may be read-only by now, and not as asked.
            if found.number == disk.number() {
                self.refuse_failed(request, found)?;
            }
            return request.already(found);
        }
        if !places.is_empty() {
            return Err(Error::Elsewhere { path: disk.path().to_owned(), places });
        }
        request.options.require_known_to(request.fs_type)?;
        let dir = folder(request.dir)?;
        drop(disk.claim(Access::Read)?);

        if disk.is_read_only() && without_replay(request.fs_type).is_some() {
            log::warn!(
                "{} refuses writes, so its journal is not replayed: what was written last may be missing",
                disk.path().display()
            );
        }
        let command = request.command(&dir, self.calmed(request)?);
        let output = self.run(&command, disk.path())?;
        log::debug!("{command}: exit code {}: {}", output.code, said(&output));
        match self.at(&dir)? {
            Some(found) => self.verify(request, &dir, &found),
            None if said(&output).contains(EUCLEAN) => Err(damaged(disk, request.fs_type, &output)),
            None => Err(self.twin(request)?.unwrap_or_else(|| Error::Mount {
                path: disk.path().to_owned(),
                dir,
                code: output.code,
                said: said(&output),
            })),
        }
    }

    /// Makes sure that `dir` can take a mount: an empty folder, made if nothing is there. For callers
    /// that would change the disk before they mount it; [`Mounter::mount`] looks by itself.
    ///
    /// # Errors
    /// If `dir` is anything else, or cannot be made.
    pub fn prepare(&self, dir: &Path) -> Result<(), Error> {
        folder(dir).map(drop)
    }

    /// Makes sure that the disk takes writes, unless it is to be mounted read-only. For callers that would open
    /// it for writing before they mount it; [`Mounter::mount`] looks by itself.
    ///
    /// # Errors
    /// [`Error::ReadOnlyDisk`].
    pub fn require_writable(&self, disk: &Disk, read_only: bool) -> Result<(), Error> {
        if disk.is_read_only() && !read_only {
            return Err(Error::ReadOnlyDisk { path: disk.path().to_owned() });
        }
        Ok(())
    }

    /// The option that keeps an error in the volume's file system from stopping the whole node, where the file system
    /// asks for that.
    fn calmed(&self, request: &Request<'_>) -> Result<Option<&'static str>, Error> {
        if !matches!(request.fs_type, "ext2" | "ext3" | "ext4")
            || request.options.iter().any(|option| option.starts_with("errors="))
        {
            return Ok(None);
        }
        let panics = request.disk.ext_superblock()?.is_some_and(|it| it.panics());
        Ok(panics.then_some("errors=remount-ro"))
    }

    /// Undoes a mount that is not what was asked for.
    fn verify(&self, request: &Request<'_>, dir: &Path, found: &Entry) -> Result<Outcome, Error> {
        let (found_text, wanted) = (describe(found), request.wanted());
        if request.is_met_by(found) {
            let (device, dir) = (request.disk.path().display(), dir.display());
            log::info!(device:%, dir:%, mountinfo:% = found_text; "mounted");
            return Ok(Outcome::Done);
        }
        log::error!("{} shows {found_text}, not {wanted}", dir.display());
        self.run(&Command::new("umount", LIMIT).arg(dir), dir)?;
        if self.at(dir)?.is_some_and(|it| it.id == found.id) {
            return Err(Error::Occupied { dir: dir.to_owned(), found: found_text, wanted });
        }
        Err(Error::Unexpected {
            path: request.disk.path().to_owned(),
            dir: dir.to_owned(),
            found: found_text,
            wanted,
        })
    }

    /// The mounted XFS file system whose copy the disk is: the kernel refuses it, but says why
    /// only in its log.
    fn twin(&self, request: &Request<'_>) -> Result<Option<Error>, Error> {
        if request.fs_type != "xfs" {
            return Ok(None);
        }
        let Contents::Filesystem { uuid: Some(uuid), .. } = request.disk.contents(&*self.runner)?
        else {
            return Ok(None);
        };
        for entry in self.mounts()?.iter().filter(|entry| entry.fs_type == "xfs") {
            let Ok(other) = Disk::open(Path::new(&entry.source), &self.host) else { continue };
            match other.contents(&*self.runner) {
                Ok(Contents::Filesystem { uuid: Some(found), .. }) if found == uuid => {
                    return Ok(Some(Error::Twin {
                        path: request.disk.path().to_owned(),
                        other: other.path().to_owned(),
                        dir: entry.dir.clone(),
                        uuid,
                    }));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

impl Request<'_> {
    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only || self.options.read_only()
    }

    fn already(&self, found: &Entry) -> Result<Outcome, Error> {
        // Kubelet keeps a pod that only reads from writing to what another pod writes to.
        let is_shared = self.is_met(found, false) && !self.options.read_only();
        if self.is_met_by(found) || is_shared {
            return Ok(Outcome::AlreadyDone);
        }
        Err(Error::Occupied {
            dir: self.dir.to_owned(),
            found: describe(found),
            wanted: self.wanted(),
        })
    }

    fn is_met_by(&self, found: &Entry) -> bool {
        self.is_met(found, self.is_read_only())
    }

    fn is_met(&self, found: &Entry, read_only: bool) -> bool {
        found.number == self.disk.number()
            && found.root == Path::new("/")
            && found.fs_type == self.fs_type
            && found.is_read_only() == read_only
    }

    fn wanted(&self) -> String {
        let mode = mode(self.is_read_only());
        let (path, number) = (self.disk.path().display(), self.disk.number());
        format!("{path} ({number}, {}, {mode})", self.fs_type)
    }

    fn command(&self, dir: &Path, more: Option<&'static str>) -> Command {
        let mut options: Vec<_> = self.options.iter().chain(more).collect();
        if self.is_read_only() {
            options.push("ro");
        }
        if self.disk.is_read_only() {
            options.extend(without_replay(self.fs_type));
        }
        let mut command = Command::new("mount", LIMIT).args(["-t", self.fs_type]);
        if !options.is_empty() {
            command = command.arg("-o").arg(options.join(","));
        }
        command.arg(self.disk.path()).arg(dir)
    }
}

/// The option without which a dirty file system does not mount from a disk that refuses writes.
fn without_replay(fs_type: &str) -> Option<&'static str> {
    match fs_type {
        "ext3" | "ext4" => Some("noload"),
        "xfs" => Some("norecovery"),
        _ => None,
    }
}

/// Makes sure that `dir` is an empty folder, making it if nothing is there.
fn folder(dir: &Path) -> Result<PathBuf, Error> {
    let failed = |source| Error::Folder { dir: dir.to_owned(), source };
    match fs::symlink_metadata(dir) {
        Ok(found) if found.is_dir() => {}
        Ok(found) => {
            let what = if found.is_symlink() { "a symbolic link" } else { "a file" };
            return Err(Error::NotAFolder { dir: dir.to_owned(), what });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o750).create(dir).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    let entries = fs::read_dir(dir).map_err(failed)?.take(COUNTED).count();
    if entries > 0 {
        return Err(Error::NotEmpty { dir: dir.to_owned(), entries });
    }
    real(dir)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

/// A mount in words.
pub(crate) fn describe(entry: &Entry) -> String {
    let source = Path::new(&entry.source).display();
    let root = match entry.root.as_path() {
        root if root == Path::new("/") => String::new(),
        root => format!(", only its folder {}", root.display()),
    };
    let mode = mode(entry.is_read_only());
    format!("{source} ({}, {}, {mode}{root})", entry.number, entry.fs_type)
}

fn mode(read_only: bool) -> &'static str {
    if read_only { "read-only" } else { "read-write" }
}

/// strerror(EUCLEAN)
const EUCLEAN: &str = "Structure needs cleaning";
const COUNTED: usize = 1000;
pub(crate) const LIMIT: Duration = Duration::from_secs(120);
