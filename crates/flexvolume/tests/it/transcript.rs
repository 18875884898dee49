//! The recorded argument lists of real callers, each of which must be a call.

use std::{collections::BTreeMap, ffi::OsString};

use flexvolume::{Call, CallError};

const RECORDED: &str = include_str!("../../testdata/argv.txt");

#[test]
fn every_recorded_argument_list_is_a_call() {
    let mut seen = BTreeMap::<&str, usize>::new();
    for line in recorded().filter(|line| !line.starts_with("saw ")) {
        let args = words(line);
        if let Err(error) = Call::parse(&args) {
            panic!("{line}: {error:?}");
        }
        let name = line.split(' ').next().unwrap();
        *seen.entry(name).or_default() += 1;
    }
    let names: Vec<&str> = seen.keys().copied().collect();
    assert_eq!(names.join(" "), NAMES, "{seen:?}");
}

const NAMES: &str = "attach detach expandfs getvolumename init isattached mount mountdevice \
                     unmount unmountdevice waitforattach";

#[test]
fn every_recorded_name_is_known() {
    for name in
        recorded().filter_map(|line| line.strip_prefix("saw ")).flat_map(str::split_whitespace)
    {
        assert_ne!(Call::parse(&[name.into()]).err(), Some(CallError::Unknown), "{name}");
    }
}

#[test]
fn a_recorded_mount_is_read_to_the_last_option() {
    let line =
        recorded().find(|it| it.starts_with("mount ") && it.contains("secret/pass")).unwrap();
    let Ok(Call::Mount { dir, options }) = Call::parse(&words(line)) else { panic!("{line}") };
    assert!(dir.ends_with("volumes/test~log/pv-a"), "{dir:?}");
    assert_eq!(options.volume_name(), Ok("pv-a"));
    assert_eq!((options.fs_type(), options.fs_group()), (Some("ext4"), Some("3000")));
    assert_eq!(options.secret("pass").unwrap().expose(), b"s3cret");
    assert_eq!(options.secret("user").unwrap().expose(), b"bob");
    assert_eq!(options.get("kubernetes.io/pod.name"), Some("db1"));
    assert_eq!(options.get("ocid"), Some("ocid1.volume.x"));
}

#[test]
fn fs_group_is_read_from_callers_of_both_ages() {
    let groups: Vec<String> = recorded()
        .filter(|line| line.starts_with("mount ") && line.to_lowercase().contains("fsgroup"))
        .map(|line| match Call::parse(&words(line)) {
            Ok(Call::Mount { options, .. }) => options.fs_group().unwrap().to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(groups.len() > 10 && groups.iter().all(|it| it == "2000" || it == "3000"));
}

fn recorded() -> impl Iterator<Item = &'static str> {
    RECORDED.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Splits at blanks outside single quotes, all the quoting that the recording uses.
fn words(line: &str) -> Vec<OsString> {
    let mut words = Vec::new();
    for (at, part) in line.split('\'').enumerate() {
        if at % 2 == 1 {
            words.push(part.into());
        } else {
            words.extend(part.split_whitespace().map(OsString::from));
        }
    }
    words
}
