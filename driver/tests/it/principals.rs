//! Resources, strangers with a token that is trusted, and instances that act for a user, with the built binary over TLS.

use oci_sim::ApiKeyUser;

use crate::{
    auth::Master,
    support::{failure, failure_with, success},
};

#[test]
fn a_container_instance_uses_its_resource_principal() {
    let mut master = Master::new();
    master.configure("useResourcePrincipals: true");
    let start = "the resource principal: the variable OCI_RESOURCE_PRINCIPAL_VERSION is not set";
    failure_with(&master.attach(), &[start]);
    let key = master.cluster.sim.credentials().private_key_pem.clone();
    let (token, key) = (master.file("rpst", &master.token()), master.file("key.pem", &key));
    master.set("OCI_RESOURCE_PRINCIPAL_VERSION", "2.2");
    master.set("OCI_RESOURCE_PRINCIPAL_RPST", token.to_str().unwrap());
    master.set("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM", key.to_str().unwrap());
    master.set("OCI_RESOURCE_PRINCIPAL_REGION", "us-phoenix-1");
    success(&master.attach());
    success(&master.detach());
}

/// Version 2.1.1: the resource has a key of its own, and asks with that for each call.
#[test]
fn a_resource_with_a_key_signs() {
    let mut master = resource("2.1.1");
    let sim = &master.cluster.sim;
    let (user, id) = (sim.credentials().clone(), sim.add_resource("2.1.1", sim.credentials()));
    let key = master.file("key.pem", &user.private_key_pem);
    master.set("OCI_RESOURCE_PRINCIPAL_RESOURCE_ID", id);
    master.set("OCI_RESOURCE_PRINCIPAL_TENANCY_ID", user.tenancy);
    master.set("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM", key.to_str().unwrap());
    success(&master.attach());
    success(&master.detach());
    assert_eq!(master.count(&["ResourceVoucher"]), 2);
    assert_eq!(master.count(&["Federation"]), 0);
}

/// Version 1.1: the instance asks for the resource, once.
#[test]
fn a_resource_on_an_instance_signs() {
    let master = resource("1.1");
    success(&master.attach());
    success(&master.detach());
    assert_eq!(master.count(&["Federation", "ResourceVoucher", "ResourceToken"]), 3);
}

/// Version 3.0: a part of a resource signs as the whole.
#[test]
fn a_part_of_a_resource_signs_as_the_whole() {
    let mut master = resource("3.0");
    let cloud = master.cluster.sim.endpoint();
    master.cluster.sim.add_parent_resource("/parents/1", None);
    master.set("OCI_RESOURCE_PRINCIPAL_RPT_URL_FOR_PARENT_RESOURCE", format!("{cloud}/parents/1"));
    master.set("OCI_RESOURCE_PRINCIPAL_RPST_ENDPOINT_FOR_PARENT_RESOURCE", cloud);
    master.set("OCI_RESOURCE_PRINCIPAL_VERSION_FOR_LEAF_RESOURCE", "2.2");
    master.set("OCI_RESOURCE_PRINCIPAL_REGION_FOR_LEAF_RESOURCE", "phx");
    let user = master.cluster.sim.credentials().clone();
    let token = master.cluster.sim.issue_resource_token(&user).unwrap();
    master.set("OCI_RESOURCE_PRINCIPAL_RPST_FOR_LEAF_RESOURCE", token);
    master.set("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM_FOR_LEAF_RESOURCE", user.private_key_pem);
    success(&master.attach());
    success(&master.detach());
    assert_eq!(master.count(&["ResourceVoucher"]), 2);
}

fn resource(version: &str) -> Master {
    let mut master = Master::new();
    master.configure("useResourcePrincipals: true");
    let cloud = master.cluster.sim.endpoint();
    master.set("OCI_RESOURCE_PRINCIPAL_VERSION", version);
    master.set("OCI_RESOURCE_PRINCIPAL_RPT_ENDPOINT", cloud.clone());
    master.set("OCI_RESOURCE_PRINCIPAL_RPST_ENDPOINT", cloud);
    master
}

#[test]
fn a_token_that_an_identity_domain_trusts_is_exchanged() {
    let mut master = Master::new();
    master.configure("useTokenExchange: true");
    let start = "token exchange: the variable OCI_WORKLOAD_IDENTITY_CLIENT_ID is not set";
    failure_with(&master.attach(), &[start]);
    let sim = &master.cluster.sim;
    sim.add_client("client", "SECRET");
    sim.trust_token("eyJ.e30.c2ln", "ocid1.user.oc1..u");
    let domain = sim.endpoint();
    let token = master.file("token", "eyJ.e30.c2ln\n");
    master.set("OCI_WORKLOAD_IDENTITY_DOMAIN_URL", domain);
    master.set("OCI_WORKLOAD_IDENTITY_CLIENT_ID", "client");
    master.set("OCI_WORKLOAD_IDENTITY_CLIENT_SECRET", "SECRET");
    master.set("OCI_WORKLOAD_IDENTITY_TOKEN_PATH", token.to_str().unwrap());
    success(&master.attach());
    success(&master.detach());
    assert_eq!(master.count(&["TokenExchange"]), 1);
    // the cloud controller manager's key for it, where there is a domain
    let compartment = master.cluster.sim.compartment();
    master.configure(&format!("useWorkloadIdentity: true\ncompartment: {compartment}"));
    master.set("OCI_FLEXD_TOKEN_CACHE", "off");
    success(&master.attach());
    success(&master.detach());
    assert_eq!(master.count(&["TokenExchange"]), 3);
    assert_eq!(master.count(&["WorkloadIdentity"]), 0);
}

/// What `authentication_type` says in a profile of Oracle's command line is done.
#[test]
fn a_profile_may_name_a_principal() {
    let mut master = Master::new();
    let user = ApiKeyUser::fresh().unwrap();
    let token = master.cluster.sim.issue_delegation_token(&user).unwrap();
    let token = master.file("delegation", &token);
    let config = master.file(
        "config",
        &format!(
            "[instance]\nauthentication_type=instance_principal\n\
             [obo]\nauthentication_type=instance_obo_user\ndelegation_token_file={}\n\
             [resource]\nauthentication_type=resource_principal\n\
             [other]\nauthentication_type=pkcs11\n",
            token.display()
        ),
    );
    master.set("OCI_CONFIG_FILE", config.to_str().unwrap());
    for (profile, user) in [("instance", None), ("obo", Some(user.user))] {
        master.configure(&format!("auth: {{profile: {profile}}}"));
        success(&master.attach());
        success(&master.detach());
        let last = master.cluster.sim.requests().pop().unwrap();
        assert_eq!(last.on_behalf_of, user, "{profile}");
    }
    master.configure("auth: {profile: resource}");
    failure_with(&master.attach(), &["OCI_RESOURCE_PRINCIPAL_VERSION is not set"]);
    master.configure("auth: {profile: other}");
    failure(
        &master.attach(),
        "the authentication_type of the profile other is not known: it is one of api_key, \
         security_token, instance_principal, instance_obo_user, resource_principal and \
         oke_workload_identity",
    );
}
