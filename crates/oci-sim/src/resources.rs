//! Resources get tokens, too: the service that owns one vouches for it, and the auth service believes the voucher.
//!
//! Source: what Oracle's SDKs send and expect.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::credentials::ApiKeyUser;
use crate::ids;
use crate::principals::{Owner, not_authenticated, session_key, unreadable};
use crate::reply::{Refusal, Reply};
use crate::sim::{Sim, locked};

/// The vouchers that are out, and what resources are parts of.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    /// By the two tokens of the voucher.
    vouchers: HashMap<[String; 2], Voucher>,
    /// By path: the URL of the next one.
    parents: HashMap<String, Option<String>>,
    security_context: Option<String>,
}

#[derive(Clone, Debug)]
struct Voucher {
    /// Who was given it, as a key id.
    caller: String,
    resource: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    resource_principal_token: String,
    service_principal_session_token: String,
    session_public_key: String,
}

/// Whether the service at this path vouches for resources.
pub(crate) fn is_vouched_for(sim: &Sim, path: &str) -> bool {
    let is_parent = || locked(&sim.resources).parents.contains_key(path);
    [OF_INSTANCE, OF_KEY, OF_KEY_212].iter().any(|start| path.starts_with(start)) || is_parent()
}

impl Sim {
    /// A resource with this key, of the version 2.1, 2.1.1 or 2.1.2 of resource principals; its OCID.
    pub fn add_resource(&self, version: &str, key: &ApiKeyUser) -> String {
        let id = ids::ocid("resource", "oc1", "phx");
        let tenancy = &self.user.tenancy;
        let key_id = match version {
            "2.1" => format!("resource/v2.1/{id}"),
            _ => format!("resource/v{version}/{tenancy}/{id}"),
        };
        locked(&self.keys).add_resource(key_id, key.public_key().to_vec());
        id
    }

    /// Resources that ask at this path are part of another one, and that of what is at the URL, if there is one.
    pub fn add_parent_resource(&self, path: &str, next: Option<&str>) {
        locked(&self.resources).parents.insert(path.to_owned(), next.map(str::to_owned));
    }

    /// From now on, resources of version 2.1.2 must say this.
    pub fn demand_security_context(&self, context: &str) {
        locked(&self.resources).security_context = Some(context.to_owned());
    }

    /// Says that the caller is the resource that it asks about.
    pub(crate) fn vouch(&self, request: &Parts, caller: &str) -> Result<Reply, Refusal> {
        let path = request.uri.path();
        let tenancy = &self.user.tenancy;
        let of_key = |id: &str, names: &[String]| {
            names.iter().any(|name| name == caller).then(|| id.to_owned())
        };
        let mut next = None;
        let resource = if let Some(id) = path.strip_prefix(OF_INSTANCE) {
            claims(caller).filter(|it| it["sub"] == id).map(|_| format!("{id}.resource"))
        } else if let Some(id) = path.strip_prefix(OF_KEY_212) {
            let said = request.headers.get("security-context").and_then(|it| it.to_str().ok());
            let wanted = locked(&self.resources).security_context.clone();
            if wanted.is_some_and(|wanted| said != Some(&wanted)) {
                return Err(Refusal::invalid("The security context is not that of the resource."));
            }
            of_key(id, &[format!("resource/v2.1.2/{tenancy}/{id}")])
        } else if let Some(id) = path.strip_prefix(OF_KEY) {
            let names = [format!("resource/v2.1/{id}"), format!("resource/v2.1.1/{tenancy}/{id}")];
            of_key(id, &names)
        } else {
            next = locked(&self.resources).parents.get(path).cloned().flatten();
            let part = claims(caller).filter(|it| it["ptype"] == "resource");
            part.and_then(|it| Some(format!("{}.parent", it["sub"].as_str()?)))
        };
        let resource = resource
            .ok_or_else(|| not_authenticated("The caller is not that resource.".to_owned()))?;
        let tokens = [ids::uuid(), ids::uuid()];
        let voucher = Voucher { caller: caller.to_owned(), resource };
        locked(&self.resources).vouchers.insert(tokens.clone(), voucher);
        let [resource, service] = tokens;
        let reply = Reply::ok(json!({
            "resourcePrincipalToken": resource,
            "servicePrincipalSessionToken": service,
        }));
        Ok(next.into_iter().fold(reply, |reply, url| reply.header("opc-parent-rpt-url", url)))
    }

    /// A token for a voucher, to the one whom it was given.
    pub(crate) fn serve_resource(&self, body: &[u8], caller: &str) -> Result<Reply, Refusal> {
        let body: Body = serde_json::from_slice(body).map_err(unreadable)?;
        let tokens = [body.resource_principal_token, body.service_principal_session_token];
        let voucher = locked(&self.resources).vouchers.get(&tokens).cloned();
        let voucher = voucher
            .filter(|voucher| voucher.caller == caller)
            .ok_or_else(|| not_authenticated("Nothing vouches for the resource.".to_owned()))?;
        let key = session_key(&body.session_public_key)?;
        let is_instance = claims(caller).is_some_and(|it| it["ptype"] == "instance");
        if !is_instance && locked(&self.keys).public_key(caller) != Some(&key) {
            return Err(not_authenticated("The key is not that of the resource.".to_owned()));
        }
        let compartment = self.compartment();
        let owner = Owner {
            subject: &voucher.resource,
            kind: "resource",
            tenancy: &self.user.tenancy,
            compartment: &compartment,
        };
        Ok(Reply::ok(json!({ "token": self.usual_token(&owner, key)? })))
    }
}

/// What the token in a key id says.
fn claims(key_id: &str) -> Option<Value> {
    let claims = key_id.strip_prefix("ST$")?.split('.').nth(1)?;
    serde_json::from_slice(&BASE64_URL.decode(claims).ok()?).ok()
}

const OF_INSTANCE: &str = "/20180711/resourcePrincipalToken/";
const OF_KEY: &str = "/20180711/resourcePrincipalTokenV2/";
const OF_KEY_212: &str = "/20180711/resourcePrincipalTokenV212/";
