//! `oci`: block volumes of Oracle Cloud Infrastructure for kubelet.

fn main() {}
