//! Which right an operation needs: the policy statement to look for after a 404.

use http::Method;
use oci_iaas::Call;

/// The rights that `call` needs, as they are written in a policy.
///
/// Source: Oracle's policy reference for Core Services.
pub(crate) fn needed(call: &Call) -> &'static str {
    let resource = call.path_and_query.split(['/', '?']).nth(2).unwrap_or_default();
    match (resource, &call.method) {
        ("volumeAttachments", &Method::GET) => "`read volume-attachments`",
        ("volumeAttachments", &Method::POST | &Method::DELETE) => {
            "`manage volume-attachments`, `use volumes` and `use instances`"
        }
        ("volumeAttachments", _) => "`manage volume-attachments`",
        ("volumes" | "bootVolumes", _) => "`use volumes`",
        ("instances", _) => "`read instances`",
        ("vnicAttachments", _) => "`read vnic-attachments`",
        ("vnics", _) => "`read vnics`",
        ("vcns", _) => "`read vcns`",
        ("subnets", _) => "`read subnets`",
        _ => "more rights",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: Method, path: &str, right: &str) {
        let call = Call {
            method,
            path_and_query: path.to_owned(),
            body: None,
            if_match: None,
            retry_token: None,
        };
        assert_eq!(needed(&call), right);
    }

    #[test]
    fn the_resource_decides() {
        check(Method::GET, "/20160918/volumeAttachments?page=a", "`read volume-attachments`");
        check(
            Method::DELETE,
            "/20160918/volumeAttachments/a",
            "`manage volume-attachments`, `use volumes` and `use instances`",
        );
        check(Method::GET, "/20160918/instances/a/devices", "`read instances`");
        check(Method::GET, "/20160918/other", "more rights");
        check(Method::GET, "", "more rights");
    }
}
