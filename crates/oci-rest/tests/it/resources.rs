//! Resource principals of every version, token exchange and delegation, against the simulated cloud.

use std::fs;

use oci_rest::{Error, ResourcePrincipal, TokenCredentials, TokenExchange, TokenSource};
use oci_sim::{ApiKeyUser, Effect, Fault};

use crate::{
    script::chain,
    world::{MINUTE, World},
};

type Var<'a> = (&'a str, &'a str);

/// An environment with these variables, whose names begin with `prefix`, and nothing else. Only variables
/// that are `known` are asked for.
fn environment(
    prefix: &str,
    known: impl Iterator<Item = String>,
    vars: &[Var<'_>],
) -> impl Fn(&str) -> Option<String> {
    let known: Vec<_> = known.collect();
    move |name: &str| {
        assert!(known.iter().any(|it| it == name), "{name}");
        let name = name.strip_prefix(prefix).unwrap();
        vars.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned())
    }
}

fn resource(world: &World, vars: &[Var<'_>]) -> Result<ResourcePrincipal, Error> {
    let var = environment("OCI_RESOURCE_PRINCIPAL_", ResourcePrincipal::variables(), vars);
    ResourcePrincipal::from_vars(var, world.instance_principals())
}

/// The resource signs a request; what was asked for that, in order.
#[track_caller]
fn check(world: &World, vars: &[Var<'_>], asked: &[&str]) {
    let before = world.seen(0).len();
    let source = resource(world, vars).unwrap();
    world.ask(&world.client(Box::new(world.tokens(source)))).unwrap();
    assert_eq!(world.seen(before), asked);
}

#[track_caller]
fn refused(world: &World, vars: &[Var<'_>], problem: &str) {
    let error = resource(world, vars).unwrap_err();
    assert_eq!(error.to_string(), format!("the resource principal: {problem}"));
}

fn in_file(world: &World, name: &str, text: &str) -> String {
    let path = world.memory.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Version 2.2.
#[test]
fn a_function_signs_with_what_its_environment_holds() {
    let world = World::new();
    let user = world.cloud.credentials();
    let token = world.cloud.issue_token(user, 20 * MINUTE).unwrap();
    let key = user.private_key_pem.clone();
    let token_file = in_file(&world, "rpst", &format!("{token}\n"));
    let key_file = in_file(&world, "key.pem", &key);
    for (token, key) in [(&token, &key), (&token_file, &key_file)] {
        let vars =
            [("VERSION", "2.2"), ("RPST", token), ("PRIVATE_PEM", key), ("REGION", "us-phoenix-1")];
        assert_eq!(resource(&world, &vars).unwrap().region(), Some("us-phoenix-1"));
        check(&world, &vars, &["GetInstance"]);
        let shown = format!("{:?}", resource(&world, &vars).unwrap());
        assert!(!shown.contains("PRIVATE KEY") && !shown.contains("eyJ"), "{shown}");
    }
}

/// Versions 2.1, 2.1.1 and 2.1.2: the resource has a key of its own, and no other is made.
#[test]
fn a_resource_with_a_key_gets_its_token_by_it() {
    let world = World::new();
    let (user, endpoint) = (world.cloud.credentials(), world.cloud.endpoint());
    let key_file = in_file(&world, "key.pem", &user.private_key_pem);
    for version in ["2.1", "2.1.1", "2.1.2"] {
        let id = world.cloud.add_resource(version, user);
        let vars = |version| {
            [
                ("VERSION", version),
                ("RPT_ENDPOINT", endpoint.as_str()),
                ("RPST_ENDPOINT", &endpoint),
                ("RESOURCE_ID", &id),
                ("TENANCY_ID", &user.tenancy),
                ("PRIVATE_PEM", &key_file),
            ]
        };
        check(&world, &vars(version), &["ResourceVoucher", "ResourceToken", "GetInstance"]);
        let tokens = world.tokens(resource(&world, &vars(version)).unwrap());
        world.ask(&world.client(Box::new(tokens.with_cache(world.cache())))).unwrap();
        assert!(!world.memory.path().join("cache").exists(), "the key of a resource is kept");
        let other = if version == "2.1" { "2.1.1" } else { "2.1" };
        let wrong = resource(&world, &vars(other)).unwrap().session(MINUTE).unwrap_err();
        let start = "the resource principal: 127.0.0.1 answers 401 NotAuthenticated; is the clock \
                     right, and does the service know this resource?";
        assert_eq!(chain(&wrong), start);
    }
    assert!(
        world.cloud.requests().iter().filter(|it| it.status == Some(200)).all(|it| it.is_signed)
    );
}

/// Version 2.1.2 may name the path itself, with or without a place for the resource, and a context.
#[test]
fn a_service_may_vouch_elsewhere_and_in_a_context() {
    let world = World::new();
    let (user, endpoint) = (world.cloud.credentials(), world.cloud.endpoint());
    let id = world.cloud.add_resource("2.1.2", user);
    world.cloud.demand_security_context("CONTEXT");
    let path = "/20180711/resourcePrincipalTokenV212";
    for path in [path.to_owned(), format!("{path}/"), format!("{path}/{{}}")] {
        let vars = [
            ("VERSION", "2.1.2"),
            ("RPT_ENDPOINT", endpoint.as_str()),
            ("RPT_PATH", &path),
            ("RPST_ENDPOINT", &endpoint),
            ("RESOURCE_ID", &id),
            ("TENANCY_ID", &user.tenancy),
            ("PRIVATE_PEM", &user.private_key_pem),
            ("SECURITY_CONTEXT", "CONTEXT"),
        ];
        check(&world, &vars, &["ResourceVoucher", "ResourceToken", "GetInstance"]);
        let mut wrong = vars;
        wrong[7].1 = "OTHER";
        let error = resource(&world, &wrong).unwrap().session(MINUTE).unwrap_err();
        assert!(chain(&error).contains("answers 400 InvalidParameter"), "{}", chain(&error));
    }
}

/// Version 1.1: an instance asks for a resource that lives on it.
#[test]
fn a_resource_on_an_instance_gets_its_token_by_that() {
    let world = World::new();
    let endpoint = world.cloud.endpoint();
    let vars = [("VERSION", "1.1"), ("RPT_ENDPOINT", endpoint.as_str())];
    let instance = ["Metadata", "Metadata", "Metadata", "Federation"];
    let resource_token = ["ResourceVoucher", "ResourceToken", "GetInstance"];
    let own_id = [&["Metadata"][..], &instance, &resource_token].concat();
    check(&world, &vars, &own_id);
    let given_id = [
        vars[0],
        vars[1],
        ("RPT_ID", world.instance.as_str()),
        ("RPT_PATH", "/20180711/resourcePrincipalToken/{id}"),
        ("RPST_ENDPOINT", &endpoint),
    ];
    check(&world, &given_id, &[&instance[..], &resource_token].concat());
    let other = [vars[0], vars[1], ("RPT_ID", "other")];
    let error = resource(&world, &other).unwrap().session(MINUTE).unwrap_err();
    assert!(chain(&error).contains("answers 401 NotAuthenticated; "), "{}", chain(&error));

    // the key was made for the token, so both may be kept
    let tokens = || world.tokens(resource(&world, &vars).unwrap()).with_cache(world.cache());
    world.ask(&world.client(Box::new(tokens()))).unwrap();
    let before = world.seen(0).len();
    world.ask(&world.client(Box::new(tokens()))).unwrap();
    assert_eq!(world.seen(before), ["GetInstance"]);
}

/// Version 3.0: a part of a resource, which is a part of a third one.
#[test]
fn a_part_of_a_resource_becomes_the_whole() {
    let world = World::new();
    let (user, endpoint) = (world.cloud.credentials(), world.cloud.endpoint());
    let id = world.cloud.add_resource("2.1.1", user);
    let url = format!("{endpoint}/parents/1");
    let part = [
        ("VERSION", "3.0"),
        ("RPT_URL_FOR_PARENT_RESOURCE", url.as_str()),
        ("RPST_ENDPOINT_FOR_PARENT_RESOURCE", &endpoint),
        ("VERSION_FOR_LEAF_RESOURCE", "2.1.1"),
        ("RPT_ENDPOINT_FOR_LEAF_RESOURCE", &endpoint),
        ("RPST_ENDPOINT_FOR_LEAF_RESOURCE", &endpoint),
        ("RESOURCE_ID_FOR_LEAF_RESOURCE", &id),
        ("TENANCY_ID_FOR_LEAF_RESOURCE", &user.tenancy),
        ("PRIVATE_PEM_FOR_LEAF_RESOURCE", &user.private_key_pem),
        ("REGION_FOR_LEAF_RESOURCE", "phx"),
    ];
    let step = ["ResourceVoucher", "ResourceToken"];
    world.cloud.add_parent_resource("/parents/1", None);
    assert_eq!(resource(&world, &part).unwrap().region(), Some("phx"));
    check(&world, &part, &[&step[..], &step, &["GetInstance"]].concat());
    world.cloud.add_parent_resource("/parents/1", Some(&format!("{endpoint}/parents/2")));
    world.cloud.add_parent_resource("/parents/2", None);
    check(&world, &part, &[&step[..], &step, &step, &["GetInstance"]].concat());

    // round and round
    for (next, asked) in [("/parents/2", 3), ("/parents/1", 11)] {
        world.cloud.add_parent_resource("/parents/2", Some(&format!("{endpoint}{next}")));
        let before = world.seen(0).len();
        let error = resource(&world, &part).unwrap().session(MINUTE).unwrap_err();
        assert_eq!(
            chain(&error),
            "the resource principal: the resources that it is a part of go round in circles"
        );
        assert_eq!(world.seen(before).len(), 2 * asked, "{next}");
    }
}

#[test]
fn an_environment_without_a_resource_principal_is_told() {
    let world = World::new();
    let unset = |name: &str| {
        format!(
            "the variable OCI_RESOURCE_PRINCIPAL_{name} is not set; is this a function or container \
             with a resource principal?"
        )
    };
    refused(&world, &[], &unset("VERSION"));
    refused(&world, &[("VERSION", "2.2")], &unset("RPST"));
    refused(&world, &[("VERSION", "2.2"), ("RPST", "a"), ("PRIVATE_PEM", "a")], &unset("REGION"));
    refused(&world, &[("VERSION", "2.1")], &unset("RESOURCE_ID"));
    refused(&world, &[("VERSION", "1.1")], &unset("RPT_ENDPOINT"));
    refused(&world, &[("VERSION", "3.0")], &unset("RPT_URL_FOR_PARENT_RESOURCE"));
    let parent = [
        ("VERSION", "3.0"),
        ("RPT_URL_FOR_PARENT_RESOURCE", "a"),
        ("RPST_ENDPOINT_FOR_PARENT_RESOURCE", "a"),
    ];
    refused(&world, &parent, &unset("VERSION_FOR_LEAF_RESOURCE"));
    refused(
        &world,
        &[("VERSION", "MARKER")],
        "OCI_RESOURCE_PRINCIPAL_VERSION is none of 1.1, 2.1, 2.1.1, 2.1.2, 2.2 and 3.0, which are \
         known",
    );
    let nested = [parent[0], parent[1], parent[2], ("VERSION_FOR_LEAF_RESOURCE", "3.0")];
    refused(
        &world,
        &nested,
        "OCI_RESOURCE_PRINCIPAL_VERSION_FOR_LEAF_RESOURCE is none of 1.1, 2.1, 2.1.1, 2.1.2, 2.2 and \
         3.0, which are known",
    );
}

#[test]
fn a_service_that_does_not_vouch_is_told() {
    let world = World::new();
    let (user, endpoint) = (world.cloud.credentials(), world.cloud.endpoint());
    let id = world.cloud.add_resource("2.1", user);
    let vars = [
        ("VERSION", "2.1"),
        ("RPT_ENDPOINT", endpoint.as_str()),
        ("RPST_ENDPOINT", &endpoint),
        ("RESOURCE_ID", &id),
        ("PRIVATE_PEM", &user.private_key_pem),
    ];
    let session =
        |vars: &[Var<'_>]| chain(&resource(&world, vars).unwrap().session(MINUTE).unwrap_err());
    world.cloud.fail(Fault::new("ResourceVoucher", 1, Effect::Body("{}".into())));
    let text = "the resource principal: 127.0.0.1 does not vouch for this resource";
    assert_eq!(session(&vars), text);
    world.cloud.fail(Fault::new("ResourceToken", 1, Effect::Body("{}".into())));
    assert_eq!(session(&vars), "the resource principal: 127.0.0.1 answers without a token");
    let mut wrong = vars;
    wrong[1].1 = "no url";
    let text = "the resource principal: the address of the service that gives tokens is no URL";
    assert_eq!(session(&wrong), text);
    wrong[4].1 = "/dev/shm/absent";
    assert!(session(&wrong).starts_with("the resource principal: cannot read /dev/shm/absent: "));
}

fn exchange(world: &World, vars: &[Var<'_>]) -> Result<TokenExchange, Error> {
    let var = environment("OCI_WORKLOAD_IDENTITY_", TokenExchange::variables(), vars);
    TokenExchange::from_vars(var, world.instance_principals())
}

#[test]
fn a_token_of_another_issuer_is_exchanged() {
    let world = World::new();
    let endpoint = world.cloud.endpoint();
    world.cloud.add_client("client", "SE+CR/ET");
    world.cloud.trust_token("eyJ.a+b/c=.d", "ocid1.user.oc1..u");
    let token = in_file(&world, "token", "eyJ.a+b/c=.d\n");
    let vars = [
        ("DOMAIN_URL", endpoint.as_str()),
        ("TOKEN_PATH", &token),
        ("CLIENT_ID", "client"),
        ("CLIENT_SECRET", "SE+CR/ET"),
    ];
    let resource = [
        ("REQUESTED_TOKEN_TYPE", "urn:oci:token-type:oci-rpst"),
        ("RESOURCE_TYPE", "github"),
        ("RPST_EXP", "30"),
    ];
    let as_instance = [vars[0], vars[1], ("USE_INSTANCE_PRINCIPAL_FOR_TOKEN_EXCHANGE", "true")];
    let instance = ["Metadata", "Metadata", "Metadata", "Federation"];
    let exchanged = ["TokenExchange", "GetInstance"];
    for (vars, asked) in [
        (vars.to_vec(), exchanged.to_vec()),
        ([&vars[..], &resource].concat(), exchanged.to_vec()),
        (as_instance.to_vec(), [&instance[..], &exchanged].concat()),
    ] {
        let before = world.seen(0).len();
        let source = exchange(&world, &vars).unwrap();
        let shown = format!("{source:?} {}", source.describe());
        assert!(!shown.contains("SE+CR") && !shown.contains("eyJ"), "{shown}");
        world.ask(&world.client(Box::new(world.tokens(source)))).unwrap();
        assert_eq!(world.seen(before), asked);
    }
    let text = |vars: &[Var<'_>]| match exchange(&world, vars) {
        Ok(source) => chain(&source.session(MINUTE).unwrap_err()),
        Err(error) => chain(&error),
    };
    let mut wrong = vars;
    wrong[3].1 = "OTHER";
    let start = "token exchange: 127.0.0.1 answers 401 invalid_client; does the identity domain know \
                 this client, and trust the issuer of the token?";
    assert!(text(&wrong).starts_with(start), "{}", text(&wrong));
    fs::write(&token, "eyJ.other").unwrap();
    assert!(text(&vars).contains(" answers 401 invalid_grant; "), "{}", text(&vars));
    fs::remove_file(&token).unwrap();
    let start = format!("token exchange: cannot read the token in {token}: ");
    assert!(text(&vars).starts_with(&start), "{}", text(&vars));
    for (name, missing) in [
        ("CLIENT_ID", &vars[..2]),
        ("CLIENT_SECRET", &vars[..3]),
        ("TOKEN_PATH", &[vars[0], vars[2], vars[3]]),
        ("DOMAIN_URL", &vars[1..]),
    ] {
        let expected =
            format!("token exchange: the variable OCI_WORKLOAD_IDENTITY_{name} is not set");
        assert_eq!(text(missing), expected);
    }
}

#[test]
fn an_instance_acts_on_behalf_of_a_user() {
    let world = World::new();
    let user = ApiKeyUser::fresh().unwrap();
    let token = world.cloud.issue_delegation_token(&user).unwrap();
    let path = in_file(&world, "delegation", &format!("{token}\n"));
    let credentials = || -> TokenCredentials {
        world.tokens(world.instance_principals()).with_cache(world.cache()).on_behalf_of(&path)
    };
    world.ask(&world.client(Box::new(credentials()))).unwrap();
    let last = world.cloud.requests().pop().unwrap();
    assert_eq!((last.operation, last.on_behalf_of), ("GetInstance", Some(user.user)));
    let shown = format!("{:?}", credentials());
    assert!(!shown.contains(&token[..20]), "{shown}");

    fs::write(&path, "eyJ.other").unwrap();
    let text = chain(&world.ask(&world.client(Box::new(credentials()))).unwrap_err());
    let signed = format!(" (instance principal) on behalf of the user of {path}: does");
    assert!(
        text.contains("[the delegation token is not known]") && text.contains(&signed),
        "{text}"
    );
    fs::write(&path, "two\nlines").unwrap();
    let text = chain(&world.ask(&world.client(Box::new(credentials()))).unwrap_err());
    assert!(text.starts_with(&format!("the delegation token: it is not in {path}: ")), "{text}");
    fs::remove_file(&path).unwrap();
    let text = chain(&world.ask(&world.client(Box::new(credentials()))).unwrap_err());
    assert!(text.starts_with(&format!("the delegation token: cannot read {path}: ")), "{text}");
}
