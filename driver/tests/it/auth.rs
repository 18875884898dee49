//! Every way to authenticate and every kind of region, with the built binary over TLS.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use oci_sim::{ApiKeyUser, Region};
use tempfile::TempDir;
use testbed::{Answer, Cluster, Setup};

use crate::support::{cluster_with, failure, failure_with, success};

/// A controller manager on a host whose run directory is in memory, as it is on real ones.
pub(crate) struct Master {
    pub(crate) cluster: Cluster,
    memory: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Master {
    pub(crate) fn new() -> Self {
        Self::of(Setup { nodes: 1, ..Setup::default() })
    }

    pub(crate) fn of(setup: Setup) -> Self {
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        Self { cluster: cluster_with(&setup), memory, environment: Vec::new() }
    }

    /// `config.yaml`: these lines, and where the cloud is.
    pub(crate) fn configure(&self, lines: &str) {
        let cloud = self.cluster.sim.endpoint();
        let text = format!("{lines}\nendpoints:\n  iaas: {cloud}\n  auth: {cloud}\n");
        self.cluster.write_config(&text).unwrap();
    }

    pub(crate) fn call(&self, args: &[&str]) -> Answer {
        let place = self.cluster.controller();
        let mut command = place.command(args);
        command.env("OCI_FLEXD_RUN_DIRECTORY", self.memory.path().join("run"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        testbed::run(command).unwrap()
    }

    pub(crate) fn attach(&self) -> Answer {
        self.call(&["attach", &self.cluster.options(&[]), "node-1"])
    }

    pub(crate) fn is_attached(&self) -> Answer {
        self.call(&["isattached", &self.cluster.options(&[]), "node-1"])
    }

    pub(crate) fn detach(&self) -> Answer {
        self.call(&["detach", self.cluster.volume_name(), "node-1"])
    }

    /// How many requests of these operations were made.
    pub(crate) fn count(&self, operations: &[&str]) -> usize {
        let requests = self.cluster.sim.requests();
        requests.iter().filter(|it| operations.contains(&it.operation)).count()
    }

    /// A file in memory.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.memory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.environment.push((name, value.into()));
    }

    pub(crate) fn token(&self) -> String {
        let sim = &self.cluster.sim;
        sim.issue_token(sim.credentials(), Duration::from_secs(1200)).unwrap()
    }
}

#[test]
fn instance_principals_need_one_line() {
    let master = Master::new();
    master.configure("useInstancePrincipals: true");
    success(&master.attach());
    let cold = (master.count(&["Metadata"]), master.count(&["Federation"]));
    assert_eq!(cold, (4, 1), "the instance, three identity documents, one token");
    success(&master.is_attached());
    success(&master.detach());
    let warm = (master.count(&["Metadata"]), master.count(&["Federation"]));
    assert_eq!(warm, cold, "a warm call asks neither metadata nor auth service");
    let all = master.cluster.sim.requests();
    assert!(all.iter().all(|it| it.is_signed || it.operation == "Metadata"));
}

#[test]
fn a_refused_token_is_replaced_and_the_call_succeeds() {
    let master = Master::new();
    master.configure("useInstancePrincipals: true");
    success(&master.attach());
    master.cluster.sim.revoke_tokens();
    master.cluster.sim.rotate_certificate(&master.cluster.instances[0]);
    success(&master.is_attached());
    assert_eq!(master.count(&["Federation"]), 2);
}

#[test]
fn without_memory_or_by_choice_nothing_is_kept() {
    let mut master = Master::new();
    master.configure("useInstancePrincipals: true");
    master.set("OCI_FLEXD_TOKEN_CACHE", "off");
    success(&master.attach());
    success(&master.is_attached());
    assert_eq!(master.count(&["Federation"]), 2);
    assert!(!master.memory.path().join("run/tokens").exists());

    let on_disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    master.environment.clear();
    master.set("OCI_FLEXD_RUN_DIRECTORY", on_disk.path().to_str().unwrap());
    success(&master.is_attached());
    assert_eq!(master.count(&["Federation"]), 3);
    let tokens = on_disk.path().join("tokens");
    assert_eq!(fs::read_dir(tokens).map_or(0, Iterator::count), 0);

    // as in a container whose file system cannot be written
    master.environment.clear();
    master.set("OCI_FLEXD_RUN_DIRECTORY", "/proc/none");
    success(&master.attach());
    success(&master.is_attached());
    success(&master.detach());
    assert_eq!(master.count(&["Federation"]), 6);
}

/// An `emptyDir` in memory is open to everybody in the container; what is in it is not.
#[test]
fn tokens_are_kept_in_an_empty_dir_of_a_pod() {
    let mut master = Master::new();
    master.configure("useInstancePrincipals: true");
    let run = master.memory.path().join("emptydir");
    fs::create_dir(&run).unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o777)).unwrap();
    master.set("OCI_FLEXD_RUN_DIRECTORY", run.to_str().unwrap());
    success(&master.attach());
    success(&master.detach());
    assert_eq!(master.count(&["Federation"]), 1);
    let mode = fs::metadata(run.join("tokens")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn an_instance_that_gets_no_token_is_told_what_was_tried() {
    let mut master = Master::new();
    master.configure("useInstancePrincipals: true");
    let no = oci_sim::Effect::status(401, "NotAuthenticated", "MARKER");
    master.cluster.sim.fail(oci_sim::Fault::new("Federation", 1.., no));
    let parts = ["instance principals: 127.0.0.1 answers 401 NotAuthenticated; is the clock right"];
    let answer = master.attach();
    failure_with(&answer, &parts);
    assert!(!answer.text.contains("MARKER"));
    master.set("OCI_METADATA_BASE_URL", "http://127.0.0.1:1/opc/v2");
    let parts = ["http://127.0.0.1:1/opc/v2", "no answer; is this an instance of OCI?"];
    failure_with(&master.attach(), &parts);
    assert!(master.cluster.sim.attachments().is_empty());
}

#[test]
fn a_pod_uses_its_service_account() {
    let mut master = Master::new();
    let compartment = master.cluster.sim.compartment();
    master.configure(&format!("useWorkloadIdentity: true\ncompartment: {compartment}"));
    master.cluster.sim.add_service_account("ACCOUNT");
    let token = master.file("token", "ACCOUNT\n");
    master.set("OCI_KUBERNETES_SERVICE_ACCOUNT_TOKEN_PATH", token.to_str().unwrap());
    let authority = master.cluster.sim.ca_path().to_str().unwrap().to_owned();
    master.set("OCI_KUBERNETES_SERVICE_ACCOUNT_CERT_PATH", authority);
    success(&master.attach());
    success(&master.detach());
    assert_eq!(master.count(&["WorkloadIdentity"]), 1);
    assert_eq!(master.count(&["Federation"]), 0);
    master.cluster.write_config("useWorkloadIdentity: true").unwrap();
    failure(
        &master.attach(),
        "useWorkloadIdentity is set, but the variable KUBERNETES_SERVICE_HOST is not: this is no \
         pod; on a host, use useInstancePrincipals",
    );
}

#[test]
fn profiles_of_oracles_configuration_file_sign() {
    let mut master = Master::new();
    let user = master.cluster.sim.credentials().clone();
    let home = master.memory.path().to_str().unwrap().to_owned();
    master.set("HOME", home.clone());
    fs::create_dir(master.memory.path().join(".oci")).unwrap();
    master.file(".oci/key.pem", &user.private_key_pem);
    master.file(".oci/token", &master.token());
    let text = format!(
        "[DEFAULT]\nuser={}\ntenancy={}\nfingerprint={}\nkey_file=~/.oci/key.pem\nregion=phx\n\
         [other]\nregion=us-phoenix-1\n[session]\nsecurity_token_file=~/.oci/token\n",
        user.user, user.tenancy, user.fingerprint
    );
    master.file(".oci/config", &text);
    for profile in ["DEFAULT", "other", "session"] {
        master.configure(&format!("auth: {{profile: {profile}}}"));
        success(&master.attach());
        success(&master.detach());
    }
    master.configure("auth: {config_file: ~/.oci/config, profile: absent}");
    failure(
        &master.attach(),
        "the profile absent of Oracle's configuration file: the file has no such profile",
    );
    // the brackets are what counts of a section's line, and other profiles do no harm
    let odd = format!("{text}[third] # the same\nregion: iad\n[fourth]\nnothing\n");
    master.file(".oci/config", &odd);
    master.configure("auth: {profile: third, region: phx}");
    success(&master.attach());
    success(&master.detach());
    master.file(".oci/config", &text.replace("region=phx", "region=eu_frankfurt_1"));
    master.configure("auth: {profile: DEFAULT}");
    failure_with(
        &master.attach(),
        &[
            "the region of the profile DEFAULT in ",
            "is no region; it looks like us-phoenix-1 or phx",
        ],
    );
    master.file(".oci/config", &format!("{text}pass_phrase=MARKER\n"));
    let config = master.memory.path().join(".oci/config");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
    master.configure("auth: {profile: session}");
    failure_with(&master.attach(), &[".oci/config holds a secret and everybody may read it"]);
    master.file(".oci/config", &text);
    let key = master.memory.path().join(".oci/key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    master.configure("auth: {profile: other}");
    failure_with(&master.attach(), &["holds a secret and everybody may read it (mode 0644)"]);
}

/// Every form of key that people have, in the file and beside it, with every spelling of its passphrase.
#[test]
fn every_form_of_key_signs() {
    let master = Master::new();
    let vectors = include_str!("../../../crates/oci-signer/testdata/signing-vectors.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let forms = &vectors["keys"]["test2048"];
    let text = |name: &str| forms[name].as_str().unwrap().to_owned();
    let encrypted = |name: &str| forms["encrypted"][name].as_str().unwrap().to_owned();
    let owner = master.cluster.sim.credentials().clone();
    let user = ApiKeyUser::from_pem(&owner.tenancy, &owner.user, &text("pkcs8_pem")).unwrap();
    master.cluster.sim.add_user(&user);
    let sign = |key: &str, in_file: bool, passphrase: &str| {
        let key = if in_file {
            format!("key_file: {}", master.file("key.pem", key).display())
        } else {
            format!("key: |\n    {}", key.trim_end().replace('\n', "\n    "))
        };
        master.configure(&format!(
            "auth:\n  region: PHX\n  tenancy: {}\n  user: {}\n  {passphrase}\n  {key}",
            user.tenancy, user.user
        ));
        master.is_attached()
    };
    let labelled = text("pkcs8_pem_with_oci_label");
    for (key, in_file) in [
        (text("pkcs8_pem"), false),
        (text("pkcs1_pem"), true),
        (labelled.clone(), false),
        (labelled, true),
    ] {
        success(&sign(&key, in_file, ""));
    }
    let passphrase = text("passphrase_for_encrypted");
    let spellings = ["passphrase", "key_passphrase", "key_passphase"];
    let names = [
        "p1enc-aes128",
        "p1enc-aes192",
        "p1enc-aes256",
        "p1enc-des3",
        "p8enc-aes128-sha1",
        "p8enc-aes256-sha256",
        "p8enc-des3-sha1",
        "p8enc-scrypt-aes256",
    ];
    for (index, name) in names.into_iter().enumerate() {
        let given = format!("{}: {passphrase}", spellings[index % spellings.len()]);
        success(&sign(&encrypted(name), index % 2 == 0, &given));
    }
    failure_with(
        &sign(&encrypted("p1enc-aes256"), true, ""),
        &[
            "key.pem) in config.yaml is encrypted, and there is no passphrase; give it as auth.passphrase",
        ],
    );
}

fn unknown_region() -> Region {
    Region {
        id: "xx-newtown-1".into(),
        key: "xyz".into(),
        realm: "oc99".into(),
        domain: "oraclecloud99.com".into(),
    }
}

/// What the table does not know, the metadata service does; a short volume name becomes the right OCID.
#[test]
fn unknown_regions_and_realms_come_from_metadata_or_environment() {
    let setup = || Setup { nodes: 1, region: unknown_region(), ..Setup::default() };
    let mut master = Master::of(setup());
    assert!(master.cluster.volume.starts_with("ocid1.volume.oc99.xx-newtown-1."));
    for lines in [
        "useInstancePrincipals: true",
        "useInstancePrincipals: true\nregionKey: XYZ",
        "useInstancePrincipals: true\nauth: {region: XX-Newtown-1}",
    ] {
        master.configure(lines);
        success(&master.attach());
        success(&master.detach());
    }
    let config = master.cluster.config().replace("us-phoenix-1", "xx-newtown-1");
    master.cluster.write_config(&config).unwrap();
    master.set("OCI_METADATA_BASE_URL", "http://127.0.0.1:1/opc/v2");
    master.set(
        "OCI_REGION_METADATA",
        r#"{"realmKey":"oc99","realmDomainComponent":"oraclecloud99.com","regionKey":"XYZ","regionIdentifier":"xx-newtown-1"}"#,
    );
    success(&master.attach());
    success(&master.detach());
}

#[test]
fn tokens_and_keys_come_out_of_no_output() {
    let mut master = Master::new();
    master.set("OCI_FLEXD_LOG_LEVEL", "trace");
    master.configure("useInstancePrincipals: true");
    let answers = [master.attach(), master.is_attached(), master.detach()];
    let entries: String = files(&master.memory.path().join("run/tokens"));
    let token = entries.split("eyJ").nth(1).expect("a token is kept").to_owned();
    let key = entries.split("BEGIN PRIVATE KEY-----").nth(1).expect("its key is kept").to_owned();
    let log = master.cluster.controller().folder("OCI_FLEXD_DRIVER_LOG_DIR").unwrap().clone();
    let log = files(&log);
    assert!(log.contains("AttachVolume") || log.contains("volumeAttachments"), "{log}");
    for shown in answers.iter().map(|it| &it.text).chain([&log]) {
        for secret in [&token[10..40], &key[10..40], "Signature version", "Bearer"] {
            assert!(!shown.contains(secret), "{secret} is in {shown}");
        }
    }
}

/// The texts of all files in a folder.
fn files(dir: &Path) -> String {
    let read = |it: std::io::Result<fs::DirEntry>| fs::read_to_string(it.unwrap().path()).unwrap();
    fs::read_dir(dir).unwrap().map(read).collect()
}
