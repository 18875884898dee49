//! Why what the configuration says cannot be used.

use std::{io, path::PathBuf};

/// What `config.yaml`, a profile or the environment says cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The private key.
    #[error("{key} in config.yaml cannot be used")]
    Key {
        /// `auth.key`, or `auth.key_file` and the file.
        key: String,
        /// Why.
        source: oci_signer::Error,
    },
    /// The private key is encrypted.
    #[error(
        "{key} in config.yaml is encrypted, and there is no passphrase; give it as auth.passphrase, in \
         quotes if it has special characters"
    )]
    PassphraseMissing {
        /// `auth.key`, or `auth.key_file` and the file.
        key: String,
    },
    /// The passphrase does not fit the private key.
    #[error(
        "{key} in config.yaml cannot be used with auth.passphrase (does it need quotes? `openssl pkey \
         -noout -in <file>` asks for the passphrase and tells whether it fits)"
    )]
    Passphrase {
        /// `auth.key`, or `auth.key_file` and the file.
        key: String,
        /// Why.
        source: oci_signer::Error,
    },
    /// Where a region belongs there is none.
    #[error("{place} is no region; it looks like us-phoenix-1 or phx")]
    Region {
        /// Who says so.
        place: String,
    },
    /// Workload identity outside of a pod.
    #[error(
        "useWorkloadIdentity is set, but the variable KUBERNETES_SERVICE_HOST is not: this is no \
         pod; on a host, use useInstancePrincipals"
    )]
    NoPod,
    /// A profile says that it is to be used in a way that is not known.
    #[error(
        "the authentication_type of the profile {profile} is not known: it is one of api_key, \
         security_token, instance_principal, instance_obo_user, resource_principal and \
         oke_workload_identity"
    )]
    AuthenticationType {
        /// The profile.
        profile: String,
    },
    /// A certificate file that the environment names.
    #[error("cannot read the trusted certificates in {}", .path.display())]
    RootCerts {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The region cannot be part of a host name.
    #[error("`{endpoint}` is no region or endpoint; give auth.region in config.yaml")]
    Endpoint {
        /// What it is.
        endpoint: String,
    },
    /// `OCI_REGION_METADATA` is no description of a region.
    #[error(
        "the variable OCI_REGION_METADATA is not a JSON object with realmKey, realmDomainComponent, \
         regionKey and regionIdentifier"
    )]
    RegionMetadata,
}
