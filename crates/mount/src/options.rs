//! Mount options of the user: those that are known to be harmless, and no others.

use std::{fmt, str::FromStr};

use table::Value;

mod table;

/// A comma separated list of options that some file system knows, and that change neither what is mounted nor
/// where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountOptions(Vec<String>);

/// An option that is not passed on to mount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mount option {option:?} is refused: {reason}")]
pub struct OptionError {
    option: String,
    reason: String,
}

impl MountOptions {
    /// Whether the user asks for a read-only mount; of `ro` and `rw` the last one counts.
    pub fn read_only(&self) -> bool {
        self.iter().rfind(|option| matches!(*option, "ro" | "rw")) == Some("ro")
    }

    /// The options, in their order, as `mount -o` takes them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Makes sure that the file system that is mounted, of the kind `fs_type`, knows every option.
    ///
    /// # Errors
    /// Names the first one that it does not know, and those that it does.
    pub fn require_known_to(&self, fs_type: &str) -> Result<(), OptionError> {
        self.iter().try_for_each(|option| known(option, Some(fs_type)))
    }
}

/// As `mount -o` takes them.
impl fmt::Display for MountOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// Commas within double quotes do not separate: a context of SELinux has them.
impl FromStr for MountOptions {
    type Err = OptionError;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let options = split(list)?.into_iter().map(str::trim).filter(|option| !option.is_empty());
        options
            .map(|option| known(option, None).map(|()| option.to_owned()))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn split(list: &str) -> Result<Vec<&str>, OptionError> {
    let mut is_quoted = false;
    let separates = |c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    };
    let options = list.split(separates).collect();
    if is_quoted {
        return Err(refused(list, "a double quote is not closed"));
    }
    Ok(options)
}

/// Whether `option` is in the table, for `fs_type` or for any file system.
fn known(option: &str, fs_type: Option<&str>) -> Result<(), OptionError> {
    let (name, given) = match option.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (option, None),
    };
    let rows: Vec<_> = table::of(fs_type).filter(|row| row.name == name).collect();
    if rows.iter().any(|row| row.value.takes(unquoted(given, row.value))) {
        return Ok(());
    }
    Err(refused(option, &objection(option, name, fs_type, !rows.is_empty())))
}

/// Only a context may have quotes around it, and must if it has commas.
fn unquoted(given: Option<&str>, value: Value) -> Option<&str> {
    let quoted = given.and_then(|it| it.strip_prefix('"')?.strip_suffix('"'));
    quoted.filter(|_| value == Value::Context).or(given)
}

fn refused(option: &str, reason: &str) -> OptionError {
    OptionError { option: option.to_owned(), reason: reason.to_owned() }
}

fn objection(option: &str, name: &str, fs_type: Option<&str>, has_row: bool) -> String {
    let word = name.to_ascii_lowercase();
    let is_category = |it: &str| {
        it.starts_with('c')
            && it.len() > 1
            && it.chars().skip(1).all(|c| c.is_ascii_digit() || c == '.')
    };
    if option.starts_with('-') {
        "options are words, not flags".into()
    } else if OTHER_OPERATIONS.contains(&&*word) || word.starts_with("x-mount.") {
        "it makes mount do something other than mounting the volume".into()
    } else if OTHER_DEVICES.contains(&&*word) && !has_row {
        "it brings in a device or file other than the volume".into()
    } else if is_category(option) {
        "a context with commas needs double quotes around it: context=\"user:role:type:s0:c1,c2\""
            .into()
    } else if has_row {
        let rows = table::of(fs_type).filter(|row| row.name == name);
        let mut values: Vec<_> = rows.map(|row| row.value.to_string()).collect();
        values.sort_by_key(|value| value != "no value");
        values.dedup();
        format!("it takes {}", values.join(" or "))
    } else {
        match fs_type {
            Some(fs_type) => format!("{fs_type} may have {}", table::names(Some(fs_type))),
            None => format!("allowed are {}", table::names(None)),
        }
    }
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
    "device",
    "loop",
    "offset",
    "sizelimit",
    "logdev",
    "rtdev",
    "journal_dev",
    "journal_path",
    "sb",
    "usrjquota",
    "grpjquota",
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
            "defaults,_netdev,nofail",
            "noatime",
            "nouuid,discard",
            "errors=remount-ro,data=ordered,commit=30,barrier=0,stripe=16",
            "nodev,nosuid,noexec,dev",
            "allocsize=64m,logbufs=8,logbsize=262144",
            "context=system_u:object_r:container_file_t:s0",
            "noatime,context=\"system_u:object_r:container_file_t:s0:c1,c2\",rw",
            "rootcontext=\"u:r:t:s0:c0.c1023\"",
        ] {
            check(list, Ok(list));
        }
        check(" noatime, ,discard,", Ok("noatime,discard"));
    }

    #[test]
    fn other_operations_are_refused() {
        for option in
            ["bind", "rbind", "move", "remount", "REMOUNT", "rshared", "uhelper=x", "X-mount.mkdir"]
        {
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
    fn other_devices_and_files_are_refused() {
        for option in [
            "loop",
            "loop=/dev/loop0",
            "device=/dev/sda",
            "logdev=/dev/sda",
            "sb=8193",
            "journal_path=/dev/sda",
            "usrjquota=aquota.user",
        ] {
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
    fn a_value_is_of_its_kind() {
        for (option, takes) in [
            ("errors=panic", "continue or remount-ro"),
            ("data=", "journal, ordered or writeback"),
            ("commit", "a number"),
            ("commit=-1", "a number"),
            ("commit=99999999999", "a number"),
            ("barrier=2", "no value or 0 or 1"),
            ("allocsize=64t", "a size, such as 64k"),
            ("dev=/dev/sda", "no value"),
            ("noatime=1", "no value"),
            ("noatime=\"\"", "no value"),
            ("commit=\"5\"", "a number"),
            ("context", "a context of SELinux, such as system_u:object_r:container_file_t:s0"),
            ("context=a b", "a context of SELinux, such as system_u:object_r:container_file_t:s0"),
            (
                "context=\"u:r:t\\\"",
                "a context of SELinux, such as system_u:object_r:container_file_t:s0",
            ),
        ] {
            check(option, Err(&format!("mount option {option:?} is refused: it takes {takes}")));
        }
    }

    #[test]
    fn commas_in_quotes_do_not_separate() {
        check(
            "context=u:r:t:s0:c1,c2",
            Err(
                "mount option \"c2\" is refused: a context with commas needs double quotes around it: \
                 context=\"user:role:type:s0:c1,c2\"",
            ),
        );
        check(
            "noatime,context=\"u:r:t:s0:c1,c2",
            Err(
                "mount option \"noatime,context=\\\"u:r:t:s0:c1,c2\" is refused: a double quote is not closed",
            ),
        );
    }

    #[test]
    fn whatever_is_not_known_is_refused_and_told_what_is() {
        let all =
            "allowed are defaults, ro, rw, [no]atime, [no]diratime, [no]relatime, [no]strictatime";
        for option in [
            "verity.roothashfile=/etc/shadow",
            "debug",
            "abort",
            "fscontext=u:r:t:s0",
            "noload",
            "norecovery",
            "jqfmt=vfsv1",
            "test_dummy_encryption",
            "x-systemd.automount",
            "user",
            "subvol=/",
            "NOATIME",
            "a b",
            "a\tb",
            "noatime\n",
            "\"noatime\"",
        ] {
            let option = option.trim_end();
            let Err(error) = option.parse::<MountOptions>() else {
                assert_eq!(option, "noatime");
                continue;
            };
            let start = format!("mount option {option:?} is refused: {all}");
            assert!(error.to_string().starts_with(&start), "{error}");
        }
        check("-F", Err("mount option \"-F\" is refused: options are words, not flags"));
    }

    #[test]
    fn what_the_file_system_does_not_know_is_refused_for_it() {
        for (list, fs_type, is_known) in [
            ("nouuid", "xfs", true),
            ("nouuid", "ext4", false),
            ("data=journal", "ext3", true),
            ("data=journal", "ext2", false),
            ("data=journal", "xfs", false),
            ("nodelalloc", "ext4", true),
            ("nodelalloc", "ext3", false),
            ("noatime,discard", "ext2", true),
            ("nobarrier", "xfs", true),
            ("barrier=0", "xfs", false),
            ("noatime", "btrfs", false),
        ] {
            let options: MountOptions = list.parse().unwrap();
            assert_eq!(options.require_known_to(fs_type).is_ok(), is_known, "{list} {fs_type}");
        }
        let error = "nouuid".parse::<MountOptions>().unwrap().require_known_to("ext4").unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with("mount option \"nouuid\" is refused: ext4 may have defaults, ro"),
            "{error}"
        );
        assert!(error.ends_with("min_batch_time=N, max_dir_size_kb=N, stripe=N"), "{error}");
        assert!(error.len() < 1024, "{} bytes do not fit into an event", error.len());
    }

    #[test]
    fn the_documentation_has_the_table() {
        let documentation = include_str!("../../../docs/configuration.md");
        let mut lines = String::new();
        for (_, rows, title) in table::GROUPS {
            let names = table::names_of(rows.iter()).replace('|', "\\|").replace(", ", "`, `");
            lines += &format!("| {title} | `{names}` |\n");
        }
        assert!(documentation.contains(&lines), "docs/configuration.md lacks\n{lines}");
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
            fn what_is_accepted_is_in_the_table_and_read_back(
                list in "((no)?atime|ro|rw|bind|remount|loop|dev=|-o|context=|u:r:t|\"|X-mount\\.|[a-z]{1,5}|=|,| |\\PC){0,9}",
            ) {
                if let Ok(options) = list.parse::<MountOptions>() {
                    prop_assert_eq!(options.to_string().parse::<MountOptions>().unwrap(), options.clone());
                    for option in options.iter() {
                        let name = option.split('=').next().unwrap_or_default();
                        prop_assert!(table::of(None).any(|row| row.name == name), "{option}");
                        prop_assert!(!option.starts_with('-') && !option.contains(char::is_whitespace));
                    }
                }
            }
        }
    }
}
