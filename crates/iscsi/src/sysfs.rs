//! Files and folders of sysfs, which may vanish at any moment.

use std::{fs, io, io::Write, path::Path};

use crate::Error;

/// The text of a file; none if it, or the device behind it, has gone.
pub(crate) fn attribute(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim_end_matches('\n').to_owned())),
        Err(error) if is_gone(&error) => Ok(None),
        Err(source) => Err(Error::Sysfs { verb: "read", path: path.to_owned(), source }),
    }
}

/// What a folder holds whose name starts with `prefix`, sorted; nothing if the folder has gone.
pub(crate) fn names(dir: &Path, prefix: &str) -> Result<Vec<String>, Error> {
    let read = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        names.retain(|name| name.starts_with(prefix));
        names.sort();
        Ok(names)
    };
    match read() {
        Err(error) if is_gone(&error) => Ok(Vec::new()),
        result => {
            result.map_err(|source| Error::Sysfs { verb: "read", path: dir.to_owned(), source })
        }
    }
}

/// Writes `text` as a line to a file. That the device has gone is no error: look afterwards.
///
/// One write, newline included: the kernel takes a device's state in no other way (scsi_sysfs.c,
/// `store_state_field`).
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Error> {
    let written = fs::File::options()
        .write(true)
        .truncate(true)
        .open(path)
        .and_then(|mut file| file.write_all(format!("{text}\n").as_bytes()));
    match written {
        Err(error) if !is_gone(&error) => {
            Err(Error::Sysfs { verb: "write", path: path.to_owned(), source: error })
        }
        _ => {
            log::debug!("wrote {text:?} to {}", path.display());
            Ok(())
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    const ENXIO: i32 = 6;
    const ENODEV: i32 = 19;
    const ENOTCONN: i32 = 107;
    error.kind() == io::ErrorKind::NotFound
        || matches!(error.raw_os_error(), Some(ENXIO | ENODEV | ENOTCONN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        fs::write(&state, "transport-offline\n").unwrap();
        write(&state, "offline").unwrap();
        assert_eq!(fs::read_to_string(&state).unwrap(), "offline\n");
    }
}
