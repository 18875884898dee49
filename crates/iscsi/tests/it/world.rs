//! The machine around the initiator: iscsid behind iscsiadm, the kernel behind sysfs.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use clock::{Clock, ManualClock};
use command::{Command, Error, Output, Runner};
use iscsi::{Host, Initiator, Target};

use crate::tree::Tree;

pub(crate) const IQN: &str = "iqn.2015-12.com.oracleiaas:1f2e";

/// The volume that the tests are about.
pub(crate) fn volume() -> Target {
    target("169.254.2.2", IQN, 1)
}

pub(crate) fn target(address: &str, iqn: &str, lun: u16) -> Target {
    Target { address: address.parse().unwrap(), port: 3260, iqn: iqn.parse().unwrap(), lun }
}

/// iscsid, the kernel and the target behind one portal; time passes only when somebody waits.
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

    pub(crate) fn initiator(&self) -> Initiator {
        let host = Host {
            sysfs: self.tree().path("sys"),
            dev: self.tree().path("dev"),
            disk: disk::Host::default(),
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

    /// Whether the caller's time has come.
    fn time_to_die(&self, after: bool) -> bool {
        let mut state = self.state();
        match &mut state.kill {
            Some((0, when)) if *when == after => state.kill = None,
            Some((number, _)) if *number > 0 && after => {
                *number -= 1;
                return false;
            }
            _ => return false,
        }
        true
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
        self.state().records.insert(key(IQN, "169.254.2.2:3260"), startup.to_owned());
    }

    /// The startup mode of the volume's node record.
    pub(crate) fn record(&self) -> Option<String> {
        self.state().records.get(&key(IQN, "169.254.2.2:3260")).cloned()
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

    fn open_session(&self, address: &str, iqn: &str, state: &str) {
        self.state().count += 1;
        let session = self.state().count;
        let host = session + 2;
        let device = format!("sys/devices/platform/host{host}/session{session}");
        let connection =
            format!("{device}/connection{session}:0/iscsi_connection/connection{session}:0");
        self.tree().add(&format!(
            "sys/class/iscsi_session/session{session} -> \
                 ../../devices/platform/host{host}/session{session}/iscsi_session/session{session}
             {device}/iscsi_session/session{session}/targetname = {iqn}
             {device}/iscsi_session/session{session}/state = {state}
             {device}/iscsi_session/session{session}/device -> ../../../session{session}
             {connection}/persistent_address = {address}
             {connection}/persistent_port = 3260
             sys/class/scsi_host/host{host} -> ../../devices/platform/host{host}/scsi_host/host{host}
             sys/devices/platform/host{host}/scsi_host/host{host}/scan ="
        ));
    }

    /// What the kernel does about what was written to sysfs, and what is due.
    fn react(&self) {
        let now = self.0.clock.monotonic();
        let (due, pending) =
            mem::take(&mut self.state().events).into_iter().partition(|e| e.0 <= now);
        self.state().events = pending;
        let due: Vec<(Duration, Event)> = due;
        due.into_iter().for_each(|(_, event)| self.happens(event));
        let count = self.state().count;
        for session in 1..=count {
            let host = session + 2;
            let units =
                format!("sys/devices/platform/host{host}/session{session}/target{host}:0:0");
            let scan = format!("sys/class/scsi_host/host{host}/scan");
            if let Some(lun) = self.tree().read(&scan).strip_prefix("- - ") {
                let lines =
                    self.state().units.get(&lun.parse().unwrap()).cloned().unwrap_or_default();
                for line in lines.lines() {
                    self.tree().add(&format!("{units}/{host}:0:0:{lun}/{line}"));
                }
                self.tree().add(&format!("{scan} ="));
            }
            for lun in 0..20 {
                let unit = format!("{units}/{host}:0:0:{lun}");
                if self.tree().read(&format!("{unit}/delete")) == "1" {
                    self.tree().remove(&[unit]);
                }
            }
        }
    }

    /// What iscsid does with `verb` when all is well.
    fn obey(&self, verb: &str, record: String) -> i32 {
        let session = self.initiator().session(&volume()).ok().flatten();
        match verb {
            "new" => {
                self.state().records.insert(record, "default".into());
                0
            }
            "update" => match self.state().records.get_mut(&record) {
                Some(startup) => {
                    *startup = "manual".into();
                    0
                }
                None => 21,
            },
            "delete" if session.is_some() => 15,
            "delete" => self.state().records.remove(&record).map_or(21, |_| 0),
            "login" if session.is_some() => 15,
            "login" if self.record().is_none() => 21,
            "login" => {
                self.happens(Event::Session("169.254.2.2", IQN, "LOGGED_IN"));
                0
            }
            "logout" => match session {
                Some(session) => {
                    let number = session.name.trim_start_matches("session").parse().unwrap();
                    self.happens(Event::End(number));
                    0
                }
                None => 21,
            },
            other => panic!("{other}?"),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }
}

impl Runner for World {
    fn run(&self, command: &Command) -> Result<Output, Error> {
        let line = command.to_string();
        let words: Vec<_> = line.split(' ').collect();
        let [_, "--mode", "node", "--targetname", iqn, "--portal", portal, rest @ ..] = &*words
        else {
            panic!("not on one target at one portal: {line}");
        };
        let verb = match rest {
            ["--op", verb, ..] => verb,
            [verb] => verb.trim_start_matches("--"),
            _ => panic!("unexpected: {line}"),
        };
        if self.time_to_die(false) {
            panic!("killed before {verb}");
        }
        self.state().ran.push(verb.to_owned());
        self.react();
        let answer = self.state().answers.get_mut(verb).and_then(VecDeque::pop_front);
        let Some(answer) = answer else {
            let code = self.obey(verb, key(iqn, portal));
            if self.time_to_die(true) {
                panic!("killed after {verb}");
            }
            return Ok(Output { code, stdout: String::new(), stderr: String::new() });
        };
        if let Some((later, event)) = answer.event {
            self.later(u64::try_from(later.as_millis()).unwrap(), event);
            self.react();
        }
        let (code, stderr) = answer.result.map_err(|error| error())?;
        Ok(Output { code, stdout: String::new(), stderr: stderr.into() })
    }
}

impl Clock for World {
    fn now(&self) -> SystemTime {
        self.0.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.clock.monotonic()
    }

    fn sleep(&self, duration: Duration) {
        self.0.clock.sleep(duration);
        self.react();
    }
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

fn key(iqn: &str, portal: &str) -> String {
    format!("{iqn} {portal}")
}
