//! One question to the Kubernetes API: what is known of this node.
