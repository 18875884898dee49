//! The proof that a disk is not in use, without which nothing is logged out.

use std::time::Duration;

use disk::{Access, Claim, Disk};

use crate::{Block, Error, Initiator, Session, Target, Unit, device::LOST};

/// The unit of a target is gone from this machine, and was free when it went.
///
/// Only [`Initiator::release`] makes one, and only for the target it is about to log out.
#[derive(Debug)]
pub(crate) struct Released {
    /// Held until the session has ended, so that the disk stays unused. A unit without disk needs none.
    _claim: Option<Claim>,
}

impl Initiator {
    /// Takes the target's unit away from the machine: claim, flush, offline, delete.
    ///
    /// # Errors
    /// If the disk is in use, if it cannot take what was written to it, or while it is not known whether it can.
    pub(crate) fn release(&self, session: &Session, target: &Target) -> Result<Released, Error> {
        let mut claim = None;
        if let Some(unit) = session.unit(target) {
            claim = match &unit.block {
                Some(block) if unit.state == LOST => {
                    let path = self.host.dev.join(&block.name);
                    Disk::prove_abandoned(&path, block.number, &self.host.disk)
                        .map_err(|error| not_released(target, error))?;
                    log::warn!("{} of {target} is not flushed: it is lost", block.name);
                    None
                }
                Some(block) => Some(self.claim(session, target, unit, block)?),
                None if unit.is_disk => {
                    return Err(not_ready(target, "its block device is coming or going"));
                }
                None => None,
            };
            unit.take_offline()?;
            unit.delete()?;
        }
        self.watch(self.after(REMOVAL), || {
            let session = self.session(target)?;
            Ok(session.is_none_or(|session| session.unit(target).is_none()).then_some(()))
        })?
        .ok_or_else(|| not_ready(target, "the kernel does not let go of it"))?;
        Ok(Released { _claim: claim })
    }

    fn claim(
        &self,
        session: &Session,
        target: &Target,
        unit: &Unit,
        block: &Block,
    ) -> Result<Claim, Error> {
        match unit.state.as_str() {
            "running" => {}
            // Left by a broken-off release. It can only be opened while it runs.
            "offline" => unit.set_state("running")?,
            // I/O to it waits until the session is back or its replacement_timeout has passed.
            state => return Err(not_ready(target, &format!("the kernel says it is {state}"))),
        }
        let not_released = |error| not_released(target, error);
        let path = self.host.dev.join(&block.name);
        let disk = Disk::open(&path, &self.host.disk).map_err(not_released)?;
        if disk.number() != block.number {
            let (found, expected) = (disk.number(), block.number);
            return Err(Error::WrongNode { target: target.clone(), path, found, expected });
        }
        let claim = disk.claim_soon(Access::Read, &*self.clock).map_err(not_released)?;
        if session.is_logged_in() {
            disk.flush().map_err(not_released)?;
        } else {
            log::warn!(
                "{} of {target} is not flushed: its session is {}",
                block.name,
                session.state
            );
        }
        Ok(claim)
    }
}

fn not_ready(target: &Target, obstacle: &str) -> Error {
    Error::NotReady { target: target.clone(), obstacle: obstacle.to_owned() }
}

fn not_released(target: &Target, error: disk::Error) -> Error {
    Error::NotReleased { target: target.clone(), source: Box::new(error) }
}

const REMOVAL: Duration = Duration::from_secs(10);
