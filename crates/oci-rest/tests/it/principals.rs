//! Tokens against the simulated cloud: instances, pods, functions and sessions, over real TLS with real RSA.

use std::{fs, os::unix::fs::MetadataExt, path::Path, sync::Arc};

use oci_rest::{
    Credentials, InstancePrincipals, MemoryCache, Metadata, Network, Profile, SessionFile,
    TokenCredentials, TokenExchange, TokenSource, UreqTransport, WorkloadIdentity,
};
use oci_sim::{Effect, Fault, Phase};

use crate::{
    script::chain,
    world::{MINUTE, World},
};

const COLD: [&str; 5] = ["Metadata", "Metadata", "Metadata", "Federation", "GetInstance"];

#[test]
fn an_instance_signs_as_itself() {
    let world = World::new();
    let client = world.process();
    world.ask(&client).unwrap();
    assert_eq!(world.seen(0), COLD);
    assert!(world.cloud.requests()[3..].iter().all(|it| it.is_signed));
    world.ask(&client).unwrap();
    assert_eq!(world.seen(5), ["GetInstance"]);
}

#[test]
fn a_warm_process_asks_neither_metadata_nor_auth_service() {
    let world = World::new();
    world.ask(&world.process()).unwrap();
    world.ask(&world.process()).unwrap();
    assert_eq!(world.seen(5), ["GetInstance"]);
}

#[test]
fn a_token_is_renewed_five_minutes_before_it_ends() {
    let world = World::new();
    let client = world.process();
    world.ask(&client).unwrap();
    world.pass(14 * MINUTE);
    world.ask(&client).unwrap();
    assert_eq!(world.seen(5), ["GetInstance"]);
    world.pass(MINUTE);
    for renewing in [&client, &world.process()] {
        world.ask(renewing).unwrap();
    }
    assert_eq!(world.seen(6), [&COLD[..], &["GetInstance"]].concat());
}

#[test]
fn an_auth_service_in_trouble_is_survived_as_long_as_the_token() {
    let world = World::new();
    let client = world.process();
    world.ask(&client).unwrap();
    let trouble = Effect::status(503, "ServiceUnavailable", "later");
    world.cloud.fail(Fault::new("Federation", 1.., trouble));
    world.pass(16 * MINUTE);
    world.ask(&client).unwrap();
    world.pass(4 * MINUTE);
    let error = world.ask(&client).unwrap_err();
    let text = chain(&error);
    let start =
        "instance principals: 127.0.0.1 answers 503 ServiceUnavailable; it may be tried again";
    assert_eq!(text, start);
    assert!(error.is_transient());
}

#[test]
fn a_refused_token_is_replaced_once() {
    let world = World::new();
    let client = world.process();
    world.ask(&client).unwrap();
    world.cloud.revoke_tokens();
    world.ask(&client).unwrap();
    assert_eq!(world.seen(5), [&["GetInstance"], &COLD[..]].concat());
    // and so it is for a process that finds the token in the cache
    world.cloud.revoke_tokens();
    world.ask(&world.process()).unwrap();
    assert_eq!(world.seen(11), [&["GetInstance"], &COLD[..]].concat());

    let never = Effect::status(401, "NotAuthenticated", "no");
    world.cloud.fail(Fault::new("GetInstance", 1.., never));
    let error = world.ask(&client).unwrap_err();
    assert_eq!(error.status(), Some(401));
    // the client's own token was revoked too, and another process's is in the cache
    let seen = world.seen(17);
    assert_eq!(seen.iter().filter(|it| **it == "GetInstance").count(), 2, "{seen:?}");
}

#[test]
fn a_wrong_clock_is_no_reason_for_another_token() {
    let world = World::new();
    let client = world.process();
    world.ask(&client).unwrap();
    world.cloud.advance(7 * MINUTE);
    let text = chain(&world.ask(&client).unwrap_err());
    assert!(text.contains("; this machine's clock is more than 5 minutes behind"), "{text}");
    assert_eq!(world.seen(5), ["GetInstance"]);
}

#[test]
fn a_rotated_certificate_is_fetched_again() {
    let world = World::new();
    let client = world.process();
    world.ask(&client).unwrap();
    world.cloud.rotate_certificate(world.instance.as_str());
    world.cloud.revoke_tokens();
    world.ask(&client).unwrap();
    assert_eq!(world.seen(5), [&["GetInstance"], &COLD[..]].concat());
}

#[test]
fn a_rotation_between_certificate_and_key_is_noticed() {
    for (after, again) in [("/cert.pem", 1), ("/intermediate.pem", 1)] {
        let world = World::new();
        let (sim, instance) = (Arc::downgrade(world.cloud.sim()), world.instance.to_string());
        let once = std::sync::Once::new();
        world.cloud.on_request(move |event| {
            if event.phase == Phase::Performed && event.entry.path.ends_with(after) {
                once.call_once(|| sim.upgrade().unwrap().rotate_certificate(&instance));
            }
        });
        world.ask(&world.process()).unwrap();
        let metadata = world.seen(0).iter().filter(|it| **it == "Metadata").count();
        assert_eq!(metadata, 3 + 3 * again, "{after}: {:?}", world.seen(0));
    }
}

#[test]
fn version_1_of_the_metadata_service_is_enough() {
    let world = World::new();
    let old = Effect::status(404, "NotFound", "no");
    world.cloud.fail(Fault::new("GET /opc/v2", 1.., old));
    world.ask(&world.process()).unwrap();
}

#[test]
fn the_auth_service_is_that_of_the_region() {
    let world = World::new();
    let source = InstancePrincipals::new(
        world.metadata(),
        Arc::clone(&world.transport),
        world.clock(),
        None,
    );
    // the region's own host cannot be reached from here, and must not be: a closed port stands for it
    let proxy = Network { proxy: Some("http://127.0.0.1:1".into()), ..Network::default() };
    let proxied = Arc::new(UreqTransport::new(&proxy).unwrap());
    let elsewhere = InstancePrincipals::new(world.metadata(), proxied, world.clock(), None);
    let text = chain(&elsewhere.session(MINUTE).unwrap_err());
    let start = "instance principals: no answer from auth.us-phoenix-1.oraclecloud.com: ";
    assert!(text.starts_with(start), "{text}");
    assert_eq!(source.describe(), "this instance (instance principal)");
}

#[test]
fn refusals_say_what_was_tried_and_what_to_do() {
    let world = World::new();
    let no = Effect::status(401, "NotAuthenticated", "MARKER");
    world.cloud.fail(Fault::new("Federation", 1.., no));
    let error = world.ask(&world.process()).unwrap_err();
    let text = chain(&error);
    let start = "instance principals: 127.0.0.1 answers 401 NotAuthenticated; is the clock right, \
                 and is this the metadata service of this instance?";
    assert_eq!(text, start);
    assert!(!error.is_transient());
    assert_eq!(world.seen(0).iter().filter(|it| **it == "Federation").count(), 2);

    let world = World::new();
    world.cloud.fail(Fault::new("Federation", 1, Effect::Body("{}".into())));
    let text = chain(&world.ask(&world.process()).unwrap_err());
    assert_eq!(text, "instance principals: 127.0.0.1 answers without a token");
    for effect in [Effect::DropBefore, Effect::Throttle { retry_after: None }] {
        world.cloud.clear_faults();
        world.cloud.fail(Fault::new("Federation", 1..=2, effect));
        fs::remove_dir_all(world.memory.path().join("cache")).unwrap();
        world.ask(&world.process()).unwrap();
    }
}

#[test]
fn a_pod_signs_as_its_service_account() {
    let world = World::new();
    let token = world.memory.path().join("token");
    fs::write(&token, "ACCOUNT\n").unwrap();
    let source = || {
        let (transport, endpoint) = (Arc::clone(&world.transport), world.cloud.endpoint());
        WorkloadIdentity::new(endpoint.parse().unwrap(), token.clone(), transport, world.clock())
    };
    let client = || world.client(Box::new(world.tokens(source()).with_cache(world.cache())));
    let text = chain(&world.ask(&client()).unwrap_err());
    let start = "workload identity: 127.0.0.1 answers 401 NotAuthenticated; is this an enhanced OKE \
                 cluster, and the service account's token of this cluster?";
    assert_eq!(text, start);
    world.cloud.add_service_account("ACCOUNT");
    world.ask(&client()).unwrap();
    world.ask(&client()).unwrap();
    assert_eq!(world.seen(1), ["WorkloadIdentity", "GetInstance", "GetInstance"]);
    assert!(!format!("{:?}", source()).contains("ACCOUNT"));
    fs::remove_file(&token).unwrap();
    let text = chain(&source().session(MINUTE).unwrap_err());
    let start = "workload identity: cannot read the service account's token in /dev/shm/";
    assert!(text.starts_with(start), "{text}");
}

/// The token ends, an operator runs `oci session refresh`, and the same process goes on.
#[test]
fn a_refreshed_session_is_read_again() {
    let world = World::new();
    let user = world.cloud.credentials();
    let (token, key) = (world.memory.path().join("token"), world.memory.path().join("key.pem"));
    let refresh = || fs::write(&token, world.cloud.issue_token(user, 10 * MINUTE).unwrap() + "\n");
    refresh().unwrap();
    fs::write(&key, &user.private_key_pem).unwrap();
    let source = SessionFile { token: token.clone(), key, passphrase: None };
    let client = world.client(Box::new(world.tokens(source)));
    world.ask(&client).unwrap();
    world.pass(6 * MINUTE);
    refresh().unwrap();
    world.cloud.revoke_tokens();
    refresh().unwrap();
    world.ask(&client).unwrap();
    assert_eq!(world.seen(0), ["GetInstance"; 2]);
}

#[test]
fn profiles_are_read_as_oracles_sdk_reads_them() {
    let world = World::new();
    let user = world.cloud.credentials();
    let home = world.memory.path();
    fs::create_dir(home.join(".oci")).unwrap();
    fs::write(home.join(".oci/key.pem"), format!("{}OCI_API_KEY\n", user.private_key_pem)).unwrap();
    let token = world.cloud.issue_token(user, 20 * MINUTE).unwrap();
    fs::write(home.join(".oci/token"), token).unwrap();
    let text = format!(
        "# a comment\n[DEFAULT]\nuser={}\ntenancy = {}\nkey_file=~/.oci/key.pem\nregion=phx\n\
         ; another\n[named]\nregion = us-ashburn-1\nfingerprint={}\n[session]\nuser=\n\
         security_token_file=~/.oci/token\n[instance]\nkey_file=\nauthentication_type=instance_principal\n",
        user.user, user.tenancy, user.fingerprint
    );
    for (name, region) in [("DEFAULT", "phx"), ("named", "us-ashburn-1"), ("session", "phx")] {
        let profile = Profile::parse(&text, name, home).unwrap();
        assert_eq!(profile.region(), Some(region));
        let credentials = profile.credentials(world.clock()).unwrap();
        world.ask(&world.client(credentials)).unwrap();
    }
    let error = Profile::parse(&text, "absent", home).unwrap_err();
    let who = |name: &str| format!("the profile {name} of Oracle's configuration file: ");
    assert_eq!(error.to_string(), who("absent") + "the file has no such profile");
    let error = Profile::parse("[DEFAULT]\nMARKER", "DEFAULT", home).unwrap_err();
    assert_eq!(error.to_string(), who("DEFAULT") + "line 2 is not key = value");
    for (text, kind) in [
        ("[a]\nauthentication_type=instance_obo_user", Some("instance_obo_user")),
        ("[a]\nauthentication_type=api_key", None),
        ("[a]", None),
    ] {
        let profile = Profile::parse(text, "a", home).unwrap();
        assert_eq!(profile.authentication_type(), kind);
        let error = profile.credentials(world.clock()).unwrap_err();
        assert_eq!(error.to_string(), who("a") + "it has no key_file");
        let error = profile.delegation_token_file().unwrap_err();
        assert_eq!(error.to_string(), who("a") + "it has no delegation_token_file");
    }
    let file = Profile::parse("[a]\ndelegation_token_file=~/.oci/token", "a", home).unwrap();
    assert_eq!(file.delegation_token_file().unwrap(), home.join(".oci/token"));
}

/// Keys that stand in the file, over several lines or in one.
#[test]
fn a_profile_may_hold_its_key() {
    let world = World::new();
    let user = world.cloud.credentials().clone();
    for end in ["\n  ", "\\n", " "] {
        let pem = user.private_key_pem.trim().replace('\n', end);
        let text =
            format!("[a]\nUser: {}\nTENANCY = {}\nkey_content={pem}", user.user, user.tenancy);
        let profile = Profile::parse(&text, "a", Path::new("/none")).unwrap();
        assert!(profile.holds_secret() && profile.key_file().unwrap().is_none());
        world.ask(&world.client(profile.credentials(world.clock()).unwrap())).unwrap();
    }
}

#[test]
fn what_is_wrong_with_a_profile_is_said_and_not_quoted() {
    let world = World::new();
    let user = world.cloud.credentials().clone();
    let key = user.private_key_pem.trim().replace('\n', "\\n");
    let check = |lines: &str, expected: &str| {
        let text = format!("[a]\n{lines}\n");
        let profile = Profile::parse(&text, "a", Path::new("/home")).unwrap();
        let error = profile.credentials(world.clock()).unwrap_err();
        let said = chain(&error);
        assert_eq!(said, format!("the profile a of Oracle's configuration file: {expected}"));
    };
    check(
        "key_file=~other/key.pem",
        "key_file begins with ~ and a user's name; write the whole path",
    );
    check(
        "key_file=~/none.pem",
        "cannot read /home/none.pem, its key_file: No such file or directory (os error 2)",
    );
    check("key_file=/dev/zero", "cannot read /dev/zero, its key_file: it is not a regular file");
    check(
        "key_content=MARKER",
        "the private key in key_content cannot be used: there is no private key: text from \
         -----BEGIN PRIVATE KEY----- to -----END PRIVATE KEY----- was expected",
    );
    check(
        &format!("key_content={key}\ntenancy={}\nuser=\"MARKER\"", user.tenancy),
        "user is no user OCID (ocid1.user.…); quotation marks, and a comment behind the value, would \
         be parts of it",
    );
    check(
        &format!("key_content={key}\ntenancy={}\nuser={}", user.user, user.user),
        "tenancy is no tenancy OCID (ocid1.tenancy.…); quotation marks, and a comment behind the \
         value, would be parts of it",
    );
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\\nMAA=\\n-----END ENCRYPTED PRIVATE KEY-----";
    check(
        &format!("key_content={encrypted}"),
        "the private key in key_content is encrypted; give its passphrase as pass_phrase in the profile",
    );
}

#[test]
fn the_cache_is_closed_to_others_and_never_on_a_disk() {
    let world = World::new();
    world.ask(&world.process()).unwrap();
    let folder = world.memory.path().join("cache");
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|it| it.unwrap()).collect();
    assert_eq!(files.len(), 2, "an entry and its lock: {files:?}");
    assert!(files.iter().all(|it| it.metadata().unwrap().mode() & 0o777 == 0o600));

    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let cache = MemoryCache::new(disk.path().join("cache"));
    cache.store("a", "SECRET");
    assert!(cache.load("a").is_none());
    assert_eq!(all_files(disk.path()), 0);
}

fn all_files(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).unwrap().map(|it| it.unwrap().path());
    entries.map(|it| if it.is_dir() { all_files(&it) } else { 1 }).sum()
}

#[test]
fn a_cache_that_is_not_ours_alone_is_not_used() {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let folder = memory.path().join("cache");
    let cache = MemoryCache::new(&folder);
    let loads = || cache.load("a").is_some();
    let store = || {
        cache.store("a", "SECRET");
        assert!(loads());
    };
    store();
    let entry = || fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&folder, 0o750);
    assert!(!loads(), "a folder that a group may read");
    mode(&folder, 0o700);
    mode(&entry(), 0o604);
    assert!(!loads(), "an entry that everybody may read");
    store();
    chown(entry(), Some(65534), None).unwrap();
    assert!(!loads(), "an entry of another user");
    store();
    chown(&folder, Some(65534), None).unwrap();
    assert!(!loads(), "a folder of another user");
    chown(&folder, Some(0), None).unwrap();
    let (path, moved) = (entry(), memory.path().join("moved"));
    fs::rename(&path, &moved).unwrap();
    symlink(&moved, &path).unwrap();
    assert!(!loads(), "a link to an entry");
    fs::remove_file(&path).unwrap();
    fs::rename(&moved, &path).unwrap();
    assert!(loads());
    let real = memory.path().join("real");
    fs::rename(&folder, &real).unwrap();
    symlink(&real, &folder).unwrap();
    assert!(!loads(), "a link to a folder");
    fs::remove_file(&folder).unwrap();
    fs::rename(&real, &folder).unwrap();
    assert!(loads());
    let other_boot = fs::read_to_string(entry()).unwrap().replace(r#""boot":""#, r#""boot":"0"#);
    fs::write(entry(), other_boot).unwrap();
    assert!(!loads(), "an entry of another boot");
    assert_eq!(all_files(&folder), 0, "which is removed");
    store();
    fs::write(entry(), "garbage").unwrap();
    assert!(!loads(), "an entry that is none");
}

#[test]
fn an_entry_that_cannot_be_written_leaves_nothing() {
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let folder = memory.path().join("cache");
    let cache = MemoryCache::new(&folder);
    cache.store("a", "SECRET");
    let entry = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&entry).unwrap();
    fs::create_dir(&entry).unwrap();
    cache.store("a", "SECRET");
    assert!(cache.load("a").is_none());
    assert_eq!(all_files(memory.path()), 0);
}

/// One folder for all: a process that asks elsewhere, or as another principal, must not find another's token.
#[test]
fn a_token_is_found_by_its_owner_only() {
    let world = World::new();
    let other = world.cloud.add_instance(oci_sim::NewInstance::default());
    let sources = || -> Vec<(&str, Box<dyn TokenSource>)> {
        let instance = |url: &str, endpoint: String| {
            let transport = Arc::clone(&world.transport);
            let metadata = Metadata::new(Some(url), Arc::clone(&transport), world.clock());
            let endpoint = Some(endpoint.parse().unwrap());
            Box::new(InstancePrincipals::new(metadata, transport, world.clock(), endpoint))
        };
        let (here, there) = (world.cloud.metadata_url(), world.cloud.metadata_url_of(&other));
        let endpoint = world.cloud.endpoint();
        let exchange = |id: &str, kind: &str| {
            let vars = [
                ("DOMAIN_URL", endpoint.clone()),
                ("TOKEN_PATH", world.memory.path().join("token").display().to_string()),
                ("CLIENT_ID", id.to_owned()),
                ("CLIENT_SECRET", "SECRET".to_owned()),
                ("REQUESTED_TOKEN_TYPE", format!("urn:oci:token-type:{kind}")),
                ("RESOURCE_TYPE", "github".to_owned()),
            ];
            let var = |name: &str| {
                let name = name.strip_prefix("OCI_WORKLOAD_IDENTITY_").unwrap();
                vars.iter().find(|(it, _)| *it == name).map(|(_, value)| value.clone())
            };
            Box::new(TokenExchange::from_vars(var, world.instance_principals()).unwrap())
        };
        vec![
            ("Federation", instance(&here, endpoint.clone())),
            ("Federation", instance(&there, endpoint.clone())),
            ("Federation", instance(&here, endpoint.replace("127.0.0.1", "localhost"))),
            ("TokenExchange", exchange("one", "oci-upst")),
            ("TokenExchange", exchange("two", "oci-upst")),
            ("TokenExchange", exchange("two", "oci-rpst")),
        ]
    };
    for id in ["one", "two"] {
        world.cloud.add_client(id, "SECRET");
    }
    world.cloud.trust_token("eyJ.e30.c2ln", "ocid1.user.oc1..u");
    fs::write(world.memory.path().join("token"), "eyJ.e30.c2ln").unwrap();
    for known in [false, true] {
        for (index, (request, source)) in sources().into_iter().enumerate() {
            let before = world.seen(0).len();
            let tokens = TokenCredentials::new(source, world.clock()).with_cache(world.cache());
            tokens.signer(MINUTE).unwrap();
            let asked = world.seen(before).into_iter().filter(|it| *it == request).count();
            assert_eq!(asked, usize::from(!known), "source {index}, known: {known}");
        }
    }
}

#[test]
fn no_secret_is_printed() {
    let world = World::new();
    let credentials = world.tokens(world.instance_principals()).with_cache(world.cache());
    credentials.signer(MINUTE).unwrap();
    let folder = world.memory.path().join("cache");
    let text: String = fs::read_dir(&folder)
        .unwrap()
        .map(|it| fs::read_to_string(it.unwrap().path()).unwrap())
        .collect();
    let entry: serde_json::Value = serde_json::from_str(&text).unwrap();
    let value: serde_json::Value = serde_json::from_str(entry["value"].as_str().unwrap()).unwrap();
    let shown = format!("{credentials:?} {}", credentials.describe());
    for secret in [value["token"].as_str().unwrap(), value["key"].as_str().unwrap()] {
        assert!(secret.len() > 100 && !shown.contains(&secret[40..60]), "{shown}");
    }
    assert!(shown.contains("this instance of ocid1.tenancy.oc1.."), "{shown}");
}
