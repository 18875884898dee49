//! Pages.

use std::sync::Arc;

use clock::ManualClock;
use oci_iaas::{Device, ListInstanceDevices};
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
    ]);
    let names: Vec<String> = result.unwrap().into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(
        queries,
        [
            "isAvailable=true",
            "isAvailable=true&page=NEXT%2B%2F%3D%3D",
            "isAvailable=true&page=2",
            "isAvailable=true&page=2",
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
        "ListInstanceDevices at iaas.example: the list never ends, a page names an earlier one as \
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
