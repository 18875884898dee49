//! Which sessions are authenticated, and where their CHAP credentials come from.
//!
//! Decision 0009 says why: kubelet passes a volume's secrets to `mount` only, and what attach answers is
//! public, so a node reads them from the API with credentials of its own.

use iscsi::{Chap, Target};
use oci_iaas::{AttachmentKind, IscsiTarget};

use crate::{
    OciBlock, attachment::own_attachment, error::Error, settings::is_there,
    volume_options::VolumeOptions,
};

/// What the target wants to hear now: from the API where this host has a `config.yaml`, else from the
/// options, if the caller has passed the volume's secrets.
///
/// # Errors
/// Neither knows them, the API cannot be asked, or no node record can hold what it says.
pub(crate) fn credentials(
    driver: &OciBlock,
    target: &Target,
    options: &VolumeOptions<'_>,
) -> Result<Chap, Error> {
    if is_there(&driver.settings.config) {
        return of_attachment(driver, target, options);
    }
    let unknown = || CredentialsError::Unknown { target: target.clone() };
    Ok(options.chap.clone().ok_or_else(unknown)?)
}

/// Asks the API for the attachment that the target belongs to.
fn of_attachment(
    driver: &OciBlock,
    target: &Target,
    options: &VolumeOptions<'_>,
) -> Result<Chap, Error> {
    let attachment = own_attachment(driver, target, options)?;
    match &attachment.kind {
        AttachmentKind::Iscsi(IscsiTarget {
            chap_username: Some(username),
            chap_secret: Some(secret),
            ..
        }) => Ok(Chap::new(username, secret.expose()).map_err(CredentialsError::Unusable)?),
        _ => Err(CredentialsError::WithoutChap { attachment: attachment.id.to_string() }.into()),
    }
}

/// Why a session cannot be authenticated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The node has no way to learn them.
    #[error(
        "{target} wants CHAP credentials, and this node knows none: put config.yaml in its place \
         on this node too, so that it can read them from the API"
    )]
    Unknown {
        /// The target.
        target: Target,
    },
    /// The attachment was made without CHAP.
    #[error(
        "attachment {attachment} was made without CHAP and the option useChap is true; detach the volume \
         and let the driver attach it"
    )]
    WithoutChap {
        /// The attachment's OCID.
        attachment: String,
    },
    /// The secrets among the options are not text.
    #[error("the secrets chapUsername and chapSecret of the volume are not UTF-8 text")]
    NotText,
    /// open-iscsi cannot take them.
    #[error("the CHAP credentials of the volume cannot be used")]
    Unusable(#[source] iscsi::ChapError),
}
