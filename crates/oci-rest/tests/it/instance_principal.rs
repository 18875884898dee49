//! Instance principals against the simulated cloud: metadata, federation and API over real connections.

use std::{sync::Arc, time::Duration};

use clock::{Clock, Deadline, ManualClock};
use expect_test::expect;
use oci_iaas::{ListInstances, Ocid};
use oci_rest::{
    Client, Credentials, Error, InstancePrincipal, MemoryCache, Metadata, Network, UreqTransport,
};
use oci_sim::{Config, Effect, Fault, NewInstance, Running, Sim};
use tempfile::TempDir;

use crate::script::{chain, noon, ocid};

/// A cloud with an instance that has no credentials but its own, and a place to keep tokens in.
struct World {
    cloud: Running,
    clock: Arc<ManualClock>,
    folder: TempDir,
    compartment: Ocid,
}

impl World {
    fn new() -> Self {
        let cloud = Sim::start(Config { stopped_at: Some(noon()), ..Config::default() }).unwrap();
        cloud.add_instance(NewInstance::default());
        cloud.rotate_certificates();
        let compartment = ocid(&cloud.compartment());
        let clock = Arc::new(ManualClock::at(noon()));
        Self { cloud, clock, folder: tempfile::tempdir_in("/dev/shm").unwrap(), compartment }
    }

    /// As a new process: nothing is known but what is kept in the folder.
    fn process(&self, cached: bool) -> Client {
        let network = Network {
            root_certs: Some(self.cloud.ca_pem().as_bytes().to_vec()),
            ..Network::default()
        };
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let deadline = Deadline::after(&*clock, Duration::from_secs(7200));
        let transport = Arc::new(UreqTransport::new(&network).unwrap());
        let endpoint = || self.cloud.endpoint().parse().unwrap();
        let metadata =
            Metadata::new(Some(&self.cloud.metadata_url()), transport.clone(), Arc::clone(&clock));
        let mut principal = InstancePrincipal::new(
            Arc::new(metadata),
            Some(endpoint()),
            transport.clone(),
            Arc::clone(&clock),
            deadline,
        );
        if cached {
            principal = principal.with_cache(MemoryCache::new(&self.folder.path().join("cache")));
        }
        Client::new(endpoint(), Box::new(principal), transport, clock, deadline)
    }

    fn list(&self, client: &Client) -> Result<usize, Error> {
        let list = ListInstances { compartment: &self.compartment, display_name: None };
        Ok(client.list(&list)?.len())
    }

    /// Lets time pass, here and in the cloud.
    fn pass(&self, time: Duration) {
        self.cloud.advance(time);
        self.clock.sleep(time);
    }

    /// The operations that the cloud has been asked for, in order, and forgotten then.
    fn asked(&self, from: usize) -> Vec<String> {
        self.cloud.requests().iter().skip(from).map(|it| it.operation.to_owned()).collect()
    }
}

const FEDERATION: [&str; 4] = ["Metadata", "Metadata", "Metadata", "GetToken"];

#[track_caller]
fn check(world: &World, client: &Client, before: &[&str]) {
    let from = world.cloud.requests().len();
    assert_eq!(world.list(client).map_err(|error| chain(&error)), Ok(1));
    assert_eq!(world.asked(from), [before, &["ListInstances"]].concat());
}

#[test]
fn an_instance_gets_a_token_once_and_signs_with_it() {
    let world = World::new();
    let client = world.process(false);
    check(&world, &client, &FEDERATION);
    check(&world, &client, &[]);
}

#[test]
fn the_next_process_asks_nobody_for_a_token() {
    let world = World::new();
    check(&world, &world.process(true), &FEDERATION);
    check(&world, &world.process(true), &[]);
    check(&world, &world.process(false), &FEDERATION);
}

#[test]
fn a_token_is_renewed_before_it_ends() {
    let world = World::new();
    let client = world.process(true);
    check(&world, &client, &FEDERATION);
    world.pass(Duration::from_secs(899));
    check(&world, &client, &[]);
    world.pass(Duration::from_secs(2));
    check(&world, &client, &FEDERATION);
    check(&world, &world.process(true), &[]);
}

#[test]
fn a_token_that_is_refused_is_renewed_once() {
    let world = World::new();
    let client = world.process(true);
    check(&world, &client, &FEDERATION);
    world.cloud.revoke_tokens();
    check(&world, &client, &[&["ListInstances"][..], &FEDERATION].concat());
    world.cloud.revoke_tokens();
    check(&world, &world.process(true), &[&["ListInstances"][..], &FEDERATION].concat());
}

#[test]
fn a_refusal_that_a_new_token_does_not_cure_is_final() {
    let world = World::new();
    let unauthorized = Effect::status(401, "NotAuthenticated", "");
    world.cloud.fail(Fault::new("ListInstances", 1.., unauthorized));
    let error = world.list(&world.process(true)).unwrap_err();
    assert_eq!(error.status(), Some(401));
    let asked = world.asked(0);
    assert_eq!(asked.iter().filter(|it| *it == "ListInstances").count(), 2, "{asked:?}");
}

#[test]
fn a_certificate_that_was_exchanged_meanwhile_is_read_again() {
    let world = World::new();
    let client = world.process(false);
    check(&world, &client, &FEDERATION);
    world.cloud.rotate_certificates();
    world.cloud.revoke_tokens();
    check(&world, &client, &[&["ListInstances"][..], &FEDERATION].concat());
}

#[test]
fn an_instance_without_a_dynamic_group_is_told_so() {
    let world = World::new();
    world.cloud.fail(Fault::new(
        "GetToken",
        1..,
        Effect::status(404, "NotAuthorizedOrNotFound", ""),
    ));
    let error = chain(&world.list(&world.process(true)).unwrap_err());
    let (id, tail) = (error.find("opc-request-id").unwrap(), error.find("); check").unwrap());
    let endpoint = world.cloud.endpoint();
    assert_eq!(
        error.replace(&error[id..tail], "ID").replace(&endpoint, "https://auth"),
        "this instance got no token from https://auth/: it answers 404 (ID); check that it is in a dynamic \
         group, and that its clock is right"
    );
    assert_eq!(world.asked(0).len(), 4, "a refusal is final");
}

#[test]
fn a_busy_identity_service_is_asked_three_times() {
    let world = World::new();
    world.cloud.fail(Fault::new("GetToken", 1..=2, Effect::status(429, "TooManyRequests", "")));
    let again = ["Metadata", "Metadata", "Metadata", "GetToken", "GetToken", "GetToken"];
    check(&world, &world.process(true), &again);
    assert_eq!(world.clock.slept(), [500, 1500].map(Duration::from_millis));
}

#[test]
fn no_instance_no_token() {
    let world = World::new();
    world.cloud.set_metadata_instance("ocid1.instance.oc1.phx.none");
    let error = chain(&world.list(&world.process(true)).unwrap_err());
    let url = world.cloud.metadata_url().replace("/v2", "/v1");
    expect!["instance metadata at URL/identity/cert.pem: the service answers 404; is this an instance of OCI?"]
        .assert_eq(&error.replace(&url, "URL"));
}

#[test]
fn nothing_of_it_is_printed() {
    let world = World::new();
    let client = world.process(true);
    check(&world, &client, &FEDERATION);
    let shown = format!("{client:?}");
    assert!(!shown.contains("eyJ") && !shown.contains("BEGIN"), "{shown}");
    let cached = std::fs::read_dir(world.folder.path().join("cache")).unwrap().count();
    assert_eq!(cached, 2, "the session and the lock");
}

/// As the trait's other implementations do by default.
#[test]
fn an_api_key_cannot_be_renewed() {
    #[derive(Debug)]
    struct Fixed;
    impl Credentials for Fixed {
        fn signer(&self) -> Result<Arc<oci_signer::Signer>, Error> {
            Err(Error::Proxy)
        }
        fn describe(&self) -> String {
            String::new()
        }
    }
    assert!(!Fixed.renew());
}
