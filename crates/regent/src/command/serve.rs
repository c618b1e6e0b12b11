//! `regent serve`: the webhook on a workstation or in a cluster.

mod cluster;
mod config;
mod source;
mod workstation;

use super::{CLEAN, FAILED};
use crate::arguments::{Command, Serve, TlsVersion};
use crate::{second, terminal};
use regent_webhook::admission::Exempt;
use regent_webhook::tls::{Certificate, ClientCheck, MinVersion, Settings, Tls, self_made};
use regent_webhook::{Config, Engines, Limits, LogOutput, Options, Server};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) fn run(args: &Serve) -> u8 {
    let merged;
    let args = match &args.config {
        None => args,
        Some(path) => {
            let given: Vec<_> = std::env::args_os().collect();
            match config::merged(path, &given) {
                Ok(arguments) => match arguments.command {
                    Command::Serve(serve) => {
                        merged = serve;
                        &*merged
                    }
                    _ => return FAILED,
                },
                Err(message) => return fail(&message),
            }
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(e) => return fail(&format!("cannot start threads: {e}")),
    };
    let done = runtime.block_on(serve(args));
    // A log that nobody reads must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match done {
        Ok(()) => CLEAN,
        Err(message) => fail(&message),
    }
}

fn fail(message: &str) -> u8 {
    terminal::error(message.trim_end().trim_start_matches("error: "));
    FAILED
}

async fn serve(args: &Serve) -> Result<(), String> {
    let limits = limits(args);
    limits.check()?;
    let (certificate, ca) = certificate(args)?;
    let tls = Tls::open(Settings {
        certificate,
        client: args.client_ca.as_ref().map(|ca| ClientCheck {
            ca: ca.clone(),
            names: args.client_name.clone(),
        }),
        min_version: match args.tls_min_version {
            TlsVersion::V12 => MinVersion::Tls12,
            TlsVersion::V13 => MinVersion::Tls13,
        },
    })?;
    let in_cluster = cluster::is_asked_for(args);
    let admin = args.admin_listen.unwrap_or_else(|| {
        let host = if in_cluster { [0, 0, 0, 0] } else { [127, 0, 0, 1] };
        (host, 9090).into()
    });
    let source = source::open(args).await?;
    let log: Option<LogOutput> = args.log_denies.then(|| Box::new(std::io::stdout()) as LogOutput);
    let server = Server::bind(Config {
        listen: args.listen,
        admin,
        tls: Arc::new(tls),
        source: source.clone(),
        limits,
        options: Options {
            own_accounts: cluster::own_accounts(args),
            exempt: Exempt {
                names: args.exempt_namespace.clone(),
                prefixes: args.exempt_namespace_prefix.clone(),
                suffixes: args.exempt_namespace_suffix.clone(),
            },
            engines: Engines {
                engine: args.engine.engine(),
                second: second::evaluator(args.engine),
                share: args.engine_share,
            },
            folders: source::folders(args),
            ..Options::default()
        },
        log,
        shutdown_delay: args
            .shutdown_delay
            .unwrap_or(Duration::from_secs(if in_cluster { 10 } else { 0 })),
        drain_time: args.drain_time,
        notice: terminal::notice,
    })?;
    workstation::welcome(&server, ca.as_ref());
    let telling = tokio::spawn(source::tell(source, args.engine));
    let stop = signals()?;
    let done = server.run(stop).await;
    telling.abort();
    done
}

/// The certificate, and where the CA's lies if it was made.
fn certificate(args: &Serve) -> Result<(Certificate, Option<workstation::CaFile>), String> {
    if let Some(directory) = &args.cert_dir {
        return Ok((Certificate::Directory(directory.clone()), None));
    }
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    if !args.listen.ip().is_unspecified() {
        names.push(args.listen.ip().to_string());
    }
    names.extend(args.cert_name.iter().cloned());
    names.dedup();
    let made = self_made(&names)?;
    Ok((Certificate::Made(made.key), Some(workstation::CaFile::write(&made.ca)?)))
}

fn limits(args: &Serve) -> Limits {
    let defaults = Limits::default();
    Limits {
        body: args.max_body,
        bodies: args.max_bodies.max(args.max_body),
        values: args.max_values,
        depth: args.max_depth,
        connections: args.max_connections,
        concurrency: args.max_concurrency,
        streams: args.max_streams,
        headers: args.max_headers,
        handshake_time: args.handshake_time,
        header_time: args.header_time,
        body_time: args.body_time,
        write_time: args.write_time,
        idle_time: args.idle_time,
        default_deadline: args.default_deadline,
        constraint_time: args.timeout,
        memory: args.max_memory,
        threads: args.threads.map_or(defaults.threads, usize::from),
        message: args.max_message,
        messages: args.max_messages,
    }
}

/// Ends at the first SIGTERM or SIGINT; the second ends the process.
fn signals() -> Result<impl Future<Output = ()>, String> {
    let listen = |kind| signal(kind).map_err(|e| format!("cannot listen for signals: {e}"));
    let (mut term, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        either(&mut term, &mut interrupt).await;
        tokio::spawn(async move {
            either(&mut term, &mut interrupt).await;
            terminal::error("stopped by a second signal, with requests in flight");
            std::process::exit(i32::from(FAILED));
        });
    })
}

async fn either(term: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
}
