//! The client against the simulated cloud, over TLS, with every signature verified there.

use std::{sync::Arc, time::Duration};

use clock::{Clock, Deadline, ManualClock};
use oci_iaas::{
    AttachVolume, AttachmentRequest, AttachmentState, DetachVolume, GetInstance, GetVolume,
    GetVolumeAttachment, ListInstanceDevices, ListInstances, ListVolumeAttachments, Ocid,
    VolumeAttachment,
};
use oci_rest::{ApiKey, Client, Error, Metadata, Network, UreqTransport};
use oci_signer::PrivateKey;
use oci_sim::{ApiKeyUser, Config, Delay, Effect, Fault, NewInstance, NewVolume, Running, Sim};

use crate::script::{chain, noon, ocid};

/// A cloud with an instance and a volume, and a client whose clock agrees with the cloud's.
struct World {
    cloud: Running,
    client: Client,
    clock: Arc<ManualClock>,
    compartment: Ocid,
    instance: Ocid,
    volume: Ocid,
}

impl World {
    fn new() -> Self {
        let cloud = Sim::start(Config {
            stopped_at: Some(noon()),
            attach_delay: Delay::Polls(3),
            detach_delay: Delay::Polls(2),
            page_size: 3,
            ..Config::default()
        })
        .unwrap();
        let clock = Arc::new(ManualClock::at(noon()));
        Self {
            instance: ocid(&cloud.add_instance(NewInstance::default())),
            volume: ocid(&cloud.add_volume(NewVolume::default())),
            compartment: ocid(&cloud.compartment()),
            client: client(&cloud, &clock, cloud.credentials()),
            clock,
            cloud,
        }
    }

    /// The same, and a fault in it.
    fn with(on: &str, calls: impl Into<oci_sim::Calls>, effect: Effect) -> Self {
        let world = Self::new();
        world.cloud.fail(Fault::new(on, calls, effect));
        world
    }

    fn attach(&self) -> Result<VolumeAttachment, Error> {
        self.client.send(&AttachVolume {
            instance: &self.instance,
            volume: &self.volume,
            kind: AttachmentRequest::Iscsi { use_chap: false },
            device: None,
            display_name: Some("by a test"),
            read_only: false,
            shareable: false,
            retry_token: "TOKEN",
        })
    }

    fn attachments(&self) -> Result<Vec<VolumeAttachment>, Error> {
        let (instance, volume) = (Some(&self.instance), Some(&self.volume));
        let compartment = &self.compartment;
        self.client.list(&ListVolumeAttachments { compartment, instance, volume })
    }

    fn requests(&self, operation: &str) -> usize {
        self.cloud.requests().iter().filter(|it| it.operation == operation).count()
    }
}

fn client(cloud: &Running, clock: &Arc<ManualClock>, user: &ApiKeyUser) -> Client {
    let network =
        Network { root_certs: Some(cloud.ca_pem().as_bytes().to_vec()), ..Network::default() };
    let key = PrivateKey::from_pem(&user.private_key_pem, None).unwrap();
    let key = ApiKey::new(&user.tenancy, &user.user, Some(&user.fingerprint), key).unwrap();
    Client::new(
        cloud.endpoint().parse().unwrap(),
        Box::new(key),
        Arc::new(UreqTransport::new(&network).unwrap()),
        Arc::clone(clock) as Arc<dyn Clock>,
        Deadline::after(&**clock, Duration::from_secs(90)),
    )
}

#[test]
fn a_volume_is_attached_and_detached() {
    let world = World::new();
    assert_eq!(world.attachments().unwrap(), []);
    let begun = world.attach().unwrap();
    assert_eq!(begun.lifecycle_state, AttachmentState::Attaching);
    let attached = world.client.wait_for_attached(&begun.id).unwrap();
    assert_eq!(attached.lifecycle_state, AttachmentState::Attached);
    assert_eq!((&attached.id, &attached.instance_id), (&begun.id, &world.instance));
    assert_eq!(world.attachments().unwrap(), [attached]);

    let id = &begun.id;
    let tagged = world.client.send_tagged(&GetVolumeAttachment { id }).unwrap();
    let stale = world.client.send(&DetachVolume { id, if_match: Some("stale") }).unwrap_err();
    assert_eq!((stale.status(), stale.code()), (Some(412), Some("NoEtagMatch")));
    world.client.send(&DetachVolume { id, if_match: tagged.etag.as_deref() }).unwrap();
    world.client.wait_for_detached(id).unwrap();
    let left = world.attachments().unwrap();
    assert!(left.iter().all(|it| it.lifecycle_state == AttachmentState::Detached));
    assert!(world.cloud.requests().iter().all(|request| request.is_signed));
}

#[test]
fn everything_else_can_be_read() {
    let world = World::new();
    for number in 0..7 {
        let display_name = format!("node-{number}");
        world.cloud.add_instance(NewInstance { display_name, ..NewInstance::default() });
    }
    let compartment = &world.compartment;
    let all = world.client.list(&ListInstances { compartment, display_name: None }).unwrap();
    assert_eq!(all.len(), 8);
    let display_name = Some("node-6");
    let one = world.client.list(&ListInstances { compartment, display_name }).unwrap();
    assert_eq!(world.client.send(&GetInstance { id: &one[0].id }).unwrap(), one[0]);
    assert_eq!(world.client.send(&GetVolume { id: &world.volume }).unwrap().id, world.volume);
    let instance = &world.instance;
    let free = world.client.list(&ListInstanceDevices { instance, available: true }).unwrap();
    assert!(free.len() > 30, "{free:?}");
}

/// Whatever happens to the first attempts: one attachment, and the client knows it.
#[test]
fn a_lost_answer_never_attaches_twice() {
    for effect in [
        Effect::DropBefore,
        Effect::DropAfter,
        Effect::HalfBody,
        Effect::Twice,
        Effect::Body("{}".to_owned()),
        Effect::ContentType("text/html".to_owned()),
        Effect::Throttle { retry_after: Some(5) },
        Effect::status(500, "InternalServerError", "try again"),
        Effect::Answer { status: 502, content_type: "text/html".into(), body: "<html>".into() },
    ] {
        let world = World::with("AttachVolume", 1..=3, effect.clone());
        let attachment = world.attach().unwrap_or_else(|it| panic!("{effect:?}: {}", chain(&it)));
        assert_eq!(world.cloud.attachments().len(), 1, "{effect:?}");
        assert_eq!(world.attachments().unwrap().len(), 1, "{effect:?}");
        let expected = if effect == Effect::Twice { 1 } else { 4 };
        assert_eq!(world.requests("AttachVolume"), expected, "{effect:?}");
        assert!(world.cloud.attachments()[0].id == attachment.id.as_str());
    }
}

#[test]
fn a_read_survives_what_passes_and_reports_what_stays() {
    for effect in [
        Effect::DropBefore,
        Effect::HalfBody,
        Effect::Throttle { retry_after: None },
        Effect::Answer { status: 504, content_type: "text/plain".into(), body: "late".into() },
    ] {
        let world = World::with("ListVolumeAttachments", 1..=3, effect);
        assert_eq!(world.attachments().unwrap(), []);
    }
    for (effect, text) in [
        (
            Effect::Body("[{}]".into()),
            "incomplete answer, fields are missing or of an unknown form",
        ),
        (Effect::ContentType("text/html".into()), "incomplete answer, it is not JSON"),
        (Effect::HalfBody, "connection lost while reading the answer (closed by the other side)"),
    ] {
        let world = World::with("ListVolumeAttachments", 1.., effect);
        let error = world.attachments().unwrap_err();
        assert!(chain(&error).contains(text), "{}", chain(&error));
        assert_eq!(world.requests("ListVolumeAttachments"), 4);
    }
}

#[test]
fn an_empty_first_page_is_not_the_end() {
    let world = World::new();
    world.attach().unwrap();
    world.cloud.fail(Fault::new("ListVolumeAttachments", 1, Effect::EmptyPage));
    assert_eq!(world.attachments().unwrap().len(), 1);
}

#[test]
fn an_attachment_that_fails_or_hangs_is_told() {
    let world = World::with("AttachVolume", 1, Effect::Fails);
    let id = world.attach().unwrap().id;
    let error = world.client.wait_for_attached(&id).unwrap_err();
    assert!(chain(&error).contains("became DETACHED instead of ATTACHED"), "{}", chain(&error));

    let world = World::with("AttachVolume", 1, Effect::Stuck);
    let id = world.attach().unwrap().id;
    let error = world.client.wait_for_attached(&id).unwrap_err();
    assert!(chain(&error).contains("is still ATTACHING; the next call"), "{}", chain(&error));
    assert!(world.clock.monotonic() < Duration::from_secs(90));
}

#[test]
fn an_attachment_that_vanishes_is_detached() {
    let world = World::new();
    let id = world.attach().unwrap().id;
    world.client.wait_for_attached(&id).unwrap();
    world.client.send(&DetachVolume { id: &id, if_match: None }).unwrap();
    let gone = Effect::status(404, "NotAuthorizedOrNotFound", "gone");
    world.cloud.fail(Fault::new("GetVolumeAttachment", 1.., gone));
    world.client.wait_for_detached(&id).unwrap();
}

/// The first DELETE was carried out; what the second one finds is for the caller to judge.
#[test]
fn a_detach_whose_answer_is_lost_ends_detached() {
    let world = World::new();
    let id = world.attach().unwrap().id;
    world.client.wait_for_attached(&id).unwrap();
    let etag = world.client.send_tagged(&GetVolumeAttachment { id: &id }).unwrap().etag;
    world.cloud.fail(Fault::new("DetachVolume", 1, Effect::DropAfter));
    let error = world.client.send(&DetachVolume { id: &id, if_match: etag.as_deref() });
    assert!(matches!(error.unwrap_err().status(), Some(404 | 409 | 412)));
    assert_eq!(world.requests("DetachVolume"), 2);
    world.client.wait_for_detached(&id).unwrap();
}

#[test]
fn a_wrong_clock_and_a_wrong_key_are_told_apart() {
    let world = World::new();
    world.cloud.advance(Duration::from_secs(412));
    let text = chain(&world.attachments().unwrap_err());
    assert!(
        text.contains("401 NotAuthenticated; this machine's clock is more than 5 minutes behind"),
        "{text}"
    );

    let world = World::new();
    let user = ApiKeyUser::fresh().unwrap();
    let stranger = client(&world.cloud, &world.clock, &user);
    let text = chain(&stranger.send(&GetVolume { id: &world.volume }).unwrap_err());
    let signed = format!("; signed as {} with the key {}: does", user.user, user.fingerprint);
    assert!(text.contains("401 NotAuthenticated") && text.contains(&signed), "{text}");
}

#[test]
fn a_second_attach_is_a_conflict() {
    let world = World::new();
    let first = world.attach().unwrap();
    world.client.wait_for_attached(&first.id).unwrap();
    let other = world.cloud.add_instance(NewInstance::default());
    let error = world.client.send(&AttachVolume {
        instance: &ocid(&other),
        volume: &world.volume,
        kind: AttachmentRequest::Iscsi { use_chap: false },
        device: None,
        display_name: None,
        read_only: false,
        shareable: false,
        retry_token: "OTHER",
    });
    let error = error.unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(409), Some("Conflict")));
    assert!(!error.is_transient() && !error.is_outcome_unknown());
}

#[test]
fn an_instance_knows_itself() {
    let world = World::new();
    let transport = Arc::new(UreqTransport::new(&Network::default()).unwrap());
    let url = world.cloud.metadata_url();
    for url in [&url, &url.replace("v2", "v1")] {
        let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
        let found = Metadata::new(Some(url), transport.clone(), clock).instance().unwrap();
        assert_eq!((&found.id, &found.compartment_id), (&world.instance, &world.compartment));
        assert_eq!(found.region().unwrap().id(), "us-phoenix-1");
    }
}
