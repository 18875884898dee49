//! Why an operation has no result.

use std::time::Duration;

use oci_iaas::{AttachmentState, Mismatch, Ocid};

use crate::{
    ServiceError, TransportError,
    list::{MOST_BYTES, MOST_ITEMS, MOST_PAGES},
};

/// Why an operation has no result. Ask the predicates; the texts are for operators.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service answered, and not with a success.
    #[error(transparent)]
    Service(Box<ServiceError>),

    /// There was no complete answer.
    #[error("{operation} failed")]
    Transport {
        /// The operation and what it is about.
        operation: String,
        /// What happened on the network.
        source: TransportError,
    },

    /// A success that cannot be read, again and again.
    #[error("{operation} at {endpoint}: incomplete answer, {problem}")]
    Incomplete {
        /// The operation and what it is about.
        operation: String,
        /// The host.
        endpoint: String,
        /// What is wrong with it, without quoting it.
        problem: String,
        /// The service's name for the request.
        request_id: Option<String>,
    },

    /// A list whose pages go round in circles.
    #[error("{operation} at {endpoint}: the list never ends, a page names an earlier one as next")]
    EndlessList {
        /// The operation and what it is about.
        operation: String,
        /// The host.
        endpoint: String,
    },

    /// A list that is longer than this crate reads.
    #[error(
        "{operation} at {endpoint}: the list has more than {MOST_ITEMS} elements, {MOST_PAGES} pages or \
         {} MiB, and is not read to its end", MOST_BYTES >> 20
    )]
    LongList {
        /// The operation and what it is about.
        operation: String,
        /// The host.
        endpoint: String,
    },

    /// A list of several pages that was another one each time it was read.
    #[error(
        "{operation} at {endpoint}: the list changed each time it was read, so that it cannot be told what \
         is missing in it; the next call reads it again"
    )]
    ListChanges {
        /// The operation and what it is about.
        operation: String,
        /// The host.
        endpoint: String,
    },

    /// The service has answered something else than was asked.
    #[error(
        "{operation} at {endpoint}: the answer is about something else ({mismatch}), and nothing was done \
         with it"
    )]
    Mismatch {
        /// The operation and what it is about.
        operation: String,
        /// The host.
        endpoint: String,
        /// The difference.
        mismatch: Box<Mismatch>,
        /// The service's name for the request.
        request_id: Option<String>,
    },

    /// The budget was used up before the request was sent.
    #[error("{operation} was not sent: the time for this call is used up")]
    OutOfTime {
        /// The operation and what it is about.
        operation: String,
    },

    /// The request could not be signed.
    #[error("cannot sign {operation}")]
    Sign {
        /// The operation and what it is about.
        operation: String,
        /// Why.
        source: oci_signer::Error,
    },

    /// The request could not be built: the endpoint is no URL of a host.
    #[error(
        "the endpoint {endpoint} is not a URL such as https://iaas.us-phoenix-1.oraclecloud.com"
    )]
    Endpoint {
        /// The endpoint, as configured.
        endpoint: String,
    },

    /// The wait for an attachment ended without a result; nothing is lost.
    #[error("volume attachment {id} is still {}; the next call continues", seen(.state, .source))]
    StillWaiting {
        /// The attachment.
        id: Ocid,
        /// Its last state, if there was time to look and it could be read at all.
        state: Option<AttachmentState>,
        /// How long it was watched.
        waited: Duration,
        /// Why it could not be read the last time.
        source: Option<Box<Error>>,
    },

    /// OCI gave the attachment up, or another client detached it.
    #[error(
        "volume attachment {id} became {state} instead of ATTACHED; its work request in OCI tells why"
    )]
    NotAttached {
        /// The attachment.
        id: Ocid,
        /// Its state.
        state: AttachmentState,
    },

    /// The metadata service gave no answer, or not one of OCI's.
    #[error("instance metadata at {url}: {problem}")]
    Metadata {
        /// What was asked.
        url: String,
        /// What is wrong.
        problem: String,
        /// What happened on the network.
        source: Option<TransportError>,
    },

    /// There are no credentials to sign with.
    #[error("{who}: {problem}")]
    Credentials {
        /// What was tried: `instance principals`.
        who: String,
        /// What is wrong, and what to do.
        problem: String,
        /// Whether it may pass.
        transient: bool,
        /// Why.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },

    /// The configured fingerprint belongs to another key.
    #[error(
        "the fingerprint {configured} is configured, but the key's is {computed}: one of the two is not the user's current API key"
    )]
    Fingerprint {
        /// From the configuration.
        configured: String,
        /// From the key.
        computed: String,
    },

    /// The URL of the proxy, which is not shown because it may hold a password.
    #[error("{setting} {problem}")]
    Proxy {
        /// What the setting is called.
        setting: String,
        /// What is wrong with it, and what to do.
        problem: &'static str,
    },

    /// The bundle of root certificates.
    #[error("{setting} must be a bundle of PEM certificates (-----BEGIN CERTIFICATE-----)")]
    RootCerts {
        /// What the setting is called.
        setting: String,
    },

    /// The name that the server's certificate has to be for.
    #[error("{setting} is neither the name of a host nor an address")]
    ServerName {
        /// What the setting is called.
        setting: String,
    },
}

impl Error {
    /// Credentials that cannot be had: `who` was tried, and what is wrong with it.
    pub fn credentials(
        who: impl Into<String>,
        problem: impl Into<String>,
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let (who, problem) = (who.into(), problem.into());
        Self::Credentials { who, problem, transient: false, source }
    }

    /// The same, of credentials that may be had later.
    #[must_use]
    pub fn passing(self) -> Self {
        match self {
            Self::Credentials { who, problem, source, .. } => {
                Self::Credentials { who, problem, transient: true, source }
            }
            other => other,
        }
    }

    /// Whether the service refused the signature, and not because of the clock.
    pub(crate) fn is_unauthenticated(&self) -> bool {
        self.service().is_some_and(ServiceError::is_unauthenticated)
    }

    /// Whether the same call may succeed later, without any change by an operator.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Service(error) => error.is_busy() || error.is_incorrect_state(),
            Self::Transport { source, .. } => source.is_transient(),
            Self::Metadata { source, .. } => source.as_ref().is_some_and(|it| it.is_transient()),
            Self::Credentials { transient, .. } => *transient,
            Self::Incomplete { .. }
            | Self::ListChanges { .. }
            | Self::OutOfTime { .. }
            | Self::StillWaiting { .. } => true,
            _ => false,
        }
    }

    /// Whether a call that changes something may have changed it, in its last try or in one before:
    /// read the state before repeating.
    pub fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::Service(error) => error.is_outcome_unknown(),
            Self::Transport { source, .. } => source.was_sent(),
            Self::Incomplete { .. } | Self::Mismatch { .. } => true,
            _ => false,
        }
    }

    /// Whether the resource does not exist, or is not to be seen with these rights.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// Whether the service has answered something else than was asked.
    pub fn is_mismatch(&self) -> bool {
        matches!(self, Self::Mismatch { .. })
    }

    /// The HTTP status of the service.
    pub fn status(&self) -> Option<u16> {
        self.service().map(ServiceError::status)
    }

    /// The code of the service, such as `IncorrectState`.
    pub fn code(&self) -> Option<&str> {
        self.service().and_then(ServiceError::code)
    }

    /// What Oracle's support asks for: `opc-request-id`.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Incomplete { request_id, .. } | Self::Mismatch { request_id, .. } => {
                request_id.as_deref()
            }
            _ => self.service().and_then(ServiceError::request_id),
        }
    }

    /// The error of a call of which an earlier try ended with `doubt`, and may have changed
    /// something: what the service says last is kept, a last try that did not reach it is not.
    pub(crate) fn in_doubt(self, doubt: Option<Self>) -> Self {
        match (self, doubt) {
            (Self::Service(error), Some(_)) => Self::Service(Box::new(error.in_doubt())),
            (error, Some(doubt)) if !error.is_outcome_unknown() => doubt,
            (error, _) => error,
        }
    }

    fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::Service(error) => Some(error),
            _ => None,
        }
    }
}

fn seen<'a>(state: &'a Option<AttachmentState>, trouble: &Option<Box<Error>>) -> &'a str {
    match (state, trouble) {
        (Some(state), _) => state.as_str(),
        (None, Some(_)) => "unreadable",
        (None, None) => "unseen",
    }
}
