//! The cases of the suite, dealt to the guests as they ask for more.

use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

/// The cases of a run.
#[derive(Debug)]
pub(super) struct Cases(Mutex<Dealt>);

#[derive(Debug, Default)]
struct Dealt {
    /// What no guest has had yet.
    left: VecDeque<String>,
    /// What each guest has been dealt last, until it asks for more.
    running: BTreeMap<usize, String>,
}

impl Cases {
    /// Those of `suite` whose name holds `part`.
    ///
    /// # Errors
    /// There is none, or the suite does not run.
    pub(super) fn of(sh: &Shell, suite: &Path, part: &str) -> Result<Self> {
        let list = cmd!(sh, "{suite} --list --format terse").quiet().read()?;
        let cases: VecDeque<_> = names(&list).filter(|name| name.contains(part)).collect();
        ensure!(!cases.is_empty(), "no case has {part} in its name");
        Ok(Self::new(cases))
    }

    fn new(left: VecDeque<String>) -> Self {
        Self(Mutex::new(Dealt { left, ..Dealt::default() }))
    }

    /// How many are left.
    pub(super) fn len(&self) -> usize {
        self.lock().left.len()
    }

    /// The next case for a guest. The guests begin at both ends, so that neighbours, which want the same second
    /// node, mostly meet in one of them; and all end at about the same time.
    pub(super) fn next(&self, guest: usize) -> Option<String> {
        let mut dealt = self.lock();
        let case = if guest % 2 == 1 { dealt.left.pop_front() } else { dealt.left.pop_back() };
        match &case {
            Some(case) => dealt.running.insert(guest, case.clone()),
            None => dealt.running.remove(&guest),
        };
        case
    }

    /// What guests have begun and not ended.
    pub(super) fn running(&self) -> Vec<String> {
        self.lock().running.values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Dealt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names in what libtest lists.
fn names(list: &str) -> impl Iterator<Item = String> {
    list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_dealt_once_whichever_guest_is_faster() {
        let list = "chap::a: test\nkill::b: test\nlife::c: test\nxfs::d: test\n";
        let cases = Cases::new(names(list).collect());
        let dealt = [1, 2, 2, 1, 2, 1].map(|guest| cases.next(guest));
        let expected =
            [Some("chap::a"), Some("xfs::d"), Some("life::c"), Some("kill::b"), None, None];
        assert_eq!(dealt.each_ref().map(Option::as_deref), expected);
    }

    #[test]
    fn a_case_runs_until_its_guest_asks_for_another() {
        let cases = Cases::new(names("a: test\nb: test\n").collect());
        cases.next(1);
        cases.next(2);
        assert_eq!(cases.running(), ["a", "b"]);
        cases.next(1);
        assert_eq!(cases.running(), ["b"]);
    }
}
