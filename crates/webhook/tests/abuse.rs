//! What nobody should send (`abuse/*.yaml`, a case a line), each with the answer it must get; after each the server is
//! sound, and at the end this process, clients included, never had more than 512 MiB.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests fail"
)]

mod common;

use common::{
    PATIENCE, POLICY, Response, Running, Setup, cases, client_config, is_sound, open, read_all, review, text,
};
use regent_rego::{Value, json};
use regent_webhook::Limits;
use regent_webhook::tls::{Certificate, ClientCheck, MinVersion, Settings, self_made};
use rustls::{ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

const MOST_MEMORY: u64 = 512;

fn setup() -> Setup {
    Setup {
        limits: Limits {
            handshake_time: Duration::from_secs(1),
            header_time: Duration::from_secs(1),
            body_time: Duration::from_secs(5),
            write_time: Duration::from_secs(2),
            idle_time: Duration::from_secs(3),
            ..Limits::default()
        },
        ..Setup::of(POLICY)
    }
}

fn denied() -> String {
    review("u-1", "deny")
}

/// Bytes of a text, `{repeat}`, `{hex}`, `{cut}`, or a list of these.
fn bytes(value: &Value) -> Vec<u8> {
    let number = |v: &Value| usize::try_from(v.as_i64().unwrap()).unwrap();
    match value {
        Value::String(text) => fill(text),
        Value::Array(pieces) => pieces.iter().flat_map(bytes).collect(),
        other => {
            if let Some(repeat) = other.get("repeat").and_then(Value::as_array) {
                return bytes(&repeat[0]).repeat(number(&repeat[1]));
            }
            if let Some(percent) = other.get("cut") {
                let whole = denied();
                return whole.as_bytes()[..whole.len() * number(percent) / 100].to_vec();
            }
            unhex(other.get("hex").expect("bytes"))
        }
    }
}

fn unhex(value: &Value) -> Vec<u8> {
    match value {
        Value::Array(pieces) => pieces
            .iter()
            .flat_map(|p| unhex(&p.as_array().unwrap()[0]).repeat(p.as_array().unwrap()[1].as_i64().unwrap() as usize))
            .collect(),
        text => {
            let text = text.as_str().unwrap();
            (0..text.len() / 2)
                .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
                .collect()
        }
    }
}

fn fill(text: &str) -> Vec<u8> {
    let review = denied();
    let (head, tail) = review.split_once("\"data\"").unwrap();
    let chunks = format!("{:x}\r\n{review}\r\n0\r\n\r\n", review.len());
    let mut out = text.to_owned();
    for (name, value) in [
        ("{review}", review.as_str()),
        ("{head}", head),
        ("{tail}", &format!(",\"data\"{tail}")),
        ("{length}", &review.len().to_string()),
        ("{chunks}", &chunks),
    ] {
        out = out.replace(name, value);
    }
    out.into_bytes()
}

/// What is wrong with an answer.
fn judge(expect: &Value, status: u16, body: &[u8]) -> Result<(), String> {
    let shown = || String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
    if expect.get("status").and_then(Value::as_i64) != Some(i64::from(status)) {
        return Err(format!("status {status}: {}", shown()));
    }
    let Some(code) = expect.get("code").and_then(Value::as_i64) else {
        return Ok(());
    };
    let answer = json::read(body, json::ReadOptions::default()).map_err(|e| format!("{e}: {}", shown()))?;
    let response = answer.get("response").ok_or_else(shown)?;
    let right = response.path(&["status", "code"]).and_then(Value::as_i64) == Some(code)
        && response.get("allowed") == Some(&Value::Bool(code < 300))
        && text(response, &["uid"]) == text(expect, &["uid"])
        && text(&answer, &["kind"]) == "AdmissionReview";
    if right { Ok(()) } else { Err(shown()) }
}

/// A structured case: method, target, headers, body.
struct Case<'a> {
    name: &'a str,
    method: &'a str,
    target: &'a str,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunked: bool,
    expect: &'a Value,
}

fn case(value: &Value) -> Case<'_> {
    let or = |key: &str, default: &'static str| value.get(key).and_then(Value::as_str).map_or(default, |s| s);
    let mut headers = vec![("content-type".to_owned(), Some("application/json".to_owned()))];
    for (name, value) in value
        .get("headers")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|o| o.iter())
    {
        headers.retain(|(n, _)| n != name.as_str().unwrap());
        let value = (*value != Value::Null).then(|| String::from_utf8(bytes(value)).unwrap());
        headers.push((name.as_str().unwrap().to_owned(), value));
    }
    Case {
        name: text(value, &["name"]),
        method: or("method", "POST"),
        target: or("target", "/v1/admit"),
        headers: headers.into_iter().filter_map(|(n, v)| Some((n, v?))).collect(),
        body: value.get("body").map(bytes).unwrap_or_default(),
        chunked: value.get("chunked") == Some(&Value::Bool(true)),
        expect: value.get("expect").unwrap(),
    }
}

fn over(value: &Value, transport: &str) -> bool {
    value
        .get("over")
        .and_then(Value::as_array)
        .is_none_or(|o| o.iter().any(|t| t.as_str() == Some(transport)))
}

fn finish(what: &str, count: usize, wrong: &[String]) {
    println!(
        "{what}: {count} cases, {} wrong, {} MiB at most",
        wrong.len(),
        common::peak_memory()
    );
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(common::peak_memory() < MOST_MEMORY, "{} MiB", common::peak_memory());
}

#[test]
fn requests_over_http1() {
    let running = setup().start();
    let all = cases("abuse/http.yaml");
    let all: Vec<&Value> = all.iter().filter(|c| over(c, "h1")).collect();
    let mut wrong = Vec::new();
    for value in &all {
        let case = case(value);
        let mut head = format!("{} {} HTTP/1.1\r\n", case.method, case.target);
        if !case.headers.iter().any(|(n, _)| n == "host") {
            head.push_str("host: localhost\r\n");
        }
        for (name, value) in &case.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = if case.chunked {
            head.push_str("transfer-encoding: chunked\r\n");
            let chunk = |c: &[u8]| [format!("{:x}\r\n", c.len()).as_bytes(), c, b"\r\n"].concat();
            let mut chunked: Vec<u8> = case.body.chunks(1 << 20).flat_map(chunk).collect();
            chunked.extend_from_slice(b"0\r\n\r\n");
            chunked
        } else {
            head.push_str(&format!("content-length: {}\r\n", case.body.len()));
            case.body
        };
        head.push_str("connection: close\r\n\r\n");
        let got = running.exchange(&[head.as_bytes(), &body].concat());
        let fault = match Response::parse(&got) {
            None => Err(format!("no response: {:?}", String::from_utf8_lossy(&got))),
            Some(response) => judge(case.expect, response.status, &response.body),
        };
        if let Err(fault) = fault {
            wrong.push(format!("{}: {fault}", case.name));
        }
        is_sound(&running);
    }
    finish("HTTP/1.1", all.len(), &wrong);
}

#[test]
fn requests_over_http2() {
    let running = setup().start();
    let all = cases("abuse/http.yaml");
    let all: Vec<&Value> = all.iter().filter(|c| over(c, "h2")).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let mut wrong = Vec::new();
    for value in &all {
        let case = case(value);
        let fault = match runtime.block_on(ask_http2(&running, &case)) {
            Ok((status, body)) => judge(case.expect, status, &body),
            Err(e) => Err(format!("no response: {e}")),
        };
        if let Err(fault) = fault {
            wrong.push(format!("{}: {fault}", case.name));
        }
        is_sound(&running);
    }
    finish("HTTP/2", all.len(), &wrong);
}

async fn ask_http2(running: &Running, case: &Case<'_>) -> Result<(u16, Vec<u8>), Box<dyn std::error::Error>> {
    let mut config = client_config(running.roots());
    config.alpn_protocols = vec![b"h2".to_vec()];
    let socket = tokio::net::TcpStream::connect(running.listen).await?;
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect("localhost".try_into()?, socket)
        .await?;
    let (sender, connection) = h2::client::handshake(stream).await?;
    let driver = tokio::spawn(connection);
    let mut request = http::Request::builder()
        .method(case.method)
        .uri(format!("https://localhost{}", case.target));
    for (name, value) in &case.headers {
        request = request.header(name.as_str(), value.as_str());
    }
    let mut sender = sender.ready().await?;
    let (response, mut body) = sender.send_request(request.body(())?, case.body.is_empty())?;
    if !case.body.is_empty() {
        // Who is answered by the headers alone may find the stream closed; the answer tells.
        let _ = body.send_data(bytes::Bytes::from(case.body.clone()), true);
    }
    let response = tokio::time::timeout(PATIENCE, response).await??;
    let status = response.status().as_u16();
    let mut stream = response.into_body();
    let mut out = Vec::new();
    while let Some(data) = stream.data().await {
        let data = match data {
            Ok(data) => data,
            // Answered before the body was read: "send no more", which is no fault.
            Err(e) if e.reason() == Some(h2::Reason::NO_ERROR) => break,
            Err(e) => return Err(e.into()),
        };
        stream.flow_control().release_capacity(data.len())?;
        out.extend_from_slice(&data);
    }
    driver.abort();
    Ok((status, out))
}

/// All responses of some bytes.
fn responses(mut got: &[u8]) -> Vec<Response> {
    let mut out = Vec::new();
    while let Some(mut response) = Response::parse(got) {
        let length = response.head.lines().find_map(|l| {
            l.to_ascii_lowercase()
                .strip_prefix("content-length:")?
                .trim()
                .parse()
                .ok()
        });
        let length = length.unwrap_or(0).min(response.body.len());
        got = &got[response.head.len() + 4 + length..];
        response.body.truncate(length);
        out.push(response);
    }
    out
}

#[test]
fn bytes_as_http1() {
    let running = setup().start();
    let all = cases("abuse/raw.yaml");
    let mut wrong = Vec::new();
    for value in &all {
        let name = text(value, &["name"]);
        let send = bytes(value.get("send").unwrap());
        let mut stream = running.connect(&[b"http/1.1"]);
        let _ = stream.write_all(&send);
        let _ = stream.flush();
        if value.get("half").is_some() || send.is_empty() {
            stream.conn.send_close_notify();
            let _ = stream.flush();
            let _ = stream.sock.shutdown(Shutdown::Write);
        }
        let got = responses(&read_all(&mut stream));
        let is = |wanted: &Value| {
            let first = got.first();
            let code = first.filter(|r| r.status == 200).and_then(|r| {
                let review = json::read(&r.body, json::ReadOptions::default()).ok()?;
                review.path(&["response", "status", "code"]).and_then(Value::as_i64)
            });
            match wanted {
                Value::Number(_) => first.is_some_and(|r| Some(i64::from(r.status)) == wanted.as_i64()),
                Value::String(s) if s == "closed" => first.is_none(),
                Value::String(s) if s == "denied" => code == Some(403),
                Value::String(s) if s == "continued" => {
                    got.len() == 2 && got[0].status == 100 && got[1].text().contains("\"code\":403")
                }
                other => code.is_some() && other.get("code").and_then(Value::as_i64) == code,
            }
        };
        let shown = got
            .iter()
            .map(|r| format!("{} {}", r.status, r.text()))
            .collect::<Vec<_>>()
            .join(" | ");
        if !value.get("expect").and_then(Value::as_array).unwrap().iter().any(is) {
            wrong.push(format!("{name}: {shown}"));
        }
        if let Some(count) = value.get("count").and_then(Value::as_i64)
            && got.len() as i64 != count
        {
            wrong.push(format!("{name}: {} responses: {shown}", got.len()));
        }
        if shown.contains("\"allowed\":true") {
            wrong.push(format!("{name}: allowed: {shown}"));
        }
        is_sound(&running);
    }
    finish("bytes", all.len(), &wrong);
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8], length: Option<usize>) -> Vec<u8> {
    let length = length.unwrap_or(payload.len()) as u32;
    let mut out = length.to_be_bytes()[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

/// Header fields as HPACK literals.
fn hpack<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name, value] {
            assert!(text.len() < 127);
            out.push(text.len() as u8);
            out.extend(text.as_bytes());
        }
    }
    out
}

const REQUEST: [(&str, &str); 5] = [
    (":method", "POST"),
    (":scheme", "https"),
    (":authority", "localhost"),
    (":path", "/v1/admit"),
    ("content-type", "application/json"),
];

fn frames(value: &Value) -> Vec<u8> {
    let number = |key: &str| value.get(key).and_then(Value::as_i64);
    let streams = |count: i64| (0..count as u32).map(|i| 2 * i + 1);
    if let Some(count) = number("reset") {
        let one = |s| {
            [
                frame(1, 4, s, &hpack(REQUEST.into_iter()), None),
                frame(3, 0, s, &[0, 0, 0, 8], None),
            ]
            .concat()
        };
        return streams(count).flat_map(one).collect();
    }
    if let Some(count) = number("open") {
        return streams(count)
            .flat_map(|s| frame(1, 4, s, &hpack(REQUEST.into_iter()), None))
            .collect();
    }
    let payload = if let Some(fields) = value.get("headers").and_then(Value::as_object) {
        // Pseudo headers first unless the case is about their order.
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(k, v)| (k.as_str().unwrap(), v.as_str().unwrap()))
            .collect();
        let late = text(value, &["order"]) == "late";
        let (pseudo, plain): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(k, _)| k.starts_with(':'));
        if late {
            hpack(plain.into_iter().chain(pseudo))
        } else {
            hpack(pseudo.into_iter().chain(plain))
        }
    } else if let Some(text) = value.get("text").and_then(Value::as_str) {
        fill(text)
    } else {
        value.get("hex").map(unhex).unwrap_or_default()
    };
    frame(
        number("type").unwrap() as u8,
        number("flags").unwrap() as u8,
        number("stream").unwrap() as u32,
        &payload,
        number("length").map(|l| l as usize),
    )
    .repeat(number("times").unwrap_or(1) as usize)
}

#[test]
fn frames_as_http2() {
    let running = setup().start();
    let all = cases("abuse/frames.yaml");
    let mut wrong = Vec::new();
    for value in &all {
        let name = text(value, &["name"]);
        let preface = value
            .get("preface")
            .and_then(Value::as_str)
            .map_or(PREFACE, str::as_bytes);
        let mut send = preface.to_vec();
        send.extend(
            value
                .get("frames")
                .and_then(Value::as_array)
                .unwrap()
                .iter()
                .flat_map(frames),
        );
        let mut stream = running.connect(&[b"h2"]);
        let short = Some(Duration::from_secs(2));
        stream.sock.set_read_timeout(short).unwrap();
        stream.sock.set_write_timeout(short).unwrap();
        let _ = stream.write_all(&send);
        let _ = stream.flush();
        let (got, ended) = read_quiet(&mut stream);
        let is = |wanted: &Value| match wanted.as_str().unwrap() {
            "goaway" => kinds(&got).contains(&7),
            "closed" => ended,
            _ => !ended,
        };
        if !value.get("expect").and_then(Value::as_array).unwrap().iter().any(is) {
            wrong.push(format!("{name}: frames {:?}, ended: {ended}", kinds(&got)));
        }
        if String::from_utf8_lossy(&got).contains("\"allowed\":true") {
            wrong.push(format!("{name}: allowed"));
        }
        drop(stream);
        is_sound(&running);
    }
    finish("frames", all.len(), &wrong);
}

/// What comes until the end, or until nothing comes for a while.
fn read_quiet(stream: &mut StreamOwned<ClientConnection, TcpStream>) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (out, true),
            Ok(n) => out.extend_from_slice(&buffer[..n]),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                return (out, false);
            }
            Err(_) => return (out, true),
        }
    }
}

/// The types of the frames of some bytes.
fn kinds(mut got: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while got.len() >= 9 {
        let length = u32::from_be_bytes([0, got[0], got[1], got[2]]) as usize;
        out.push(got[3]);
        got = got.get(9 + length..).unwrap_or_default();
    }
    out
}

/// A ClientHello by hand.
fn hello(version: u16, ciphers: &[u16]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend((ciphers.len() as u16 * 2).to_be_bytes());
    body.extend(ciphers.iter().flat_map(|c| c.to_be_bytes()));
    body.extend([1, 0]);
    // Groups, points and signatures, so that nothing but version and ciphers is in the way.
    let extensions = unhex(&Value::from(
        "000a00080006001d00170018000b00020100000d000e000c040308040401050308050501",
    ));
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let mut out = vec![22, 3, 1];
    out.extend((body.len() as u16 + 4).to_be_bytes());
    out.extend([1, 0]);
    out.extend((body.len() as u16).to_be_bytes());
    out.extend(body);
    out
}

/// Writes a few bytes at a time.
struct Split(TcpStream, usize);

impl Read for Split {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Split {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.write(&buf[..buf.len().min(self.1)])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

type Identity = (
    Vec<rustls::pki_types::CertificateDer<'static>>,
    rustls::pki_types::PrivateKeyDer<'static>,
);

/// A CA for clients, and another one.
struct Authorities {
    ours: rcgen::Issuer<'static, rcgen::KeyPair>,
    other: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: std::path::PathBuf,
}

fn authorities() -> Authorities {
    let make = || {
        let mut ca = rcgen::CertificateParams::default();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = ca.self_signed(&key).unwrap().pem();
        (rcgen::Issuer::new(ca, key), pem)
    };
    let ((ours, pem), (other, _)) = (make(), make());
    let path = std::env::temp_dir().join(format!("regent-client-ca-{}.pem", std::process::id()));
    std::fs::write(&path, pem).unwrap();
    Authorities { ours, other, pem: path }
}

fn identity(authorities: &Authorities, wanted: &Value) -> Identity {
    let dns = text(wanted, &["dns"]);
    let names: Vec<String> = if dns.is_empty() {
        Vec::new()
    } else {
        vec![dns.to_owned()]
    };
    let mut leaf = rcgen::CertificateParams::new(names).unwrap();
    leaf.distinguished_name = rcgen::DistinguishedName::new();
    leaf.distinguished_name
        .push(rcgen::DnType::CommonName, text(wanted, &["name"]));
    leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    if wanted.get("expired").is_some() {
        leaf.not_after = rcgen::date_time_ymd(2020, 1, 1);
    }
    if wanted.get("future").is_some() {
        leaf.not_before = rcgen::date_time_ymd(2999, 1, 1);
    }
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = match text(wanted, &["ca"]) {
        "ours" => leaf.signed_by(&key, &authorities.ours),
        "other" => leaf.signed_by(&key, &authorities.other),
        _ => leaf.self_signed(&key),
    };
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    (vec![certificate.unwrap().der().clone()], key.into())
}

/// The answer to a review over a handshake of a real client.
fn ask_as(running: &Running, client: &Value, authorities: &Authorities) -> Option<Response> {
    let versions: Vec<&rustls::SupportedProtocolVersion> = match client.get("versions").and_then(Value::as_array) {
        None => vec![&rustls::version::TLS13, &rustls::version::TLS12],
        Some(list) if list[0].as_str() == Some("1.2") => vec![&rustls::version::TLS12],
        Some(_) => vec![&rustls::version::TLS13],
    };
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&versions)
        .unwrap()
        .with_root_certificates(running.roots());
    let mut config = match client.get("certificate").filter(|c| **c != Value::Null) {
        None => builder.with_no_client_auth(),
        Some(wanted) => {
            let (chain, key) = identity(authorities, wanted);
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let alpn = client.get("alpn").and_then(Value::as_array);
    config.alpn_protocols = alpn
        .map(|a| a.iter().map(|p| p.as_str().unwrap().as_bytes().to_vec()).collect())
        .unwrap_or_default();
    let name = client
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or("localhost")
        .to_owned();
    let connection = ClientConnection::new(Arc::new(config), name.try_into().unwrap()).ok()?;
    let socket = TcpStream::connect(running.listen).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    let split = client.get("split").and_then(Value::as_i64).unwrap_or(1 << 20) as usize;
    let mut stream = StreamOwned::new(connection, Split(socket, split));
    let body = denied();
    let length = body.len();
    let head = format!(
        "POST /v1/admit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    stream.flush().ok()?;
    Response::parse(&read_all(&mut stream))
}

#[test]
fn handshakes() {
    let authorities = authorities();
    let made = self_made(&["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let start = |client: Option<ClientCheck>, min_version| {
        let mut running = Setup {
            tls: Some(Settings {
                certificate: Certificate::Made(made.key.clone()),
                client,
                min_version,
            }),
            ..setup()
        }
        .start();
        running.ca = made.ca.clone();
        running
    };
    let plain = start(None, MinVersion::Tls12);
    let strict = start(None, MinVersion::Tls13);
    let check = ClientCheck {
        ca: authorities.pem.clone(),
        names: vec!["kube-apiserver".to_owned()],
    };
    let checked = start(Some(check), MinVersion::Tls12);
    let all = cases("abuse/tls.yaml");
    let mut wrong = Vec::new();
    for value in &all {
        let name = text(value, &["name"]);
        let server = value.get("server");
        let running = match server {
            Some(s) if s.get("min").is_some() => &strict,
            Some(_) => &checked,
            None => &plain,
        };
        let by_hand = value.get("hello").map(|h| {
            let ciphers = h.get("ciphers").and_then(Value::as_array).unwrap();
            let ciphers: Vec<u16> = ciphers.iter().map(|c| c.as_i64().unwrap() as u16).collect();
            hello(h.get("version").and_then(Value::as_i64).unwrap() as u16, &ciphers)
        });
        let served = match by_hand.or_else(|| value.get("bytes").map(unhex)) {
            Some(send) => {
                let mut socket = TcpStream::connect(running.listen).unwrap();
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                let _ = socket.write_all(&send);
                let got = read_all(&mut socket);
                // Anything but alerts would be a handshake that goes on.
                let alerts_alone = got.is_empty() || got[0] == 21;
                if !alerts_alone {
                    wrong.push(format!("{name}: {got:?}"));
                }
                !alerts_alone
            }
            None => {
                let response = ask_as(running, value.get("client").unwrap(), &authorities);
                if let Some(r) = &response
                    && !r.text().contains("\"code\":403")
                {
                    wrong.push(format!("{name}: {}", r.text()));
                }
                response.is_some()
            }
        };
        let expected = text(value, &["expect"]) == "served";
        if served != expected {
            wrong.push(format!("{name}: served: {served}"));
        }
        is_sound(&plain);
    }
    let _ = std::fs::remove_file(&authorities.pem);
    finish("handshakes", all.len(), &wrong);
}

/// Handshakes that are begun and dropped, and connections that ask nothing: who comes later is answered.
#[test]
fn idle_and_dropped_connections() {
    let count = if common::full() { 10_000 } else { 400 };
    let running = Setup {
        limits: Limits {
            connections: 256,
            ..setup().limits
        },
        ..setup()
    }
    .start();
    for _ in 0..count.min(1_000) {
        let mut socket = TcpStream::connect(running.listen).unwrap();
        let _ = socket.write_all(&hello(0x0303, &[0xc02f])[..20]);
    }
    is_sound(&running);
    let mut idle = Vec::new();
    for _ in 0..count {
        // The oldest go when there are too many.
        idle.extend(TcpStream::connect(running.listen));
        if idle.len() > 500 {
            idle.drain(..250);
        }
    }
    is_sound(&running);
    let mut config = client_config(running.roots());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let secured: Vec<_> = (0..300)
        .filter_map(|_| open(running.listen, config.clone()).ok())
        .collect();
    is_sound(&running);
    drop((idle, secured));
    let metrics = running.admin("/metrics").text();
    let evicted = metrics
        .lines()
        .find_map(|l| l.strip_prefix("regent_limits_hit_total{limit=\"connections\"} "));
    assert!(evicted.is_some_and(|n| n.parse::<u64>().unwrap() > 0), "{evicted:?}");
    assert!(common::peak_memory() < MOST_MEMORY, "{} MiB", common::peak_memory());
}

/// Headers, bodies and readers that take their time are cut, and hold up nobody.
#[test]
fn slow_clients_are_cut() {
    let running = setup().start();
    let drip = |first: &str, then: &str| {
        let mut stream = running.connect(&[b"http/1.1"]);
        let _ = stream.write_all(first.as_bytes());
        stream.sock.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let begin = std::time::Instant::now();
        let mut got = Vec::new();
        loop {
            assert!(begin.elapsed() < PATIENCE, "not cut: {first}");
            let (more, ended) = read_quiet(&mut stream);
            got.extend(more);
            if ended || (stream.write_all(then.as_bytes()).is_err() && got.is_empty()) {
                return String::from_utf8_lossy(&got).into_owned();
            }
        }
    };
    assert_eq!(drip("", ""), "", "nothing asked");
    is_sound(&running);
    assert_eq!(drip("POST /v1/ad", "a"), "", "a header without end");
    is_sound(&running);
    let head = "POST /v1/admit HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
    let beginning = &denied()[..120];
    let cut = drip(&format!("{head}{beginning}"), " ");
    assert!(
        cut.contains("\"uid\":\"u-1\"") && cut.contains("\"code\":408") && !cut.contains("\"allowed\":true"),
        "{cut}"
    );
    is_sound(&running);
    let metrics = running.admin("/metrics").text();
    for limit in ["header_time", "body_time"] {
        let line = format!("regent_limits_hit_total{{limit=\"{limit}\"}} ");
        let count = metrics.lines().find_map(|l| l.strip_prefix(&line)).unwrap();
        assert!(count.parse::<u64>().unwrap() > 0, "{limit}");
    }
}

/// Many of the largest bodies at once: each is answered, none allowed that should not be, memory stays.
#[test]
fn the_largest_bodies_at_once() {
    let running = Arc::new(setup().start());
    let count = if common::full() { 24 } else { 6 };
    let mut parts = denied();
    let at = parts.find("\"data\"").unwrap();
    let filling = format!("\"spec\":\"{}\",", "a".repeat((32 << 20) - parts.len() - 20));
    parts.insert_str(at, &filling);
    let body = Arc::new(parts);
    let threads: Vec<_> = (0..count)
        .map(|_| {
            let (running, body) = (running.clone(), body.clone());
            std::thread::spawn(move || {
                let mut stream = running.connect(&[b"http/1.1"]);
                let length = body.len();
                let head = format!(
                    "POST /v1/admit?timeout=30s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(body.as_bytes());
                let got = read_all(&mut stream);
                Response::parse(&got).map(|r| r.text()).unwrap_or_default()
            })
        })
        .collect();
    let mut judged = 0;
    for thread in threads {
        let answer = thread.join().unwrap();
        assert!(!answer.contains("\"allowed\":true"), "{answer}");
        judged += usize::from(answer.contains("\"code\":403"));
        let refused = ["\"code\":403", "\"code\":429", "\"code\":408"]
            .iter()
            .any(|c| answer.contains(c));
        // Who is told that there is no room while still sending may lose the answer with the connection.
        assert!(refused || answer.is_empty(), "{answer}");
    }
    assert!(judged > 0, "at least one has room");
    is_sound(&running);
    assert!(common::peak_memory() < MOST_MEMORY, "{} MiB", common::peak_memory());
}
