//! The cloud: takes a request, gives an answer.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::request::Parts;
use http::{Request, Response, StatusCode};
use serde_json::Value;

use crate::clock::{self, Clock};
use crate::config::Config;
use crate::credentials::ApiKeyUser;
use crate::disk::Disks;
use crate::error::Error;
use crate::faults::{Effect, Fault, Faults};
use crate::ids;
use crate::log::{Entry, Event, Log, Phase};
use crate::metadata;
use crate::query::Query;
use crate::reply::{Refusal, Reply, set};
use crate::routes::{self, Ask, Route, Twist};
use crate::state::{Attachment, Network, NewInstance, NewVolume, State};
use crate::verify::KeyRing;

/// The cloud in memory. All methods take `&self` and may be called while requests are served.
pub struct Sim {
    user: ApiKeyUser,
    keys: Mutex<KeyRing>,
    clock: Clock,
    state: Mutex<State>,
    faults: Mutex<Faults>,
    log: Log,
    hook: Mutex<Option<Hook>>,
}

/// Who is told of each request.
type Hook = Arc<dyn Fn(&Event) + Send + Sync>;

/// What a server has to do with a request.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// Wait so long first.
    pub after: Duration,
    /// Then do this.
    pub delivery: Delivery,
}

/// How an answer reaches the client.
#[derive(Debug)]
pub enum Delivery {
    /// As HTTP has it.
    Whole(Response<Vec<u8>>),
    /// All headers, half of the body, then the connection is reset.
    Half(Response<Vec<u8>>),
    /// Not at all: the connection is reset.
    Reset,
}

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
            clock,
            state: Mutex::new(state),
            faults: Mutex::default(),
            log: Log::default(),
            hook: Mutex::default(),
        };
        sim.add_user(&user);
        Ok(sim)
    }

    /// Performs a request: verified, logged, and with the faults that are set.
    pub fn handle(&self, request: Request<Vec<u8>>) -> Answer {
        let (parts, body) = request.into_parts();
        let signature = locked(&self.keys).verify(&parts, &body, self.now());
        let route = routes::find(&parts.method, parts.uri.path());
        let entry = entry(&parts, &body, operation(&parts, &route), signature.is_ok(), self.now());
        let mut entry = self.log.begin(entry);
        entry.faults =
            locked(&self.faults).hit(entry.operation, parts.method.as_str(), parts.uri.path());
        self.tell(Phase::Received, &entry);
        let answer =
            self.answer(&entry.faults, &parts, || match metadata::Path::read(parts.uri.path()) {
                Some(path) => metadata::answer(&locked(&self.state), &path, &parts),
                None => {
                    let twist = Twist::of(&entry.faults);
                    let result = signature
                        .clone()
                        .map_err(|message| Refusal::new(401, "NotAuthenticated", message));
                    let route = result.and_then(|()| route.as_ref().map_err(Refusal::clone));
                    let reply =
                        route.and_then(|(route, id)| self.perform(route, id, &parts, &body, twist));
                    reply.unwrap_or_else(Reply::from).into_response()
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
        let whole =
            |response| Answer { after: Duration::ZERO, delivery: Delivery::Whole(response) };
        if faults.contains(&Effect::DropBefore) {
            return Answer { after: Duration::ZERO, delivery: Delivery::Reset };
        }
        if let Some(response) = faults.iter().find_map(foreign_answer) {
            return whole(response);
        }
        if let Some(refusal) = faults.iter().find_map(refusal) {
            let mut response = refusal.into_response();
            self.stamp(&mut response, request);
            return whole(response);
        }
        for fault in faults {
            if let Effect::Late(milliseconds) = fault {
                clock::wait(Duration::from_millis(*milliseconds));
            }
        }
        let mut response = perform();
        if faults.contains(&Effect::Twice) {
            response = perform();
        }
        self.stamp(&mut response, request);
        let mut answer = Answer { after: Duration::ZERO, delivery: Delivery::Whole(response) };
        for fault in faults {
            answer = answer.spoil(fault);
        }
        answer
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

/// Building the cloud, and looking at it.
impl Sim {
    /// The user whose requests are good from the start.
    pub fn credentials(&self) -> &ApiKeyUser {
        &self.user
    }

    /// Lets another user, or another key, in.
    pub fn add_user(&self, user: &ApiKeyUser) {
        locked(&self.keys).add(user.key_id(), user.public_key().to_vec());
    }

    /// Lets a public key (PKCS#1 DER) in under this `keyId`.
    pub fn add_key(&self, key_id: &str, public_key: &[u8]) {
        locked(&self.keys).add(key_id.to_owned(), public_key.to_vec());
    }

    /// OCID of the compartment where things are that name none.
    pub fn compartment(&self) -> String {
        locked(&self.state).compartment.clone()
    }

    /// The network where instances are that name none.
    pub fn network(&self) -> Option<Network> {
        locked(&self.state).networks.first().cloned()
    }

    /// A further VCN with a subnet, in this compartment (the cloud's own if absent).
    pub fn add_network(&self, compartment: Option<&str>) -> Network {
        let mut state = locked(&self.state);
        let compartment = compartment.map_or_else(|| state.compartment.clone(), str::to_owned);
        state.add_network(&compartment, self.now())
    }

    /// A further instance; its OCID. The first is the one the metadata service speaks of.
    pub fn add_instance(&self, new: NewInstance) -> String {
        locked(&self.state).add_instance(new, self.now())
    }

    /// A further volume; its OCID.
    pub fn add_volume(&self, new: NewVolume) -> String {
        locked(&self.state).add_volume(new, self.now())
    }

    /// Changes an instance's state, for example to `STOPPED` or `TERMINATED`.
    pub fn set_instance_state(&self, id: &str, state: &str) {
        for instance in locked(&self.state).instances.iter_mut().filter(|it| it.id == id) {
            state.clone_into(&mut instance.state);
        }
    }

    /// The instance that the metadata service speaks of, unless the path names one.
    pub fn set_metadata_instance(&self, id: &str) {
        locked(&self.state).metadata_instance = Some(id.to_owned());
    }

    /// All attachments that can still be seen, in the order they were made.
    pub fn attachments(&self) -> Vec<Attachment> {
        let mut state = locked(&self.state);
        state.settle(self.now());
        let shown = |it: &Attachment| Attachment { lifecycle_state: it.life.state(), ..it.clone() };
        state.attachments.iter().map(shown).collect()
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Entry> {
        self.log.entries()
    }

    /// What must never happen, and did: a disk was detached while it was in use. Also disks that could not be shown.
    pub fn violations(&self) -> Vec<String> {
        locked(&self.state)
            .disks
            .as_ref()
            .map(|disks| disks.violations().to_vec())
            .unwrap_or_default()
    }

    /// Sets a fault, beside those already set.
    pub fn fail(&self, fault: Fault) {
        locked(&self.faults).add(fault);
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        locked(&self.faults).clear();
    }

    /// Calls this before and after each request is performed, on the thread that performs it: the client waits meanwhile.
    pub fn on_request(&self, hook: impl Fn(&Event) + Send + Sync + 'static) {
        *locked(&self.hook) = Some(Arc::new(hook));
    }

    /// What time it is in the cloud.
    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Turns the cloud's clock forward; what is due then happens.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.settle();
    }

    /// Turns the cloud's clock back.
    pub fn turn_back(&self, by: Duration) {
        self.clock.turn_back(by);
    }

    /// Lets everything happen that is due by now. Requests do it too, and a server several times a second.
    pub fn settle(&self) {
        locked(&self.state).settle(self.now());
    }

    /// Takes all disks away, in use or not.
    pub(crate) fn remove_disks(&self) {
        locked(&self.state).disks = None;
    }
}

impl Answer {
    /// The response, if the client gets one whole.
    pub fn whole(self) -> Option<Response<Vec<u8>>> {
        if let Delivery::Whole(response) = self.delivery { Some(response) } else { None }
    }

    /// One fault's part after performing.
    fn spoil(mut self, fault: &Effect) -> Self {
        let delivery = match (self.delivery, fault) {
            (_, Effect::DropAfter) => Delivery::Reset,
            (Delivery::Whole(response), Effect::HalfBody) => Delivery::Half(response),
            (Delivery::Whole(mut response), Effect::ContentType(name)) => {
                set(&mut response, "content-type", name);
                Delivery::Whole(response)
            }
            (Delivery::Whole(mut response), Effect::Body(text)) => {
                *response.body_mut() = text.clone().into_bytes();
                Delivery::Whole(response)
            }
            (delivery, Effect::Delay(milliseconds)) => {
                self.after += Duration::from_millis(*milliseconds);
                delivery
            }
            (delivery, _) => delivery,
        };
        Self { delivery, ..self }
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What the service answers in place of performing anything.
fn refusal(fault: &Effect) -> Option<Reply> {
    match fault {
        Effect::Status { status, code, message } => {
            Some(Refusal::new(*status, code, message).into())
        }
        Effect::Throttle { retry_after } => {
            let reply: Reply =
                Refusal::new(429, "TooManyRequests", "Too many requests for the user").into();
            Some(match retry_after {
                Some(seconds) => reply.header("retry-after", seconds.to_string()),
                None => reply,
            })
        }
        _ => None,
    }
}

/// What somebody between client and service answers.
fn foreign_answer(fault: &Effect) -> Option<Response<Vec<u8>>> {
    let Effect::Answer { status, content_type, body } = fault else { return None };
    let mut response = Response::new(body.clone().into_bytes());
    *response.status_mut() = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
    set(&mut response, "content-type", content_type);
    Some(response)
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
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
