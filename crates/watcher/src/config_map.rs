//! ConfigMaps that carry policies (`regent.dev/policy: "true"`, or kube-mgmt's `openpolicyagent.org/policy: rego`).
//!
//! Each key is a file, named `configmap:NAMESPACE/NAME/KEY`; all ConfigMaps together are one source, taken or refused
//! whole. What became of it is written back as an annotation. `regent.dev/pin` on any of them holds a revision.

use crate::archive;
use crate::follow::{Change, follow};
use crate::options::ClusterOptions;
use crate::source::{Contribution, POLICY_EXTENSIONS};
use crate::speaker::Speaker;
use crate::status;
use crate::store::{PinError, Store};
use crate::writer::{Target, Write, Writer};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use regent_core::manifest::Problem;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::mpsc as channel;
use tokio::time::Instant;

/// The source's name.
pub(crate) const NAME: &str = "configmaps";
/// Our label and kube-mgmt's.
const LABELS: [(&str, &str); 2] = [("regent.dev/policy", "true"), (KUBE_MGMT_LABEL, "rego")];
const KUBE_MGMT_LABEL: &str = "openpolicyagent.org/policy";
const STATUS: &str = "regent.dev/status";
const KUBE_MGMT_STATUS: &str = "openpolicyagent.org/kube-mgmt-status";
const PIN: &str = "regent.dev/pin";
/// After a change, others are waited for this long.
const GATHER: Duration = Duration::from_millis(20);
/// An annotation that someone else has changed back is written again only after this long: two replicas that see
/// different things must not fight.
const PATIENCE: Duration = Duration::from_secs(30);

/// A ConfigMap: namespace and name.
type Key = (String, String);

struct ConfigMaps {
    options: ClusterOptions,
    /// By what is followed (label and namespace): what was listed.
    followed: Vec<Option<BTreeMap<Key, DynamicObject>>>,
    speaker: Speaker,
    writer: Writer,
    store: Arc<Store>,
    /// The pin that was asked for (`None`: nothing yet, so what an earlier run pinned stays), and what became of it.
    pin: Option<Option<String>>,
    pin_fault: Option<String>,
    /// The server was started with a pin.
    pinned_by_flag: bool,
    waiting: Option<mpsc::Receiver<Result<(), PinError>>>,
    /// What was last written to each, and when.
    written: BTreeMap<Key, (String, Instant)>,
}

/// Follows them for ever.
pub(crate) async fn run(
    options: ClusterOptions,
    pinned_by_flag: bool,
    speaker: Speaker,
    writer: Writer,
    store: Arc<Store>,
) {
    let (events, mut inbox) = channel::unbounded_channel::<(usize, Change)>();
    let mut changes = store.subscribe();
    let namespaces: Vec<Option<String>> = match options.config_map_namespaces.as_slice() {
        [] => vec![None],
        some => some.iter().cloned().map(Some).collect(),
    };
    let mut tasks = tokio::task::JoinSet::new();
    let mut count = 0;
    for (label, value) in LABELS {
        for namespace in &namespaces {
            let index = count;
            count += 1;
            let (cluster, events) = (options.cluster.clone(), events.clone());
            let api = api(&options, namespace.as_deref());
            tasks.spawn(async move {
                let selector = format!("{label}={value}");
                let (pace, again) = (cluster.pace(), cluster.again());
                follow(api, Some(&selector), pace, again, |change| {
                    if !matches!(change, Change::Unreachable(_)) {
                        cluster.heard();
                    }
                    events.send((index, change)).is_ok()
                })
                .await;
            });
        }
    }
    let mut maps = ConfigMaps {
        options,
        followed: vec![None; count],
        speaker,
        writer,
        store,
        pin: None,
        pin_fault: None,
        pinned_by_flag,
        waiting: None,
        written: BTreeMap::new(),
    };
    loop {
        tokio::select! {
            event = inbox.recv() => {
                let Some((index, change)) = event else { return };
                maps.take(index, change);
                tokio::time::sleep(GATHER).await;
                while let Ok((index, change)) = inbox.try_recv() {
                    maps.take(index, change);
                }
                maps.speak();
            }
            changed = changes.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(if maps.waiting.is_some() { GATHER } else { PATIENCE }) => {}
        }
        maps.hear();
        maps.write();
    }
}

fn api(options: &ClusterOptions, namespace: Option<&str>) -> Api<DynamicObject> {
    let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", "ConfigMap"), "configmaps");
    let client = options.cluster.client().clone();
    match namespace {
        None => Api::all_with(client, &kind),
        Some(namespace) => Api::namespaced_with(client, namespace, &kind),
    }
}

fn key(object: &DynamicObject) -> Key {
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    (text(&object.metadata.namespace), text(&object.metadata.name))
}

fn annotation<'o>(object: &'o DynamicObject, name: &str) -> Option<&'o str> {
    object.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

impl ConfigMaps {
    fn take(&mut self, index: usize, change: Change) {
        let Some(listed) = self.followed.get_mut(index) else {
            return;
        };
        match change {
            Change::All(all) => *listed = Some(all.into_iter().map(|o| (key(&o), o)).collect()),
            Change::Put(object) => {
                listed.get_or_insert_default().insert(key(&object), object);
            }
            Change::Gone(object) => {
                listed.get_or_insert_default().remove(&key(&object));
            }
            Change::NoKind => *listed = Some(BTreeMap::new()),
            Change::Unreachable(why) => self.speaker.silent(why),
        }
    }

    /// All of them, by key; those that carry both labels once.
    fn all(&self) -> BTreeMap<&Key, &DynamicObject> {
        self.followed.iter().flatten().flatten().collect()
    }

    fn speak(&mut self) {
        if self.followed.iter().any(Option::is_none) {
            return;
        }
        let mut contribution = Contribution::default();
        let mut pins = BTreeSet::new();
        for (key, object) in self.all() {
            pins.extend(annotation(object, PIN).map(str::to_owned));
            add(&mut contribution, key, object);
        }
        self.speaker.say(contribution);
        let wanted = match pins.len() {
            0 | 1 => {
                self.pin_fault = None;
                pins.pop_first()
            }
            _ => {
                let all: Vec<String> = pins.into_iter().collect();
                self.pin_fault = Some(format!("ConfigMaps ask for different pins: {}", all.join(", ")));
                self.pin.clone().flatten()
            }
        };
        if self.pinned_by_flag {
            self.pin_fault = Some("the server was started with a pin, which annotations do not change".to_owned());
        } else if self.pin.as_ref() != Some(&wanted) {
            let (answer, wait) = mpsc::channel();
            self.pin = Some(wanted.clone());
            self.waiting = Some(wait);
            self.speaker.pin(wanted, answer);
        }
    }

    /// Looks whether the loader has said what became of the pin.
    fn hear(&mut self) {
        match self.waiting.as_ref().map(mpsc::Receiver::try_recv) {
            None | Some(Err(mpsc::TryRecvError::Empty)) => {}
            Some(Ok(Err(error))) => {
                self.pin_fault = Some(error.to_string());
                self.waiting = None;
            }
            Some(_) => self.waiting = None,
        }
    }

    /// Writes what became of them, where they do not say so yet.
    fn write(&mut self) {
        if !self.options.write_status {
            return;
        }
        let status = self.store.status();
        let Some(answer) = self.speaker.answer(&status) else {
            return;
        };
        let mut wishes = Vec::new();
        for (key, object) in self.all() {
            let mut wanted = BTreeMap::new();
            let pin_fault = annotation(object, PIN).and(self.pin_fault.as_deref());
            wanted.insert(STATUS, status::annotation(&status, answer, pin_fault));
            let labels = object.metadata.labels.as_ref();
            if labels.and_then(|l| l.get(KUBE_MGMT_LABEL)).is_some_and(|v| v == "rego") {
                let begin = file(key, "");
                let own: Vec<&Problem> = answer.problems.iter().filter(|p| p.file.starts_with(&begin)).collect();
                wanted.insert(KUBE_MGMT_STATUS, status::kube_mgmt_annotation(answer, &own));
            }
            if wanted.iter().all(|(name, text)| annotation(object, name) == Some(text)) {
                continue;
            }
            let body = json!({"metadata": {"annotations": wanted}});
            wishes.push((key.clone(), body));
        }
        for (key, body) in wishes {
            let text = body.to_string();
            if self
                .written
                .get(&key)
                .is_some_and(|(last, at)| *last == text && at.elapsed() < PATIENCE)
            {
                continue;
            }
            self.written.insert(key.clone(), (text, Instant::now()));
            let target = Target {
                api: api(&self.options, Some(&key.0)),
                key: format!("configmap/{}/{}", key.0, key.1),
                name: key.1,
            };
            self.writer.want(target, Write::Merge(body));
        }
    }
}

fn file((namespace, name): &Key, entry: &str) -> String {
    format!("configmap:{namespace}/{name}/{entry}")
}

/// The files of a ConfigMap. Keys of other kinds are not policies, but for kube-mgmt, to which every key is Rego.
fn add(contribution: &mut Contribution, key: &Key, object: &DynamicObject) {
    let map: ConfigMap = match object.clone().try_parse() {
        Ok(map) => map,
        Err(error) => return contribution.problem(&file(key, ""), format!("it cannot be read: {error}")),
    };
    let labels = map.metadata.labels.unwrap_or_default();
    let all_rego = LABELS.iter().all(|(label, value)| {
        let has = labels.get(*label).is_some_and(|v| v == value);
        has == (*label == KUBE_MGMT_LABEL)
    });
    let texts = map.data.into_iter().flatten().map(|(k, v)| (k, v.into_bytes()));
    let binaries = map.binary_data.into_iter().flatten().map(|(k, v)| (k, v.0));
    for (entry, bytes) in texts.chain(binaries) {
        let name = file(key, &entry);
        let extension = entry.rsplit_once('.').map_or("", |p| p.1);
        if archive::is_archive(&entry) {
            if let Err(message) = contribution.add_archive(&name, &bytes) {
                contribution.problem(&name, message);
            }
        } else if POLICY_EXTENSIONS.contains(&extension) {
            contribution.add(&name, &bytes);
        } else if all_rego {
            contribution.add(&format!("{name}.rego"), &bytes);
        }
    }
}
