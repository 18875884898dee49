//! A package as tar.gz with nothing in its headers that depends on who packs it, and when.

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::package::Package;

/// The archive's bytes. Every entry belongs to root and was changed at `epoch`, in seconds since
/// 1970; gzip's own header has neither time nor name.
pub(super) fn pack(package: &Package, epoch: u64) -> Result<Vec<u8>> {
    let gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    let mut tar = Builder::new(gzip);
    for file in &package.files {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(file.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(epoch);
        header.set_size(file.content.len().try_into()?);
        let path = format!("{}/{}", package.name, file.path);
        tar.append_data(&mut header, path, &*file.content)?;
    }
    Ok(tar.into_inner()?.finish()?)
}

#[cfg(test)]
mod tests {
    use xshell::{Shell, cmd};

    use super::*;
    use crate::dist::package::File;

    #[test]
    fn the_archive_is_the_same_each_time_and_tar_reads_it() {
        let file = |path: &str, mode| File { path: path.into(), mode, content: b"abc".to_vec() };
        let files = vec![file("README.md", 0o644), file("oci", 0o755)];
        let package = Package { name: "pack-1".to_owned(), files };
        let archive = pack(&package, 86_400).unwrap();
        assert_eq!(archive, pack(&package, 86_400).unwrap());

        let sh = Shell::new().unwrap();
        let list = cmd!(sh, "tar --utc --numeric-owner -tvzf -").stdin(&archive).read().unwrap();
        assert_eq!(
            list,
            "-rw-r--r-- 0/0               3 1970-01-02 00:00 pack-1/README.md\n\
             -rwxr-xr-x 0/0               3 1970-01-02 00:00 pack-1/oci"
        );
    }
}
