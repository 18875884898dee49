//! The flexvolume exec protocol, as kubelet speaks it.
