//! The answer to a call: one line of JSON and the exit status that goes with it.

use std::{ffi::OsString, path::PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::secret;

/// What the caller is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reply {
    // callers read by name; the log shows them in this order
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attached: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "volumeNewSize")]
    volume_new_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<Capabilities>,
    /// The message before it was cut, for the log.
    #[serde(skip)]
    whole: Option<String>,
    #[serde(skip)]
    exit_zero: bool,
}

/// The outcome, in the caller's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Status {
    /// Done, or already so.
    Success,
    /// Not done; the caller tries again.
    Failure,
    /// Never done by this driver; the caller does without.
    #[serde(rename = "Not supported")]
    NotSupported,
}

impl Status {
    /// As the caller spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::Failure => "Failure",
            Self::NotSupported => "Not supported",
        }
    }
}

/// What a driver can do. All five are always stated: the caller's defaults for those left out are
/// `true` except for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// Volumes are attached to a node before they are mounted.
    pub attach: bool,
    /// The filesystem takes SELinux labels.
    pub selinux_relabel: bool,
    /// Free space can be asked with statfs.
    pub supports_metrics: bool,
    /// The caller may change the group of the files.
    pub fs_group: bool,
    /// The caller is to call `expandfs` after a volume has grown.
    #[serde(rename = "requiresFSResize")]
    pub requires_fs_resize: bool,
}

impl Reply {
    /// A failure. The message reaches the pod's events: control characters become blanks, and it
    /// is cut to 1 KiB, in the middle: it begins with what was attempted and ends with the cause and the cure.
    pub fn failure(message: impl Into<String>) -> Self {
        let whole = message.into().replace(char::is_control, " ");
        Self { message: Some(cut(&whole)), whole: Some(whole), ..Self::of(Status::Failure) }
    }

    /// The exit status: 1 for a failure, else 0. See [`Reply::for_call`] for the exception.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.status == Status::Failure && !self.exit_zero)
    }

    /// The JSON object and its newline, ready to be written in one piece.
    pub fn to_line(&self) -> String {
        match serde_json::to_string(self) {
            Ok(json) => json + "\n",
            // cannot happen: every field is a string, a number or a boolean
            Err(_) => "{\"status\":\"Failure\"}\n".to_owned(),
        }
    }

    /// Ties the reply to the arguments it answers: where they may hold secrets the exit status is
    /// 0 for a failure too, because kubelet logs the whole argument list of a call that exits
    /// with another. [`crate::dispatch`] has done this already.
    #[must_use]
    pub fn for_call(mut self, args: &[OsString]) -> Self {
        self.exit_zero = secret::may_be_in(args);
        self
    }

    /// What became of the call.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Why the call failed.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// As [`Reply::message`], before it was cut.
    pub(crate) fn whole_message(&self) -> Option<&str> {
        self.whole.as_deref()
    }

    /// What the call was made for: a device, a size, or whether a volume is attached.
    pub(crate) fn answer(&self) -> Option<Value> {
        let device = self.device.as_deref().map(Value::from);
        device.or(self.attached.map(Value::from)).or(self.volume_new_size.map(Value::from))
    }

    pub(crate) fn success() -> Self {
        Self::of(Status::Success)
    }

    pub(crate) fn not_supported() -> Self {
        Self::of(Status::NotSupported)
    }

    pub(crate) fn device(device: PathBuf) -> Self {
        match device.into_os_string().into_string() {
            Ok(device) => Self { device: Some(device), ..Self::success() },
            Err(_) => Self::failure("the path of the volume's device is not UTF-8"),
        }
    }

    pub(crate) fn attached(attached: bool) -> Self {
        Self { attached: Some(attached), ..Self::success() }
    }

    /// In bytes. Callers read a signed number.
    pub(crate) fn volume_new_size(bytes: u64) -> Self {
        Self { volume_new_size: Some(bytes.try_into().unwrap_or(i64::MAX)), ..Self::success() }
    }

    pub(crate) fn capabilities(capabilities: Capabilities) -> Self {
        Self { capabilities: Some(capabilities), ..Self::success() }
    }

    fn of(status: Status) -> Self {
        Self {
            status,
            message: None,
            whole: None,
            device: None,
            attached: None,
            volume_new_size: None,
            capabilities: None,
            exit_zero: false,
        }
    }
}

/// The beginning and the end of a long text.
fn cut(text: &str) -> String {
    if text.len() <= MESSAGE_LIMIT {
        return text.to_owned();
    }
    let room = (MESSAGE_LIMIT - LEFT_OUT.len()) / 2;
    let head = (0..=room).rev().find_map(|at| text.get(..at)).unwrap_or_default();
    let tail = (text.len() - room..).find_map(|at| text.get(at..)).unwrap_or_default();
    format!("{head}{LEFT_OUT}{tail}")
}

const MESSAGE_LIMIT: usize = 1024; // bytes
const LEFT_OUT: &str = " … ";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reply: &Reply, code: u8, line: &str) {
        assert_eq!((reply.exit_code(), reply.to_line()), (code, format!("{line}\n")));
    }

    #[test]
    fn a_reply_is_one_line_without_empty_fields() {
        check(&Reply::success(), 0, r#"{"status":"Success"}"#);
        check(&Reply::not_supported(), 0, r#"{"status":"Not supported"}"#);
        check(&Reply::attached(false), 0, r#"{"status":"Success","attached":false}"#);
        check(&Reply::device("/dev/sdb".into()), 0, r#"{"status":"Success","device":"/dev/sdb"}"#);
        let grown = r#"{"status":"Success","volumeNewSize":53687091200}"#;
        check(&Reply::volume_new_size(50 << 30), 0, grown);
        let most = format!(r#"{{"status":"Success","volumeNewSize":{}}}"#, i64::MAX);
        check(&Reply::volume_new_size(u64::MAX), 0, &most);
        check(&Reply::failure("no"), 1, r#"{"status":"Failure","message":"no"}"#);
        let all = Capabilities {
            attach: true,
            selinux_relabel: true,
            supports_metrics: false,
            fs_group: true,
            requires_fs_resize: false,
        };
        check(
            &Reply::capabilities(all),
            0,
            r#"{"status":"Success","capabilities":{"attach":true,"selinuxRelabel":true,"supportsMetrics":false,"fsGroup":true,"requiresFSResize":false}}"#,
        );
    }

    #[test]
    fn a_message_is_one_short_line() {
        let reply = Reply::failure("a\r\nb\u{1b}[31m\u{85}\"c\"");
        check(&reply, 1, r#"{"status":"Failure","message":"a  b [31m \"c\""}"#);
        for filler in ["x", "é", "€", "🦀"] {
            let reply = Reply::failure(filler.repeat(2000));
            let length = reply.message().unwrap().len();
            assert!((MESSAGE_LIMIT - 7..=MESSAGE_LIMIT).contains(&length), "{length}");
        }
        assert_eq!(Reply::failure("x".repeat(1024)).message(), Some(&*"x".repeat(1024)));
    }

    #[test]
    fn a_long_message_keeps_what_was_attempted_the_cause_and_the_cure() {
        let long =
            format!("cannot mount a: {} : bad superblock; run e2fsck -f a", "x".repeat(2000));
        let reply = Reply::failure(&*long);
        let shown = reply.message().unwrap();
        assert!(shown.starts_with("cannot mount a: xxx"), "{shown}");
        assert!(shown.contains("xxx … xxx"), "{shown}");
        assert!(shown.ends_with("xxx : bad superblock; run e2fsck -f a"), "{shown}");
        assert_eq!(reply.whole_message(), Some(&*long));
    }

    #[test]
    fn a_failure_exits_with_zero_where_arguments_may_hold_secrets() {
        let code = |args: &[&str]| {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            Reply::failure("no").for_call(&args).exit_code()
        };
        assert_eq!(code(&["mount", "/a", r#"{"kubernetes.io/secret/pass":"TUFSSw=="}"#]), 0);
        assert_eq!(code(&["mount", r#"{"kubernetes.io/SECRET/pass":"TUF"#]), 0);
        assert_eq!(code(&["mount", "/a", r#"{"size":"50"}"#]), 1);
        assert_eq!(code(&[]), 1);
    }
}
