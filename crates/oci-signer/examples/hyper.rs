//! Sends a signed request over one connection of hyper. For https, wrap the connection in TLS.
#![expect(clippy::print_stdout, reason = "its user reads the terminal")]

mod account;

use std::error::Error;

use http::{HeaderValue, Request, header::HOST};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

async fn send() -> Result<(), Box<dyn Error>> {
    let (mut parts, body) = account::signed_request()?.into_parts();

    // Here hyper sends what it is given: the path for a target, and no `host` but the request's own.
    let authority = parts.uri.authority().ok_or("the endpoint has no host")?.to_string();
    parts.headers.insert(HOST, HeaderValue::from_str(&authority)?);
    parts.uri = parts.uri.path_and_query().ok_or("the endpoint has no path")?.as_str().parse()?;

    let stream = TokioIo::new(TcpStream::connect(authority).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let request = Request::from_parts(parts, Full::new(Bytes::from(body)));
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    println!("{status}\n{}", String::from_utf8(answer.collect().await?.to_bytes().into())?);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(send())
}
