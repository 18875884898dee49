//! Disks behind an iSCSI portal, through iscsiadm and sysfs.
