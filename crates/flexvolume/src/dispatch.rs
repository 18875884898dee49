//! From an argument list, through a driver, to a reply.

use std::{error::Error, ffi::OsString, iter};

use crate::{Call, CallError, Driver, Failure, Reply, Result, record};

/// Answers one call. `args` are the arguments of the process without its own name.
///
/// It never prints, exits or panics, unless the driver does. The beginning of the call is logged; its end is for
/// [`crate::log_outcome`], after the reply was given.
pub fn dispatch(driver: &dyn Driver, args: &[OsString]) -> Reply {
    let answer = match Call::parse(args) {
        Ok(call) => {
            record::opening(&call);
            answer(driver, call)
        }
        Err(CallError::Unknown) => Err(Failure::NotSupported),
        Err(error) => Err(error.into()),
    };
    let reply = match answer {
        Ok(reply) => reply,
        Err(Failure::NotSupported) => Reply::not_supported(),
        Err(Failure::Failed(error)) => Reply::failure(chain(&*error)),
    };
    reply.for_call(args)
}

fn answer(driver: &dyn Driver, call: Call) -> Result<Reply> {
    match call {
        Call::Init => driver.init().map(Reply::capabilities),
        Call::GetVolumeName => Err(Failure::NotSupported),
        Call::Attach { options, node } => driver.attach(&options, &node).map(Reply::device),
        Call::Detach { volume, node } => driver.detach(&volume, &node).map(done),
        Call::IsAttached { options, node } => {
            driver.is_attached(&options, &node).map(Reply::attached)
        }
        Call::WaitForAttach { device, options } => {
            let found = driver.wait_for_attach(&device, &options)?;
            if found.as_os_str().is_empty() {
                // the caller would go on to mount nothing at all
                return Ok(Reply::failure("the driver found no device for the volume"));
            }
            Ok(Reply::device(found))
        }
        Call::MountDevice { dir, device, options } => {
            driver.mount_device(&dir, &device, &options).map(done)
        }
        Call::UnmountDevice { dir } => driver.unmount_device(&dir).map(done),
        Call::Mount { dir, options } => driver.mount(&dir, &options).map(done),
        Call::Unmount { dir } => driver.unmount(&dir).map(done),
        Call::ExpandVolume { options, dir, new_bytes, old_bytes } => {
            driver.expand_volume(&options, &dir, new_bytes, old_bytes).map(Reply::volume_new_size)
        }
        Call::ExpandFs { options, device, dir, new_bytes, old_bytes } => driver
            .expand_fs(&options, &device, &dir, new_bytes, old_bytes)
            .map(Reply::volume_new_size),
    }
}

fn done((): ()) -> Reply {
    Reply::success()
}

/// `outer: inner: innermost`.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(Some(error), |&it| it.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
