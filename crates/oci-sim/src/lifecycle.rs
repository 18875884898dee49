//! States that change by themselves, after a time or after having been looked at.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// How long a resource stays in a passing state (ATTACHING, DETACHING, PROVISIONING).
///
/// As text `500ms`, `3s` or `4 polls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Delay {
    /// For this long, by the cloud's clock.
    Time(Duration),
    /// For this many answers that show it (get or list); the next one shows the new state. Independent of time, so it goes
    /// with clients whose clock is a fake.
    Polls(u32),
}

/// When the next state begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    At(SystemTime),
    Polls(u32),
    Never,
}

/// A resource's state, the one that follows, and how often it has changed.
#[derive(Clone, Debug)]
pub(crate) struct Life<S> {
    state: S,
    next: Option<(S, Due)>,
    version: u64,
}

impl<S: Copy> Life<S> {
    pub(crate) fn new(state: S) -> Self {
        Self { state, next: None, version: 1 }
    }

    pub(crate) fn state(&self) -> S {
        self.state
    }

    /// Counts the changes; what ETags are made of.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Notes a change that is not one of state.
    pub(crate) fn touch(&mut self) {
        self.version += 1;
    }

    pub(crate) fn enter(&mut self, state: S) {
        self.state = state;
        self.next = None;
        self.version += 1;
    }

    /// Enters a passing state that is followed by another.
    pub(crate) fn pass(&mut self, through: S, to: S, due: Due) {
        self.enter(through);
        self.next = Some((to, due));
    }

    /// Moves on if the time has come; the state just entered, if so.
    pub(crate) fn settle(&mut self, now: SystemTime) -> Option<S> {
        match self.next {
            Some((state, Due::At(time))) if time <= now => {
                self.enter(state);
                Some(state)
            }
            _ => None,
        }
    }

    /// One answer shows the resource; the state just entered, if this was one too many for the old one.
    pub(crate) fn look(&mut self) -> Option<S> {
        match &mut self.next {
            Some((state, Due::Polls(0))) => {
                let state = *state;
                self.enter(state);
                Some(state)
            }
            Some((_, Due::Polls(left))) => {
                *left -= 1;
                None
            }
            _ => None,
        }
    }
}

impl Delay {
    pub(crate) fn after(self, now: SystemTime) -> Due {
        match self {
            Self::Time(time) => Due::At(now + time),
            Self::Polls(polls) => Due::Polls(polls),
        }
    }
}

impl FromStr for Delay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(count) = text.strip_suffix("polls").or_else(|| text.strip_suffix("poll")) {
            let count = count.trim().parse();
            return count.map(Self::Polls).map_err(|_| format!("`{text}` is no number of polls"));
        }
        humantime::parse_duration(text)
            .map(Self::Time)
            .map_err(|_| format!("`{text}` is neither a time like 3s nor a number of polls"))
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => humantime::format_duration(*time).fmt(f),
            Self::Polls(count) => write!(f, "{count} polls"),
        }
    }
}

impl TryFrom<String> for Delay {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Delay> for String {
    fn from(delay: Delay) -> Self {
        delay.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_times_or_polls() {
        for (text, delay) in [
            ("3s", Delay::Time(Duration::from_secs(3))),
            ("3s 200ms", Delay::Time(Duration::from_millis(3200))),
            ("0s", Delay::Time(Duration::ZERO)),
            ("4 polls", Delay::Polls(4)),
            ("1 poll", Delay::Polls(1)),
        ] {
            let parsed: Delay = text.parse().unwrap();
            assert_eq!(parsed, delay);
            assert_eq!(parsed.to_string().parse(), Ok(delay));
        }
        assert_eq!(
            "".parse::<Delay>(),
            Err("`` is neither a time like 3s nor a number of polls".into())
        );
        assert_eq!("x polls".parse::<Delay>(), Err("`x polls` is no number of polls".into()));
    }

    #[test]
    fn time_moves_a_life_on_once() {
        let start = SystemTime::UNIX_EPOCH;
        let mut life = Life::new('a');
        life.pass('b', 'c', Delay::Time(Duration::from_secs(2)).after(start));
        assert_eq!(life.settle(start + Duration::from_secs(1)), None);
        assert_eq!(life.look(), None);
        assert_eq!(life.settle(start + Duration::from_secs(2)), Some('c'));
        assert_eq!(life.settle(start + Duration::from_secs(9)), None);
        assert_eq!((life.state(), life.version()), ('c', 3));
    }

    #[test]
    fn polls_move_a_life_on() {
        let mut life = Life::new('a');
        life.pass('b', 'c', Due::Polls(2));
        let seen: Vec<char> = (0..4).map(|_| (life.look(), life.state()).1).collect();
        assert_eq!(seen, ['b', 'b', 'c', 'c']);
    }

    #[test]
    fn what_is_stuck_stays() {
        let mut life = Life::new('a');
        life.pass('b', 'c', Due::Never);
        assert_eq!(
            (life.look(), life.settle(SystemTime::UNIX_EPOCH + Duration::from_secs(9))),
            (None, None)
        );
    }
}
