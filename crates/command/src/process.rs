//! A program at work: its process group, its pipes, its end.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
    },
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    },
};

use crate::capture::{Capture, Keep};

/// A started program.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: Pid,
    /// Readable when the program has ended. Linux before 5.3 has none: then we look every few milliseconds.
    pidfd: Option<OwnedFd>,
    stdout: Capture,
    stderr: Capture,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum End {
    Exited { status: ExitStatus, stdout: String, stderr: String },
    TimedOut { stuck: bool },
}

impl Process {
    /// Takes over a program that was started with [`piped`]. One that cannot be watched is killed.
    pub(crate) fn new(mut child: Child) -> io::Result<Self> {
        let pid = Pid::from_child(&child);
        let (stdout, stderr) = captures(&mut child).inspect_err(|_| {
            // The error at hand says more than that of a last resort.
            let _ = kill_process_group(pid, Signal::KILL);
        })?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok();
        Ok(Self { child, pid, pidfd, stdout, stderr })
    }

    /// Waits until the program has ended, and stops it, with its children, when it takes longer than `limit`.
    ///
    /// The end of the program counts, not the end of its output: a child it leaves behind may keep the pipes
    /// open without end.
    pub(crate) fn finish(mut self, limit: Duration) -> io::Result<End> {
        let end = self.wait_or_stop(limit);
        if end.is_err() {
            // The error at hand says more than that of a last resort.
            let _ = self.signal(Signal::KILL);
        }
        end
    }

    fn wait_or_stop(&mut self, limit: Duration) -> io::Result<End> {
        if self.ends_within(limit, Until::Exit)? {
            let status = self.child.wait()?;
            return Ok(End::Exited {
                status,
                stdout: self.stdout.text(),
                stderr: self.stderr.text(),
            });
        }
        self.signal(Signal::TERM)?;
        self.ends_within(GRACE, Until::Silence)?;
        // Not reaped before this line, so that the number of the group cannot be another process's.
        self.signal(Signal::KILL)?;
        let ended = self.ends_within(GRACE, Until::Exit)?;
        if ended {
            self.child.wait()?;
        }
        Ok(End::TimedOut { stuck: !ended })
    }

    /// Whether the program ends within `limit`; reads its output meanwhile.
    fn ends_within(&mut self, limit: Duration, until: Until) -> io::Result<bool> {
        let timer = timer(limit)?;
        let mut expired = false;
        loop {
            // In this order: what was written before the end is in the pipes by now.
            let exited = self.has_exited()?;
            self.stdout.read()?;
            self.stderr.read()?;
            let silent = self.stdout.open().is_none() && self.stderr.open().is_none();
            if exited && (until == Until::Exit || silent) {
                return Ok(true);
            }
            if expired {
                return Ok(false);
            }
            expired = self.wait_for_event(&timer, exited)?;
        }
    }

    /// Sleeps until the program ends or writes; whether `timer` has run out.
    fn wait_for_event(&self, timer: &OwnedFd, exited: bool) -> io::Result<bool> {
        let pidfd = self.pidfd.as_ref().filter(|_| !exited);
        let mut events = vec![PollFd::new(timer, PollFlags::IN)];
        events.extend(pidfd.map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        for pipe in [self.stdout.open(), self.stderr.open()].into_iter().flatten() {
            events.push(PollFd::from_borrowed_fd(pipe, PollFlags::IN));
        }
        let look_again = (self.pidfd.is_none() && !exited).then_some(&LOOK_AGAIN);
        match poll(&mut events, look_again) {
            Ok(_) => Ok(events.first().is_some_and(|timer| !timer.revents().is_empty())),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn has_exited(&self) -> io::Result<bool> {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(self.pid), look)?.is_some())
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        match kill_process_group(self.pid, signal) {
            // The group is empty: its processes have ended or left it.
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Makes `command` one that [`Process`] can watch and stop: nothing inherited, a group of its own.
pub(crate) fn piped(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0)
}

/// Standard output and standard error.
fn captures(child: &mut Child) -> io::Result<(Capture, Capture)> {
    let stdout = child.stdout.take().ok_or(Errno::BADF)?;
    let stderr = child.stderr.take().ok_or(Errno::BADF)?;
    Ok((
        Capture::new(stdout.into(), Keep::First(STDOUT_KEPT))?,
        Capture::new(stderr.into(), Keep::Ends(STDERR_KEPT))?,
    ))
}

/// What to wait for.
#[derive(Clone, Copy, PartialEq)]
enum Until {
    /// The program has ended.
    Exit,
    /// Its children too, as far as they hold the pipes.
    Silence,
}

/// A descriptor that becomes readable after `duration`.
fn timer(duration: Duration) -> io::Result<OwnedFd> {
    let at_least = duration.max(Duration::from_nanos(1)); // zero would mean never
    let it_value = Timespec::try_from(at_least).map_err(|_| Errno::INVAL)?;
    let never_again = Timespec { tv_sec: 0, tv_nsec: 0 };
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let setting = Itimerspec { it_interval: never_again, it_value };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &setting)?;
    Ok(timer)
}

const STDOUT_KEPT: usize = 1024 * 1024;
/// More than is shown of each end, so that a secret is still whole when it is looked for.
const STDERR_KEPT: usize = 4 * 1024;
/// Between SIGTERM, SIGKILL and giving up.
const GRACE: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests")]
mod tests {
    use super::*;

    /// As on Linux before 5.3.
    fn without_pidfd(script: &str, limit: Duration) -> End {
        let mut shell = Command::new("/bin/sh");
        let child = piped(shell.args(["-c", script])).spawn().unwrap();
        let mut process = Process::new(child).unwrap();
        process.pidfd = None;
        process.finish(limit).unwrap()
    }

    #[test]
    fn an_old_kernel_will_do() {
        let End::Exited { status, stdout, stderr } =
            without_pidfd("exec 3>&1; exec >&-; echo out >&3; exit 5", Duration::from_secs(60))
        else {
            panic!("it has not ended");
        };
        assert_eq!((status.code(), &*stdout, &*stderr), (Some(5), "out\n", ""));
        let end = without_pidfd("exec sleep 7331", Duration::from_millis(50));
        assert!(matches!(end, End::TimedOut { stuck: false }));
    }

    #[test]
    fn what_cannot_be_watched_is_killed() {
        let mut sleep = Command::new("/bin/sleep");
        let child = piped(sleep.arg("60")).stderr(Stdio::null()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        Process::new(child).unwrap_err();
        let end = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED).unwrap().unwrap();
        assert_eq!(end.terminating_signal(), Some(Signal::KILL.as_raw()));
    }
}
