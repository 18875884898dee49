//! The options object of a call: strings by name, secrets decoded and set apart.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::{OptionsError, Secret};

/// What the caller and the volume's author say about a volume.
///
/// Only the `kubernetes.io/…` names come from the caller; all others are the author's, and so are
/// to be checked where they are used. `Debug` shows names, no values.
#[derive(Default)]
pub struct Options {
    values: BTreeMap<String, String>,
    secrets: BTreeMap<String, Secret>,
}

impl Options {
    /// Reads one JSON object. Values that are `null` count as absent; numbers and booleans are
    /// taken as their text, although today's callers send strings only.
    ///
    /// # Errors
    /// It is no JSON object, an option is a list or an object, or a secret is not base64.
    pub fn from_json(json: &[u8]) -> Result<Self, OptionsError> {
        if !looks_like_json(json) {
            return Err(OptionsError::NotAnObject);
        }
        let object: Map<String, Value> = serde_json::from_slice(json)
            .map_err(|e| OptionsError::Syntax { line: e.line(), column: e.column() })?;
        let mut options = Self::default();
        for (key, value) in object {
            match value {
                Value::Null => {}
                Value::String(text) => options.insert(key, text)?,
                Value::Bool(_) | Value::Number(_) => options.insert(key, value.to_string())?,
                Value::Array(_) | Value::Object(_) => return Err(OptionsError::NotText { key }),
            }
        }
        Ok(options)
    }

    /// The value of an option that is not a secret.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// The name of the PersistentVolume or, for a volume written into a pod, its name there.
    /// Every caller since Kubernetes 1.7 sends it.
    ///
    /// # Errors
    /// It is missing or empty.
    pub fn volume_name(&self) -> Result<&str, OptionsError> {
        self.filled(VOLUME_NAME).ok_or(OptionsError::Missing { key: VOLUME_NAME })
    }

    /// The filesystem asked for; `None` leaves the choice to the driver.
    pub fn fs_type(&self) -> Option<&str> {
        self.filled(FS_TYPE)
    }

    /// Whether the volume is to be used read-only.
    ///
    /// # Errors
    /// The caller says something other than `ro` or `rw`.
    pub fn read_only(&self) -> Result<bool, OptionsError> {
        match self.filled(READ_WRITE) {
            None | Some("rw") => Ok(false),
            Some("ro") => Ok(true),
            Some(_) => Err(OptionsError::ReadWrite { key: READ_WRITE }),
        }
    }

    /// The names of the options that the volume's author has given, in alphabetical order.
    ///
    /// All others are in a name space that the API server lets no author use (`kubernetes.io`, `k8s.io` and what
    /// is below them; `ValidateFlexVolumeSource` of Kubernetes), and later callers may send more of those.
    pub fn author_names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str).filter(|name| !is_the_callers(name))
    }

    /// The pod's fsGroup, a decimal group id. Only `mount` carries it; its name changed in
    /// Kubernetes 1.15.
    pub fn fs_group(&self) -> Option<&str> {
        self.filled(FS_GROUP).or_else(|| self.filled(FS_GROUP_BEFORE_1_15))
    }

    /// One value of the Secret that the volume refers to, by its name in the Secret. Only `mount`
    /// carries secrets.
    pub fn secret(&self, key: &str) -> Option<&Secret> {
        self.secrets.get(key)
    }

    /// Whether there is any secret.
    pub fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// The names of all options but secrets.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    fn filled(&self, key: &str) -> Option<&str> {
        self.get(key).filter(|it| !it.is_empty())
    }

    fn insert(&mut self, key: String, value: String) -> Result<(), OptionsError> {
        let Some(name) = key.strip_prefix(SECRET_PREFIX) else {
            self.values.insert(key, value);
            return Ok(());
        };
        match STANDARD.decode(&*Zeroizing::new(value)) {
            Ok(bytes) => {
                self.secrets.insert(name.to_owned(), Secret::new(bytes));
                Ok(())
            }
            Err(_) => Err(OptionsError::Secret { key }),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets = self.secrets.keys().map(|name| format!("{SECRET_PREFIX}{name}"));
        f.debug_set().entries(self.values.keys()).entries(secrets).finish()
    }
}

fn is_the_callers(name: &str) -> bool {
    name.split_once('/').is_some_and(|(space, _)| {
        let space = space.to_ascii_lowercase();
        ["kubernetes.io", "k8s.io"].iter().any(|reserved| {
            space.strip_suffix(reserved).is_some_and(|it| it.is_empty() || it.ends_with('.'))
        })
    })
}

/// Whether an argument is meant as options. No name or path begins with a brace.
pub(crate) fn looks_like_json(argument: &[u8]) -> bool {
    argument.trim_ascii_start().starts_with(b"{")
}

const VOLUME_NAME: &str = "kubernetes.io/pvOrVolumeName";
const FS_TYPE: &str = "kubernetes.io/fsType";
const READ_WRITE: &str = "kubernetes.io/readwrite";
const FS_GROUP: &str = "kubernetes.io/mounterArgs.FsGroup";
const FS_GROUP_BEFORE_1_15: &str = "kubernetes.io/fsGroup";
const SECRET_PREFIX: &str = "kubernetes.io/secret/";

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn options(json: &str) -> Options {
        Options::from_json(json.as_bytes()).unwrap()
    }

    #[test]
    fn what_the_caller_sends_is_read() {
        let it = options(
            r#"{"kubernetes.io/fsType":"xfs","kubernetes.io/readwrite":"ro","size":"50",
                "kubernetes.io/pvOrVolumeName":"pv-a","kubernetes.io/secret/pass":"czNjcmV0"}"#,
        );
        assert_eq!(it.volume_name(), Ok("pv-a"));
        assert_eq!((it.fs_type(), it.read_only()), (Some("xfs"), Ok(true)));
        assert_eq!((it.get("size"), it.get("nothing")), (Some("50"), None));
        assert_eq!(it.secret("pass").map(Secret::expose), Some(&b"s3cret"[..]));
        assert!(it.has_secrets() && it.get("kubernetes.io/secret/pass").is_none());
    }

    #[test]
    fn absent_null_and_empty_values_are_no_values() {
        for json in [
            "{}",
            r#" {"kubernetes.io/fsType":null,"kubernetes.io/secret/pass":null}"#,
            r#"{"kubernetes.io/fsType":"","kubernetes.io/mounterArgs.FsGroup":""}"#,
        ] {
            let it = options(json);
            assert_eq!((it.fs_type(), it.fs_group(), it.read_only()), (None, None, Ok(false)));
            assert!(!it.has_secrets());
            assert!(it.volume_name().is_err());
        }
    }

    #[test]
    fn both_spellings_of_the_fs_group_are_read() {
        assert_eq!(options(r#"{"kubernetes.io/fsGroup":"3000"}"#).fs_group(), Some("3000"));
        let both = r#"{"kubernetes.io/fsGroup":"1","kubernetes.io/mounterArgs.FsGroup":"2"}"#;
        assert_eq!(options(both).fs_group(), Some("2"));
    }

    #[test]
    fn the_access_is_one_of_two_words() {
        for (json, expected) in [
            (r#"{"kubernetes.io/readwrite":"ro"}"#, Ok(true)),
            (r#"{"kubernetes.io/readwrite":"rw"}"#, Ok(false)),
            (r#"{"kubernetes.io/readwrite":""}"#, Ok(false)),
            (
                r#"{"kubernetes.io/readwrite":"MARK"}"#,
                Err(r#"option "kubernetes.io/readwrite" is neither "ro" nor "rw""#.to_owned()),
            ),
        ] {
            assert_eq!(options(json).read_only().map_err(|it| it.to_string()), expected, "{json}");
        }
    }

    #[test]
    fn what_the_author_gives_is_told_from_what_the_caller_sends() {
        let it = options(
            r#"{"kubernetes.io/fsType":"xfs","kubernetes.io/later":"x","Storage.K8s.io/x":"y",
                "kubernetes.io/secret/pass":"TUFSSw==","size":"50","notkubernetes.io/x":"y",
                "kubernetes.io":"y","":"y"}"#,
        );
        let names: Vec<_> = it.author_names().collect();
        assert_eq!(names, ["", "kubernetes.io", "notkubernetes.io/x", "size"]);
    }

    #[test]
    fn scalars_are_taken_as_text() {
        let it = options(r#"{"size":50,"fast":true}"#);
        assert_eq!((it.get("size"), it.get("fast")), (Some("50"), Some("true")));
    }

    #[test]
    fn debug_shows_names_only() {
        let it = options(r#"{"size":"MARK","kubernetes.io/secret/pass":"TUFSSw=="}"#);
        expect![[r#"{"size", "kubernetes.io/secret/pass"}"#]].assert_eq(&format!("{it:?}"));
        assert_eq!(format!("{:?}", it.secret("pass")), "Some(***)");
    }

    fn check_error(json: &[u8], expected: &Expect) {
        expected.assert_eq(&Options::from_json(json).unwrap_err().to_string());
    }

    #[test]
    fn errors_say_where_and_never_what() {
        check_error(b"", &expect!["not a JSON object; it must begin with {"]);
        check_error(b"null", &expect!["not a JSON object; it must begin with {"]);
        check_error(b"{\n\"a\":MARK}", &expect!["broken JSON at line 2, column 5"]);
        check_error(b"{\"a\":\"\xff\"}", &expect!["broken JSON at line 1, column 7"]);
        check_error(b"{} MARK", &expect!["broken JSON at line 1, column 4"]);
        check_error(br#"{"a":{"b":"MARK"}}"#, &expect![[r#"option "a" must be a string"#]]);
        check_error(
            br#"{"kubernetes.io/secret/pass":"MARK!"}"#,
            &expect![[r#"secret "kubernetes.io/secret/pass" is not valid base64"#]],
        );
    }
}
