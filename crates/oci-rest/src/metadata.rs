//! What an instance can learn about itself.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use clock::{Clock, Deadline};
use http::{HeaderValue, Request, Response, header};
use oci_iaas::{Ocid, ParseRegionError, Region, RegionInfo};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Direct, Error, MemoryCache, Transport, TransportError, transport::is_whole};

/// The metadata service of the instance that this program runs on.
///
/// Source: Oracle, "Getting Instance Metadata".
#[derive(Clone, Debug)]
pub struct Metadata {
    base: String,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    cache: Option<MemoryCache>,
}

/// What the service says about the instance; old instances leave the optional fields out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InstanceMetadata {
    /// The instance.
    pub id: Ocid,
    /// Its compartment.
    pub compartment_id: Ocid,
    /// Its region as OCIDs spell it: `phx`, `eu-frankfurt-1`.
    pub region: String,
    /// Where it is, such as `EMIr:PHX-AD-1`.
    pub availability_domain: String,
    /// The display name; not unique.
    pub display_name: Option<String>,
    /// Its host name.
    pub hostname: Option<String>,
    /// The identifier of the region: `us-phoenix-1`.
    pub canonical_region_name: Option<String>,
    /// Region and realm in full.
    pub region_info: Option<RegionInfo>,
    /// The tenancy.
    pub tenant_id: Option<Ocid>,
}

impl InstanceMetadata {
    /// The region, from the best field there is.
    ///
    /// # Errors
    /// The field cannot be part of a host name.
    pub fn region(&self) -> Result<Region, ParseRegionError> {
        match &self.region_info {
            Some(info) => Region::from_metadata(info),
            None => Region::parse(self.canonical_region_name.as_deref().unwrap_or(&self.region)),
        }
    }
}

impl Metadata {
    /// `base_url` ends in `/opc/v2` or `/opc/v1`; without one, it is the link-local address that
    /// all instances have. Whatever proxy `transport` has is not used.
    pub fn new(
        base_url: Option<&str>,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let base = base_url.unwrap_or(DEFAULT_BASE).trim_end_matches('/').to_owned();
        Self { base, transport, clock, cache: None }
    }

    /// The same, sharing what it learns about the instance with other processes for 15 minutes.
    #[must_use]
    pub fn with_cache(self, cache: MemoryCache) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// Where the service is asked.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The instance that this program runs on. May be repeated; takes at most 5 s.
    ///
    /// Version 2 of the service is asked first, version 1 if that is refused. 404, 429 and 5xx,
    /// which happen while metadata are being changed, are tried again after short waits.
    ///
    /// # Errors
    /// There is no metadata service (then this is no instance of OCI, or a firewall is in the way),
    /// or it is the one of another cloud.
    pub fn instance(&self) -> Result<InstanceMetadata, Error> {
        if let Some(instance) = self.cached() {
            return Ok(instance);
        }
        let instance = parse(&self.get("instance/", &Deadline::after(&*self.clock, LIMIT))?)?;
        let entry = Entry { at: self.seconds(), instance };
        if let (Some(cache), Ok(text)) = (&self.cache, serde_json::to_string(&entry)) {
            cache.store(&self.identity(), &text);
        }
        Ok(entry.instance)
    }

    /// A document that is text.
    pub(crate) fn text(&self, path: &str, deadline: &Deadline) -> Result<Zeroizing<String>, Error> {
        let Found { url, answer } = self.get(path, deadline)?;
        String::from_utf8(answer.into_body()).map(Zeroizing::new).map_err(|_| Error::Metadata {
            url,
            problem: "the answer is no text".to_owned(),
            source: None,
        })
    }

    fn cached(&self) -> Option<InstanceMetadata> {
        let text = self.cache.as_ref()?.load(&self.identity())?;
        let entry: Entry = serde_json::from_str(&text).ok()?;
        let age = self.seconds().checked_sub(entry.at)?;
        (age < CACHED_FOR.as_secs()).then_some(entry.instance)
    }

    fn identity(&self) -> String {
        format!("metadata {}", self.base)
    }

    fn seconds(&self) -> u64 {
        self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    /// One success, of version 2 or else of version 1.
    fn get(&self, path: &str, deadline: &Deadline) -> Result<Found, Error> {
        let Some(root) = self.base.strip_suffix("/v2") else {
            return self.ask(&self.base, path, deadline);
        };
        match self.ask(&self.base, path, deadline) {
            Err(Error::Metadata { source: None, .. }) => {
                self.ask(&format!("{root}/v1"), path, deadline)
            }
            answer => answer,
        }
    }

    /// One success of the service of one version.
    fn ask(&self, base: &str, path: &str, deadline: &Deadline) -> Result<Found, Error> {
        let url = format!("{base}/{path}");
        let mut waits = WAITS.into_iter();
        loop {
            let limit = deadline.remaining(&*self.clock).min(REQUEST_LIMIT);
            let outcome = request(&url, base.ends_with("/v2"))
                .map(|request| self.transport.send(request, limit))?;
            let (error, again) = match outcome {
                Ok(answer) if is_whole(answer.status()) => return Ok(Found { url, answer }),
                Ok(answer) => refused(&url, &answer),
                Err(source) => unreachable(&url, source),
            };
            let in_time = |wait: &Duration| *wait < deadline.remaining(&*self.clock);
            match waits.next().filter(in_time) {
                Some(wait) if again => self.clock.sleep(wait),
                _ => return Err(error),
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Entry {
    /// In seconds since 1970.
    at: u64,
    instance: InstanceMetadata,
}

struct Found {
    url: String,
    answer: Response<Vec<u8>>,
}

fn request(url: &str, with_token: bool) -> Result<Request<Vec<u8>>, Error> {
    let mut request = Request::get(url).extension(Direct);
    if with_token {
        request = request.header(header::AUTHORIZATION, HeaderValue::from_static("Bearer Oracle"));
    }
    request.body(Vec::new()).map_err(|_| {
        let problem = "this is not a URL that ends in /opc/v2 or /opc/v1".to_owned();
        Error::Metadata { url: url.to_owned(), problem, source: None }
    })
}

/// The error, and whether it may pass within a second.
fn refused(url: &str, answer: &Response<Vec<u8>>) -> (Error, bool) {
    let status = answer.status().as_u16();
    let problem = format!("the service answers {status}; is this an instance of OCI?");
    let error = Error::Metadata { url: url.to_owned(), problem, source: None };
    (error, matches!(status, 404 | 429 | 500..))
}

fn unreachable(url: &str, source: TransportError) -> (Error, bool) {
    let again = source.is_transient();
    let problem = "no answer; is this an instance of OCI?".to_owned();
    (Error::Metadata { url: url.to_owned(), problem, source: Some(source) }, again)
}

fn parse(found: &Found) -> Result<InstanceMetadata, Error> {
    serde_json::from_slice(found.answer.body()).map_err(|_| Error::Metadata {
        url: found.url.clone(),
        problem: "something answers, but not as OCI does: fields such as compartmentId are \
                  missing; this seems to be another cloud"
            .to_owned(),
        source: None,
    })
}

const DEFAULT_BASE: &str = "http://169.254.169.254/opc/v2";
/// An instance may be moved into another compartment.
const CACHED_FOR: Duration = Duration::from_secs(900);
const LIMIT: Duration = Duration::from_secs(5);
const REQUEST_LIMIT: Duration = Duration::from_secs(2);
const WAITS: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(700)];
