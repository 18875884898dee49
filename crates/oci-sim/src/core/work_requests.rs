//! Work requests: what became of an attach or a detach, and why it failed.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::time;
use crate::pages::page;
use crate::reply::{Refusal, Reply};
use crate::routes::Ask;
use crate::state::{State, WorkRequest};

impl State {
    /// Notes work that was accepted; its id.
    pub(crate) fn begin_work(
        &mut self,
        operation: &'static str,
        attachment: &str,
        goal: &'static str,
        now: SystemTime,
    ) -> String {
        let id = self.ocid("coreservicesworkrequest");
        self.work_requests.push(WorkRequest {
            id: id.clone(),
            operation,
            compartment: self.compartment.clone(),
            attachment: attachment.to_owned(),
            accepted: now,
            goal,
            finished: None,
        });
        id
    }
}

pub(crate) fn show(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    find(state, &ask.id).map(|work| Reply::ok(document(work)))
}

pub(crate) fn errors(state: &mut State, ask: &Ask) -> Result<Reply, Refusal> {
    let mut items = Vec::new();
    if let Some((at, Err(message))) = &find(state, &ask.id)?.finished {
        items.push((
            1,
            json!({"code": "InternalError", "message": message, "timestamp": time(*at)}),
        ));
    }
    page(items, &ask.query, state.config.page_size)
}

fn find<'a>(state: &'a State, id: &str) -> Result<&'a WorkRequest, Refusal> {
    let found = state.work_requests.iter().find(|work| work.id == id);
    found.ok_or_else(|| Refusal::not_found("work request", id))
}

fn document(work: &WorkRequest) -> Value {
    let (status, percent) = match &work.finished {
        None => ("IN_PROGRESS", 50),
        Some((_, Ok(()))) => ("SUCCEEDED", 100),
        Some((_, Err(_))) => ("FAILED", 100),
    };
    json!({
        "compartmentId": work.compartment,
        "id": work.id,
        "operationType": work.operation,
        "percentComplete": percent,
        "resources": [{"actionType": "RELATED", "entityType": "VolumeAttachment", "identifier": work.attachment}],
        "status": status,
        "timeAccepted": time(work.accepted),
        "timeFinished": work.finished.as_ref().map(|(at, _)| time(*at)),
        "timeStarted": time(work.accepted),
    })
}
