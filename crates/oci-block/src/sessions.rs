//! The sessions that this driver has made on this host, so that none is left when its volume is.
//!
//! One note a volume, below `/run`, where a reboot ends both. It is written directly before the login, because a call
//! that is killed may have one coming that no call waits for, and taken back when the login has made nothing. Only
//! what is noted is ever ended by another call than unmountdevice.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use clock::Clock;
use iscsi::Target;

use crate::private_dir::{Lasting, PrivateDir};

/// The notes of a host. None of them is needed for anything else: that one cannot be written is a warning.
#[derive(Debug)]
pub(crate) struct Sessions {
    run_dir: PathBuf,
}

/// A volume whose sessions this driver has made, and which no call has wanted for a while.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// The volume.
    pub(crate) volume: String,
    /// Its targets, the main one first.
    pub(crate) targets: Vec<Target>,
}

impl Sessions {
    /// The notes below `run_dir`.
    pub(crate) fn new(run_dir: &Path) -> Self {
        Self { run_dir: run_dir.to_owned() }
    }

    /// Notes that a call wants the volume now, and that this driver makes the sessions to `targets`.
    pub(crate) fn note(&self, volume: &str, targets: &[Target]) {
        if let Err(error) = self.write(volume, targets) {
            log::warn!("the sessions of {volume} are not noted: {error}");
        }
    }

    /// The targets whose sessions are noted for the volume, the main one first; none if the note makes no sense.
    pub(crate) fn targets(&self, volume: &str) -> Vec<Target> {
        self.dir().and_then(|dir| read(&dir, volume)).unwrap_or_default()
    }

    /// The volumes that have notes.
    pub(crate) fn volumes(&self) -> Vec<String> {
        self.dir().and_then(|dir| dir.names().ok()).unwrap_or_default()
    }

    /// Whether this driver has made the volume's sessions.
    pub(crate) fn are_ours(&self, volume: &str) -> bool {
        self.dir().is_some_and(|dir| dir.has(volume))
    }

    /// Puts the volume off until `than` has passed once more.
    pub(crate) fn put_off(&self, volume: &str, clock: &dyn Clock) {
        let Some(dir) = self.dir() else { return };
        let touched = dir.open_existing(volume).and_then(|file| file.set_modified(clock.now()));
        if let Err(error) = touched {
            log::debug!("the note of {volume} keeps its time: {error}");
        }
    }

    /// There are none any more.
    pub(crate) fn forget(&self, volume: &str) {
        if let Some(dir) = self.dir()
            && let Err(error) = dir.remove(volume)
        {
            log::warn!("the note of {volume} stays: {error}");
        }
    }

    /// The volumes that no call has wanted for longer than `than`.
    pub(crate) fn forgotten(&self, than: Duration, clock: &dyn Clock) -> Vec<Forgotten> {
        let old = |volume: String| self.read_if_old(volume, than, clock);
        self.volumes().into_iter().filter_map(old).collect()
    }

    /// The note of one volume, if it is that old.
    pub(crate) fn read_if_old(
        &self,
        volume: String,
        than: Duration,
        clock: &dyn Clock,
    ) -> Option<Forgotten> {
        let dir = self.dir()?;
        let noted = dir.open_existing(&volume).ok()?.metadata().ok()?.modified().ok()?;
        // A clock that was set back makes it younger, which does no harm.
        if clock.now().duration_since(noted).unwrap_or_default() < than {
            return None;
        }
        let targets = read(&dir, &volume)?;
        Some(Forgotten { volume, targets })
    }

    fn write(&self, volume: &str, targets: &[Target]) -> io::Result<()> {
        let text: String =
            targets.iter().map(|it| format!("{}\n", it.device_path().display())).collect();
        let dir = PrivateDir::make(&self.run_dir, NOTES)?;
        dir.write(volume, text.as_bytes(), Lasting::UntilReboot)
    }

    /// The notes, if there are any that can be used.
    fn dir(&self) -> Option<PrivateDir> {
        PrivateDir::existing(&self.run_dir, NOTES).unwrap_or_else(|error| {
            log::warn!("the notes of sessions are not read: {error}");
            None
        })
    }
}

fn read(dir: &PrivateDir, volume: &str) -> Option<Vec<Target>> {
    let text = String::from_utf8(dir.read(volume).ok()?).ok()?;
    let targets: Option<Vec<_>> =
        text.lines().map(|line| Target::from_device_path(Path::new(line)).ok()).collect();
    targets.filter(|targets| !targets.is_empty())
}

const NOTES: &str = "sessions";

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use clock::SystemClock;

    use super::*;

    fn path(sessions: &Sessions, volume: &str) -> PathBuf {
        sessions.run_dir.join(NOTES).join(volume)
    }

    const HOUR: Duration = Duration::from_secs(3600);

    fn targets() -> Vec<Target> {
        ["169.254.2.2", "fd00:c1::2"]
            .map(|address| Target {
                address: address.parse().unwrap(),
                port: 3260,
                iqn: "iqn.x:y".parse().unwrap(),
                lun: 1,
            })
            .to_vec()
    }

    #[test]
    fn what_is_noted_is_forgotten_when_no_call_wants_it_for_long() {
        let dir = tempfile::tempdir().unwrap();
        let sessions = Sessions::new(dir.path());
        assert_eq!(sessions.forgotten(Duration::ZERO, &SystemClock), []);
        sessions.note("v", &targets());
        assert!(sessions.are_ours("v") && !sessions.are_ours("w"));
        assert_eq!(sessions.forgotten(HOUR, &SystemClock), []);
        age(&sessions, "v");
        let forgotten = Forgotten { volume: "v".into(), targets: targets() };
        assert_eq!(sessions.forgotten(HOUR, &SystemClock), [forgotten]);

        sessions.put_off("v", &SystemClock);
        assert_eq!(sessions.forgotten(HOUR, &SystemClock), []);
        age(&sessions, "v");
        sessions.note("v", &targets());
        assert_eq!(sessions.forgotten(HOUR, &SystemClock), []);
        sessions.forget("v");
        assert!(!sessions.are_ours("v"));
        sessions.forget("v");
    }

    #[test]
    fn volumes_that_are_noted_at_once_keep_their_own_targets() {
        let dir = tempfile::tempdir().unwrap();
        let sessions = Sessions::new(dir.path());
        let [one, other] = targets().try_into().unwrap();
        std::thread::scope(|scope| {
            for (volume, target) in [("v", &one), ("w", &other)] {
                let sessions = &sessions;
                scope.spawn(move || {
                    for _ in 0..500 {
                        sessions.write(volume, std::slice::from_ref(target)).unwrap();
                        let text = fs::read_to_string(path(sessions, volume)).unwrap();
                        assert_eq!(text, format!("{}\n", target.device_path().display()));
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_note_that_makes_no_sense_ends_no_session() {
        let dir = tempfile::tempdir().unwrap();
        let sessions = Sessions::new(dir.path());
        sessions.note("v", &targets());
        let good = fs::read_to_string(path(&sessions, "v")).unwrap();
        for text in
            ["", "x", &good[..good.len() - 3], &format!("{good}\n"), &format!("{good}/dev/sdb\n")]
        {
            fs::write(path(&sessions, "v"), text).unwrap();
            age(&sessions, "v");
            let found = sessions.forgotten(HOUR, &SystemClock);
            assert!(found.is_empty(), "{text:?}: {found:?}");
        }
    }

    fn age(sessions: &Sessions, volume: &str) {
        let file = File::options().append(true).open(path(sessions, volume)).unwrap();
        file.set_modified(SystemClock.now() - 2 * HOUR).unwrap();
    }
}
