//! Waiting for an attachment.

use std::{sync::Arc, time::Duration};

use clock::{Clock, ManualClock};
use oci_rest::{Error, Fault, Phase};

use crate::{
    answers::{ATTACHMENT, attachment},
    script::{Script, Step, chain, client, fail, noon, ocid, ok, refuse},
};

#[derive(Clone, Copy, Debug)]
enum For {
    Attached,
    Detached,
}

/// How the wait ended, and the waits in it.
fn run(what: For, script: &Arc<Script>) -> (Result<String, Error>, Vec<Duration>) {
    let clock = Arc::new(ManualClock::at(noon()));
    let (client, id) = (client(script, &clock), ocid(ATTACHMENT));
    let result = match what {
        For::Attached => client.wait_for_attached(&id).map(|found| {
            assert_eq!(found.id, id);
            found.lifecycle_state.to_string()
        }),
        For::Detached => client.wait_for_detached(&id).map(|departure| format!("{departure:?}")),
    };
    (result, clock.slept())
}

#[track_caller]
fn check(what: For, steps: Vec<Step>, outcome: &str) {
    let script = Script::new(steps);
    let (result, _) = run(what, &script);
    assert_eq!(result.unwrap_or_else(|error| chain(&error)), outcome, "{what:?}");
    script.requests(|_| ());
}

fn state(state: &str) -> Step {
    ok(attachment(state))
}

#[test]
fn the_states_decide() {
    check(For::Attached, vec![state("ATTACHED")], "ATTACHED");
    check(
        For::Attached,
        vec![state("ATTACHING"), state("SOMETHING_NEW"), state("ATTACHED")],
        "ATTACHED",
    );
    for gone in ["DETACHING", "DETACHED"] {
        check(
            For::Attached,
            vec![state("ATTACHING"), state(gone)],
            &format!(
                "volume attachment {ATTACHMENT} became {gone} instead of ATTACHED; its work \
                 request in OCI tells why"
            ),
        );
    }
    check(For::Detached, vec![state("DETACHED")], "Detached");
    check(
        For::Detached,
        vec![state("ATTACHED"), state("DETACHING"), state("DETACHED")],
        "Detached",
    );
}

#[test]
fn an_attachment_that_vanishes_is_unseen_and_not_attached() {
    let gone = refuse(404, "NotAuthorizedOrNotFound");
    check(For::Detached, vec![state("DETACHING"), gone.clone()], "Unseen");
    check(
        For::Attached,
        vec![state("ATTACHING"), gone],
        "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a at iaas.example: 404 NotAuthorizedOrNotFound: the service says so; \
         not found, or not permitted: needs the policy statement `Allow group <group> to read volume-attachments in compartment <compartment>`",
    );
}

#[test]
fn passing_trouble_does_not_end_the_wait() {
    let lost = fail(Phase::Exchange, Fault::Lost);
    let mut steps = vec![refuse(500, "InternalServerError"), refuse(429, "TooManyRequests")];
    steps.extend([state("ATTACHING"), refuse(409, "IncorrectState")]);
    // one look gives up after three repetitions; the next look finds it
    steps.extend([state("ATTACHING"), lost.clone(), lost.clone(), lost.clone(), lost]);
    steps.push(state("ATTACHED"));
    check(For::Attached, steps, "ATTACHED");
}

#[test]
fn final_trouble_ends_the_wait() {
    check(
        For::Detached,
        vec![refuse(403, "NotAllowed")],
        "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a at iaas.example: 403 NotAllowed: the service says so; needs the policy \
         statement `Allow group <group> to read volume-attachments in compartment <compartment>`",
    );
    check(
        For::Attached,
        vec![fail(Phase::Connect, Fault::Tls)],
        "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a failed: iaas.example: TLS failed while connecting",
    );
}

#[test]
fn looks_come_fast_first_and_slower_later_and_end_with_the_deadline() {
    let script = Script::endless(state("ATTACHING"));
    let (result, slept) = run(For::Attached, &script);
    let (error, mut waited) = (result.unwrap_err(), Duration::ZERO);
    for wait in &slept {
        let part = (waited / 12).clamp(Duration::from_millis(200), Duration::from_secs(2));
        assert!(*wait >= part, "{wait:?} after {waited:?}");
        assert!(*wait <= (part + part / 10).min(Duration::from_secs(2)), "{wait:?}");
        waited += *wait;
    }
    assert!(waited > Duration::from_secs(88) && waited < Duration::from_secs(90), "{waited:?}");
    assert_eq!(slept.len(), script.requests(|_| ()).len(), "a wait before every look");
    assert_eq!(
        chain(&error),
        format!("volume attachment {ATTACHMENT} is still ATTACHING; the next call continues")
    );
    assert!(error.is_transient() && !error.is_outcome_unknown());
}

#[test]
fn when_time_is_up_the_last_state_or_trouble_is_named() {
    let (result, _) = run(For::Detached, &Script::endless(state("ATTACHED")));
    let text = chain(&result.unwrap_err());
    assert!(text.starts_with(&format!("volume attachment {ATTACHMENT} is still ATTACHED; ")));

    let (result, _) = run(For::Detached, &Script::endless(fail(Phase::Connect, Fault::Timeout)));
    let text = chain(&result.unwrap_err());
    assert!(text.contains(" is still unreadable; "), "{text}");
    assert!(text.ends_with(": iaas.example: time limit passed while connecting"), "{text}");
}

#[test]
fn without_time_for_one_look_nothing_is_claimed() {
    let (script, clock) = (Script::new([]), Arc::new(ManualClock::at(noon())));
    let client = client(&script, &clock);
    clock.sleep(Duration::from_millis(89_900));
    let error = client.wait_for_attached(&ocid(ATTACHMENT)).unwrap_err();
    assert_eq!(
        chain(&error),
        format!("volume attachment {ATTACHMENT} is still unseen; the next call continues")
    );
}
