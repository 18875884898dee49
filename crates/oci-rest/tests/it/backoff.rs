//! How long the client waits before it repeats, and when it stops.

use std::{sync::Arc, time::Duration};

use clock::{Clock, ManualClock};
use oci_iaas::GetVolumeAttachment;

use crate::{
    answers::ATTACHMENT,
    retries::{What, done, run, run_on},
    script::{Script, chain, client, noon, ocid, refuse, with},
};

#[test]
fn waits_double_within_bounds_and_end_with_the_deadline() {
    let script = Script::endless(refuse(503, "Busy"));
    let (clock, result) = run_on(&script, What::Get);
    result.unwrap_err();
    let bounds = [500, 1000, 2000, 4000].into_iter().chain([8000; 99]).map(Duration::from_millis);
    for (wait, bound) in clock.slept().iter().zip(bounds) {
        assert!((bound / 2..=bound).contains(wait), "{wait:?} is not near {bound:?}");
    }
    let waited: Duration = clock.slept().iter().sum();
    assert!(waited > Duration::from_secs(82) && waited < Duration::from_secs(90), "{waited:?}");
    let limits: Vec<Duration> = script.seen.lock().unwrap().iter().map(|(_, it)| *it).collect();
    assert_eq!(limits[0], Duration::from_secs(20));
    assert_eq!(*limits.last().unwrap(), Duration::from_secs(90) - waited);
}

#[test]
fn retry_after_is_honoured_in_both_forms() {
    for (value, at_least) in [("7", 7), ("Fri, 20 Nov 2026 12:00:09 GMT", 9)] {
        let step = with(refuse(429, "TooManyRequests"), "retry-after", value);
        let (_, clock, result) = run(What::Attach, &[step, done(What::Attach)]);
        result.unwrap();
        // Not all who are told so at once shall come back at once.
        let beyond = clock.slept()[0] - Duration::from_secs(at_least);
        let most = Duration::from_millis(500) + Duration::from_secs(at_least.min(8));
        assert!(beyond >= Duration::from_millis(250) && beyond <= most, "{beyond:?}");
    }
    // nonsense and the past are ignored
    for value in ["soon", "-1", "Fri, 20 Nov 2026 11:00:00 GMT"] {
        let step = with(refuse(503, "Busy"), "retry-after", value);
        let (_, clock, result) = run(What::Get, &[step, done(What::Get)]);
        result.unwrap();
        assert!(clock.slept()[0] <= Duration::from_millis(500));
    }
    // longer than the budget: no use in waiting
    let step = with(refuse(503, "Busy"), "retry-after", "3600");
    let (_, clock, result) = run(What::Get, &[step]);
    assert_eq!((result.unwrap_err().status(), clock.slept().len()), (Some(503), 0));
}

#[test]
fn nothing_is_sent_after_the_deadline() {
    let (script, clock) = (Script::new([]), Arc::new(ManualClock::at(noon())));
    let client = client(&script, &clock);
    clock.sleep(Duration::from_secs(90));
    let error = client.send(&GetVolumeAttachment { id: &ocid(ATTACHMENT) }).unwrap_err();
    assert_eq!(
        chain(&error),
        "GetVolumeAttachment of volume attachment ocid1.volumeattachment.oc1.phx.a was not sent: \
         the time for this call is used up"
    );
    assert!(error.is_transient() && !error.is_outcome_unknown());
}
