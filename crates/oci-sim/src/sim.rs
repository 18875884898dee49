//! The cloud: takes a request, gives an answer.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::request::Parts;
use http::{Request, Response};
use serde_json::Value;

use crate::answer::{Answer, Delivery, foreign_answer, refusal};
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::credentials::ApiKeyUser;
use crate::disk::Disks;
use crate::error::Error;
use crate::faults::{Effect, Faults};
use crate::identity_domain::IdentityDomain;
use crate::ids;
use crate::log::{Entry, Event, Log, Phase};
use crate::metadata;
use crate::principals::Principals;
use crate::query::Query;
use crate::reply::{Refusal, Reply, set};
use crate::resources::Resources;
use crate::routes::{self, Ask, Route, Twist};
use crate::state::State;
use crate::throttle::Bucket;
use crate::token_service::TokenService;
use crate::verify::{KeyRing, Purpose};

/// The cloud in memory. All methods take `&self` and may be called while requests are served.
pub struct Sim {
    pub(crate) user: ApiKeyUser,
    pub(crate) keys: Mutex<KeyRing>,
    pub(crate) principals: Mutex<Principals>,
    pub(crate) resources: Mutex<Resources>,
    pub(crate) identity_domain: Mutex<IdentityDomain>,
    pub(crate) clock: Clock,
    pub(crate) state: Mutex<State>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) throttle: Mutex<Option<Bucket>>,
    pub(crate) log: Log,
    pub(crate) hook: Mutex<Option<Hook>>,
}

/// Who is told of each request.
pub(crate) type Hook = Arc<dyn Fn(&Event) + Send + Sync>;

impl Sim {
    /// The cloud without a server; [`Sim::start`] adds one.
    ///
    /// # Errors
    /// No key can be made, or the disks cannot be set up.
    pub fn new(config: Config) -> Result<Self, Error> {
        let user = match &config.user {
            Some(user) => user.clone(),
            None => ApiKeyUser::fresh()?,
        };
        let clock = Clock::new(config.stopped_at);
        let disks = config.disk_folder.as_deref().map(Disks::new).transpose()?;
        let state = State::new(config, user.tenancy.clone(), disks, clock.now());
        let sim = Self {
            user: user.clone(),
            keys: Mutex::default(),
            principals: Mutex::default(),
            resources: Mutex::default(),
            identity_domain: Mutex::default(),
            clock,
            state: Mutex::new(state),
            faults: Mutex::default(),
            throttle: Mutex::default(),
            log: Log::default(),
            hook: Mutex::default(),
        };
        sim.add_user(&user);
        Ok(sim)
    }

    /// Performs a request: verified, logged, and with the faults that are set.
    pub fn handle(&self, request: Request<Vec<u8>>) -> Answer {
        let (parts, body) = request.into_parts();
        let service = TokenService::at(self, &parts);
        let purpose = service.map_or(Purpose::Operation, TokenService::purpose);
        let signature = locked(&self.keys).verify(&parts, &body, self.now(), purpose);
        let route = routes::find(&parts.method, parts.uri.path());
        let operation = service.map_or_else(|| operation(&parts, &route), TokenService::name);
        let mut entry = entry(&parts, &body, operation, signature.is_ok(), self.now());
        entry.on_behalf_of = locked(&self.keys).delegator(&parts).map(str::to_owned);
        let mut entry = self.log.begin(entry);
        entry.faults =
            locked(&self.faults).hit(entry.operation, parts.method.as_str(), parts.uri.path());
        if metadata::Path::read(parts.uri.path()).is_none()
            && let Some(bucket) = &mut *locked(&self.throttle)
        {
            entry.faults.extend(bucket.take(self.now()));
        }
        self.tell(Phase::Received, &entry);
        let answer = self.answer(&entry.faults, &parts, || {
            match (metadata::Path::read(parts.uri.path()), service) {
                (Some(path), _) => metadata::answer(self, &path, &parts),
                (None, Some(service)) => service
                    .answer(self, &parts, &body, signature.clone())
                    .unwrap_or_else(Reply::from)
                    .into_response(),
                (None, None) => {
                    let twist = Twist::of(&entry.faults);
                    let result = signature
                        .clone()
                        .map_err(|message| Refusal::new(401, "NotAuthenticated", message));
                    let route = result.and_then(|_| route.as_ref().map_err(Refusal::clone));
                    let reply =
                        route.and_then(|(route, id)| self.perform(route, id, &parts, &body, twist));
                    reply.unwrap_or_else(Reply::from).into_response()
                }
            }
        });
        if let Delivery::Whole(response) | Delivery::Half(response) = &answer.delivery {
            entry.status = Some(response.status().as_u16());
            let id = response.headers().get("opc-request-id").and_then(|id| id.to_str().ok());
            entry.request_id = id.map(str::to_owned);
        }
        self.log.finish(&entry);
        self.tell(Phase::Performed, &entry);
        answer
    }

    /// Wraps the performing of a request in its faults.
    fn answer(
        &self,
        faults: &[Effect],
        request: &Parts,
        perform: impl Fn() -> Response<Vec<u8>>,
    ) -> Answer {
        if faults.contains(&Effect::DropBefore) {
            return Answer::reset();
        }
        if let Some(response) = faults.iter().find_map(foreign_answer) {
            return Answer::of(response);
        }
        let mut response = match faults.iter().find_map(refusal) {
            Some(refusal) => refusal.into_response(),
            None => perform_with(faults, perform),
        };
        self.stamp(&mut response, request);
        faults.iter().fold(Answer::of(response), Answer::spoil)
    }

    /// Performs an operation of the API.
    fn perform(
        &self,
        route: &Route,
        id: &str,
        request: &Parts,
        body: &[u8],
        twist: Twist,
    ) -> Result<Reply, Refusal> {
        let text = |name: &str| Some(request.headers.get(name)?.to_str().ok()?.to_owned());
        let query = Query::parse(request.uri.query().unwrap_or_default());
        route.check_query(&query)?;
        let body =
            if route.has_body() { parse_body(body, text("content-type"))? } else { Value::Null };
        let now = self.now();
        let ask = Ask { now, id: id.to_owned(), query, body, if_match: text("if-match"), twist };
        let mut state = locked(&self.state);
        state.settle(now);
        let token = text("opc-retry-token").filter(|_| route.creates());
        if let Some(token) = &token
            && let Some(reply) = state.recall(token, route.name, &ask.body, now)?
        {
            return Ok(reply);
        }
        let reply = (route.perform)(&mut state, &ask)?;
        if let Some(token) = token {
            state.remember(&token, route.name, ask.body, &reply, now);
        }
        Ok(reply)
    }

    /// The headers that every answer of the service has.
    fn stamp(&self, response: &mut Response<Vec<u8>>, request: &Parts) {
        let chosen = request.headers.get("opc-request-id").and_then(|id| id.to_str().ok());
        set(response, "opc-request-id", &ids::request_id(chosen));
        set(response, "date", &httpdate::fmt_http_date(self.now()));
    }

    fn tell(&self, phase: Phase, entry: &Entry) {
        let hook = locked(&self.hook).clone();
        if let Some(hook) = hook {
            hook(&Event { phase, entry: entry.clone() });
        }
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Performs a request as often as faults say, and when they say.
fn perform_with(faults: &[Effect], perform: impl Fn() -> Response<Vec<u8>>) -> Response<Vec<u8>> {
    for fault in faults {
        if let Effect::Late(milliseconds) = fault {
            clock::wait(Duration::from_millis(*milliseconds));
        }
    }
    if faults.contains(&Effect::Twice) {
        perform();
    }
    perform()
}

fn operation(request: &Parts, route: &Result<(&'static Route, String), Refusal>) -> &'static str {
    match route {
        _ if metadata::Path::read(request.uri.path()).is_some() => "Metadata",
        Ok((route, _)) => route.name,
        Err(_) => "Unknown",
    }
}

fn entry(
    request: &Parts,
    body: &[u8],
    operation: &'static str,
    is_signed: bool,
    at: SystemTime,
) -> Entry {
    let header = |name: &str| Some(request.headers.get(name)?.to_str().ok()?.to_owned());
    Entry {
        number: 0,
        at,
        operation,
        method: request.method.to_string(),
        path: request.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        body: String::from_utf8_lossy(body).into_owned(),
        retry_token: header("opc-retry-token"),
        if_match: header("if-match"),
        request_id: None,
        is_signed,
        on_behalf_of: None,
        faults: Vec::new(),
        status: None,
    }
}

fn parse_body(body: &[u8], content_type: Option<String>) -> Result<Value, Refusal> {
    let unreadable = |reason: String| Refusal::new(400, "CannotParseRequest", reason);
    let content_type = content_type.unwrap_or_default();
    if content_type.split(';').next() != Some("application/json") {
        return Err(unreadable(format!(
            "The content type must be application/json, not {content_type}."
        )));
    }
    serde_json::from_slice(body)
        .map_err(|error| unreadable(format!("The body is not JSON: {error}")))
}

/// A lock is never lost: what a panicking hook leaves behind is whole.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
