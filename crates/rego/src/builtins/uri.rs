//! `uri.parse` and `uri.is_valid`: what Go's `net/url` takes for a URL.

use super::operand::{any, string};
use super::{Answer, Failure, Host, Table};
use crate::go_text::{from_bytes, quote, to_bytes};
use crate::value::Value;
use std::fmt::Write;
use std::net::Ipv6Addr;

pub(crate) const TABLE: Table = &[("uri.parse", parse), ("uri.is_valid", is_valid)];

fn parse(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let s = string(args, 1)?;
    host.charge(s.len().saturating_mul(8))?;
    let url = read(s).map_err(Failure::Builtin)?;
    let (hostname, port) = split_port(&url.host);
    let parts = [
        ("scheme", url.scheme.as_str()),
        ("hostname", hostname),
        ("port", port),
        ("path", &url.path),
        ("raw_path", &url.raw_path),
        ("raw_query", &url.query),
        ("fragment", &url.fragment),
    ];
    let given = parts.into_iter().filter(|p| !p.1.is_empty());
    Ok(Some(Value::object(
        given.map(|(k, v)| (Value::string(k), Value::string(v))).collect(),
    )))
}

fn is_valid(host: &mut dyn Host, args: &[&Value]) -> Answer {
    let Value::String(s) = any(args, 1)? else {
        return Ok(Some(Value::Bool(false)));
    };
    host.charge(s.len().saturating_mul(8))?;
    Ok(Some(Value::Bool(!s.is_empty() && url(s).is_ok())))
}

/// A URL's parts.
#[derive(Default)]
pub(super) struct Url {
    scheme: String,
    opaque: String,
    /// Name and password before the host, unescaped.
    user: Option<(String, Option<String>)>,
    pub(super) host: String,
    path: String,
    raw_path: String,
    /// The path as it is written.
    written_path: String,
    /// A path follows the scheme without a host between.
    omit_host: bool,
    /// A question mark with nothing behind it.
    force_query: bool,
    query: String,
    fragment: String,
    written_fragment: String,
}

impl Url {
    /// The URL written out again.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out = format!("{}:", self.scheme);
        }
        if !self.opaque.is_empty() {
            out.push_str(&self.opaque);
        } else {
            let anyone = !self.host.is_empty() || self.user.is_some();
            if anyone || !(self.scheme.is_empty() || self.omit_host || self.path.is_empty()) {
                out.push_str("//");
            }
            if let Some((name, password)) = &self.user {
                out.push_str(&escape(name, Part::User));
                if let Some(password) = password {
                    out.push(':');
                    out.push_str(&escape(password, Part::User));
                }
                out.push('@');
            }
            out.push_str(&escape(&self.host, Part::Host));
            let path = written_or_escaped(&self.written_path, &self.path, Part::Path);
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                out.push('/');
            }
            if out.is_empty() && path.split('/').next().is_some_and(|s| s.contains(':')) {
                out.push_str("./");
            }
            out.push_str(&path);
        }
        if self.force_query || !self.query.is_empty() {
            out.push('?');
            out.push_str(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push('#');
            out.push_str(&written_or_escaped(
                &self.written_fragment,
                &self.fragment,
                Part::Fragment,
            ));
        }
        out
    }

    /// The fields of Go's structure.
    pub(super) fn value(&self) -> Value {
        let raw = |written: &String, plain: &String, part| match escape(plain, part) == *written {
            true => Value::string(""),
            false => Value::string(written),
        };
        let user = match self.user {
            Some(_) => Value::object(Vec::new()),
            None => Value::Null,
        };
        Value::record([
            ("Scheme", Value::string(&self.scheme)),
            ("Opaque", Value::string(&self.opaque)),
            ("User", user),
            ("Host", Value::string(&self.host)),
            ("Path", Value::string(&self.path)),
            ("RawPath", raw(&self.written_path, &self.path, Part::Path)),
            ("OmitHost", Value::Bool(self.omit_host)),
            ("ForceQuery", Value::Bool(self.force_query)),
            ("RawQuery", Value::string(&self.query)),
            ("Fragment", Value::string(&self.fragment)),
            (
                "RawFragment",
                raw(&self.written_fragment, &self.fragment, Part::Fragment),
            ),
        ])
    }
}

/// What is written where it is written well, else the plain text escaped.
fn written_or_escaped(written: &str, plain: &str, part: Part) -> String {
    let well = |b: u8| b"!$&'()*+,;=:@[]%".contains(&b) || part.plain(b);
    match !written.is_empty() && written.bytes().all(well) {
        true => written.to_string(),
        false => escape(plain, part),
    }
}

/// Reads a URL; the error is about the whole text.
pub(super) fn read(s: &str) -> Result<Url, String> {
    url(s).map_err(|(text, fault)| format!("parse {}: {fault}", quoted(&text)))
}

fn quoted(s: &str) -> String {
    let mut out = String::new();
    quote(&mut out, s);
    out
}

/// The characters besides letters and digits that stand for themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Fragment,
    Host,
    Zone,
    User,
}

impl Part {
    fn plain(self, b: u8) -> bool {
        let extra: &[u8] = match self {
            Part::Path => b"$&+,-./:;=@_~",
            Part::Fragment => b"!$&()*+,-./:;=?@_~",
            Part::Host | Part::Zone => b"!\"$&'()*+,-.:;<=>[]_~",
            Part::User => b"$&+,-.;=_~",
        };
        b.is_ascii_alphanumeric() || extra.contains(&b)
    }
}

fn escape(s: &str, part: Part) -> String {
    let mut out = String::new();
    for b in to_bytes(s).iter() {
        if part.plain(*b) {
            out.push(char::from(*b));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{b:02X}");
        }
    }
    out
}

fn unescape(s: &str, part: Part) -> Result<String, String> {
    let bytes = to_bytes(s);
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest: &[u8] = &bytes;
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            if matches!(part, Part::Host | Part::Zone) && first.is_ascii() && !part.plain(*first) {
                return Err(format!(
                    "invalid character {} in host name",
                    quoted(&char::from(*first).to_string())
                ));
            }
            out.push(*first);
            rest = after;
            continue;
        }
        let piece = rest.get(..3).unwrap_or(rest);
        let fault = || Err(format!("invalid URL escape {}", quoted(&from_bytes(piece.to_vec()))));
        let hex = |b: Option<&u8>| {
            b.and_then(|b| char::from(*b).to_digit(16))
                .and_then(|d| u8::try_from(d).ok())
        };
        let (Some(high), Some(low)) = (hex(after.first()), hex(after.get(1))) else {
            return fault();
        };
        let byte = high * 16 + low;
        if piece != b"%25" {
            let refused = match part {
                Part::Host => high < 8,
                Part::Zone => byte != b' ' && !Part::Host.plain(byte),
                _ => false,
            };
            if refused {
                return fault();
            }
        }
        out.push(byte);
        rest = after.get(2..).unwrap_or(&[]);
    }
    Ok(from_bytes(out))
}

/// The parts, or the text the fault is about and the fault.
fn url(s: &str) -> Result<Url, (String, String)> {
    let (before, fragment) = s.split_once('#').unwrap_or((s, ""));
    let mut url = without_fragment(before).map_err(|fault| (before.to_string(), fault))?;
    url.fragment = unescape(fragment, Part::Fragment).map_err(|fault| (s.to_string(), fault))?;
    url.written_fragment = fragment.to_string();
    Ok(url)
}

/// A scheme and what follows its colon.
fn scheme(s: &str) -> Result<(&str, &str), String> {
    for (i, b) in s.bytes().enumerate() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i == 0 => return Err("missing protocol scheme".into()),
            b':' => return Ok(s.split_once(':').unwrap_or(("", s))),
            _ => break,
        }
    }
    Ok(("", s))
}

fn without_fragment(s: &str) -> Result<Url, String> {
    if s.bytes().any(|b| b < b' ' || b == 0x7f) {
        return Err("net/url: invalid control character in URL".into());
    }
    let mut url = Url::default();
    if s == "*" {
        (url.path, url.raw_path, url.written_path) = ("*".into(), "*".into(), "*".into());
        return Ok(url);
    }
    let (scheme, rest) = scheme(s)?;
    url.scheme = scheme.to_ascii_lowercase();
    let (mut rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    url.force_query = query.is_empty() && s.ends_with('?');
    url.query = query.to_string();
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            // An opaque address (`mailto:x@y`): no host, no path.
            url.opaque = rest.to_string();
            return Ok(url);
        }
        if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
            return Err("first path segment in URL cannot contain colon".into());
        }
    }
    if let Some(after) = rest.strip_prefix("//")
        && (!scheme.is_empty() || !rest.starts_with("///"))
    {
        let end = after.find('/').unwrap_or(after.len());
        let (authority, path) = after.split_at_checked(end).unwrap_or((after, ""));
        rest = path;
        url.host = host_of_authority(authority)?;
        if let Some((user, _)) = authority.rsplit_once('@') {
            let (name, password) = user.split_once(':').map_or((user, None), |(n, p)| (n, Some(p)));
            let password = password.map(|p| unescape(p, Part::User)).transpose()?;
            url.user = Some((unescape(name, Part::User)?, password));
        }
    } else {
        url.omit_host = !scheme.is_empty() && rest.starts_with('/');
    }
    url.path = unescape(rest, Part::Path)?;
    url.written_path = rest.to_string();
    // The raw form is kept only where escaping the path would not give it.
    url.raw_path = if escape(&url.path, Part::Path) == rest {
        url.path.clone()
    } else {
        rest.to_string()
    };
    Ok(url)
}

fn host_of_authority(authority: &str) -> Result<String, String> {
    let Some((user, host)) = authority.rsplit_once('@') else {
        return host_port(authority);
    };
    let host = host_port(host)?;
    let valid = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
    if !user.chars().all(valid) {
        return Err("net/url: invalid userinfo".into());
    }
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    unescape(name, Part::User)?;
    unescape(password, Part::User)?;
    Ok(host)
}

fn valid_port(port: &str) -> bool {
    port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

fn host_port(host: &str) -> Result<String, String> {
    let bad_port = |port: &str| format!("invalid port {} after host", quoted(port));
    match host.rfind('[') {
        Some(0) => {
            let (inside, port) = host.rsplit_once(']').ok_or("missing ']' in host")?;
            if !valid_port(port) {
                return Err(bad_port(port));
            }
            let inside = inside.strip_prefix('[').unwrap_or(inside);
            let name = match inside.find("%25").and_then(|at| inside.split_at_checked(at)) {
                Some((address, zone)) => unescape(address, Part::Host)? + &unescape(zone, Part::Zone)?,
                None => unescape(inside, Part::Host)?,
            };
            let (address, zone) = name
                .split_once('%')
                .map_or((name.as_str(), None), |(a, z)| (a, Some(z)));
            let fault = |why: &str| format!("invalid host: ParseAddr({}): {why}", quoted(&name));
            if address.parse::<std::net::Ipv4Addr>().is_ok() && zone.is_none() {
                return Err("invalid IP-literal".into());
            }
            if zone == Some("") {
                return Err(fault("zone must be a non-empty string"));
            }
            if address.parse::<Ipv6Addr>().is_err() {
                return Err(fault("unable to parse IP"));
            }
            return Ok(format!("[{name}]{port}"));
        }
        Some(_) => return Err("invalid IP-literal".into()),
        None => {}
    }
    // Colons before the last are part of the name, as OPA's build of Go has it.
    if let Some(port) = host.rfind(':').and_then(|at| host.get(at..))
        && !valid_port(port)
    {
        return Err(bad_port(port));
    }
    unescape(host, Part::Host)
}

/// Host and port of what stands between `//` and the path.
fn split_port(host: &str) -> (&str, &str) {
    let (name, port) = match host.rfind(':').and_then(|at| host.split_at_checked(at)) {
        Some((name, port)) if valid_port(port) => (name, port.strip_prefix(':').unwrap_or("")),
        _ => (host, ""),
    };
    (
        name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name),
        port,
    )
}
