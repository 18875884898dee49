//! The operations of the Core API, by method and path.

use std::time::SystemTime;

use http::Method;
use serde_json::Value;

use crate::core::{attachments, identity, instances, networks, volumes, work_requests};
use crate::faults::Effect;
use crate::lifecycle::{Delay, Due};
use crate::query::{Query, decode};
use crate::reply::{Refusal, Reply};
use crate::state::State;

/// One operation: its name at Oracle, where it is found, what its query may hold, and who performs it.
pub(crate) struct Route {
    pub(crate) name: &'static str,
    method: Method,
    /// Below `/20160918`; `{}` stands for an identifier.
    path: &'static str,
    query: &'static [&'static str],
    pub(crate) perform: fn(&mut State, &Ask) -> Result<Reply, Refusal>,
}

/// What an operation is asked.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) now: SystemTime,
    /// The identifier in the path; empty if it has none.
    pub(crate) id: String,
    pub(crate) query: Query,
    pub(crate) body: Value,
    pub(crate) if_match: Option<String>,
    pub(crate) twist: Twist,
}

/// How faults change what an operation does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Twist {
    pub(crate) stuck: bool,
    pub(crate) fails: bool,
    pub(crate) lists_lag: u32,
    pub(crate) empty_page: bool,
    pub(crate) unfiltered: bool,
}

/// Finds the operation and the identifier in the path.
///
/// # Errors
/// 404 for a path that leads nowhere, 405 for a method it does not have.
pub(crate) fn find(method: &Method, path: &str) -> Result<(&'static Route, String), Refusal> {
    let nowhere = || {
        Refusal::new(
            404,
            "NotAuthorizedOrNotFound",
            "Authorization failed or requested resource not found.",
        )
    };
    let path = path.strip_prefix(BASE).ok_or_else(nowhere)?;
    let here: Vec<(&Route, String)> =
        ROUTES.iter().filter_map(|route| Some((route, matches(route.path, path)?))).collect();
    if here.is_empty() {
        return Err(nowhere());
    }
    let found = here.into_iter().find(|(route, _)| route.method == *method);
    found.ok_or_else(|| {
        Refusal::new(405, "MethodNotAllowed", format!("{method} is not possible here."))
    })
}

impl Route {
    /// Only documented parameters: the service would ignore a mistyped one without an error.
    pub(crate) fn check_query(&self, query: &Query) -> Result<(), Refusal> {
        match query.names().find(|name| !self.query.contains(name)) {
            Some(name) => Err(Refusal::invalid(format!("{} has no parameter {name}", self.name))),
            None => Ok(()),
        }
    }

    pub(crate) fn has_body(&self) -> bool {
        self.method == Method::POST || self.method == Method::PUT
    }

    /// Operations that create something take an `opc-retry-token`.
    pub(crate) fn creates(&self) -> bool {
        self.method == Method::POST
    }
}

impl Ask {
    /// A mandatory parameter of the query.
    pub(crate) fn mandatory(&self, name: &str) -> Result<&str, Refusal> {
        let missing = || Refusal::new(400, "MissingParameter", format!("{name} is missing"));
        self.query.value(name).filter(|value| !value.is_empty()).ok_or_else(missing)
    }

    /// The parameter is absent or this value.
    pub(crate) fn wants(&self, name: &str, value: &str) -> bool {
        self.twist.unfiltered || self.query.value(name).is_none_or(|wanted| wanted == value)
    }

    /// When what this call begins is over, unless it is stuck.
    pub(crate) fn due(&self, delay: Delay) -> Due {
        if self.twist.stuck { Due::Never } else { delay.after(self.now) }
    }

    /// `if-match` is absent or this ETag.
    pub(crate) fn check_etag(&self, etag: &str) -> Result<(), Refusal> {
        match &self.if_match {
            Some(wanted) if wanted != etag && wanted != "*" => {
                Err(Refusal::new(412, "NoEtagMatch", "The etag of the resource is another by now."))
            }
            _ => Ok(()),
        }
    }
}

impl Twist {
    pub(crate) fn of(effects: &[Effect]) -> Self {
        let mut twist = Self::default();
        for effect in effects {
            match effect {
                Effect::Stuck => twist.stuck = true,
                Effect::Fails => twist.fails = true,
                Effect::ListsLag(lists) => twist.lists_lag = *lists,
                Effect::EmptyPage => twist.empty_page = true,
                Effect::Unfiltered => twist.unfiltered = true,
                _ => {}
            }
        }
        twist
    }
}

/// The identifier, if the path has this form; one slash at the end is allowed.
fn matches(form: &str, path: &str) -> Option<String> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if form.split('/').count() != path.split('/').count() {
        return None;
    }
    let mut id = String::new();
    for (form, part) in form.split('/').zip(path.split('/')) {
        match form {
            "{}" if !part.is_empty() => id = decode(part),
            _ if form == part => {}
            _ => return None,
        }
    }
    Some(id)
}

const BASE: &str = "/20160918";
const PAGES: [&str; 2] = ["limit", "page"];

type Perform = fn(&mut State, &Ask) -> Result<Reply, Refusal>;

const fn route(
    name: &'static str,
    method: Method,
    path: &'static str,
    query: &'static [&'static str],
    perform: Perform,
) -> Route {
    Route { name, method, path, query, perform }
}

/// Source: reference of the Core Services and Identity APIs, version 20160918.
static ROUTES: [Route; 21] = [
    route("GetInstance", Method::GET, "/instances/{}", &[], instances::show),
    route(
        "ListInstances",
        Method::GET,
        "/instances",
        &[
            "compartmentId",
            "availabilityDomain",
            "displayName",
            "lifecycleState",
            "sortBy",
            "sortOrder",
            PAGES[0],
            PAGES[1],
        ],
        instances::list,
    ),
    route(
        "ListInstanceDevices",
        Method::GET,
        "/instances/{}/devices",
        &["isAvailable", "name", "sortBy", "sortOrder", PAGES[0], PAGES[1]],
        instances::devices,
    ),
    route(
        "ListVnicAttachments",
        Method::GET,
        "/vnicAttachments",
        &["compartmentId", "availabilityDomain", "instanceId", "vnicId", PAGES[0], PAGES[1]],
        networks::list_vnic_attachments,
    ),
    route(
        "GetVnicAttachment",
        Method::GET,
        "/vnicAttachments/{}",
        &[],
        networks::show_vnic_attachment,
    ),
    route("GetVnic", Method::GET, "/vnics/{}", &[], networks::show_vnic),
    route("GetVcn", Method::GET, "/vcns/{}", &[], networks::show_vcn),
    route(
        "ListSubnets",
        Method::GET,
        "/subnets",
        &[
            "compartmentId",
            "vcnId",
            "displayName",
            "lifecycleState",
            "sortBy",
            "sortOrder",
            PAGES[0],
            PAGES[1],
        ],
        networks::list_subnets,
    ),
    route("AttachVolume", Method::POST, "/volumeAttachments", &[], attachments::attach),
    route(
        "ListVolumeAttachments",
        Method::GET,
        "/volumeAttachments",
        &["compartmentId", "availabilityDomain", "instanceId", "volumeId", PAGES[0], PAGES[1]],
        attachments::list,
    ),
    route("GetVolumeAttachment", Method::GET, "/volumeAttachments/{}", &[], attachments::show),
    route("DetachVolume", Method::DELETE, "/volumeAttachments/{}", &[], attachments::detach),
    route("CreateVolume", Method::POST, "/volumes", &[], volumes::create),
    route(
        "ListVolumes",
        Method::GET,
        "/volumes",
        &[
            "compartmentId",
            "availabilityDomain",
            "displayName",
            "lifecycleState",
            "sortBy",
            "sortOrder",
            PAGES[0],
            PAGES[1],
        ],
        volumes::list,
    ),
    route("GetVolume", Method::GET, "/volumes/{}", &[], volumes::show),
    route("GetBootVolume", Method::GET, "/bootVolumes/{}", &[], volumes::show_boot_volume),
    route("UpdateVolume", Method::PUT, "/volumes/{}", &[], volumes::update),
    route("DeleteVolume", Method::DELETE, "/volumes/{}", &[], volumes::delete),
    route("GetWorkRequest", Method::GET, "/workRequests/{}", &[], work_requests::show),
    route(
        "ListWorkRequestErrors",
        Method::GET,
        "/workRequests/{}/errors",
        &["sortOrder", PAGES[0], PAGES[1]],
        work_requests::errors,
    ),
    route(
        "ListAvailabilityDomains",
        Method::GET,
        "/availabilityDomains",
        &["compartmentId"],
        identity::availability_domains,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: Method, path: &str, found: Result<(&str, &str), u16>) {
        let result = find(&method, path);
        let result = result.as_ref().map(|(route, id)| (route.name, id.as_str()));
        assert_eq!(result.map_err(|refusal| refusal.status), found);
    }

    #[test]
    fn paths_lead_to_operations() {
        check(Method::GET, "/20160918/instances/a", Ok(("GetInstance", "a")));
        check(Method::GET, "/20160918/instances", Ok(("ListInstances", "")));
        check(Method::GET, "/20160918/instances/", Ok(("ListInstances", "")));
        check(Method::GET, "/20160918/instances/a/devices", Ok(("ListInstanceDevices", "a")));
        check(Method::DELETE, "/20160918/volumeAttachments/a%2Fb", Ok(("DetachVolume", "a/b")));
        check(Method::POST, "/20160918/volumeAttachments", Ok(("AttachVolume", "")));
        check(Method::PATCH, "/20160918/volumeAttachments", Err(405));
        check(Method::GET, "/20160918/nothing", Err(404));
        check(Method::GET, "/instances", Err(404));
        check(Method::GET, "/20160918/instances//devices", Err(404));
    }
}
