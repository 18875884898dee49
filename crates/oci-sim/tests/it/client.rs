//! A small client with its own signer, in process or over a socket.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use oci_sim::{ApiKeyUser, Config, NewInstance, NewVolume, Sim};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// A cloud with an instance and a volume.
pub(crate) struct Scene {
    pub(crate) sim: Sim,
    pub(crate) instance: String,
    pub(crate) volume: String,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("{field} in {self:?}")).to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn of(response: Response<Vec<u8>>) -> Self {
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body).unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}

impl Scene {
    pub(crate) fn new(config: Config) -> Self {
        let sim = Sim::new(config).unwrap();
        let instance = add_instance(&sim, "node-1");
        let volume =
            sim.add_volume(NewVolume { display_name: "data".into(), ..NewVolume::default() });
        Self { sim, instance, volume }
    }

    /// A signed request; extra headers are not signed.
    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        extra: &[(&str, &str)],
    ) -> Answer {
        let body = body.map(|body| body.to_string());
        let request =
            signed(self.sim.credentials(), method, path, "sim", body, extra, self.sim.now());
        Answer::of(self.sim.handle(request).whole().expect("an answer"))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.call("GET", &format!("/20160918/{path}"), None, &[])
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", &format!("/20160918/{path}"), Some(body), &[])
    }

    pub(crate) fn put(&self, path: &str, body: Value) -> Answer {
        self.call("PUT", &format!("/20160918/{path}"), Some(body), &[])
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", &format!("/20160918/{path}"), None, &[])
    }

    /// The body that attaches the scene's volume to its instance.
    pub(crate) fn attach_body(&self) -> Value {
        json!({"type": "iscsi", "instanceId": self.instance, "volumeId": self.volume})
    }

    /// Attaches; the attachment's path.
    pub(crate) fn attach(&self) -> String {
        let answer = self.post("volumeAttachments", self.attach_body());
        assert_eq!(answer.status, 200, "{answer:?}");
        format!("volumeAttachments/{}", answer.text("id"))
    }
}

pub(crate) fn add_instance(sim: &Sim, name: &str) -> String {
    sim.add_instance(NewInstance { display_name: name.into(), ..NewInstance::default() })
}

/// A request signed as Oracle's page on request signatures says.
pub(crate) fn signed(
    user: &ApiKeyUser,
    method: &str,
    path: &str,
    host: &str,
    body: Option<String>,
    extra: &[(&str, &str)],
    at: SystemTime,
) -> Request<Vec<u8>> {
    signed_as(&user.key_id(), user, method, path, host, body, extra, at)
}

/// A request with this body, if any, signed under this key id.
pub(crate) fn ask_as(
    sim: &Sim,
    (key_id, user): (&str, &ApiKeyUser),
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let body = body.map(|body| body.to_string());
    let request = signed_as(key_id, user, method, path, "sim", body, &[], sim.now());
    Answer::of(sim.handle(request).whole().expect("an answer"))
}

/// A request for the scene's instances, signed under this key id.
pub(crate) fn get(sim: &Sim, key_id: &str, user: &ApiKeyUser) -> Answer {
    let path = format!("/20160918/instances?compartmentId={}", sim.compartment());
    ask_as(sim, (key_id, user), "GET", &path, None)
}

#[expect(clippy::too_many_arguments, reason = "a request has many parts")]
fn signed_as(
    key_id: &str,
    user: &ApiKeyUser,
    method: &str,
    path: &str,
    host: &str,
    body: Option<String>,
    extra: &[(&str, &str)],
    at: SystemTime,
) -> Request<Vec<u8>> {
    let mut headers = vec![
        ("date", httpdate::fmt_http_date(at)),
        ("(request-target)", format!("{} {path}", method.to_lowercase())),
        ("host", host.to_owned()),
    ];
    if let Some(body) = &body {
        headers.push(("content-length", body.len().to_string()));
        headers.push(("content-type", "application/json".into()));
        headers.push(("x-content-sha256", BASE64.encode(digest(&SHA256, body.as_bytes()))));
    }
    let lines: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let authorization = format!(
        "Signature version=\"1\",keyId=\"{}\",algorithm=\"rsa-sha256\",headers=\"{}\",signature=\"{}\"",
        key_id,
        names.join(" "),
        sign(&user.private_key_pem, &lines.join("\n"))
    );
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .body(body.unwrap_or_default().into_bytes())
        .unwrap();
    let extra = extra.iter().map(|(name, value)| (*name, (*value).to_owned()));
    for (name, value) in headers.into_iter().chain([("authorization", authorization)]).chain(extra)
    {
        if name != "(request-target)" {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().insert(name, HeaderValue::from_str(&value).unwrap());
        }
    }
    request
}

fn sign(pem: &str, text: &str) -> String {
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let key = RsaKeyPair::from_pkcs8(&BASE64.decode(base64).unwrap()).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    BASE64.encode(signature)
}
