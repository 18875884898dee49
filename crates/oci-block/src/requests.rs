//! How many requests a call makes, and by which numbers OCI knows them.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use oci_rest::{Transport, TransportError};

/// The requests of one call to OCI: its API, its auth service, and the metadata service.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    count: AtomicUsize,
    last: Mutex<VecDeque<String>>,
}

/// A transport that counts.
#[derive(Debug)]
pub(crate) struct Counted<T> {
    pub(crate) transport: T,
    pub(crate) requests: Arc<Requests>,
}

impl Requests {
    /// How many, if any, and the last ones by the number that Oracle's support asks for.
    pub(crate) fn particulars(&self) -> Vec<(&'static str, serde_json::Value)> {
        let count = self.count.load(Ordering::Relaxed);
        if count == 0 {
            return Vec::new();
        }
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        vec![("requests", count.into()), ("opc_request_ids", last.into())]
    }

    fn note(&self, id: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.push_back(id.chars().take(LONGEST).collect());
        if last.len() > KEPT {
            last.pop_front();
        }
    }
}

impl<T: Transport> Transport for Counted<T> {
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
        limit: Duration,
    ) -> Result<http::Response<Vec<u8>>, TransportError> {
        self.requests.count.fetch_add(1, Ordering::Relaxed);
        let answer = self.transport.send(request, limit)?;
        let id = answer.headers().get("opc-request-id").and_then(|it| it.to_str().ok());
        id.into_iter().for_each(|id| self.requests.note(id));
        Ok(answer)
    }
}

/// A call that waits looks every other second; what went wrong was last.
const KEPT: usize = 5;
/// They have some hundred characters.
const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use oci_rest::{Fault, Phase};

    use super::*;

    /// Answers with the path as the request's number, and `/lost` not at all.
    #[derive(Debug)]
    struct Echo;

    impl Transport for Echo {
        fn send(
            &self,
            request: http::Request<Vec<u8>>,
            _: Duration,
        ) -> Result<http::Response<Vec<u8>>, TransportError> {
            match request.uri().path() {
                "/lost" => Err(TransportError::new("host", Phase::Body, Fault::Lost, "")),
                "/none" => Ok(http::Response::default()),
                path => {
                    let answer = http::Response::builder().header("opc-request-id", path);
                    Ok(answer.body(Vec::new()).unwrap())
                }
            }
        }
    }

    #[test]
    fn requests_are_counted_and_the_last_are_named() {
        let requests = Arc::<Requests>::default();
        assert_eq!(requests.particulars(), []);
        let counted = Counted { transport: Echo, requests: Arc::clone(&requests) };
        for path in ["/1", "/2", "/lost", "/3", "/none", "/4", "/5", "/6"] {
            let request = http::Request::builder().uri(path).body(Vec::new()).unwrap();
            let _ = counted.send(request, Duration::from_secs(1));
        }
        let expected = [("requests", 8.into()), ("opc_request_ids", "/2,/3,/4,/5,/6".into())];
        assert_eq!(requests.particulars(), expected);
    }
}
