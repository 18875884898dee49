//! SIGTERM: kubelet's way of saying that it no longer waits.

use std::{ffi::OsString, thread};

use flexvolume::Reply;
use signal_hook::{consts::SIGTERM, iterator::Signals};

use crate::reply;

/// Answers SIGTERM with a Failure and ends the process.
///
/// Ending at once is safe because ending at any moment is: every call is made to be repeated after
/// SIGKILL. A program that works on a disk meanwhile keeps the volume's lock until it ends; what iscsid was asked
/// for may come even later, and the next call reckons with it.
pub(crate) fn reply_to_sigterm(args: &[OsString]) {
    // Without the handler SIGTERM ends the process as well, only without a reply.
    let Ok(mut signals) = Signals::new([SIGTERM]) else { return };
    let reply = Reply::failure(INTERRUPTED).for_call(args);
    let _ = thread::Builder::new().name("sigterm".into()).stack_size(STACK).spawn(move || {
        if signals.forever().next().is_some() {
            log::error!("interrupted by SIGTERM");
            reply::end_with(&reply);
        }
    });
}

const STACK: usize = 128 << 10;
const INTERRUPTED: &str =
    "interrupted by SIGTERM before the call was finished; repeating it continues the work";
