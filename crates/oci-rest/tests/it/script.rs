//! A transport whose answers are data, and a client on it.

use std::{
    collections::VecDeque,
    error::Error as _,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use clock::{Clock, Deadline, ManualClock};
use http::{Request, Response};
use oci_iaas::Ocid;
use oci_rest::{ApiKey, Client, Error, Fault, Phase, Transport, TransportError};
use oci_signer::PrivateKey;

/// One thing that happens to a request.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: String },
    Fail(Phase, Fault),
}

/// Answers request after request; panics on one too many.
#[derive(Debug)]
pub(crate) struct Script {
    steps: Mutex<VecDeque<Step>>,
    endless: Option<Step>,
    pub(crate) seen: Mutex<Vec<(Request<Vec<u8>>, Duration)>>,
}

impl Script {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Arc<Self> {
        let steps = Mutex::new(steps.into_iter().collect());
        Arc::new(Self { steps, endless: None, seen: Mutex::default() })
    }

    /// The same answer, however often it is asked for.
    pub(crate) fn endless(step: Step) -> Arc<Self> {
        Arc::new(Self { steps: Mutex::default(), endless: Some(step), seen: Mutex::default() })
    }

    /// One value per request seen, and no answer left over.
    #[track_caller]
    pub(crate) fn requests<T>(&self, of: impl Fn(&Request<Vec<u8>>) -> T) -> Vec<T> {
        assert_eq!(self.steps.lock().unwrap().len(), 0, "answers left over");
        self.seen.lock().unwrap().iter().map(|(request, _)| of(request)).collect()
    }
}

impl Transport for Script {
    fn send(
        &self,
        request: Request<Vec<u8>>,
        limit: Duration,
    ) -> Result<Response<Vec<u8>>, TransportError> {
        let step = self.steps.lock().unwrap().pop_front().or(self.endless.clone());
        let step =
            step.unwrap_or_else(|| panic!("unexpected {} {}", request.method(), request.uri()));
        self.seen.lock().unwrap().push((request, limit));
        match step {
            Step::Fail(phase, fault) => Err(TransportError::new("iaas.example", phase, fault, "")),
            Step::Answer { status, headers, body } => {
                let mut answer = Response::builder().status(status);
                for (name, value) in headers {
                    answer = answer.header(name, value);
                }
                Ok(answer.body(body.into_bytes()).unwrap())
            }
        }
    }
}

/// A success.
pub(crate) fn ok(body: impl Into<String>) -> Step {
    Step::Answer { status: 200, headers: vec![("opc-request-id", "REQ".into())], body: body.into() }
}

/// A refusal in the words of the service.
pub(crate) fn refuse(status: u16, code: &str) -> Step {
    let body = format!(r#"{{"code":"{code}","message":"the service says so."}}"#);
    Step::Answer { status, headers: vec![("opc-request-id", "REQ".into())], body }
}

/// An answer with another status.
pub(crate) fn with_status(step: Step, status: u16) -> Step {
    match step {
        Step::Answer { headers, body, .. } => Step::Answer { status, headers, body },
        Step::Fail(..) => panic!("a failure has no status"),
    }
}

/// An answer with one more header.
pub(crate) fn with(step: Step, name: &'static str, value: impl Into<String>) -> Step {
    match step {
        Step::Answer { status, mut headers, body } => {
            headers.push((name, value.into()));
            Step::Answer { status, headers, body }
        }
        Step::Fail(..) => panic!("a failure has no headers"),
    }
}

pub(crate) fn fail(phase: Phase, fault: Fault) -> Step {
    Step::Fail(phase, fault)
}

/// A client with a budget of 90 s on `script`.
pub(crate) fn client(script: &Arc<Script>, clock: &Arc<ManualClock>) -> Client {
    let deadline = Deadline::after(&**clock, Duration::from_secs(90));
    Client::new(
        "https://iaas.example".parse().unwrap(),
        Box::new(api_key()),
        Arc::clone(script) as Arc<dyn Transport>,
        Arc::clone(clock) as Arc<dyn Clock>,
        deadline,
    )
}

pub(crate) fn api_key() -> ApiKey {
    let key = PrivateKey::from_pem(include_str!("../../testdata/api-key.pem"), None).unwrap();
    ApiKey::new("ocid1.tenancy.oc1..t", "ocid1.user.oc1..u", None, key).unwrap()
}

/// 2026-11-20 12:00:00 UTC.
pub(crate) fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_176_000)
}

pub(crate) fn ocid(text: &str) -> Ocid {
    text.parse().unwrap()
}

/// The whole chain, as the driver prints it.
pub(crate) fn chain(error: &Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
