//! A call is killed at every step; the same call again reaches the same end.
//!
//! [`Points::of`] learns the points from an unbroken call on a [`Stage`]; [`Points::check`] kills one at one of
//! them. The driver runs programs that [`Tools`] has put in its way.

mod points;
mod tools;

use std::process::Command;

pub use points::{Point, Points, SystemCall};
pub use tools::Tools;

/// A node on which one call is made again and again from one beginning. Its methods panic where the node
/// is not as it should be.
pub trait Stage {
    /// The programs that the call runs.
    fn tools(&self) -> &Tools;

    /// Makes the beginning.
    fn reset(&self);

    /// The call under test, with `tracer` as its parent and [`Stage::tools`] as its programs.
    fn call(&self, tracer: &[String]) -> Command;

    /// All that the call has left on the node, but for names that are made up anew each time.
    fn end(&self) -> String;

    /// The data is whole, and nothing was done that must not be.
    fn check_data(&self);

    /// What must be said, by the killed call or a later one, before a call succeeds; nothing as a rule.
    fn must_say(&self) -> Option<&'static str> {
        None
    }
}
