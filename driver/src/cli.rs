//! What the executable says to people who call it by hand.

use std::ffi::OsString;

/// The answer to `--version` or `--help`; kubelet never asks for either.
pub(crate) fn answer(args: &[OsString]) -> Option<String> {
    let [arg] = args else { return None };
    match arg.to_str()? {
        "--version" | "-V" => Some(format!("oci {}\n", env!("CARGO_PKG_VERSION"))),
        "--help" | "-h" => Some(HELP.into()),
        _ => None,
    }
}

const HELP: &str = "\
oci - flexvolume driver for block volumes of Oracle Cloud Infrastructure

kubelet and kube-controller-manager run it; each call prints one JSON object:
  oci init
  oci attach        OPTIONS NODE                      kube-controller-manager
  oci isattached    OPTIONS NODE                      kube-controller-manager
  oci waitforattach DEVICE OPTIONS                    kubelet
  oci mountdevice   DIRECTORY DEVICE OPTIONS          kubelet
  oci unmountdevice DIRECTORY                         kubelet
  oci detach        VOLUME NODE                       kube-controller-manager
  oci expandvolume  OPTIONS DIRECTORY NEW OLD         kube-controller-manager
  oci expandfs      OPTIONS DEVICE DIRECTORY NEW OLD  kubelet

OPTIONS is a JSON object of strings, as kubelet sends it; NEW and OLD are sizes in bytes.
Every call may be repeated.
Configuration: config.yaml, on hosts that attach and detach, in OCI_FLEXD_DRIVER_DIRECTORY
  (/usr/libexec/kubernetes/kubelet-plugins/volume/exec/oracle~oci)
Log: oci_flexvolume_driver.log, in OCI_FLEXD_DRIVER_LOG_DIR (/var/log/oci-flexvolume-driver)
";
