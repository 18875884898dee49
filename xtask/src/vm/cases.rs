//! The cases of the suite, dealt to the guests as they ask for more.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

/// What no guest has had yet.
#[derive(Debug)]
pub(super) struct Cases(Mutex<VecDeque<String>>);

impl Cases {
    /// Those of `suite` whose name holds `part`.
    ///
    /// # Errors
    /// There is none, or the suite does not run.
    pub(super) fn of(sh: &Shell, suite: &Path, part: &str) -> Result<Self> {
        let list = cmd!(sh, "{suite} --list --format terse").quiet().read()?;
        let cases: VecDeque<_> = names(&list).filter(|name| name.contains(part)).collect();
        ensure!(!cases.is_empty(), "no case has {part} in its name");
        Ok(Self(Mutex::new(cases)))
    }

    /// How many are left.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// The next case for a guest. The guests begin at both ends, so that neighbours, which want the same second
    /// node, mostly meet in one of them; and all end at about the same time.
    pub(super) fn next(&self, guest: usize) -> Option<String> {
        let mut cases = self.lock();
        if guest % 2 == 1 { cases.pop_front() } else { cases.pop_back() }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
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
        let cases = Cases(Mutex::new(names(list).collect()));
        let dealt = [1, 2, 2, 1, 2, 1].map(|guest| cases.next(guest));
        let expected =
            [Some("chap::a"), Some("xfs::d"), Some("life::c"), Some("kill::b"), None, None];
        assert_eq!(dealt.each_ref().map(Option::as_deref), expected);
    }
}
