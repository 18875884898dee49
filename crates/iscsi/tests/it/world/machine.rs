//! What iscsid and the kernel do: the moving parts of the world.

use std::{
    collections::VecDeque,
    mem,
    time::{Duration, SystemTime},
};

use clock::Clock;
use command::{Command, Error, Output, Runner};

use iscsi::Target;

use super::{Event, WHOLE_RECORD, World, record_file, volume};

impl Runner for World {
    fn run(&self, command: &Command) -> Result<Output, Error> {
        let line = command.to_string();
        let secret = self.state().secret.clone();
        assert!(secret.is_none_or(|secret| !line.contains(&secret)), "everybody can read {line}");
        match command.program() {
            "multipath" => return Ok(self.remove_map(&line)),
            "multipathd" => return Ok(self.resize_map(&line)),
            "dmsetup" => return Ok(self.table()),
            _ => {}
        }
        let words: Vec<_> = line.split(' ').collect();
        if let [_, "--mode", "discovery", ..] = *words {
            // A portal that names nothing: what is found are sessions.
            return Ok(Output { code: 0, stdout: String::new(), stderr: String::new() });
        }
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

impl World {
    pub(super) fn open_session(&self, address: &str, iqn: &str, state: &str) {
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
    pub(super) fn react(&self) {
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

    /// What multipathd does, unless a test says that the map is in use.
    fn remove_map(&self, line: &str) -> Output {
        self.state().ran.push(line.to_owned());
        let answer = self.state().answers.get_mut("multipath -f").and_then(VecDeque::pop_front);
        if let Some(answer) = answer {
            let (code, stderr) = answer.result.unwrap();
            return Output { code, stdout: String::new(), stderr: stderr.into() };
        }
        for holder in mem::take(&mut self.state().holders) {
            std::fs::remove_dir_all(holder).unwrap();
        }
        Output { code: 0, stdout: String::new(), stderr: String::new() }
    }

    /// What device mapper says of the map.
    fn table(&self) -> Output {
        let features = if self.state().queues { "1 queue_if_no_path" } else { "0" };
        let stdout =
            format!("0 32768 multipath {features} 0 1 1 service-time 0 2 2 8:0 1 1 8:16 1 1");
        Output { code: 0, stdout, stderr: String::new() }
    }

    /// What multipathd does when the paths of a map have grown to 64 MiB.
    fn resize_map(&self, line: &str) -> Output {
        self.state().ran.push(line.to_owned());
        let size = self.state().map_size.clone();
        std::fs::write(size, "131072").unwrap();
        Output { code: 0, stdout: "ok".into(), stderr: String::new() }
    }

    /// What iscsid does with `verb` when all is well.
    fn obey(&self, verb: &str, record: String) -> i32 {
        let (iqn, portal) = record.split_once(' ').unwrap();
        let address = portal.rsplit_once(':').unwrap().0.parse().unwrap();
        let path = Target { address, iqn: iqn.parse().unwrap(), ..volume() };
        let session = self.initiator().session(&path).ok().flatten();
        match verb {
            "new" if self.is_torn(&record) => 6,
            "update" | "delete" | "login" if self.is_torn(&record) => 21,
            "new" => {
                self.tree().write(&record_file(&record), WHOLE_RECORD);
                self.state().records.insert(record, "default".into());
                0
            }
            "update" => match self.state().records.get_mut(&record) {
                Some(startup) => {
                    *startup = "manual".into();
                    self.tree().replace(&record_file(&record), "automatic", "manual");
                    0
                }
                None => 21,
            },
            "delete" if session.is_some() => 15,
            "delete" => {
                self.tree().remove(&[record_file(&record)]);
                self.state().records.remove(&record).map_or(21, |_| 0)
            }
            "login" if session.is_some() => 15,
            "login" if !self.state().records.contains_key(&record) => 21,
            "login" if !self.lets_in() => 24,
            "login" => {
                self.open_session(&path.address.to_string(), iqn, "LOGGED_IN");
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

    /// Whether iscsiadm finds nothing in the record's file.
    fn is_torn(&self, record: &str) -> bool {
        let file = self.tree().path(&record_file(record));
        file.exists() && !self.tree().read(&record_file(record)).contains("node.conn[0].address")
    }

    /// Whether the volume's record has what the target wants to hear.
    fn lets_in(&self) -> bool {
        let text = self.record_text();
        self.state().wants.as_ref().is_none_or(|wanted| text.contains(wanted))
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
}

fn key(iqn: &str, portal: &str) -> String {
    format!("{iqn} {portal}")
}
