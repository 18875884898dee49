//! What `oci --help` shows.

/// The calls, what they are given, and where configuration and log are.
pub const HELP: &str = "\
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_are_those_of_the_protocol() {
        let page = include_str!("../../../docs/protocol.md");
        let calls = HELP.lines().filter_map(|line| line.strip_prefix("  oci "));
        for call in calls {
            let is_argument = |it: &&str| it.bytes().all(|byte| byte.is_ascii_uppercase());
            let mut words = call.split_whitespace();
            let usage: Vec<_> =
                words.next().into_iter().chain(words.take_while(is_argument)).collect();
            // The page says DIR, as kubelet's own documents do.
            let row = format!("| `{}` |", usage.join(" ").replace("DIRECTORY", "DIR"));
            assert!(page.contains(&row), "docs/protocol.md lacks {row}");
        }
    }
}
