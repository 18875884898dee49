//! Building the cloud, breaking it, and looking at it, while it runs.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::credentials::ApiKeyUser;
use crate::faults::Fault;
use crate::lifecycle::Due;
use crate::log::{Entry, Event};
use crate::new_resources::{NewInstance, NewVolume};
use crate::sim::{Sim, locked};
use crate::state::{Attachment, Network, VOLUME_STATES};
use crate::throttle::{Bucket, Throttle};

impl Sim {
    /// The user whose requests are good from the start.
    pub fn credentials(&self) -> &ApiKeyUser {
        &self.user
    }

    /// Lets another user, or another key, in.
    pub fn add_user(&self, user: &ApiKeyUser) {
        locked(&self.keys).add(user.key_id(), user.public_key().to_vec());
    }

    /// Refuses the user's key from now on, as after it was deleted in the console.
    pub fn remove_user(&self, user: &ApiKeyUser) {
        locked(&self.keys).remove(&user.key_id());
    }

    /// OCID of the compartment where things are that name none.
    pub fn compartment(&self) -> String {
        locked(&self.state).compartment.clone()
    }

    /// The network where instances are that name none.
    pub fn network(&self) -> Option<Network> {
        locked(&self.state).networks.first().cloned()
    }

    /// A further VCN with a subnet, in this compartment (the cloud's own if absent).
    pub fn add_network(&self, compartment: Option<&str>) -> Network {
        let mut state = locked(&self.state);
        let compartment = compartment.map_or_else(|| state.compartment.clone(), str::to_owned);
        state.add_network(&compartment, self.now())
    }

    /// A further instance; its OCID. The first is the one the metadata service speaks of.
    pub fn add_instance(&self, new: NewInstance) -> String {
        locked(&self.state).add_instance(new, self.now())
    }

    /// A further volume; its OCID.
    pub fn add_volume(&self, new: NewVolume) -> String {
        locked(&self.state).add_volume(new, self.now())
    }

    /// Changes an instance's state, for example to `STOPPED` or `TERMINATED`.
    pub fn set_instance_state(&self, id: &str, state: &str) {
        for instance in locked(&self.state).instances.iter_mut().filter(|it| it.id == id) {
            state.clone_into(&mut instance.state);
        }
    }

    /// Changes a volume's state, for example to `RESTORING` or `AVAILABLE`; one that volumes do not have is no change.
    pub fn set_volume_state(&self, id: &str, name: &str) {
        let Some(known) = VOLUME_STATES.into_iter().find(|known| *known == name) else { return };
        for volume in locked(&self.state).volumes.iter_mut().filter(|it| it.id == id) {
            volume.life.enter(known);
        }
    }

    /// Detaches the volume from wherever it is, as the console does: now, in use or not.
    pub fn force_detach(&self, volume: &str) {
        let now = self.now();
        let mut state = locked(&self.state);
        for attachment in &mut state.attachments {
            if attachment.volume_id == volume && attachment.is_live() {
                attachment.life.pass("DETACHING", "DETACHED", Due::At(now));
            }
        }
        state.settle(now);
    }

    /// The instance that the metadata service speaks of, unless the path names one.
    pub fn set_metadata_instance(&self, id: &str) {
        locked(&self.state).metadata_instance = Some(id.to_owned());
    }

    /// Changes the CHAP secret of an attachment that was made with one.
    pub fn set_chap_secret(&self, attachment: &str, secret: &str) {
        let mut state = locked(&self.state);
        let of = state.attachments.iter_mut().find(|it| it.id == attachment);
        let target = of.and_then(|it| it.target.as_mut());
        if let Some(old) = target.and_then(|it| it.chap_secret.as_mut()) {
            secret.clone_into(old);
        }
    }

    /// All attachments that can still be seen, in the order they were made.
    pub fn attachments(&self) -> Vec<Attachment> {
        let mut state = locked(&self.state);
        state.settle(self.now());
        let shown = |it: &Attachment| Attachment { lifecycle_state: it.life.state(), ..it.clone() };
        state.attachments.iter().map(shown).collect()
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Entry> {
        self.log.entries()
    }

    /// What must never happen, and did: a disk was detached while it was in use. Also disks that could not be shown, and
    /// what the [`Storage`](crate::Storage) complains of.
    pub fn violations(&self) -> Vec<String> {
        let state = locked(&self.state);
        let disks = state.disks.as_ref().map(|it| it.violations()).unwrap_or_default();
        let targets = state.targets.as_ref().map(|it| it.violations()).unwrap_or_default();
        [disks, targets].concat()
    }

    /// Sets a fault, beside those already set.
    pub fn fail(&self, fault: Fault) {
        locked(&self.faults).add(fault);
    }

    /// From now on no more requests than this are performed; without a throttle, all are.
    pub fn throttle(&self, throttle: Option<Throttle>) {
        *locked(&self.throttle) = throttle.map(|it| Bucket::new(it, self.now()));
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        locked(&self.faults).clear();
    }

    /// Calls this before and after each request is performed, on the thread that performs it: the client waits meanwhile.
    pub fn on_request(&self, hook: impl Fn(&Event) + Send + Sync + 'static) {
        *locked(&self.hook) = Some(Arc::new(hook));
    }

    /// What time it is in the cloud.
    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Turns the cloud's clock forward; what is due then happens.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.settle();
    }

    /// Turns the cloud's clock back.
    pub fn turn_back(&self, by: Duration) {
        self.clock.turn_back(by);
    }

    /// Lets everything happen that is due by now. Requests do it too, and a server several times a second.
    pub fn settle(&self) {
        locked(&self.state).settle(self.now());
    }

    /// Takes all disks away, in use or not.
    pub(crate) fn remove_disks(&self) {
        locked(&self.state).disks = None;
    }
}
