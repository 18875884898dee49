//! Mount options of the user, and those that would turn a mount into something else.

use std::{fmt, str::FromStr};

/// A comma separated list, without the options that change what is mounted, or where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountOptions(Vec<String>);

/// An option that is not passed on to mount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mount option {option:?} is refused: {reason}")]
pub struct OptionError {
    option: String,
    reason: &'static str,
}

impl MountOptions {
    /// Whether the user asks for a read-only mount; of `ro` and `rw` the last one counts.
    pub fn read_only(&self) -> bool {
        self.iter().rfind(|option| matches!(*option, "ro" | "rw")) == Some("ro")
    }

    /// The options, in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// As `mount -o` takes them.
impl fmt::Display for MountOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

impl FromStr for MountOptions {
    type Err = OptionError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let options = list.split(',').map(str::trim).filter(|option| !option.is_empty());
        options.map(option).collect::<Result<_, _>>().map(Self)
    }
}

fn option(option: &str) -> Result<String, OptionError> {
    match objection(option) {
        None => Ok(option.to_owned()),
        Some(reason) => Err(OptionError { option: option.to_owned(), reason }),
    }
}

fn objection(option: &str) -> Option<&'static str> {
    let key = option.split_once('=').map_or(option, |(key, _)| key).to_ascii_lowercase();
    if option.starts_with('-') {
        return Some("options are words, not flags");
    }
    if option.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\')) {
        return Some("it has blanks, quotes, backslashes or control characters");
    }
    if key.starts_with("x-mount.") {
        return Some("it changes what mount does");
    }
    let is_in = |list: &[&str]| list.contains(&key.as_str());
    if is_in(OTHER_OPERATIONS) {
        return Some("it makes mount do something other than mounting the volume");
    }
    is_in(OTHER_DEVICES).then_some("it brings in a device or file other than the volume")
}

const OTHER_OPERATIONS: &[&str] = &[
    "bind",
    "rbind",
    "move",
    "remount",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "private",
    "rprivate",
    "unbindable",
    "runbindable",
    "helper",
    "uhelper",
];

const OTHER_DEVICES: &[&str] = &[
    "dev",
    "device",
    "loop",
    "offset",
    "sizelimit",
    "logdev",
    "rtdev",
    "journal_dev",
    "journal_path",
    "sb",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, expected: Result<&str, &str>) {
        let options = list.parse::<MountOptions>();
        let texts = options.as_ref().map(ToString::to_string).map_err(ToString::to_string);
        assert_eq!(texts, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn ordinary_options_pass() {
        for list in [
            "",
            "noatime",
            "nouuid,discard",
            "errors=remount-ro,data=ordered",
            "nodev",
            "context=a_t:s0",
        ] {
            check(list, Ok(list));
        }
        check(" noatime, ,discard,", Ok("noatime,discard"));
    }

    #[test]
    fn other_operations_are_refused() {
        for option in ["bind", "rbind", "move", "remount", "REMOUNT", "rshared", "uhelper=x"] {
            check(
                &format!("noatime,{option}"),
                Err(&format!(
                    "mount option {option:?} is refused: it makes mount do something other than \
                     mounting the volume"
                )),
            );
        }
    }

    #[test]
    fn other_devices_are_refused() {
        for option in ["loop", "loop=/dev/loop0", "dev=/dev/sda", "logdev=/dev/sda", "sb=8193"] {
            check(
                option,
                Err(&format!(
                    "mount option {option:?} is refused: it brings in a device or file other than \
                     the volume"
                )),
            );
        }
    }

    #[test]
    fn flags_and_strange_characters_are_refused() {
        check("-F", Err("mount option \"-F\" is refused: options are words, not flags"));
        for option in ["a b", "a\tb", "a\nb", "a\u{7f}", "a\"b", "a\\b"] {
            check(
                option,
                Err(&format!(
                    "mount option {option:?} is refused: it has blanks, quotes, backslashes or \
                     control characters"
                )),
            );
        }
        check(
            "X-mount.mkdir",
            Err("mount option \"X-mount.mkdir\" is refused: it changes what mount does"),
        );
    }

    #[test]
    fn the_last_word_on_writing_counts() {
        for (list, read_only) in [
            ("", false),
            ("ro", true),
            ("rw", false),
            ("ro,rw", false),
            ("rw,noatime,ro,sync", true),
        ] {
            assert_eq!(list.parse::<MountOptions>().unwrap().read_only(), read_only, "{list}");
        }
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            #[test]
            fn what_is_accepted_is_harmless_and_read_back(
                list in "((no)?atime|ro|rw|bind|remount|loop|dev=|-o|X-mount\\.|[a-z]{1,5}|=|,| |\\PC){0,9}",
            ) {
                if let Ok(options) = list.parse::<MountOptions>() {
                    prop_assert_eq!(options.to_string().parse::<MountOptions>().unwrap(), options.clone());
                    for option in options.iter() {
                        let key = option.split('=').next().unwrap_or_default().to_ascii_lowercase();
                        prop_assert!(!["bind", "remount", "loop", "dev"].contains(&&*key), "{option}");
                        prop_assert!(!option.starts_with('-') && !option.contains(char::is_whitespace));
                    }
                }
            }
        }
    }
}
