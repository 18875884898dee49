//! What the file may be: its kind, its owner and mode, its encoding.

use std::fs;

use super::*;

#[test]
fn a_file_that_everybody_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.yaml");
    fs::write(&path, DOCUMENTED).unwrap();
    for (mode, refused) in
        [(0o600, false), (0o640, false), (0o644, true), (0o604, true), (0o602, true)]
    {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let message = Config::read(&path).err().map(|error| error.to_string());
        let expected = refused.then(|| {
            let path = path.display();
            format!(
                "{path} holds a secret and everybody may read it (mode {mode:04o}); run: chmod 600 {path}"
            )
        });
        assert_eq!(message, expected);
    }
}

#[test]
fn what_is_no_file_of_text_is_said_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let check = |name: &str, said: &str| {
        let path = dir.path().join(name);
        let error = Config::read(&path).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        let at = format!("cannot read {}", path.display());
        assert_eq!((error.to_string(), &*source), (at, said));
    };
    let mode = rustix::fs::Mode::RUSR;
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    check("fifo", "it is not a regular file");
    fs::create_dir(dir.path().join("dir")).unwrap();
    check("dir", "it is not a regular file");
    fs::write(dir.path().join("latin1"), b"auth:\n  user: MARKER\xE4\n").unwrap();
    check("latin1", "line 2 is not UTF-8; save it as UTF-8");
    fs::write(dir.path().join("large"), vec![b'#'; 2 << 20]).unwrap();
    check("large", "it is larger than 1 MiB, and no such file is");
}

#[test]
fn every_encoding_of_editors_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.yaml");
    let text = "\u{feff}---\r\nuseInstancePrincipals: yes\r\n";
    let wide = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    for bytes in [text.as_bytes().to_vec(), wide(u16::to_le_bytes), wide(u16::to_be_bytes)] {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(Config::read(&path).unwrap().auth, Auth::InstancePrincipals));
    }
}

#[test]
fn a_process_that_may_not_read_the_file_is_told_who_it_is() {
    let error =
        ConfigError::unreadable("", Path::new("/c"), std::io::ErrorKind::PermissionDenied.into());
    let user = rustix::process::geteuid().as_raw();
    assert_eq!(
        error.to_string(),
        format!(
            "this process (user {user}) may not read /c: if kube-controller-manager is not to run as \
             root, run: chown {user} /c, and let that user into the folders above"
        )
    );
}

#[test]
fn a_missing_file_says_what_this_host_is() {
    assert_eq!(
        Config::read(Path::new("/nowhere/config.yaml")).unwrap_err().to_string(),
        "there is no /nowhere/config.yaml: this host has no credentials, and this call needs them; \
         put the file on every host that runs kube-controller-manager"
    );
}

#[test]
fn a_key_file_is_looked_for_beside_the_configuration() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.yaml");
    let begin = DOCUMENTED.find("  key: |").unwrap();
    let end = DOCUMENTED.find("  fingerprint").unwrap();
    for (given, expected) in [
        ("k.pem", dir.path().join("k.pem")),
        ("/a/k.pem", "/a/k.pem".into()),
        ("~/k.pem", "~/k.pem".into()),
    ] {
        let (head, tail) = (&DOCUMENTED[..begin], &DOCUMENTED[end..]);
        fs::write(&path, format!("{head}  key_file: {given}\n{tail}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let config = Config::read(&path).unwrap();
        let Key::File(file) = &user(&config).key else { panic!("{config:?}") };
        assert_eq!(*file, expected);
    }
}

#[test]
fn a_file_without_secrets_may_be_read_by_all_and_changed_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.yaml");
    fs::write(&path, "useInstancePrincipals: true").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    Config::read(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o646)).unwrap();
    let path = path.display();
    assert_eq!(
        Config::read(Path::new(&path.to_string())).unwrap_err().to_string(),
        format!("everybody may change {path} (mode 0646); run: chmod 644 {path}")
    );
}

#[test]
fn a_secret_that_is_not_used_may_be_seen_but_not_changed() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.yaml");
    fs::write(&path, "useInstancePrincipals: true\nauth: {passphrase: MARKER}").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(
        Config::read(&path).unwrap().remarks,
        [
            "auth.passphrase is not used, because useInstancePrincipals is given",
            "it holds a secret and everybody may read it (mode 0644)",
        ]
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let said = Config::read(&path).unwrap_err().to_string();
    assert!(said.ends_with(&format!("run: chmod 600 {}", path.display())), "{said}");
}
