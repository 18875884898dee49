//! One disk through several portals, under one multipath map.
//!
//! multipathd makes the map; this makes sure that it is the map of exactly the paths of this volume, and that all
//! of them lead to one disk.

use std::{path::PathBuf, time::Duration};

use clock::Deadline;
use disk::{Access, Disk, Map};

use crate::{
    Chap, Error, Initiator, MultipathError, Outcome, Target,
    device::{APPEARANCE, Readiness},
    iscsiadm,
    login::{failed, not_run},
    session::sessions,
};

impl Initiator {
    /// As [`Initiator::log_in`], for one of the `paths` to a disk: sessions through the others are no obstacle, and
    /// one that does not work is left to iscsid as long as a map stands on its disk.
    ///
    /// # Errors
    /// As [`Initiator::log_in`].
    pub fn log_in_path(
        &self,
        target: &Target,
        paths: &[Target],
        chap: Option<&Chap>,
    ) -> Result<Outcome, Error> {
        self.ensure_session(target, paths, chap)
    }

    /// All portals of the target, in the portal's own words (SendTargets, RFC 7143, appendix C), and those of
    /// its sessions, where the name is the volume's own. Writes no records.
    ///
    /// # Errors
    /// The portal does not answer.
    pub fn discover(&self, target: &Target) -> Result<Vec<Target>, Error> {
        self.refuse_boot_target(target)?;
        let output = self
            .run(&iscsiadm::discover(target), self.after(DISCOVERY))
            .map_err(|source| not_run(DISCOVER, target, source))?;
        if !output.success() {
            return Err(failed(DISCOVER, target, &output));
        }
        let mut portals = iscsiadm::portals(&output.stdout, &target.iqn);
        let is_its_name = !target.iqn.is_of_all_boot_volumes();
        let ours =
            |it: &crate::Session| is_its_name && it.iqn == target.iqn.as_ref() && !it.is_boot();
        portals.extend(
            sessions(&self.host.sysfs)?.iter().filter(|it| ours(it)).filter_map(|it| it.portal),
        );
        let mut found = vec![target.clone()];
        for portal in portals {
            let path = Target { address: portal.ip(), port: portal.port(), ..target.clone() };
            if !path.is_boot() && !found.contains(&path) {
                found.push(path);
            }
        }
        Ok(found)
    }

    /// The node of the map over `paths`, `/dev/dm-X`, as soon as it can be used. Some of the paths may be down.
    ///
    /// A single path, known by itself, may also stand for itself: then this is as [`Initiator::disk`].
    ///
    /// # Errors
    /// No path works, they lead to different disks, or multipathd makes no map of exactly these paths.
    pub fn multipath_disk(&self, paths: &[Target]) -> Result<PathBuf, Error> {
        let Some(target) = paths.first() else { return Err(MultipathError::NoPaths.into()) };
        let disks = match self.working_disks(paths, FAST_PATH_TIMEOUT) {
            Ok(disks) => disks,
            Err(_) => self.working_disks(paths, APPEARANCE)?,
        };
        let first = disks.first().ok_or(MultipathError::NoPaths)?;
        self.same_disk(&disks)?;
        if let [_] = paths
            && self.map_over(paths)?.is_none()
        {
            return Ok(first.clone());
        }
        let mut missing = String::new();
        let found = self.watch(self.after(MAPPING), || match self.look_for_map(paths)? {
            Readiness::Ready(path) => Ok(Some(path)),
            Readiness::NotYet(what) => {
                missing = what;
                Ok(None)
            }
        })?;
        let no_map = || MultipathError::NoMap {
            target: target.clone(),
            paths: disks.iter().map(|it| it.display().to_string()).collect(),
            obstacle: missing,
        };
        Ok(found.ok_or_else(no_map)?)
    }

    /// Ends the sessions of all `paths`, after their map: claim, flush, remove the map, then each as in
    /// [`Initiator::log_out`].
    ///
    /// # Errors
    /// The map is in use or not to be flushed, or I/O to it would hang; `multipath` does not remove it, or a session remains.
    pub fn log_out_paths(&self, paths: &[Target]) -> Result<Outcome, Error> {
        for path in paths {
            self.refuse_boot_target(path)?;
        }
        if let Some(map) = self.map_over(paths)? {
            self.remove_map(&map, paths)?;
        }
        let mut outcome = Outcome::AlreadyDone;
        for path in paths {
            if self.log_out(path)? == Outcome::Done {
                outcome = Outcome::Done;
            }
        }
        Ok(outcome)
    }

    /// The node of the disk behind `paths`, or of the map over it, if it is here: nothing is waited for.
    ///
    /// # Errors
    /// If sysfs does not read, or a map has strangers in it.
    pub fn present(&self, paths: &[Target]) -> Result<Option<PathBuf>, Error> {
        if let [_, _, ..] = paths
            && let Some(map) = self.map_over(paths)?
        {
            return Ok(Some(self.host.dev.join(map.device)));
        }
        for path in paths {
            if let Some(block) = self.block(path)? {
                return Ok(Some(self.host.dev.join(block.name)));
            }
        }
        Ok(None)
    }

    /// The targets whose disks are under the device with this number: several, if it is a multipath map; none, if
    /// it is no iSCSI disk.
    ///
    /// # Errors
    /// If sysfs does not read, or a session's target cannot be expressed as a [`Target`].
    pub fn targets_of(&self, device: disk::DeviceNumber) -> Result<Vec<Target>, Error> {
        let map = self.host.disk.map(device).map_err(MultipathError::Sysfs)?;
        let paths = map.map_or_else(|| vec![device], |map| map.paths);
        let mut targets = Vec::new();
        for path in paths {
            targets.extend(self.target_of(path)?);
        }
        Ok(targets)
    }

    /// Whether a map stands on the target's disk.
    pub(crate) fn is_mapped(&self, target: &Target) -> Result<bool, Error> {
        let Some(block) = self.block(target)? else { return Ok(false) };
        Ok(!self.host.disk.maps_above(block.number).map_err(MultipathError::Sysfs)?.is_empty())
    }

    /// The disks of the paths that work; each is waited for as long as `budget`.
    fn working_disks(&self, paths: &[Target], budget: Duration) -> Result<Vec<PathBuf>, Error> {
        let mut disks = Vec::new();
        let mut obstacle = None;
        for path in paths {
            match self.working(path).and_then(|()| self.disk_within(path, budget)) {
                Ok(disk) => disks.push(disk),
                Err(error) => {
                    log::warn!("a path is down: {error}");
                    obstacle.get_or_insert(error);
                }
            }
        }
        match obstacle {
            Some(error) if disks.is_empty() => Err(error),
            _ => Ok(disks),
        }
    }

    /// A path that is down is not waited for: the others will do.
    fn working(&self, path: &Target) -> Result<(), Error> {
        let obstacle = match self.session(path)? {
            Some(session) if session.is_logged_in() => return Ok(()),
            Some(session) => format!("the state of its session is {}", session.state),
            None => "there is no session".to_owned(),
        };
        Err(Error::NotReady { target: path.clone(), obstacle })
    }

    /// All paths must show one world-wide identifier.
    fn same_disk(&self, disks: &[PathBuf]) -> Result<(), Error> {
        let mut first: Option<(&PathBuf, String)> = None;
        for path in disks {
            let disk = Disk::open(path, &self.host.disk).map_err(MultipathError::Sysfs)?;
            let Some(wwid) = disk.identity().wwid else {
                return Err(MultipathError::PathUnknown { path: path.clone() }.into());
            };
            match &first {
                None => first = Some((path, wwid)),
                Some((_, known)) if *known == wwid => {}
                Some((known_path, known)) => {
                    return Err(MultipathError::PathsDiffer {
                        first: (*known_path).clone(),
                        first_wwid: known.clone(),
                        second: path.clone(),
                        second_wwid: wwid,
                    }
                    .into());
                }
            }
        }
        Ok(())
    }

    fn look_for_map(&self, paths: &[Target]) -> Result<Readiness, Error> {
        let Some(map) = self.map_over(paths)? else {
            return Ok(Readiness::NotYet("no map stands on them".to_owned()));
        };
        for path in paths {
            let Some(block) = self.block(path)? else { continue };
            if self.working(path).is_ok() && map.size < block.size {
                self.resize_map(&map)?;
                let (name, size) = (&map.name, map.size);
                return Ok(Readiness::NotYet(format!("the map {name} keeps its {size} bytes")));
            }
            if !map.paths.contains(&block.number) {
                return Ok(Readiness::NotYet(format!(
                    "{} is not in the map {}",
                    block.name, map.name
                )));
            }
        }
        let node = self.host.dev.join(&map.device);
        if !node.exists() {
            return Ok(Readiness::NotYet(format!("{} does not exist", node.display())));
        }
        Ok(Readiness::Ready(node))
    }

    /// Has multipathd take over the size of the map's paths. What it says matters less than what is seen.
    fn resize_map(&self, map: &Map) -> Result<(), Error> {
        let not_run = |source| MultipathError::NotRun { map: map.name.clone(), source };
        let output = self.runner.run(&iscsiadm::resize_map(&map.name)).map_err(not_run)?;
        log::info!("multipathd resizes {}: exit code {}: {}", map.name, output.code, output.stderr);
        Ok(())
    }

    /// The one map over the disks of `paths`, which must have no other disks in it.
    fn map_over(&self, paths: &[Target]) -> Result<Option<Map>, Error> {
        let mut maps: Vec<Map> = Vec::new();
        for path in paths {
            let Some(block) = self.block(path)? else { continue };
            for map in self.host.disk.maps_above(block.number).map_err(MultipathError::Sysfs)? {
                // multipathd may have given it more paths since it was seen above another one.
                maps.retain(|seen| seen.number != map.number);
                maps.push(map);
            }
        }
        // Read after the maps: a path is a disk of this volume before it is in a map.
        let mut ours = Vec::new();
        for path in paths {
            ours.extend(self.block(path)?.map(|block| block.number));
        }
        if maps.len() > 1 {
            let maps = maps.into_iter().map(|map| map.name).collect();
            return Err(MultipathError::SeveralMaps { maps }.into());
        }
        let Some(map) = maps.pop() else { return Ok(None) };
        match map.paths.iter().find(|path| !ours.contains(path)) {
            Some(stranger) => {
                Err(MultipathError::Stranger { map: map.name, device: *stranger }.into())
            }
            None => Ok(Some(map)),
        }
    }

    fn block(&self, target: &Target) -> Result<Option<crate::Block>, Error> {
        Ok(self.session(target)?.as_ref().and_then(|it| it.unit(target)?.block.clone()))
    }

    /// Has the map removed; fails while anything uses it. One to which I/O would hang is not touched.
    fn remove_map(&self, map: &Map, paths: &[Target]) -> Result<(), Error> {
        let deadline = self.after(REMOVAL);
        let Some(target) = paths.first() else { return Ok(()) };
        let io_blocked = self.host.disk.io_blocked(map.number, &*self.runner);
        if let Some(io_blocked) = io_blocked.map_err(MultipathError::Sysfs)? {
            return Err(Error::NotReady {
                target: target.clone(),
                obstacle: io_blocked.to_string(),
            });
        }
        let not_released =
            |error| Error::NotReleased { target: target.clone(), source: Box::new(error) };
        let node = self.host.dev.join(&map.device);
        let disk = Disk::open(&node, &self.host.disk).map_err(not_released)?;
        if disk.number() != map.number {
            let (found, expected) = (disk.number(), map.number);
            return Err(Error::WrongNode { target: target.clone(), path: node, found, expected });
        }
        let claim = disk.claim_soon(Access::Read, &*self.clock).map_err(not_released)?;
        disk.flush().map_err(not_released)?;
        // The kernel removes no map that is open, so a user that comes in between keeps it.
        drop((claim, disk));
        self.ask_for_removal(map, paths, deadline)
    }

    fn ask_for_removal(
        &self,
        map: &Map,
        paths: &[Target],
        deadline: Deadline,
    ) -> Result<(), Error> {
        let command = iscsiadm::remove_map(&map.name);
        loop {
            let output = self
                .runner
                .run(&command)
                .map_err(|source| MultipathError::NotRun { map: map.name.clone(), source })?;
            let left = deadline.remaining(&*self.clock);
            let patience = self.after(left.min(UDEV_GRACE));
            let gone =
                self.watch(patience, || Ok(self.map_over(paths)?.is_none().then_some(())))?;
            if gone.is_some() {
                return Ok(());
            }
            // The map stays for as long as udev has it open.
            if left <= UDEV_GRACE {
                let (map, said_last) = (map.name.clone(), output.stderr);
                return Err(MultipathError::Remains { map, said_last }.into());
            }
        }
    }
}

const DISCOVER: &str = "ask for the other portals of";
/// iscsiadm gives up by itself before.
const DISCOVERY: Duration = Duration::from_secs(40);
/// A session may be lost before it is noticed; the other paths do not wait for that.
const FAST_PATH_TIMEOUT: Duration = Duration::from_secs(5);
/// What multipathd needs when all its paths have come at once, and some.
const MAPPING: Duration = Duration::from_secs(30);
const REMOVAL: Duration = Duration::from_secs(10);
/// How long udev, which only reads a map, may have it open.
const UDEV_GRACE: Duration = Duration::from_secs(2);
