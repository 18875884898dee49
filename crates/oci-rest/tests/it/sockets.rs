//! The transport over real sockets.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use http::Request;
use oci_rest::{Direct, Error, Fault, Network, Phase, Transport, TransportError, UreqTransport};

use crate::{
    script::chain,
    server::{Server, Stream, answer, answer_all, read_request, serve, serve_tls},
};

const LIMIT: Duration = Duration::from_secs(5);

fn transport(network: &Network) -> UreqTransport {
    UreqTransport::new(network).unwrap()
}

fn get(
    transport: &UreqTransport,
    uri: &str,
    limit: Duration,
) -> Result<(u16, String), TransportError> {
    let request = Request::get(uri).body(Vec::new()).unwrap();
    let answer = transport.send(request, limit)?;
    Ok((answer.status().as_u16(), String::from_utf8(answer.into_body()).unwrap()))
}

/// What a GET of `server` fails with.
#[track_caller]
fn check(server: &Server, limit: Duration, phase: Phase, fault: Fault, was_sent: bool) {
    let uri = format!("http://127.0.0.1:{}/", server.port);
    let error = get(&transport(&Network::default()), &uri, limit).unwrap_err();
    assert_eq!((error.phase(), error.fault()), (phase, fault), "{error}");
    assert_eq!(error.was_sent(), was_sent);
    assert!(error.to_string().starts_with(&format!("127.0.0.1:{}: ", server.port)), "{error}");
}

#[test]
fn bytes_go_out_as_they_are() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let server = serve(move |stream| {
        answer_all(stream, |request| {
            log.lock().unwrap().push(request.to_owned());
            answer("200 OK", "{}")
        });
    });
    let (transport, port) = (transport(&Network::default()), server.port);
    let base = format!("http://127.0.0.1:{port}");
    let agent = concat!("oci-rest/", env!("CARGO_PKG_VERSION"));

    get(&transport, &format!("{base}/20160918/x?page=N%2B%2F%3D%3D"), LIMIT).unwrap();
    let request = Request::post(format!("{base}/20160918/x"))
        .header("content-length", "7")
        .header("content-type", "application/json")
        .header("accept", "application/json")
        .body(br#"{"a":1}"#.to_vec());
    transport.send(request.unwrap(), LIMIT).unwrap();
    let request = Request::post(format!("{base}/empty")).header("content-length", "0");
    transport.send(request.body(Vec::new()).unwrap(), LIMIT).unwrap();
    transport.send(Request::delete(format!("{base}/d")).body(vec![]).unwrap(), LIMIT).unwrap();

    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines.retain(|line| !line.is_empty());
        lines
    };
    let common = format!("accept: application/json\nhost: 127.0.0.1:{port}\nuser-agent: {agent}\n");
    let expected = [
        format!("GET /20160918/x?page=N%2B%2F%3D%3D HTTP/1.1\n{common}"),
        format!(
            "POST /20160918/x HTTP/1.1\n{common}content-length: 7\n\
             content-type: application/json\n{{\"a\":1}}"
        ),
        format!("POST /empty HTTP/1.1\n{common}content-length: 0\n"),
        format!("DELETE /d HTTP/1.1\n{common}"),
    ];
    for (seen, expected) in seen.lock().unwrap().iter().zip(&expected) {
        assert_eq!(lines(seen), lines(expected));
    }
    assert_eq!(seen.lock().unwrap().len(), 4);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1, "the connection is kept");
}

#[test]
fn every_status_is_an_answer_and_no_redirect_is_followed() {
    let server = serve(|stream| {
        answer_all(stream, |request| match request.split(' ').nth(1).unwrap() {
            "/moved" => "HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n".to_owned(),
            _ => answer("503 Service Unavailable", "later"),
        });
    });
    let base = format!("http://127.0.0.1:{}", server.port);
    let transport = transport(&Network::default());
    assert_eq!(get(&transport, &format!("{base}/moved"), LIMIT).unwrap(), (302, String::new()));
    assert_eq!(get(&transport, &base, LIMIT).unwrap(), (503, "later".to_owned()));
}

#[test]
fn only_the_given_roots_are_trusted() {
    let (server, pem) = serve_tls(|stream| answer_all(stream, |_| answer("200 OK", "{}")));
    let (_, other) = serve_tls(|_| ());
    let uri = format!("https://localhost:{}/", server.port);
    let with = |pem: String| {
        transport(&Network { root_certs: Some(pem.into_bytes()), ..Network::default() })
    };
    // Each with the byte order mark that an editor has put before it.
    let trusting = with(format!("\u{feff}{other}\n# a comment\n\u{feff}{pem}"));
    for _ in 0..3 {
        assert_eq!(get(&trusting, &uri, LIMIT).unwrap().0, 200);
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1, "the connection is kept");

    let wrong_name = format!("https://127.0.0.1:{}/", server.port);
    for (transport, uri) in
        [(with(other), &uri), (transport(&Network::default()), &uri), (with(pem), &wrong_name)]
    {
        let error = get(&transport, uri, LIMIT).unwrap_err();
        assert_eq!((error.phase(), error.fault()), (Phase::Connect, Fault::Tls), "{error}");
        assert!(!error.was_sent() && !error.is_transient());
        assert!(error.to_string().contains("TLS failed while connecting (its certificate "));
    }
}

#[test]
fn what_is_no_server_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let transport = transport(&Network::default());
    let error = get(&transport, &uri, LIMIT).unwrap_err();
    assert_eq!((error.phase(), error.fault()), (Phase::Connect, Fault::Unreachable), "{error}");
    assert!(!error.was_sent() && error.is_transient());

    let error = get(&transport, "http://no-such-host.invalid/", LIMIT).unwrap_err();
    assert_eq!(error.phase(), Phase::Resolve, "{error}");
    assert!(!error.was_sent() && error.is_transient());
}

/// The HTTP library would take the default port instead.
#[test]
fn a_port_that_is_none_is_not_another() {
    for uri in ["https://127.0.0.1:99999/", "http://127.0.0.1:0/", "/path"] {
        let error = get(&transport(&Network::default()), uri, LIMIT).unwrap_err();
        let tail =
            ": not HTTP while connecting (the URL has no host, or a port that is not 1 to 65535)";
        assert!(error.to_string().ends_with(tail) && !error.was_sent(), "{error}");
    }
}

#[test]
fn a_connection_that_ends_early_is_lost() {
    let closes = serve(|stream| drop(read_request(stream)));
    check(&closes, LIMIT, Phase::Exchange, Fault::Lost, true);

    let half_head = serve(|stream| {
        read_request(stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap();
    });
    check(&half_head, LIMIT, Phase::Exchange, Fault::Lost, true);

    let half_body = serve(|stream| {
        read_request(stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[]").unwrap();
    });
    check(&half_body, LIMIT, Phase::Body, Fault::Lost, true);

    let half_chunk = serve(|stream| {
        read_request(stream);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n[]\r\n")
            .unwrap();
    });
    check(&half_chunk, LIMIT, Phase::Body, Fault::Lost, true);
}

#[test]
fn a_silent_server_runs_into_the_limit() {
    let limit = Duration::from_millis(200);
    let wait_for_client = |stream: &mut dyn crate::server::Stream| drop(read_request(stream));
    let silent = serve(move |stream| {
        read_request(stream);
        wait_for_client(stream);
    });
    check(&silent, limit, Phase::Exchange, Fault::Timeout, true);

    let stops = serve(move |stream| {
        read_request(stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[]").unwrap();
        wait_for_client(stream);
    });
    check(&stops, limit, Phase::Body, Fault::Timeout, true);
}

#[test]
fn an_answer_without_end_is_too_large() {
    let endless = serve(|stream| {
        read_request(stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while stream.write_all(&[b' '; 65536]).is_ok() {}
    });
    check(&endless, LIMIT, Phase::Body, Fault::TooLarge, true);
}

#[test]
fn an_answer_that_is_not_http_is_malformed() {
    let garbage = serve(|stream| {
        read_request(stream);
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").unwrap();
    });
    check(&garbage, LIMIT, Phase::Exchange, Fault::Malformed, true);
}

/// A proxy that answers itself instead of connecting; the second value lists what it was asked for.
fn proxy(connect: &'static str) -> (Server, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let server = serve(move |stream| {
        log.lock().unwrap().push(read_request(stream));
        stream.write_all(connect.as_bytes()).unwrap();
        answer_all(stream, |_| answer("200 OK", "by proxy"));
    });
    (server, asked)
}

#[test]
fn foreign_hosts_are_reached_through_the_proxy_and_local_ones_are_not() {
    let (server, asked) = proxy("HTTP/1.1 200 OK\r\n\r\n");
    let direct = serve(|stream| answer_all(stream, |_| answer("200 OK", "direct")));
    let network = Network {
        proxy: Some(format!("http://user:p%40ss@127.0.0.1:{}", server.port)),
        no_proxy: Some("exempt.invalid".to_owned()),
        ..Network::default()
    };
    let transport = transport(&network);

    let answer = get(&transport, "http://iaas.invalid/x", LIMIT).unwrap();
    assert_eq!(answer, (200, "by proxy".to_owned()));
    let connect = asked.lock().unwrap().concat();
    assert!(connect.starts_with("CONNECT iaas.invalid:80 HTTP/1.1\r\n"), "{connect}");
    assert!(connect.contains("Proxy-Authorization: Basic dXNlcjpwQHNz\r\n"), "{connect}");

    let local = format!("http://127.0.0.1:{}/", direct.port);
    assert_eq!(get(&transport, &local, LIMIT).unwrap(), (200, "direct".to_owned()));

    let exempt = get(&transport, "http://exempt.invalid/", LIMIT).unwrap_err();
    let request = Request::get("http://iaas.invalid/x").extension(Direct).body(vec![]).unwrap();
    let marked = transport.send(request, LIMIT).unwrap_err();
    assert_eq!((exempt.phase(), marked.phase()), (Phase::Resolve, Phase::Resolve));
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[test]
fn a_proxy_that_refuses_is_named_without_its_password() {
    let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    let (server, _) = proxy(refusal);
    let url = format!("http://user:MARKER@127.0.0.1:{}", server.port);
    let transport = transport(&Network { proxy: Some(url), ..Network::default() });
    let error = get(&transport, "https://iaas.invalid/", LIMIT).unwrap_err();
    assert_eq!((error.phase(), error.fault()), (Phase::Connect, Fault::Proxy));
    assert!(!error.was_sent() && !format!("{transport:?} {error:?}").contains("MARKER"));
}

/// Sends a byte every 50 ms, until the client has gone.
fn trickle(stream: &mut dyn Stream, bytes: &[u8]) {
    for byte in bytes {
        if stream.write_all(&[*byte]).and_then(|()| stream.flush()).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn bytes_that_come_one_by_one_do_not_stretch_the_limit() {
    #[track_caller]
    fn check(network: Network, uri: &str, phase: Phase) {
        let (transport, begun) = (transport(&network), Instant::now());
        let error = get(&transport, uri, Duration::from_secs(1)).unwrap_err();
        assert_eq!((error.phase(), error.fault()), (phase, Fault::Timeout), "{uri}: {error}");
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(4), "{uri}: {took:?}");
    }
    /// A handshake message of the server that announces 16 kB.
    const HELLO: &[u8] = &[0x16, 3, 3, 0x40, 0, 2, 0, 0x3F, 0xFC];
    let long = [b'x'; 200];
    let head = [b"HTTP/1.1 200 OK\r\nx: ", &long[..]].concat();
    let hello = [HELLO, &long[..]].concat();
    let slow = |bytes: &[u8]| {
        let bytes = bytes.to_owned();
        serve(move |stream| {
            let _ = stream.read(&mut [0; 4096]);
            trickle(stream, &bytes);
        })
    };
    let through = |proxy: String, pem: Option<String>| Network {
        proxy: Some(proxy),
        root_certs: pem.map(String::into_bytes),
        ..Network::default()
    };

    let server = slow(&head);
    let proxy = format!("http://127.0.0.1:{}", server.port);
    check(through(proxy, None), "https://iaas.invalid/", Phase::Connect);
    check(Network::default(), &format!("http://127.0.0.1:{}/", server.port), Phase::Exchange);

    let answer = head.clone();
    let (tls, pem) = serve_tls(move |stream| {
        read_request(stream);
        trickle(stream, &answer);
    });
    let proxy = format!("https://localhost:{}", tls.port);
    check(through(proxy, Some(pem)), "https://iaas.invalid/", Phase::Connect);

    let server = slow(&hello);
    check(Network::default(), &format!("https://127.0.0.1:{}/", server.port), Phase::Connect);
    let proxy = format!("https://127.0.0.1:{}", server.port);
    check(through(proxy, None), "https://iaas.invalid/", Phase::Connect);

    let open = serve(move |stream| {
        read_request(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let _ = stream.read(&mut [0; 4096]);
        trickle(stream, &hello);
    });
    let proxy = format!("http://127.0.0.1:{}", open.port);
    check(through(proxy, None), "https://iaas.invalid/", Phase::Connect);

    let body = serve(move |stream| {
        read_request(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n");
        trickle(stream, &long);
    });
    check(Network::default(), &format!("http://127.0.0.1:{}/", body.port), Phase::Body);
}

#[test]
fn a_network_that_makes_no_sense_is_refused() {
    #[track_caller]
    fn check(network: Network, text: &str) {
        let error: Error = UreqTransport::new(&network).unwrap_err();
        assert_eq!(chain(&error), text);
        assert!(!format!("{error:?}").contains("MARKER"));
    }
    const NO_URL: &str = "the proxy is not a URL such as http://proxy.example.com:3128";
    const SOCKS: &str = "the proxy names a SOCKS proxy, and SOCKS is not spoken: give an HTTP proxy that allows CONNECT, \
                         such as http://proxy.example.com:3128";
    const UNESCAPED: &str = "the proxy is not a URL such as http://user:password@proxy.example.com:3128; write special \
                             characters of user and password with %, such as %40 for @ and %2F for /";
    for (proxy, text) in [
        ("", NO_URL),
        ("ftp://u:MARKER@host", NO_URL),
        ("http://u:MARKER@", NO_URL),
        ("a b MARKER", NO_URL),
        ("http://proxy:99999", NO_URL),
        ("http://proxy:0", NO_URL),
        ("http://proxy:MARKER", NO_URL),
        ("http://pröxy:3128", NO_URL),
        ("socks5://u:MARKER@127.0.0.1:1080", SOCKS),
        ("SOCKS5h://127.0.0.1", SOCKS),
        ("socks4://127.0.0.1", SOCKS),
        ("socks4a://127.0.0.1", SOCKS),
        ("socks://127.0.0.1", SOCKS),
        ("http://u:MAR/KER@proxy:3128", UNESCAPED),
        ("http://u:MAR#KER@proxy:3128", UNESCAPED),
        ("http://u:MAR?KER@proxy:3128", UNESCAPED),
        ("http://u:%FF%FEMARKER@proxy:3128", UNESCAPED),
    ] {
        check(Network { proxy: Some(proxy.to_owned()), ..Network::default() }, text);
    }
    for proxy in
        ["proxy", "proxy:3128", " http://proxy:3128/\n", "HTTP://[::1]:3128", "http://u:p@ss@proxy"]
    {
        UreqTransport::new(&Network { proxy: Some(proxy.to_owned()), ..Network::default() })
            .unwrap();
    }
    let broken = "-----BEGIN CERTIFICATE-----\nMARKER!!\n-----END CERTIFICATE-----\n";
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for pem in ["", "MARKER", broken, empty, include_str!("../../testdata/api-key.pem")] {
        check(
            Network { root_certs: Some(pem.into()), ..Network::default() },
            "the root certificates must be a bundle of PEM certificates (-----BEGIN CERTIFICATE-----)",
        );
    }
    for name in ["", "a b", "MARKER!", "ä.example"] {
        check(
            Network { server_name: Some(name.to_owned()), ..Network::default() },
            "the server's name is neither the name of a host nor an address",
        );
    }
}
