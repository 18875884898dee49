//! The machine around the initiator: iscsid behind iscsiadm, the kernel behind sysfs.

mod machine;

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use clock::{Clock, ManualClock};
use command::Error;
use iscsi::{Host, Initiator, Target};

use crate::tree::Tree;

pub(crate) const IQN: &str = "iqn.2015-12.com.oracleiaas:1f2e";
/// The volume's node record.
const RECORD: &str = "iqn.2015-12.com.oracleiaas:1f2e 169.254.2.2:3260";

/// What iscsiadm writes into it, in short.
pub(crate) const WHOLE_RECORD: &str = "# BEGIN RECORD 2.1.8\n\
    node.name = iqn.2015-12.com.oracleiaas:1f2e\nnode.startup = automatic\n\
    node.session.auth.authmethod = None\nnode.conn[0].address = 169.254.2.2\n# END RECORD\n";

/// Where this machine's open-iscsi keeps its records: the second place to look.
const NODES: &str = "var/lib/iscsi/nodes";

/// The volume that the tests are about.
pub(crate) fn volume() -> Target {
    target("169.254.2.2", IQN, 1)
}

pub(crate) fn target(address: &str, iqn: &str, lun: u16) -> Target {
    Target { address: address.parse().unwrap(), port: 3260, iqn: iqn.parse().unwrap(), lun }
}

/// iscsid, the kernel and the target behind one portal; time passes only when a call waits.
#[derive(Clone, Debug)]
pub(crate) struct World(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tree: Tree,
    clock: ManualClock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What iscsiadm was asked to do, shortened.
    ran: Vec<String>,
    /// Node records and their startup mode.
    records: BTreeMap<String, String>,
    /// Answers that differ from what iscsid would say, by verb.
    answers: BTreeMap<&'static str, VecDeque<Answer>>,
    /// What happens later.
    events: Vec<(Duration, Event)>,
    /// Units of the target: LUN → lines below the unit's folder.
    units: BTreeMap<u16, String>,
    /// Sessions so far.
    count: u32,
    /// Kills the caller at this run of iscsiadm: counted down, before or after it has done its work.
    kill: Option<(usize, bool)>,
    /// Where disks are looked at, if not on this machine.
    disks: Option<disk::Host>,
    /// What `multipath -f` removes.
    holders: Vec<std::path::PathBuf>,
    /// Whether I/O to the map waits for a path.
    queues: bool,
    /// The file with the map's size.
    map_size: std::path::PathBuf,
    /// The lines of a node record without which the target refuses every login.
    wants: Option<String>,
    /// What no command line may hold.
    secret: Option<String>,
}

#[derive(Clone, Debug)]
struct Answer {
    result: Result<(i32, &'static str), fn() -> Error>,
    /// What iscsid does all the same.
    event: Option<(Duration, Event)>,
}

/// Something that happens to the machine.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A session to this portal and target comes up in this state.
    Session(&'static str, &'static str, &'static str),
    /// The session gets this state.
    State(u32, &'static str),
    /// The session ends.
    End(u32),
    /// A file gets this content.
    Write(String, &'static str),
    /// The volume's node record has come to its end.
    RecordIsWhole,
    /// A file or folder vanishes.
    Remove(String),
    /// The target shows this unit from now on: LUN, lines below its folder.
    Unit(u16, &'static str),
}

/// A disk that can be used at once.
pub(crate) const READY: &str =
    "state = running\nrescan =\ndelete =\nblock/sda/dev = 8:0\nblock/sda/size = 97656";

impl World {
    /// A machine without sessions; the target has the volume as LUN 1.
    pub(crate) fn new() -> Self {
        let (tree, clock) = (Tree::new(), ManualClock::default());
        let world = Self(Arc::new(Inner { tree, clock, state: Mutex::default() }));
        world.happens(Event::Unit(1, READY));
        world.tree().add("dev/sda =");
        world
    }

    /// The volume's session is up, with its unit.
    pub(crate) fn logged_in() -> Self {
        let world = Self::new();
        world.happens(Event::Session("169.254.2.2", IQN, "LOGGED_IN"));
        world.happens(Event::Write("sys/class/scsi_host/host3/scan".into(), "- - 1"));
        world.react();
        world.has_record("automatic");
        world.take();
        world
    }

    /// As a logout leaves it that was broken off: the session is up, its disk gone.
    pub(crate) fn without_disk() -> Self {
        let world = Self::logged_in();
        world.tree().remove(&[unit_dir(1, 1)]);
        world
    }

    pub(crate) fn initiator(&self) -> Initiator {
        let host = Host {
            sysfs: self.tree().path("sys"),
            proc: self.tree().path("proc"),
            dev: self.tree().path("dev"),
            nodes: vec![self.tree().path("etc/iscsi/nodes"), self.tree().path(NODES)],
            disk: self.state().disks.clone().unwrap_or_default(),
        };
        Initiator::new(Arc::new(self.clone()), Arc::new(self.clone()), host)
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.0.tree
    }

    /// Kills the caller (by a panic) at run `number` of iscsiadm, counted from 0, before or `after` its work.
    pub(crate) fn kills(&self, number: usize, after: bool) {
        self.state().kill = Some((number, after));
    }

    /// From now on `verb` (new, update, login, logout, delete) ends with `code`, once, and nothing else happens.
    pub(crate) fn answers(&self, verb: &'static str, code: i32, stderr: &'static str) -> &Self {
        self.queue(verb, Answer { result: Ok((code, stderr)), event: None })
    }

    /// As [`World::answers`], but `event` happens `later`.
    pub(crate) fn answers_and(
        &self,
        verb: &'static str,
        code: i32,
        later: u64,
        event: Event,
    ) -> &Self {
        let event = Some((Duration::from_millis(later), event));
        self.queue(verb, Answer { result: Ok((code, "")), event })
    }

    /// `verb` does not run to its end, once; `event` happens all the same.
    pub(crate) fn breaks(
        &self,
        verb: &'static str,
        error: fn() -> Error,
        event: Option<(u64, Event)>,
    ) -> &Self {
        let event = event.map(|(later, event)| (Duration::from_millis(later), event));
        self.queue(verb, Answer { result: Err(error), event })
    }

    /// `event` happens `later`, in milliseconds.
    pub(crate) fn later(&self, later: u64, event: Event) -> &Self {
        let at = self.0.clock.monotonic() + Duration::from_millis(later);
        self.state().events.push((at, event));
        self
    }

    /// The volume's node record exists.
    pub(crate) fn has_record(&self, startup: &str) {
        self.state().records.insert(RECORD.to_owned(), startup.to_owned());
    }

    /// The startup mode of the volume's node record.
    pub(crate) fn record(&self) -> Option<String> {
        self.state().records.get(RECORD).cloned()
    }

    /// Disks are looked at in this sysfs; `multipath -f` removes `holders`.
    pub(crate) fn has_map(&self, sysfs: &std::path::Path, holders: Vec<std::path::PathBuf>) {
        self.state().disks = Some(disk::Host { sysfs: sysfs.to_owned(), ..disk::Host::default() });
        self.state().holders = holders;
    }

    /// I/O to the map waits for a path from now on, or fails.
    pub(crate) fn map_queues(&self, queues: bool) {
        self.state().queues = queues;
    }

    /// `multipathd resize` writes to this file.
    pub(crate) fn has_map_size(&self, file: std::path::PathBuf) {
        self.state().map_size = file;
    }

    /// From now on the target lets in only this user with this secret.
    pub(crate) fn wants_chap(&self, username: &str, secret: &str) {
        self.state().secret = Some(secret.to_owned());
        self.state().wants = Some(format!(
            "node.session.auth.authmethod = CHAP\nnode.session.auth.username = {username}\n\
             node.session.auth.password = {secret}\n"
        ));
    }

    /// What the volume's node record says.
    pub(crate) fn record_text(&self) -> String {
        self.tree().read(&record_file(RECORD))
    }

    /// What iscsiadm was asked to do since the last call, one verb per line.
    pub(crate) fn take(&self) -> String {
        mem::take(&mut self.state().ran).join(" ")
    }

    /// How long the initiator has waited so far.
    pub(crate) fn waited(&self) -> Duration {
        self.0.clock.monotonic()
    }

    pub(crate) fn waits(&self) -> Vec<Duration> {
        self.0.clock.slept()
    }

    pub(crate) fn happens(&self, event: Event) {
        match event {
            Event::Session(address, iqn, state) => self.open_session(address, iqn, state),
            Event::State(number, state) => {
                let path = format!(
                    "sys/devices/platform/host{0}/session{1}/iscsi_session/session{1}/state",
                    number + 2,
                    number
                );
                self.tree().add(&format!("{path} = {state}"));
            }
            Event::End(number) => self.tree().remove(&[
                format!("sys/class/iscsi_session/session{number}"),
                format!("sys/class/scsi_host/host{}", number + 2),
                format!("sys/devices/platform/host{}", number + 2),
            ]),
            Event::Write(path, content) => self.tree().add(&format!("{path} = {content}")),
            Event::RecordIsWhole => self.tree().write(&record_file(RECORD), WHOLE_RECORD),
            Event::Remove(path) => self.tree().remove(&[path]),
            Event::Unit(lun, lines) => {
                self.state().units.insert(lun, lines.to_owned());
            }
        }
    }

    fn queue(&self, verb: &'static str, answer: Answer) -> &Self {
        self.state().answers.entry(verb).or_default().push_back(answer);
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }
}

/// The file of a node record, as iscsiadm names it.
fn record_file(record: &str) -> String {
    let (iqn, portal) = record.split_once(' ').unwrap();
    let (address, port) = portal.rsplit_once(':').unwrap();
    format!("{NODES}/{iqn}/{},{port}", address.trim_matches(['[', ']']))
}

/// The message with all its reasons, as the caller of the driver reads it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

/// The folder of a unit in sysfs.
pub(crate) fn unit_dir(session: u32, lun: u16) -> String {
    let host = session + 2;
    format!("sys/devices/platform/host{host}/session{session}/target{host}:0:0/{host}:0:0:{lun}")
}
