//! Runners for tests: a script of expected lines, and a record of what was run.

#![expect(clippy::panic, reason = "a test that runs something unexpected has failed")]

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use crate::{Command, Error, Output, Runner};

/// Answers command lines that a test expects, in this order.
///
/// Panics on any other line, and when it is dropped before all lines were run.
#[derive(Debug, Default)]
pub struct Script {
    lines: Mutex<VecDeque<(String, Result<Output, Error>)>>,
}

impl Script {
    /// `line`, as [`Command`] displays it, ends with `code` and writes `stdout`.
    #[must_use]
    pub fn expect(self, line: &str, code: i32, stdout: &str) -> Self {
        self.expect_output(line, code, stdout, "")
    }

    /// `line` ends with `code` and writes `stdout` and `stderr`.
    #[must_use]
    pub fn expect_output(self, line: &str, code: i32, stdout: &str, stderr: &str) -> Self {
        self.push(line, Ok(Output { code, stdout: stdout.into(), stderr: stderr.into() }))
    }

    /// `line` cannot be run to its end.
    #[must_use]
    pub fn expect_error(self, line: &str, error: Error) -> Self {
        self.push(line, Err(error))
    }

    fn push(self, line: &str, answer: Result<Output, Error>) -> Self {
        locked(&self.lines).push_back((line.to_owned(), answer));
        self
    }
}

impl Runner for Script {
    fn run(&self, command: &Command) -> Result<Output, Error> {
        let next = locked(&self.lines).pop_front();
        match next {
            Some((line, answer)) if line == command.to_string() => answer,
            Some((line, _)) => {
                panic!("unexpected command\n  run:      {command}\n  expected: {line}")
            }
            None => panic!("unexpected command\n  run:      {command}\n  expected: nothing more"),
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let left: Vec<_> = mem::take(&mut *locked(&self.lines)).into_iter().map(|l| l.0).collect();
        if !left.is_empty() && !thread::panicking() {
            panic!("never run:\n  {}", left.join("\n  "));
        }
    }
}

/// Passes commands on and remembers their lines.
#[derive(Debug)]
pub struct Recorder {
    inner: Arc<dyn Runner>,
    lines: Mutex<Vec<String>>,
}

impl Recorder {
    /// Records what `inner` is asked to run.
    pub fn new(inner: Arc<dyn Runner>) -> Self {
        Self { inner, lines: Mutex::default() }
    }

    /// The lines since the last call of this function.
    pub fn take(&self) -> Vec<String> {
        mem::take(&mut *locked(&self.lines))
    }
}

impl Runner for Recorder {
    fn run(&self, command: &Command) -> Result<Output, Error> {
        self.run_beside(command, &mut || {})
    }

    fn run_beside(&self, command: &Command, meanwhile: &mut dyn FnMut()) -> Result<Output, Error> {
        locked(&self.lines).push(command.to_string());
        self.inner.run_beside(command, meanwhile)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{panic, time::Duration};

    fn command(program: &'static str) -> Command {
        Command::new(program, Duration::from_secs(1))
    }

    /// The message with which `test` fails.
    fn failure(test: impl FnOnce() + panic::UnwindSafe) -> String {
        let payload = panic::catch_unwind(test).expect_err("nothing was noticed");
        *payload.downcast::<String>().unwrap()
    }

    #[test]
    fn a_script_answers_in_order_from_any_thread() {
        let script = Script::default()
            .expect("one", 0, "out")
            .expect_output("two", 3, "", "oops")
            .expect_error("three", Error::Signalled { program: "three", signal: 9 });
        let runner: Arc<dyn Runner> = Arc::new(script);
        let one =
            thread::scope(|scope| scope.spawn(|| runner.run(&command("one"))).join()).unwrap();
        assert_eq!(one.unwrap(), Output { code: 0, stdout: "out".into(), stderr: String::new() });
        let two = runner.run(&command("two")).unwrap();
        assert_eq!(two, Output { code: 3, stdout: String::new(), stderr: "oops".into() });
        let three = runner.run(&command("three")).unwrap_err();
        assert_eq!(three.to_string(), "three was ended by signal 9");
    }

    #[test]
    fn a_script_fails_the_test_that_leaves_it() {
        let wrong = failure(|| {
            let _ = Script::default().expect("one", 0, "").run(&command("two"));
        });
        assert_eq!(wrong, "unexpected command\n  run:      two\n  expected: one");
        let surplus = failure(|| {
            let _ = Script::default().run(&command("two"));
        });
        assert_eq!(surplus, "unexpected command\n  run:      two\n  expected: nothing more");
        let left = failure(|| drop(Script::default().expect("one", 0, "").expect("two", 0, "")));
        assert_eq!(left, "never run:\n  one\n  two");
    }

    #[test]
    fn a_recorder_remembers_lines() {
        let script = Script::default().expect("one", 0, "").expect("two 2", 0, "");
        let recorder = Recorder::new(Arc::new(script));
        recorder.run(&command("one")).unwrap();
        recorder.run(&command("two").arg("2")).unwrap();
        assert_eq!(recorder.take(), ["one", "two 2"]);
        assert!(recorder.take().is_empty());
    }
}
