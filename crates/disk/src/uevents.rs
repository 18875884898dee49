//! News of disks: what the kernel announces when one comes, changes or goes, and udev when it has made its links.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use clock::{Clock, Deadline};
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, bind, netlink, recv, socket_with,
};

/// Calls `look` until it yields a value: at once when there is news of disks, and after each of `waits`.
///
/// As [`clock::poll`] otherwise, which it is where the kernel's news cannot be heard. A wait that news cut short
/// is begun again, so news cannot use them up.
///
/// # Errors
/// The first error of `look` ends it.
pub fn watch<T, E>(
    clock: &dyn Clock,
    waits: impl IntoIterator<Item = Duration>,
    mut look: impl FnMut() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    // Before the first look: what happens after it is news.
    let news = Uevents::listen();
    if let Err(error) = &news {
        log::debug!("the kernel's news cannot be heard: {error}");
    }
    for wait in waits {
        let deadline = Deadline::after(clock, wait);
        loop {
            if let Some(value) = look()? {
                return Ok(Some(value));
            }
            let left = deadline.remaining(clock);
            let is_news = match &news {
                Ok(news) => news.wait(clock, left),
                Err(_) => {
                    clock.sleep(left);
                    false
                }
            };
            if !is_news {
                break;
            }
        }
    }
    look()
}

/// A socket to which kernel and udev send their events.
#[derive(Debug)]
struct Uevents(OwnedFd);

impl Uevents {
    fn listen() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let protocol = Some(netlink::KOBJECT_UEVENT);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, protocol)?;
        bind(&socket, &netlink::SocketAddrNetlink::new(0, KERNEL | UDEV))?;
        Ok(Self(socket))
    }

    /// Whether there was news of disks within `at_most`.
    fn wait(&self, clock: &dyn Clock, at_most: Duration) -> bool {
        let deadline = Deadline::after(clock, at_most);
        while clock.wait(self.0.as_fd(), deadline.remaining(clock)) {
            if self.read() {
                return true;
            }
        }
        false
    }

    /// Takes all events that are there; whether one is about a disk. Lost ones may have been.
    fn read(&self) -> bool {
        let mut event = [0; EVENT_MAX];
        let mut is_news = false;
        loop {
            match recv(&self.0, &mut event[..], RecvFlags::empty()) {
                Ok((_, length)) => is_news |= is_about_disks(event.get(..length).unwrap_or(&event)),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::NOBUFS) => is_news = true,
                Err(_) => return is_news,
            }
        }
    }
}

/// An event is a header and properties, each ended by a zero byte.
fn is_about_disks(event: &[u8]) -> bool {
    event.split(|byte| *byte == 0).any(|property| {
        let subsystem = property.strip_prefix(b"SUBSYSTEM=");
        subsystem.is_some_and(|name| {
            name == b"block" || name.starts_with(b"scsi") || name.starts_with(b"iscsi")
        })
    })
}

/// Groups of the protocol: events as the kernel sends them, and as udev does after its rules.
const KERNEL: u32 = 1;
const UDEV: u32 = 2;
/// More than the kernel puts into one (`UEVENT_BUFFER_SIZE`).
const EVENT_MAX: usize = 8192;

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use clock::{ManualClock, SystemClock};

    use super::*;

    #[test]
    fn without_news_it_looks_after_each_wait() {
        let clock = ManualClock::default();
        let mut looks = 0;
        let waits = [1, 2].map(Duration::from_secs);
        let found = watch(&clock, waits, || {
            looks += 1;
            Ok::<_, Infallible>((looks == 9).then_some(()))
        });
        assert_eq!((found, looks), (Ok(None), 3));
        assert_eq!(clock.slept(), waits);
    }

    #[test]
    fn events_tell_what_they_are_about() {
        let kernel = b"add@/devices/virtual/block/loop0\0ACTION=add\0SUBSYSTEM=block\0SEQNUM=1\0";
        assert!(is_about_disks(kernel));
        assert!(is_about_disks(b"libudev\0\xfe\xed\xca\xfe\0\0SUBSYSTEM=scsi_device\0X=y\0"));
        assert!(!is_about_disks(b"add@/devices/net\0SUBSYSTEM=net\0NOTE=SUBSYSTEM=block\0"));
        assert!(!is_about_disks(b""));
    }

    /// Needs root: the event is made by asking the kernel for one.
    #[test]
    fn an_event_ends_a_wait() {
        let news = Uevents::listen().unwrap();
        let disk = std::fs::read_dir("/sys/block").unwrap().next().unwrap().unwrap();
        std::fs::write(disk.path().join("uevent"), "change").unwrap();
        assert!(news.wait(&SystemClock, Duration::from_secs(600)));
    }
}
