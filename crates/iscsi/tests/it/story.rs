//! A verb told as text: its outcome, what iscsiadm was asked to do, what is left, how long it took.

use std::{fmt::Debug, time::Duration};

use iscsi::Error;

use crate::world::{World, chain, volume};

/// Logs in.
pub(crate) fn log_in(world: &World) -> String {
    tell(world, world.waited(), world.initiator().log_in(&volume(), None))
}

/// Logs out.
pub(crate) fn log_out(world: &World) -> String {
    tell(world, world.waited(), world.initiator().log_out(&volume()))
}

fn tell(world: &World, start: Duration, result: Result<impl Debug, Error>) -> String {
    let result = match result {
        Ok(outcome) => format!("{outcome:?}"),
        Err(error) if error.is_transient() => format!("{} (again later)", chain(&error)),
        Err(error) => chain(&error),
    };
    let session = match world.initiator().session(&volume()) {
        Ok(Some(session)) => session.state,
        Ok(None) => "none".to_owned(),
        Err(_) => "?".to_owned(),
    };
    let record = world.record().unwrap_or("none".to_owned());
    let waited = world.waited() - start;
    let ran = world.take();
    format!("{result}\nran: {ran}\nsession: {session}, record: {record}, waited {waited:?}\n")
}
