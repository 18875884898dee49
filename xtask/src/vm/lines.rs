//! What a guest says, a line at a time, as long as it says anything.

use std::{
    io::{self, BufRead as _, BufReader, Read},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// The lines of a guest. They end with it, and when it has said nothing for too long: then it is ended.
pub(super) struct Lines {
    lines: Receiver<io::Result<Vec<u8>>>,
    process: u32,
    silence: Duration,
}

impl Lines {
    /// Those that `process` says in `said`.
    pub(super) fn new(said: impl Read + Send + 'static, process: u32, silence: Duration) -> Self {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(said).split(b'\n') {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { lines, process, silence }
    }
}

impl Iterator for Lines {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.lines.recv_timeout(self.silence) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                println!("a guest has said nothing for {} s and is ended", self.silence.as_secs());
                // A kill would leave what timeout has started.
                if let Ok(process) = i32::try_from(self.process) {
                    let _ = kill(Pid::from_raw(process), Signal::SIGTERM);
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a process that falls silent")]
    fn a_guest_that_falls_silent_is_ended() {
        let mut guest = Command::new("sh")
            .args(["-c", "echo one; echo two; exec sleep 300"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = guest.stdout.take().unwrap();
        let lines = Lines::new(said, guest.id(), Duration::from_secs(2));
        let lines: Vec<_> = lines.map(|line| String::from_utf8(line.unwrap()).unwrap()).collect();
        assert_eq!(lines, ["one", "two"]);
        assert!(!guest.wait().unwrap().success());
    }
}
