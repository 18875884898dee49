//! Which failures are repeated, how often and with what headers.

use std::sync::Arc;

use clock::ManualClock;
use http::Method;
use oci_iaas::{
    AttachVolume, AttachmentRequest, Call, DetachVolume, GetVolumeAttachment,
    ListVolumeAttachments, Mismatch, Operation,
};
use oci_rest::{Error, Fault, Phase};

use crate::{
    answers::{ATTACHMENT, attachment},
    script::{Script, Step, chain, client, fail, noon, ocid, ok, refuse, with, with_status},
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Get,
    List,
    Attach,
    /// A POST that may be sent once only.
    Post,
    Detach,
}

struct Post;

impl Operation for Post {
    type Output = ();

    fn call(&self) -> Call {
        Call {
            method: Method::POST,
            path_and_query: "/20160918/volumeAttachments".into(),
            body: Some("{}".into()),
            if_match: None,
            retry_token: None,
        }
    }

    fn subject(&self) -> String {
        "nothing".into()
    }

    fn check(&self, _: &()) -> Result<(), Mismatch> {
        Ok(())
    }
}

pub(crate) fn run(
    what: What,
    steps: &[Step],
) -> (Arc<Script>, Arc<ManualClock>, Result<(), Error>) {
    let script = Script::new(steps.to_vec());
    let (clock, result) = run_on(&script, what);
    (script, clock, result)
}

pub(crate) fn run_on(script: &Arc<Script>, what: What) -> (Arc<ManualClock>, Result<(), Error>) {
    let clock = Arc::new(ManualClock::at(noon()));
    let client = client(script, &clock);
    let (id, instance) = (ocid(ATTACHMENT), ocid("ocid1.instance.oc1.phx.i"));
    let (volume, compartment) = (ocid("ocid1.volume.oc1.phx.v"), ocid("ocid1.compartment.oc1..c"));
    let result = match what {
        What::Get => client.send(&GetVolumeAttachment { id: &id }).map(drop),
        What::List => {
            let instance = Some(&instance);
            let list = ListVolumeAttachments {
                compartment: &compartment,
                instance,
                volume: Some(&volume),
            };
            client.list(&list).map(drop)
        }
        What::Attach => {
            let attach = AttachVolume {
                instance: &instance,
                volume: &volume,
                kind: AttachmentRequest::Iscsi { use_chap: false },
                device: None,
                display_name: None,
                read_only: false,
                shareable: false,
                retry_token: "TOKEN",
            };
            client.send(&attach).map(drop)
        }
        What::Post => client.send(&Post),
        What::Detach => client.send(&DetachVolume { id: &id, if_match: Some("ETAG") }),
    };
    (clock, result)
}

/// `steps` are all consumed, and the result is `outcome`: "ok" or the chain of the error.
#[track_caller]
fn check(what: What, steps: &[Step], outcome: &str) {
    let (script, clock, result) = run(what, steps);
    assert_eq!(result.as_ref().map_or_else(chain, |()| "ok".to_owned()), outcome, "{what:?}");
    assert_eq!(script.requests(|_| ()).len(), steps.len(), "{what:?}");
    assert_eq!(clock.slept().len(), steps.len() - 1, "{what:?}");
}

pub(crate) fn done(what: What) -> Step {
    match what {
        What::Get | What::Attach => ok(attachment("ATTACHED")),
        What::List => ok("[]"),
        What::Post | What::Detach => Step::Answer { status: 204, headers: vec![], body: "".into() },
    }
}

const ALL: [What; 5] = [What::Get, What::List, What::Attach, What::Post, What::Detach];
const REPEATABLE: [What; 4] = [What::Get, What::List, What::Attach, What::Detach];

#[test]
fn a_busy_service_is_asked_again() {
    for what in REPEATABLE {
        for status in [429, 500, 502, 503, 504] {
            check(what, &[refuse(status, "Busy"), refuse(status, "Busy"), done(what)], "ok");
        }
        for code in ["LockConflict", "ResourceLocked", "ExternalServerIncorrectState"] {
            check(what, &[refuse(409, code), done(what)], "ok");
        }
    }
}

#[test]
fn a_lost_connection_is_tried_three_times_more() {
    let faults = [
        (Phase::Resolve, Fault::Unreachable),
        (Phase::Connect, Fault::Unreachable),
        (Phase::Connect, Fault::Timeout),
        (Phase::Exchange, Fault::Lost),
        (Phase::Exchange, Fault::Timeout),
        (Phase::Body, Fault::Lost),
    ];
    for what in REPEATABLE {
        for (phase, fault) in faults {
            let lost = fail(phase, fault);
            check(what, &[lost.clone(), lost.clone(), lost.clone(), done(what)], "ok");
        }
    }
    let lost = fail(Phase::Body, Fault::Lost);
    check(
        What::Attach,
        &[lost.clone(), lost.clone(), lost.clone(), lost],
        &format!("{ATTACH} failed: iaas.example: connection lost while reading the answer"),
    );
}

#[test]
fn tls_failures_are_final() {
    for what in ALL {
        let (_, _, result) = run(what, &[fail(Phase::Connect, Fault::Tls)]);
        let error = result.unwrap_err();
        assert!(!error.is_transient() && !error.is_outcome_unknown());
        assert!(chain(&error).ends_with("iaas.example: TLS failed while connecting"));
    }
}

#[test]
fn a_post_without_token_is_sent_once_if_it_may_have_arrived() {
    let busy = "Post of nothing at iaas.example: 503 Busy: the service says so";
    check(What::Post, &[refuse(503, "Busy")], busy);
    check(
        What::Post,
        &[fail(Phase::Exchange, Fault::Timeout)],
        "Post of nothing failed: iaas.example: time limit passed while waiting for the answer",
    );
    check(
        What::Post,
        &[ok("[")],
        "Post of nothing at iaas.example: incomplete answer, fields are missing or of an unknown form",
    );
    let (_, _, result) = run(What::Post, &[fail(Phase::Body, Fault::Lost)]);
    assert!(result.unwrap_err().is_outcome_unknown());
    // these certainly did not arrive
    let unreachable = fail(Phase::Connect, Fault::Unreachable);
    check(What::Post, &[unreachable, refuse(429, "TooManyRequests"), done(What::Post)], "ok");
}

#[test]
fn a_lost_answer_leaves_the_outcome_unknown_whatever_comes_later() {
    let after_a_lost_answer = |what, later: &[Step]| {
        let steps = [&[fail(Phase::Exchange, Fault::Lost)], later].concat();
        run(what, &steps).2.unwrap_err()
    };
    let unreachable = vec![fail(Phase::Connect, Fault::Unreachable); 3];
    for (what, name) in [(What::Attach, ATTACH), (What::Detach, DETACH)] {
        let error = after_a_lost_answer(what, &unreachable);
        let lost = "failed: iaas.example: connection lost while waiting for the answer";
        assert_eq!((chain(&error), error.is_outcome_unknown()), (format!("{name} {lost}"), true));
        for status in [404, 409, 412] {
            let error = after_a_lost_answer(what, &[refuse(status, "Conflict")]);
            assert_eq!((error.status(), error.is_outcome_unknown()), (Some(status), true));
        }
    }
    // what only reads has nothing to be unsure about, and its last failure tells most
    let error = after_a_lost_answer(What::Get, &unreachable);
    assert!(!error.is_outcome_unknown());
    assert_eq!(chain(&error), format!("{GET} failed: iaas.example: unreachable while connecting"));
}

#[test]
fn an_incorrect_state_is_the_callers_business_when_it_writes() {
    let step = refuse(409, "IncorrectState");
    for what in [What::Get, What::List] {
        check(what, &[step.clone(), step.clone(), done(what)], "ok");
    }
    for (what, name) in [(What::Attach, ATTACH), (What::Detach, DETACH)] {
        let text = "at iaas.example: 409 IncorrectState: the service says so";
        check(what, std::slice::from_ref(&step), &format!("{name} {text}"));
    }
}

#[test]
fn refusals_are_final() {
    let refusals = [
        (400, "InvalidParameter"),
        (400, "LimitExceeded"),
        (400, "CannotParseRequest"),
        (401, "NotAuthenticated"),
        (403, "NotAllowed"),
        (404, "NotAuthorizedOrNotFound"),
        (405, "MethodNotAllowed"),
        (409, "Conflict"),
        (409, "InvalidatedRetryToken"),
        (409, "NotAuthorizedOrResourceAlreadyExists"),
        (412, "NoEtagMatch"),
        (413, "PayloadTooLarge"),
        (422, "UnprocessableEntity"),
        (501, "MethodNotImplemented"),
    ];
    for what in ALL {
        for (status, code) in refusals {
            let (script, clock, result) = run(what, &[refuse(status, code)]);
            let error = result.unwrap_err();
            assert_eq!((error.status(), error.code()), (Some(status), Some(code)));
            assert_eq!(error.request_id(), Some("REQ"));
            assert!(!error.is_transient() && !error.is_outcome_unknown(), "{error}");
            assert_eq!((script.requests(|_| ()).len(), clock.slept().len()), (1, 0));
        }
    }
}

#[test]
fn a_success_that_cannot_be_read_is_tried_three_times_more_and_never_an_empty_list() {
    let cut_off = &attachment("ATTACHED")[..100];
    let no_state = attachment("ATTACHED").replace("lifecycleState", "x");
    let html = with(ok("<html>"), "content-type", "text/html");
    for (what, name, step, problem) in [
        (What::Get, GET, ok(cut_off), "its JSON breaks at line 1 column 100"),
        (What::Get, GET, ok(no_state.clone()), FIELDS),
        (What::Get, GET, ok(""), FIELDS),
        (What::Attach, ATTACH, ok("{}"), FIELDS),
        (What::List, LIST, html, "it is not JSON"),
        (What::List, LIST, ok(""), FIELDS),
        (What::List, LIST, ok("{}"), FIELDS),
        (What::List, LIST, ok("null"), FIELDS),
        (What::List, LIST, ok(format!("[{no_state}]")), FIELDS),
        (What::List, LIST, ok("["), "its JSON breaks at line 1 column 1"),
        (What::List, LIST, with_status(ok("[]"), 206), "its status is 206"),
        (What::List, LIST, with_status(ok("[]"), 205), "its status is 205"),
        (What::List, LIST, with_status(ok("[]"), 203), "its status is 203"),
        (What::List, LIST, with_status(ok("[]"), 299), "its status is 299"),
        (What::Get, GET, with_status(ok(attachment("ATTACHED")), 206), "its status is 206"),
        (What::Attach, ATTACH, with_status(ok(attachment("ATTACHED")), 226), "its status is 226"),
    ] {
        let message = format!("{name} at iaas.example: incomplete answer, {problem}");
        check(what, &[step.clone(), step.clone(), step.clone(), step.clone()], &message);
        check(what, &[step.clone(), step.clone(), step, done(what)], "ok");
    }
}

const GET: &str = "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a";
const LIST: &str = "ListVolumeAttachments of volume ocid1.volume.oc1.phx.v, instance \
                    ocid1.instance.oc1.phx.i, compartment ocid1.compartment.oc1..c";
const ATTACH: &str = "AttachVolume of volume ocid1.volume.oc1.phx.v to instance \
                      ocid1.instance.oc1.phx.i";
const DETACH: &str = "DetachVolume of volume attachment ocid1.volumeattachment.oc1.phx.a";
const FIELDS: &str = "fields are missing or of an unknown form";

#[test]
fn a_repetition_keeps_token_and_etag_and_is_signed_afresh() {
    let header = |name: &'static str| {
        move |request: &http::Request<Vec<u8>>| {
            request.headers().get(name).map(|it| it.to_str().unwrap().to_owned())
        }
    };
    let slow = with(refuse(503, "Busy"), "retry-after", "2");
    let (script, _, result) = run(What::Attach, &[slow.clone(), done(What::Attach)]);
    result.unwrap();
    assert_eq!(script.requests(header("opc-retry-token")), vec![Some("TOKEN".to_owned()); 2]);
    assert_eq!(
        script.requests(header("date")),
        ["Fri, 20 Nov 2026 12:00:00 GMT", "Fri, 20 Nov 2026 12:00:02 GMT"]
            .map(|it| Some(it.into()))
    );
    let signatures = script.requests(header("authorization"));
    assert!(signatures[0].is_some() && signatures[0] != signatures[1]);
    let bodies = script.requests(|request| request.body().clone());
    assert_eq!(bodies[0], bodies[1]);

    let (script, _, result) = run(What::Detach, &[slow, done(What::Detach)]);
    result.unwrap();
    assert_eq!(script.requests(header("if-match")), vec![Some("ETAG".to_owned()); 2]);
    assert_eq!(script.requests(header("content-type")), vec![None; 2]);
}
