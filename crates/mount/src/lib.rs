//! File systems on disks: check, format, mount, unmount.
