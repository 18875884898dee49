//! The mount options that are passed on: names, values, and the file systems that know them.
//!
//! Sources: mount(8) ("Filesystem-independent mount options"), ext4(5), xfs(5). What is not here is refused. Left
//! out on purpose is what brings in another device or file (`journal_path`, `logdev`, `usrjquota`,
//! `verity.*`), what keeps a journal from being replayed (`noload`, `norecovery`), what stops or
//! slows the node (`errors=panic`, `debug`, `abort`), and what makes mount do something else (`bind`, `remount`).

use std::fmt;

/// An option that may be given.
#[derive(Debug)]
pub(super) struct Allowed {
    pub(super) name: &'static str,
    pub(super) value: Value,
}

/// What stands behind the `=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing, and no `=`.
    None,
    /// Digits.
    Number,
    /// Digits, and `k`, `m` or `g`.
    Size,
    /// user:role:type:level of SELinux.
    Context,
    /// One of these.
    OneOf(&'static [&'static str]),
}

impl Value {
    /// Whether `given` is such a value.
    pub(super) fn takes(self, given: Option<&str>) -> bool {
        let is_number = |text: &str| {
            (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let Some(given) = given else { return self == Self::None };
        match self {
            Self::None => false,
            Self::Number => is_number(given),
            Self::Size => is_number(given.strip_suffix(['k', 'm', 'g']).unwrap_or(given)),
            Self::Context => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "_.:,-".contains(c);
                given.len() <= 255 && given.split(':').count() >= 3 && given.chars().all(plain)
            }
            Self::OneOf(words) => words.contains(&given),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no value"),
            Self::Number => f.write_str("a number"),
            Self::Size => f.write_str("a size, such as 64k"),
            Self::Context => {
                f.write_str("a context of SELinux, such as system_u:object_r:container_file_t:s0")
            }
            Self::OneOf([most @ .., last]) if !most.is_empty() => {
                write!(f, "{} or {last}", most.join(", "))
            }
            Self::OneOf(words) => f.write_str(&words.join(", ")),
        }
    }
}

/// The rows that `fs_type` knows, or all.
pub(super) fn of(fs_type: Option<&str>) -> impl Iterator<Item = &'static Allowed> {
    let groups = GROUPS.iter().filter(move |(of, _, _)| fs_type.is_none_or(|it| of.contains(&it)));
    groups.flat_map(|(_, rows, _)| rows.iter())
}

/// The names that `fs_type` knows, or all.
pub(super) fn names(fs_type: Option<&str>) -> String {
    names_of(of(fs_type))
}

/// The names, those with a `no…` of their own once: `[no]atime`; and of others `name=value`.
pub(super) fn names_of(rows: impl IntoIterator<Item = &'static Allowed>) -> String {
    let rows: Vec<_> = rows.into_iter().collect();
    let is_there = |name: &str| rows.iter().any(|it| it.name == name && it.value == Value::None);
    let mut shown: Vec<String> = Vec::new();
    for row in &rows {
        let text = match row.value {
            Value::None if row.name.strip_prefix("no").is_some_and(is_there) => continue,
            Value::None if is_there(&format!("no{}", row.name)) => format!("[no]{}", row.name),
            Value::None => row.name.to_owned(),
            Value::Number => format!("{}=N", row.name),
            Value::Size => format!("{}=SIZE", row.name),
            Value::Context => format!("{}=…", row.name),
            Value::OneOf(words) => format!("{}={}", row.name, words.join("|")),
        };
        if !shown.contains(&text) {
            shown.push(text);
        }
    }
    shown.join(", ")
}

type Group = (&'static [&'static str], &'static [Allowed], &'static str);

/// The last word of a group names it in the documentation.
pub(super) const GROUPS: &[Group] = &[
    (ALL, GENERIC, "all"),
    (EXT, OF_EXT, "ext2, ext3, ext4"),
    (&["ext3", "ext4"], OF_JOURNALS, "ext3, ext4"),
    (&["ext4"], OF_EXT4, "ext4"),
    (&["xfs"], OF_XFS, "xfs"),
];

const ALL: &[&str] = &["ext2", "ext3", "ext4", "xfs"];
const EXT: &[&str] = &["ext2", "ext3", "ext4"];
const SWITCH: Value = Value::OneOf(&["0", "1"]);

const fn flag(name: &'static str) -> Allowed {
    with(name, Value::None)
}

const fn with(name: &'static str, value: Value) -> Allowed {
    Allowed { name, value }
}

const GENERIC: &[Allowed] = &[
    flag("defaults"),
    flag("ro"),
    flag("rw"),
    flag("atime"),
    flag("noatime"),
    flag("diratime"),
    flag("nodiratime"),
    flag("relatime"),
    flag("norelatime"),
    flag("strictatime"),
    flag("nostrictatime"),
    flag("lazytime"),
    flag("nolazytime"),
    flag("sync"),
    flag("async"),
    flag("dirsync"),
    flag("dev"),
    flag("nodev"),
    flag("exec"),
    flag("noexec"),
    flag("suid"),
    flag("nosuid"),
    flag("iversion"),
    flag("noiversion"),
    flag("nosymfollow"),
    flag("silent"),
    flag("loud"),
    // For /etc/fstab, from which people copy them; mount(8) does nothing about them.
    flag("_netdev"),
    flag("nofail"),
    flag("discard"),
    flag("nodiscard"),
    flag("grpid"),
    flag("nogrpid"),
    flag("bsdgroups"),
    flag("sysvgroups"),
    flag("quota"),
    flag("noquota"),
    flag("usrquota"),
    flag("grpquota"),
    flag("prjquota"),
    with("context", Value::Context),
    with("defcontext", Value::Context),
    with("rootcontext", Value::Context),
];

const OF_EXT: &[Allowed] = &[
    flag("acl"),
    flag("noacl"),
    flag("user_xattr"),
    flag("nouser_xattr"),
    flag("bsddf"),
    flag("minixdf"),
    flag("nouid32"),
    flag("orlov"),
    flag("oldalloc"),
    with("resuid", Value::Number),
    with("resgid", Value::Number),
    with("errors", Value::OneOf(&["continue", "remount-ro"])),
];

const OF_JOURNALS: &[Allowed] = &[
    with("commit", Value::Number),
    with("data", Value::OneOf(&["journal", "ordered", "writeback"])),
    flag("barrier"),
    flag("nobarrier"),
    with("barrier", SWITCH),
];

const OF_EXT4: &[Allowed] = &[
    flag("auto_da_alloc"),
    flag("noauto_da_alloc"),
    with("auto_da_alloc", SWITCH),
    flag("block_validity"),
    flag("noblock_validity"),
    flag("delalloc"),
    flag("nodelalloc"),
    flag("dioread_lock"),
    flag("dioread_nolock"),
    flag("init_itable"),
    flag("noinit_itable"),
    with("init_itable", Value::Number),
    with("inode_readahead_blks", Value::Number),
    flag("journal_checksum"),
    flag("nojournal_checksum"),
    with("journal_ioprio", Value::Number),
    with("max_batch_time", Value::Number),
    with("min_batch_time", Value::Number),
    with("max_dir_size_kb", Value::Number),
    with("stripe", Value::Number),
];

const OF_XFS: &[Allowed] = &[
    with("allocsize", Value::Size),
    flag("attr2"),
    flag("noattr2"),
    flag("barrier"),
    flag("nobarrier"),
    flag("filestreams"),
    flag("ikeep"),
    flag("noikeep"),
    flag("inode32"),
    flag("inode64"),
    flag("largeio"),
    flag("nolargeio"),
    with("logbsize", Value::Size),
    with("logbufs", Value::Number),
    flag("noalign"),
    flag("nouuid"),
    with("sunit", Value::Number),
    with("swidth", Value::Number),
    flag("swalloc"),
    flag("wsync"),
    flag("uquota"),
    flag("uqnoenforce"),
    flag("qnoenforce"),
    flag("gquota"),
    flag("gqnoenforce"),
    flag("pquota"),
    flag("pqnoenforce"),
];
