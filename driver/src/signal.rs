//! Signals that end a process: kubelet's SIGTERM says that it no longer waits, the others come from a terminal or
//! an administrator.

use std::{
    ffi::OsString,
    sync::{Arc, atomic::AtomicBool, mpsc},
    thread,
};

use flexvolume::Reply;
use signal_hook::{
    consts::{
        SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM,
        SIGXCPU, SIGXFSZ,
    },
    iterator::Signals,
    low_level::signal_name,
};

use crate::{call_log, reply};

/// All that end a process by default and can be answered. SIGPIPE is ignored by every Rust program.
pub(crate) const ENDING: [i32; 11] = [
    SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU, SIGVTALRM, SIGPROF, SIGIO,
];
/// A file has reached the limit of `ulimit -f`: it is the write that fails, and the process goes on.
pub(crate) const FILE_TOO_LARGE: i32 = SIGXFSZ;

/// Answers each of [`ENDING`] with a Failure and ends the process.
///
/// Ending at once is safe because ending at any moment is: every call is made to be repeated after
/// SIGKILL. A program that works on a disk meanwhile keeps the volume's lock until it ends; what iscsid was asked
/// for may come even later, and the next call reckons with it.
pub(crate) fn reply_to_signals(args: &[OsString]) {
    ignore([FILE_TOO_LARGE]);
    let (sender, receiver) = mpsc::channel::<Signals>();
    let args = args.to_owned();
    // The thread comes first: a signal that is caught and not answered would be lost. Without the thread it ends the
    // process as well, only without a reply.
    let thread = thread::Builder::new().name("signals".into()).stack_size(STACK).spawn(move || {
        let Ok(mut signals) = receiver.recv() else { return };
        if let Some(signal) = signals.forever().next() {
            end(signal, &args);
        }
    });
    if thread.is_err() {
        return;
    }
    if let Ok(signals) = Signals::new(ENDING) {
        // The thread waits for it.
        let _ = sender.send(signals);
    }
}

/// The process goes on after these. Programs that it runs are not told to.
pub(crate) fn ignore(signals: impl IntoIterator<Item = i32>) {
    let noticed = Arc::new(AtomicBool::new(false));
    for signal in signals {
        // Without it they end the process, as they do by default.
        let _ = signal_hook::flag::register(signal, Arc::clone(&noticed));
    }
}

/// The reply comes first: it does not wait for the log.
fn end(signal: i32, args: &[OsString]) -> ! {
    let name = signal_name(signal).unwrap_or("a signal");
    let reply = Reply::failure(format!(
        "interrupted by {name} before the call was finished; repeating it continues the work"
    ));
    let reply = reply.for_call(args);
    reply::end_with(&reply, || call_log::outcome(args, &reply, &[]))
}

const STACK: usize = 128 << 10;
