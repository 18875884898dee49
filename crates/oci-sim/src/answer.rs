//! An answer on its way to the client, and what faults do to it.

use std::time::Duration;

use http::{Response, StatusCode};
use serde_json::Value;

use crate::faults::Effect;
use crate::pages::first_page;
use crate::reply::{Refusal, Reply, set};

/// What a server has to do with a request.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// Wait so long first.
    pub after: Duration,
    /// Then do this.
    pub delivery: Delivery,
}

/// How an answer reaches the client.
#[derive(Debug)]
pub enum Delivery {
    /// As HTTP has it.
    Whole(Response<Vec<u8>>),
    /// All headers, half of the body, then the connection ends.
    Half(Response<Vec<u8>>),
    /// Not at all: the connection is reset.
    Reset,
}

impl Answer {
    pub(crate) fn of(response: Response<Vec<u8>>) -> Self {
        Self { after: Duration::ZERO, delivery: Delivery::Whole(response) }
    }

    pub(crate) fn reset() -> Self {
        Self { after: Duration::ZERO, delivery: Delivery::Reset }
    }

    /// The response, if the client gets one whole.
    pub fn whole(self) -> Option<Response<Vec<u8>>> {
        if let Delivery::Whole(response) = self.delivery { Some(response) } else { None }
    }

    /// One fault's part after performing.
    pub(crate) fn spoil(mut self, fault: &Effect) -> Self {
        let delivery = match (self.delivery, fault) {
            (_, Effect::DropAfter) => Delivery::Reset,
            (Delivery::Whole(response), Effect::HalfBody) => Delivery::Half(response),
            (Delivery::Whole(mut response), Effect::ContentType(name)) => {
                set(&mut response, "content-type", name);
                Delivery::Whole(response)
            }
            (Delivery::Whole(mut response), Effect::Body(text)) => {
                *response.body_mut() = text.clone().into_bytes();
                Delivery::Whole(response)
            }
            (Delivery::Whole(response), Effect::Field { name, value }) => {
                Delivery::Whole(with_document(response, |document| match document {
                    Value::Array(items) => {
                        items.iter_mut().for_each(|it| set_field(it, name, value))
                    }
                    other => set_field(other, name, value),
                }))
            }
            (Delivery::Whole(response), Effect::PageSkips) => {
                Delivery::Whole(with_document(response, |document| {
                    if let Value::Array(items) = document {
                        items.drain(..items.len().min(1));
                    }
                }))
            }
            (Delivery::Whole(mut response), Effect::EndlessList) => {
                set(&mut response, "opc-next-page", &first_page());
                Delivery::Whole(response)
            }
            (delivery, Effect::Delay(milliseconds)) => {
                self.after += Duration::from_millis(*milliseconds);
                delivery
            }
            (delivery, _) => delivery,
        };
        Self { delivery, ..self }
    }
}

/// The response with its document changed; without one, as it is.
fn with_document(
    mut response: Response<Vec<u8>>,
    change: impl FnOnce(&mut Value),
) -> Response<Vec<u8>> {
    if let Ok(mut document) = serde_json::from_slice(response.body()) {
        change(&mut document);
        *response.body_mut() = document.to_string().into_bytes();
    }
    response
}

fn set_field(document: &mut Value, name: &str, value: &Value) {
    if let Some(fields) = document.as_object_mut() {
        fields.insert(name.to_owned(), value.clone());
    }
}

/// What the service answers in place of performing anything.
pub(crate) fn refusal(fault: &Effect) -> Option<Reply> {
    match fault {
        Effect::Status { status, code, message } => {
            Some(Refusal::new(*status, code, message).into())
        }
        Effect::Throttle { retry_after } => {
            let reply: Reply =
                Refusal::new(429, "TooManyRequests", "Too many requests for the user").into();
            Some(match retry_after {
                Some(seconds) => reply.header("retry-after", seconds.to_string()),
                None => reply,
            })
        }
        _ => None,
    }
}

/// What a proxy between client and service answers.
pub(crate) fn foreign_answer(fault: &Effect) -> Option<Response<Vec<u8>>> {
    let Effect::Answer { status, content_type, body } = fault else { return None };
    let mut response = Response::new(body.clone().into_bytes());
    *response.status_mut() = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
    set(&mut response, "content-type", content_type);
    Some(response)
}
