//! A server on loopback that does to a connection what a test says.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::{CertifiedKey, SingleCertAndKey},
};

pub(crate) trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) connections: Arc<AtomicUsize>,
}

/// Calls `handler` for every connection.
pub(crate) fn serve(handler: impl Fn(&mut dyn Stream) + Send + Sync + 'static) -> Server {
    listen(move |mut stream| handler(&mut stream))
}

/// The same behind TLS, with its own certificate for `localhost`; the second value is its PEM.
pub(crate) fn serve_tls(
    handler: impl Fn(&mut dyn Stream) + Send + Sync + 'static,
) -> (Server, String) {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = pair.signing_key.serialize_pem();
    (serve_as(vec![pair.cert.der().clone()], &key, handler), pair.cert.pem())
}

/// The same with the certificates `chain` and the key of the first, which is PEM.
pub(crate) fn serve_as(
    chain: Vec<CertificateDer<'static>>,
    key: &str,
    handler: impl Fn(&mut dyn Stream) + Send + Sync + 'static,
) -> Server {
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    serve_with(config.unwrap(), handler)
}

/// A server that shows certificates of which it has no key.
pub(crate) fn serve_as_thief(chain: Vec<CertificateDer<'static>>, key: &str) -> Server {
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let pair = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let config = ServerConfig::builder().with_no_client_auth();
    serve_with(config.with_cert_resolver(Arc::new(pair)), |stream| drop(read_request(stream)))
}

/// The same as `config` says.
pub(crate) fn serve_with(
    config: ServerConfig,
    handler: impl Fn(&mut dyn Stream) + Send + Sync + 'static,
) -> Server {
    let config = Arc::new(config);
    listen(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        handler(&mut StreamOwned::new(connection, stream));
    })
}

/// Speaks TLS on a connection that is open already, with a certificate of its own for `localhost`.
pub(crate) fn open_tls(mut stream: &mut dyn Stream) {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pair.signing_key.serialize_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![pair.cert.der().clone()], key).unwrap();
    let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
    drop(read_request(&mut rustls::Stream::new(&mut connection, &mut stream)));
}

fn listen(handler: impl Fn(TcpStream) + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let (handler, counter) = (Arc::new(handler), Arc::clone(&connections));
    thread::spawn(move || {
        for stream in listener.incoming() {
            counter.fetch_add(1, Ordering::SeqCst);
            let handler = Arc::clone(&handler);
            thread::spawn(move || handler(stream.unwrap()));
        }
    });
    Server { port, connections }
}

/// Head and body of one request; empty when the client has gone.
pub(crate) fn read_request(stream: &mut dyn Stream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        text.push(byte[0]);
    }
    let head = String::from_utf8(text).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |it| it.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

/// Answers every request of a connection with `answer(request)`, until the client goes.
pub(crate) fn answer_all(stream: &mut dyn Stream, answer: impl Fn(&str) -> String) {
    loop {
        let request = read_request(stream);
        if request.is_empty() || stream.write_all(answer(&request).as_bytes()).is_err() {
            return;
        }
        stream.flush().unwrap();
    }
}

/// A complete answer.
pub(crate) fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
