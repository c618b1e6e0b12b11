//! Sends reviews over HTTP/1.1 connections that are kept, and says how long answers took (`benches/webhook`).
//!
//! `load ADDRESS BODIES CONNECTIONS SECONDS [RATE]`: BODIES has a review a line, taken in turn; RATE is reviews a second in
//! all, as many as go without it. Any certificate is taken. Prints JSON: answers, seconds, p50, p99, max in milliseconds.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Takes every certificate: this is a generator of load.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, bodies, connections, seconds, rest @ ..] = arguments.as_slice() else {
        return Err("usage: load ADDRESS BODIES CONNECTIONS SECONDS [RATE]".into());
    };
    let bodies: Vec<Vec<u8>> = std::fs::read_to_string(bodies)?.lines().map(request).collect();
    let (connections, seconds) = (connections.parse::<u32>()?, seconds.parse::<f64>()?);
    let rate = rest.first().map(|r| r.parse::<f64>()).transpose()?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (config, next) = (Arc::new(config), AtomicUsize::new(0));
    let begin = Instant::now();
    let end = begin + Duration::from_secs_f64(seconds);
    let pace = rate.map(|r| Duration::from_secs_f64(f64::from(connections) / r));
    let mut times = std::thread::scope(|scope| -> Result<Vec<f64>> {
        let clients: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| client(address, &config, &bodies, &next, end, pace)))
            .collect();
        let mut all = Vec::new();
        for client in clients {
            all.extend(client.join().map_err(|_| "a client panicked")??);
        }
        Ok(all)
    })?;
    let took = begin.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        times
            .get((times.len() as f64 * share) as usize)
            .or(times.last())
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{{\"answers\":{},\"seconds\":{took:.3},\"p50\":{:.3},\"p99\":{:.3},\"max\":{:.3}}}",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}

fn request(body: &str) -> Vec<u8> {
    format!(
        "POST /v1/admit?timeout=3s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn client(
    address: &str,
    config: &Arc<ClientConfig>,
    bodies: &[Vec<u8>],
    next: &AtomicUsize,
    end: Instant,
    pace: Option<Duration>,
) -> Result<Vec<f64>> {
    let connection = ClientConnection::new(config.clone(), "localhost".try_into()?)?;
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, socket));
    let mut times = Vec::new();
    let mut due = Instant::now();
    let (mut line, mut answer) = (String::new(), Vec::new());
    loop {
        if let Some(pace) = pace {
            due += pace;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let begin = Instant::now();
        if begin >= end {
            return Ok(times);
        }
        let body = bodies
            .get(next.fetch_add(1, Ordering::Relaxed) % bodies.len())
            .ok_or("no bodies")?;
        stream.get_mut().write_all(body)?;
        let (mut length, mut chunked) = (0, false);
        line.clear();
        stream.read_line(&mut line)?;
        if !line.starts_with("HTTP/1.1 200 ") {
            return Err(format!("answered {}", line.trim()).into());
        }
        loop {
            line.clear();
            stream.read_line(&mut line)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            chunked |= line.to_ascii_lowercase().trim() == "transfer-encoding: chunked";
            if line.trim().is_empty() {
                break;
            }
        }
        loop {
            if chunked {
                line.clear();
                stream.read_line(&mut line)?;
                // With the line end after a chunk.
                length = usize::from_str_radix(line.trim(), 16)? + 2;
            }
            answer.resize(length, 0);
            stream.read_exact(&mut answer)?;
            if !chunked || length == 2 {
                break;
            }
        }
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
}
