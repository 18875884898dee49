//! ListAvailabilityDomains, the one operation of the Identity API.

use serde_json::{Value, json};

use super::compartment;
use crate::reply::{Refusal, Reply};
use crate::routes::Ask;
use crate::state::State;

pub(crate) fn availability_domains(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let compartment = compartment(state, ask)?;
    let region = &state.config.region;
    let domains = (1..=3).map(|number| {
        let name = region.availability_domain(number);
        let id = format!("ocid1.availabilitydomain.{}..aaaadomain{number}", region.realm);
        json!({"name": name, "id": id, "compartmentId": compartment})
    });
    Ok(Reply::ok(domains.collect::<Vec<Value>>().into()))
}
