//! One end of a pipe that keeps a bounded part of what comes through.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// Reads everything, so that the writer never waits, and keeps part of it.
#[derive(Debug)]
pub(crate) struct Capture {
    pipe: Option<File>,
    keep: Keep,
    kept: Vec<u8>,
}

/// Which part of a stream is worth keeping, and how many bytes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keep {
    First(usize),
    /// Half of them at each end.
    Ends(usize),
}

impl Capture {
    /// Takes over the reading end of a pipe. Reads never wait from now on.
    pub(crate) fn new(pipe: OwnedFd, keep: Keep) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok(Self { pipe: Some(pipe.into()), keep, kept: Vec::new() })
    }

    /// Reads what is there, at most as much as a pipe can hold, so that an endless writer does not hold up the call.
    pub(crate) fn read(&mut self) -> io::Result<()> {
        let mut chunk = [0; CHUNK];
        for _ in 0..PIPE_SIZE_MAX / CHUNK {
            let Some(pipe) = &mut self.pipe else { break };
            match pipe.read(&mut chunk) {
                Ok(0) => self.pipe = None,
                Ok(length) => self.take(chunk.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The pipe, while a process can still write to it.
    pub(crate) fn open(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// What was kept, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }

    fn take(&mut self, bytes: &[u8]) {
        match self.keep {
            Keep::First(limit) => {
                let room = limit.saturating_sub(self.kept.len()).min(bytes.len());
                self.kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
            }
            Keep::Ends(limit) => {
                self.kept.extend_from_slice(bytes);
                if let Some(surplus) = self.kept.len().checked_sub(limit) {
                    self.kept.drain(limit / 2..limit / 2 + surplus);
                }
            }
        }
    }
}

const CHUNK: usize = 8 * 1024;
/// What an unprivileged process may make of a pipe, and the default on machines with large pages (pipe(7)).
const PIPE_SIZE_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[track_caller]
    fn check(keep: Keep, written: &[&str], kept: &str) {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut capture = Capture::new(reader.into(), keep).unwrap();
        for part in written {
            writer.write_all(part.as_bytes()).unwrap();
            capture.read().unwrap();
            assert!(capture.open().is_some());
        }
        drop(writer);
        capture.read().unwrap();
        assert!(capture.open().is_none());
        assert_eq!(capture.text(), kept);
    }

    #[test]
    fn the_first_bytes_or_both_ends_are_kept() {
        check(Keep::First(4), &[], "");
        check(Keep::First(4), &["abc"], "abc");
        check(Keep::First(4), &["ab", "cdef", "gh"], "abcd");
        check(Keep::Ends(4), &["ab", "c"], "abc");
        check(Keep::Ends(4), &["ab", "cdef", "gh"], "abgh");
        check(Keep::Ends(4), &["abcdefgh", "i"], "abhi");
        check(Keep::First(4), &["abä"], "abä");
        check(Keep::First(3), &["abä"], "ab\u{fffd}");
    }
}
