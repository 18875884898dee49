//! A panic: something that cannot happen has happened.

use std::{ffi::OsString, panic};

use flexvolume::Reply;

use crate::{call_log, reply};

/// Answers a panic of any thread with a Failure and ends the process, as SIGTERM does.
///
/// Its text may show anything of the call: the reply has none of it, the log only the place.
pub(crate) fn reply_to_panics(args: &[OsString]) {
    let reply = Reply::failure(PANICKED).for_call(args);
    let args = args.to_owned();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        reply::end_with(&reply, || {
            log::error!(place; "panic");
            call_log::outcome(&args, &reply, &[]);
        });
    }));
}

const PANICKED: &str = "the driver met a bug and stopped; nothing more was done, the call may be \
                        repeated, and the log says where: please report it";
