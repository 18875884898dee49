//! HTTP/1.1 on loopback, plain and over TLS, with connections that break when a fault says so.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::answer::{Answer, Delivery};
use crate::error::Error;
use crate::sim::Sim;

/// Two listening ports and the threads behind them. Dropping it closes every connection.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) https: SocketAddr,
    pub(crate) http: SocketAddr,
    runtime: Option<Runtime>,
}

impl Server {
    pub(crate) fn start(
        sim: &Arc<Sim>,
        tls: Arc<ServerConfig>,
        https_port: u16,
        http_port: u16,
    ) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("oci-sim")
            .enable_all()
            .build()
            .map_err(Error::Threads)?;
        let inside = runtime.enter();
        let (https_listener, https) = listen(https_port)?;
        let (http_listener, http) = listen(http_port)?;
        runtime.spawn(accept(https_listener, Some(TlsAcceptor::from(tls)), Arc::clone(sim)));
        runtime.spawn(accept(http_listener, None, Arc::clone(sim)));
        runtime.spawn(tick(Arc::clone(sim)));
        drop(inside);
        Ok(Self { https, http, runtime: Some(runtime) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}

fn listen(port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let error = |source| Error::Listen { port, source };
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(error)?;
    listener.set_nonblocking(true).map_err(error)?;
    let address = listener.local_addr().map_err(error)?;
    Ok((TcpListener::from_std(listener).map_err(error)?, address))
}

/// What is due happens even without a request: disks appear by themselves.
async fn tick(sim: Arc<Sim>) {
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let sim = Arc::clone(&sim);
        let _ = tokio::task::spawn_blocking(move || sim.settle()).await;
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, sim: Arc<Sim>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            // what goes wrong with one connection is the client's to see
            tokio::spawn(connection(stream, tls.clone(), Arc::clone(&sim)));
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, sim: Arc<Sim>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // a second handle on the socket, to turn its orderly end into a reset
    let stream = stream.into_std()?;
    let socket = Arc::new(TcpStream::from_std(stream.try_clone()?)?);
    let stream = TcpStream::from_std(stream)?;
    match tls {
        Some(tls) => serve(tls.accept(stream).await?, socket, sim).await,
        None => serve(stream, socket, sim).await,
    }
    Ok(())
}

/// Serves requests until the client or a fault ends the connection.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, socket: Arc<TcpStream>, sim: Arc<Sim>) {
    let service = service_fn(|request| {
        let (sim, socket) = (Arc::clone(&sim), Arc::clone(&socket));
        async move { respond(request, sim, &socket).await }
    });
    // an error here is a connection that ended before its time: a fault, or the client's choice
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(
    request: Request<Incoming>,
    sim: Arc<Sim>,
    socket: &TcpStream,
) -> io::Result<Response<Payload>> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LONGEST_BODY).collect().await.map_err(io::Error::other)?;
    let request = Request::from_parts(parts, body.to_bytes().to_vec());
    let answer = tokio::task::spawn_blocking(move || sim.handle(request)).await;
    let Answer { after, delivery } = answer.map_err(io::Error::other)?;
    tokio::time::sleep(after).await;
    match delivery {
        Delivery::Whole(response) => Ok(response.map(Payload::whole)),
        Delivery::Half(response) => Ok(response.map(Payload::half)),
        Delivery::Reset => {
            socket.set_zero_linger()?;
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
}

/// A response's body, all of it or half of it.
#[derive(Debug)]
struct Payload {
    /// What the headers promise.
    length: u64,
    next: Next,
}

/// What a body gives next.
#[derive(Debug)]
enum Next {
    Data {
        bytes: Bytes,
        is_half: bool,
    },
    /// Nothing for once, so that the first half is sent before the connection ends.
    Pause,
    Break,
    End,
}

impl Payload {
    fn whole(body: Vec<u8>) -> Self {
        let length = u64::try_from(body.len()).unwrap_or_default();
        let data = Next::Data { bytes: body.into(), is_half: false };
        Self { length, next: if length == 0 { Next::End } else { data } }
    }

    fn half(mut body: Vec<u8>) -> Self {
        let length = u64::try_from(body.len()).unwrap_or_default();
        body.truncate(body.len() / 2);
        Self { length, next: Next::Data { bytes: body.into(), is_half: true } }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match std::mem::replace(&mut self.next, Next::End) {
            Next::Data { bytes, is_half } => {
                self.next = if is_half { Next::Pause } else { Next::End };
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Next::Pause => {
                self.next = Next::Break;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Next::Break => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
            Next::End => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.next, Next::End)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

/// The service's own limit is unknown; nothing here is near it.
const LONGEST_BODY: usize = 1 << 20;
