//! Time passes: what is due happens, and disks come and go with it.

use std::time::SystemTime;

use crate::disk::Disks;
use crate::state::{Attachment, State, Volume};
use crate::storage::Targets;

impl State {
    /// Lets happen everything that is due now.
    pub(crate) fn settle(&mut self, now: SystemTime) {
        for volume in &mut self.volumes {
            if let Some(state) = volume.life.settle(now) {
                volume_entered(volume, state, (&mut self.disks, &mut self.targets), now);
            }
        }
        for index in 0..self.attachments.len() {
            let entered = self.attachments.get_mut(index).and_then(|it| it.life.settle(now));
            if entered.is_some() {
                self.entered(index, now);
            }
        }
        self.forget(now);
    }

    /// An answer shows these attachments: one poll for each that counts polls.
    pub(crate) fn look_at_attachments(
        &mut self,
        now: SystemTime,
        shown: impl Fn(&Attachment) -> bool,
    ) {
        for index in 0..self.attachments.len() {
            let attachment = self.attachments.get_mut(index).filter(|it| shown(it));
            if attachment.and_then(|it| it.life.look()).is_some() {
                self.entered(index, now);
            }
        }
    }

    /// An answer shows these volumes.
    pub(crate) fn look_at_volume(&mut self, now: SystemTime, id: &str) {
        for volume in self.volumes.iter_mut().filter(|volume| volume.id == id) {
            if let Some(state) = volume.life.look() {
                volume_entered(volume, state, (&mut self.disks, &mut self.targets), now);
            }
        }
    }

    /// What a new state of an attachment brings about.
    fn entered(&mut self, index: usize, now: SystemTime) {
        let Some(attachment) = self.attachments.get_mut(index) else { return };
        let state = attachment.life.state();
        if state == "DETACHED" {
            attachment.gone_since = Some(now);
        }
        for work in self.work_requests.iter_mut().filter(|work| work.id == attachment.work_request)
        {
            let outcome = if work.goal == state {
                Ok(())
            } else {
                Err(format!(
                    "The volume attachment {} could not become {}.",
                    work.attachment, work.goal
                ))
            };
            work.finished = Some((now, outcome));
        }
        let attachment = attachment.clone();
        let instance = self.instances.iter().find(|it| it.id == attachment.instance_id);
        let volume = self.volumes.iter().find(|it| it.id == attachment.volume_id);
        if let (Some(disks), Some(instance), Some(volume)) = (&mut self.disks, instance, volume) {
            match state {
                "ATTACHED" => disks.plug(&attachment, instance, volume),
                "DETACHED" => disks.unplug(&attachment),
                _ => {}
            }
        }
        if let (Some(targets), Some(volume)) = (&mut self.targets, volume) {
            match state {
                "ATTACHED" => targets.attach(&attachment, volume),
                "DETACHED" => targets.detach(&attachment, volume),
                _ => {}
            }
        }
    }

    /// What has been gone for long is no longer shown.
    fn forget(&mut self, now: SystemTime) {
        let keep = self.config.keep_gone;
        let shown = |since: Option<SystemTime>| since.is_none_or(|since| now < since + keep);
        self.attachments.retain(|attachment| shown(attachment.gone_since));
        self.volumes.retain(|volume| shown(volume.gone_since));
    }
}

/// What a new state of a volume brings about. The size is there when the change is done, not before.
fn volume_entered(
    volume: &mut Volume,
    state: &'static str,
    (disks, targets): (&mut Option<Disks>, &mut Option<Targets>),
    now: SystemTime,
) {
    match state {
        "TERMINATED" => volume.gone_since = Some(now),
        "AVAILABLE" => {
            disks.iter_mut().for_each(|disks| disks.grow(volume));
            targets.iter_mut().for_each(|targets| targets.grow(volume));
        }
        _ => {}
    }
}
