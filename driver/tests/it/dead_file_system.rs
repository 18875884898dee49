//! A file system whose server takes every request and answers none.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    thread,
};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// Dead until it is dropped. Who asks it anything waits in the kernel, also after SIGKILL.
pub(crate) struct DeadFileSystem {
    dir: PathBuf,
}

impl DeadFileSystem {
    /// Mounts it at `dir`.
    pub(crate) fn at(dir: &Path) -> Self {
        fs::create_dir_all(dir).unwrap();
        let server = File::options().read(true).write(true).open("/dev/fuse");
        let mut server = server.expect("/dev/fuse is missing: modprobe fuse");
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0\0", server.as_raw_fd());
        let options = std::ffi::CString::from_vec_with_nul(options.into()).unwrap();
        mount("dead", dir, "fuse", MountFlags::empty(), Some(&*options)).unwrap();
        thread::spawn(move || {
            let mut request = vec![0; 1 << 17];
            let _ = server.read(&mut request).unwrap();
            server.write_all(&initialised(&request)).unwrap();
            // Until it is unmounted by force.
            while server.read(&mut request).is_ok() {}
        });
        Self { dir: dir.to_owned() }
    }
}

impl Drop for DeadFileSystem {
    fn drop(&mut self) {
        // What waits gets an error now.
        unmount(&self.dir, UnmountFlags::FORCE | UnmountFlags::DETACH).unwrap();
    }
}

/// The answer to FUSE_INIT (linux/fuse.h): `fuse_out_header`, and `fuse_init_out` of version 7.31.
fn initialised(request: &[u8]) -> Vec<u8> {
    let unique = &request[8..16];
    let mut answer = [80_u32, 0].map(u32::to_le_bytes).concat();
    answer.extend_from_slice(unique);
    answer.extend([7_u32, 31, 0, 0, 0, 1 << 16].map(u32::to_le_bytes).concat());
    answer.resize(80, 0);
    answer
}
