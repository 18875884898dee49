//! Which parts of a request a signature covers, and in which order.

use http::Method;

/// Which parts of a request are signed.
///
/// ```
/// use oci_signer::{Coverage, signing_string};
///
/// let upload = http::Request::put("https://objectstorage.us-phoenix-1.oraclecloud.com/n/a/b/c/o/d");
/// let (parts, ()) = upload.header("date", "Thu, 26 Nov 2026 12:00:00 GMT").body(())?.into_parts();
/// assert_eq!(
///     signing_string(&parts, &http::HeaderMap::new(), Coverage::WithoutBody)?,
///     "date: Thu, 26 Nov 2026 12:00:00 GMT\n\
///      (request-target): put /n/a/b/c/o/d\n\
///      host: objectstorage.us-phoenix-1.oraclecloud.com"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Oracle's "Request Signatures"; for the token endpoint, what Oracle's SDKs send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Coverage {
    /// What the services of a region want: date, request line and host; for POST, PUT and PATCH
    /// also length, type and digest of the body, even if it is empty.
    #[default]
    Regional,
    /// What the token endpoint `/v1/x509` wants: the same without the host.
    Federation,
    /// The same as [`Regional`](Self::Regional), and `opc-obo-token`: the token of a user on whose
    /// behalf an instance or another resource acts.
    OnBehalfOf,
    /// Never the body: for uploads to Object Storage, whose bodies stream.
    WithoutBody,
    /// Exactly these headers in this order, in lower case; `(request-target)` is the request line.
    /// With `x-date` instead of `date` a proxy may rewrite the latter.
    Listed(&'static [&'static str]),
}

impl Coverage {
    /// The names of what is signed, in the order of the signing string.
    pub(crate) fn names(self, method: &Method) -> impl Iterator<Item = &'static str> {
        let (always, with_body): (&[_], &[_]) = match self {
            Self::Regional => (&["date", REQUEST_TARGET, "host"], &BODY),
            Self::Federation => (&["date", REQUEST_TARGET], &BODY),
            Self::OnBehalfOf => (&["date", REQUEST_TARGET, "host", DELEGATION_TOKEN], &BODY),
            Self::WithoutBody => (&["date", REQUEST_TARGET, "host"], &[]),
            Self::Listed(names) => (names, &[]),
        };
        let with_body = if has_body(method) { with_body } else { &[] };
        always.iter().chain(with_body).copied()
    }

    /// Whether this coverage lets a body with this method go unsigned.
    pub(crate) fn allows_body(self, method: &Method) -> bool {
        match self {
            Self::Regional | Self::Federation | Self::OnBehalfOf => has_body(method),
            Self::WithoutBody | Self::Listed(_) => true,
        }
    }
}

fn has_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

pub(crate) const REQUEST_TARGET: &str = "(request-target)";
pub(crate) const DELEGATION_TOKEN: &str = "opc-obo-token";
const BODY: [&str; 3] = ["content-length", "content-type", "x-content-sha256"];
