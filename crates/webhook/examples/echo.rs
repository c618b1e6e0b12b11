//! A bare hyper server over the same TLS that gives bodies back: the most a webhook could answer (`benches/webhook`).
//!
//! `cargo run --release -p regent-webhook --example echo`, then reviews go to the address it prints.
#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use regent_webhook::tls::{Certificate, MinVersion, Settings, Tls, self_made};
use tokio_rustls::TlsAcceptor;

async fn echo(request: Request<Incoming>) -> Result<Response<Full<bytes::Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    Ok(Response::new(Full::new(body)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let made = self_made(&["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let tls = Tls::open(Settings {
        certificate: Certificate::Made(made.key),
        client: None,
        min_version: MinVersion::Tls12,
    })?;
    let acceptor = TlsAcceptor::from(tls.config());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("https://{}/v1/admit", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let io = TokioIo::new(stream);
            let _ = if is_h2 {
                let builder = http2::Builder::new(TokioExecutor::new());
                builder.serve_connection(io, service_fn(echo)).await
            } else {
                http1::Builder::new().serve_connection(io, service_fn(echo)).await
            };
        });
    }
}
