//! Pages.

use std::{sync::Arc, time::Duration};

use clock::{Clock as _, ManualClock};
use oci_iaas::{Device, ListInstanceDevices, ListInstances};
use oci_rest::{Error, Fault, Phase};

use crate::script::{Script, Step, chain, client, fail, ocid, ok, refuse, with};

fn list(steps: Vec<Step>) -> (Result<Vec<Device>, Error>, Vec<String>) {
    let script = Script::new(steps);
    let client = client(&script, &Arc::new(ManualClock::default()));
    let instance = ocid("ocid1.instance.oc1.phx.i");
    let result = client.list(&ListInstanceDevices { instance: &instance, available: true });
    let queries = script.requests(|request| request.uri().query().unwrap_or_default().to_owned());
    (result, queries)
}

fn page(names: &[&str], next: Option<&str>) -> Step {
    let items: Vec<String> =
        names.iter().map(|name| format!(r#"{{"name":"{name}","isAvailable":true}}"#)).collect();
    let step = ok(format!("[{}]", items.join(",")));
    next.into_iter().fold(step, |step, next| with(step, "opc-next-page", next))
}

#[test]
fn pages_are_followed_to_the_end_even_over_empty_ones() {
    let (result, queries) = list(vec![
        page(&["a", "b"], Some("NEXT+/==")),
        page(&[], Some("2")),
        refuse(503, "Busy"),
        page(&["c"], None),
        page(&["a", "b"], Some("2")),
        page(&["c"], None),
    ]);
    let names: Vec<String> = result.unwrap().into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(
        queries,
        [
            "isAvailable=true&limit=1000",
            "isAvailable=true&limit=1000&page=NEXT%2B%2F%3D%3D",
            "isAvailable=true&limit=1000&page=2",
            "isAvailable=true&limit=1000&page=2",
            "isAvailable=true&limit=1000",
            "isAvailable=true&limit=1000&page=2",
        ]
    );
}

#[test]
fn an_empty_token_is_the_end() {
    assert_eq!(list(vec![page(&["a"], Some(""))]).0.unwrap().len(), 1);
}

#[test]
fn a_circle_of_pages_is_an_error() {
    let (result, _) =
        list(vec![page(&["a"], Some("1")), page(&["b"], Some("2")), page(&["c"], Some("1"))]);
    assert_eq!(
        chain(&result.unwrap_err()),
        "ListInstanceDevices of instance ocid1.instance.oc1.phx.i at iaas.example: the list never ends, a page names an earlier one as \
         next"
    );
}

#[test]
fn part_of_a_list_is_never_returned() {
    for step in [refuse(404, "NotAuthorizedOrNotFound"), fail(Phase::Connect, Fault::Tls)] {
        let (result, _) = list(vec![page(&["a"], Some("1")), step]);
        result.unwrap_err();
    }
}

/// Readings of a list, each as its pages; the names, or the error, and how many requests it took.
#[track_caller]
fn check_readings(readings: &[&[&[&str]]], expected: &str, requests: usize) {
    let steps = readings.iter().flat_map(|pages| {
        let next = |at: usize| (at + 1 < pages.len()).then(|| at.to_string());
        pages.iter().enumerate().map(move |(at, names)| page(names, next(at).as_deref()))
    });
    let (result, queries) = list(steps.collect());
    let shown = match result {
        Ok(devices) => devices.into_iter().map(|it| it.name).collect::<Vec<_>>().join(" "),
        Err(error) => chain(&error),
    };
    assert_eq!((shown.as_str(), queries.len()), (expected, requests));
}

#[test]
fn a_list_of_several_pages_is_read_until_two_readings_agree() {
    check_readings(&[&[&["a"]]], "a", 1);
    check_readings(&[&[&["a"], &["b"]], &[&["a"], &["b"]]], "a b", 4);
    // b has moved to the first page, where a was: no page has shown it
    check_readings(&[&[&["a"], &["c"]], &[&["b"], &["c"]], &[&["b"], &["c"]]], "b c", 6);
    check_readings(&[&[&["a"], &["c"]], &[&["b", "c"]]], "b c", 3);
    // something new has moved b to the second page: it was seen twice
    check_readings(&[&[&["a", "b"], &["b", "c"]], &[&["b", "a"], &["c"]]], "b a c", 4);
    check_readings(
        &[&[&["a"], &[]], &[&["b"], &[]], &[&["c"], &[]], &[&["d"], &[]]],
        "ListInstanceDevices of instance ocid1.instance.oc1.phx.i at iaas.example: the list changed \
         each time it was read, so that it cannot be told what is missing in it; the next call reads it \
         again",
        8,
    );
}

#[track_caller]
fn check_bound(pages: usize, items: usize, bytes: usize, expected_pages: usize) {
    let name = "x".repeat(bytes);
    let steps = (0..pages).map(|at| {
        let names: Vec<String> = (0..items).map(|item| format!("{at}-{item}-{name}")).collect();
        page(&names.iter().map(String::as_str).collect::<Vec<_>>(), Some(&format!("p{at}")))
    });
    let script = Script::new(steps.take(expected_pages));
    let clock = Arc::new(ManualClock::default());
    let client = client(&script, &clock);
    let instance = ocid("ocid1.instance.oc1.phx.i");
    let list = ListInstanceDevices { instance: &instance, available: true };
    assert_eq!(
        chain(&client.list(&list).unwrap_err()),
        "ListInstanceDevices of instance ocid1.instance.oc1.phx.i at iaas.example: the list has more \
         than 20000 elements, 500 pages or 32 MiB, and is not read to its end"
    );
    assert_eq!(script.requests(|_| ()).len(), expected_pages);
    let pauses = u32::try_from(expected_pages.saturating_sub(4)).unwrap();
    assert_eq!(clock.monotonic(), pauses * Duration::from_millis(50));
}

#[test]
fn a_list_without_end_is_not_read_for_long() {
    check_bound(1000, 1, 1, 500);
    check_bound(1000, 0, 1, 500);
    check_bound(30, 1000, 1, 21);
    check_bound(9, 1, 8 << 20, 4);
}

/// The answer's instances as `compartment/name`; those that count, or the error.
#[track_caller]
fn check_asked(listed: &[&str], expected: &str) {
    let items = listed.iter().zip(1..).map(|(it, number)| {
        let (compartment, name) = it.split_once('/').unwrap();
        format!(
            r#"{{"id":"ocid1.instance.oc1.phx.{number}","compartmentId":"ocid1.compartment.oc1..{compartment}",
            "availabilityDomain":"AD","lifecycleState":"RUNNING","displayName":"{name}"}}"#
        )
    });
    let answer = ok(format!("[{}]", items.collect::<Vec<_>>().join(",")));
    let client = client(&Script::new([answer]), &Arc::new(ManualClock::default()));
    let compartment = ocid("ocid1.compartment.oc1..c");
    let list = ListInstances { compartment: &compartment, display_name: Some("node") };
    let shown = match client.list(&list) {
        Ok(found) => found.iter().map(|it| it.id.unique()).collect::<Vec<_>>().join(" "),
        Err(error) => chain(&error),
    };
    assert_eq!(shown, expected);
}

#[test]
fn only_what_was_asked_for_is_taken_from_a_list() {
    check_asked(&[], "");
    check_asked(&["c/node", "c/node"], "1 2");
    check_asked(&["c/other", "c/node", "d/node"], "2");
    check_asked(
        &["c/other"],
        "ListInstances of displayName node, compartment ocid1.compartment.oc1..c at iaas.example: the \
         answer is about something else (displayName is other, and node was asked for), and nothing \
         was done with it",
    );
    check_asked(
        &["d/node", "c/other"],
        "ListInstances of displayName node, compartment ocid1.compartment.oc1..c at iaas.example: the \
         answer is about something else (compartmentId is ocid1.compartment.oc1..d, and \
         ocid1.compartment.oc1..c was asked for), and nothing was done with it",
    );
}
