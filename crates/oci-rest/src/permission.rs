//! Which right an operation needs: the policy statement to look for after a 404.

use http::Method;
use oci_iaas::Call;

/// What a policy must say for `call`, for the group of the user who signs or, where an instance signs,
/// for its dynamic group.
pub(crate) fn needed(call: &Call) -> String {
    let statement =
        |right: &&str| format!("`Allow group <group> to {right} in compartment <compartment>`");
    match rights(call) {
        [] => "more rights".to_owned(),
        [right] => format!("the policy statement {}", statement(right)),
        rights => {
            let statements: Vec<_> = rights.iter().map(statement).collect();
            format!("the policy statements {}", statements.join(", "))
        }
    }
}

/// Source: Oracle's policy reference for Core Services.
fn rights(call: &Call) -> &'static [&'static str] {
    let resource = call.path_and_query.split(['/', '?']).nth(2).unwrap_or_default();
    match (resource, &call.method) {
        ("volumeAttachments", &Method::GET) => &["read volume-attachments"],
        ("volumeAttachments", &Method::POST | &Method::DELETE) => {
            &["manage volume-attachments", "use volumes", "use instances"]
        }
        ("volumeAttachments", _) => &["manage volume-attachments"],
        ("volumes" | "bootVolumes", _) => &["use volumes"],
        ("instances", _) => &["read instances"],
        ("vnicAttachments", _) => &["read vnic-attachments"],
        ("vnics", _) => &["read vnics"],
        ("vcns", _) => &["read vcns"],
        ("subnets", _) => &["read subnets"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: Method, path: &str, text: &str) {
        let call = Call {
            method,
            path_and_query: path.to_owned(),
            body: None,
            if_match: None,
            retry_token: None,
        };
        assert_eq!(needed(&call), text);
    }

    #[test]
    fn the_resource_decides() {
        check(
            Method::GET,
            "/20160918/volumeAttachments?page=a",
            "the policy statement `Allow group <group> to read volume-attachments in compartment \
             <compartment>`",
        );
        check(
            Method::DELETE,
            "/20160918/volumeAttachments/a",
            "the policy statements `Allow group <group> to manage volume-attachments in compartment \
             <compartment>`, `Allow group <group> to use volumes in compartment <compartment>`, `Allow \
             group <group> to use instances in compartment <compartment>`",
        );
        check(
            Method::GET,
            "/20160918/instances/a/devices",
            "the policy statement `Allow group <group> to read instances in compartment <compartment>`",
        );
        check(Method::GET, "/20160918/other", "more rights");
        check(Method::GET, "", "more rights");
    }
}
