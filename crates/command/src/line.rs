//! A command line as a value.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::OsStrExt,
    time::Duration,
};

/// A program, its arguments, and how long it may take.
///
/// `Display` is the line as one would type it into a shell, with secret arguments as `***`; it is what logs
/// show and what test scripts compare.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    program: &'static str,
    args: Vec<Arg>,
    limit: Duration,
}

impl Command {
    /// `program` is a bare name, looked up on the runner's search path.
    ///
    /// `limit` must be generous: a program that is stopped has been stopped in the middle of something.
    pub fn new(program: &'static str, limit: Duration) -> Self {
        Self { program, args: Vec::new(), limit }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(Arg { text: arg.into(), secret: false });
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(self, args: impl IntoIterator<Item = A>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    /// Adds an argument that is never shown by us. Every user of the machine can still see it in the process
    /// table: prefer a file where the program takes one.
    #[must_use]
    pub fn secret(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(Arg { text: arg.into(), secret: true });
        self
    }

    /// The program's name.
    pub fn program(&self) -> &'static str {
        self.program
    }

    /// How long the program may take.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn arguments(&self) -> impl Iterator<Item = &OsStr> {
        self.args.iter().map(|arg| arg.text.as_os_str())
    }

    /// `text` without the secret arguments of this command, for programs that repeat their arguments.
    pub(crate) fn redact(&self, text: String) -> String {
        self.args
            .iter()
            .filter(|arg| arg.secret && !arg.text.is_empty())
            .fold(text, |text, arg| text.replace(&*arg.text.to_string_lossy(), HIDDEN))
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program)?;
        for arg in &self.args {
            f.write_str(" ")?;
            if arg.secret { f.write_str(HIDDEN)? } else { quote(&arg.text, f)? }
        }
        Ok(())
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({self}; at most {:?})", self.limit)
    }
}

#[derive(Clone, PartialEq, Eq)]
struct Arg {
    text: OsString,
    secret: bool,
}

/// Writes `arg` as a shell reads it: bare, in single quotes, or as `$'…'` when it is not printable.
fn quote(arg: &OsStr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"%+,-./:=@_".contains(b);
    match arg.to_str() {
        Some(text) if !text.is_empty() && text.bytes().all(|b| is_plain(&b)) => f.write_str(text),
        Some(text) if !text.contains(char::is_control) => {
            write!(f, "'{}'", text.replace('\'', r"'\''"))
        }
        _ => write!(f, "$'{}'", arg.as_bytes().escape_ascii()),
    }
}

const HIDDEN: &str = "***";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arg: impl Into<OsString>, line: &str) {
        let command = Command::new("echo", Duration::from_secs(1)).arg(arg);
        assert_eq!(command.to_string(), format!("echo {line}"));
    }

    #[test]
    fn lines_read_as_typed_into_a_shell() {
        check("--mode", "--mode");
        check("169.254.2.2:3260", "169.254.2.2:3260");
        check("node.session.timeo=1,2%+@x_y", "node.session.timeo=1,2%+@x_y");
        check("", "''");
        check("two words", "'two words'");
        check("it's", r"'it'\''s'");
        check("[fd00::1]:3260", "'[fd00::1]:3260'");
        check("$(reboot);`x`", "'$(reboot);`x`'");
        check("größe", "'größe'");
        check("two\nlines\t\x1b[1m", r"$'two\nlines\t\x1b[1m'");
        check(OsStr::from_bytes(b"/mnt/\xff").to_os_string(), r"$'/mnt/\xff'");
    }

    #[test]
    fn secrets_are_hidden_everywhere() {
        let command = Command::new("tool", Duration::from_secs(3))
            .args(["--user", "me", "--password"])
            .secret("hunter2 x")
            .secret("");
        assert_eq!(command.to_string(), "tool --user me --password *** ***");
        assert_eq!(
            format!("{command:?}"),
            "Command(tool --user me --password *** ***; at most 3s)"
        );
        assert_eq!(command.redact("bad password 'hunter2 x'".into()), "bad password '***'");
    }

    #[test]
    fn a_secret_still_counts_in_comparisons() {
        let tool = || Command::new("tool", Duration::from_secs(3));
        assert_eq!(tool().secret("a"), tool().secret("a"));
        assert_ne!(tool().secret("a"), tool().secret("b"));
        assert_ne!(tool().secret("a"), tool().arg("a"));
    }
}
