//! ConstraintTemplates, constraints, Config and ExpansionTemplates of a cluster.
//!
//! Each object is a file of the source, named `KIND/NAME`. What is bookkeeping in it (status, versions, managers) is
//! left out, so that writing a status changes no revision.

use crate::follow::{Change, follow};
use crate::options::ClusterOptions;
use crate::source::Contribution;
use crate::speaker::Speaker;
use crate::status;
use crate::store::Store;
use crate::writer::{Target, Write, Writer};
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use regent_rego::json;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// The source's name.
pub(crate) const NAME: &str = "custom-resources";
/// Gatekeeper's own namespace, where Config is looked for beside ours.
const GATEKEEPER: &str = "gatekeeper-system";
/// After a change, others are waited for this long.
const GATHER: Duration = Duration::from_millis(20);
/// How often it is asked which servers there are, whose entries in statuses stay.
const CENSUS: Duration = Duration::from_secs(60);
/// Annotations that are no part of a policy.
const BOOKKEEPING: [&str; 2] = ["kubectl.kubernetes.io/last-applied-configuration", "regent.dev/status"];

/// A group of objects that come and go together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    Templates,
    Configs,
    Expansions,
    /// Constraints of a kind.
    Constraints(String),
}

/// An object as it was last seen.
#[derive(Debug)]
struct Held {
    document: Vec<u8>,
    object: DynamicObject,
}

/// The objects of a topic.
#[derive(Debug, Default)]
struct Objects {
    /// Whether a whole list came, or there is no such kind.
    listed: bool,
    by_name: BTreeMap<String, Held>,
    task: Option<JoinHandle<()>>,
}

impl Drop for Objects {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

struct Custom {
    options: ClusterOptions,
    topics: BTreeMap<Topic, Objects>,
    events: mpsc::UnboundedSender<(Topic, Change)>,
    speaker: Speaker,
    writer: Writer,
    store: Arc<Store>,
    /// Whether everything was listed once.
    complete: bool,
    /// Definitions that were asked for, by name.
    definitions: BTreeMap<String, Json>,
    /// Names of the Pods beside us, when we are one of them.
    servers: watch::Receiver<Option<BTreeSet<String>>>,
}

/// Follows them for ever.
pub(crate) async fn run(options: ClusterOptions, speaker: Speaker, writer: Writer, store: Arc<Store>) {
    let (events, mut inbox) = mpsc::unbounded_channel();
    let mut changes = store.subscribe();
    let (told, mut servers) = watch::channel(None);
    let _census = tokio::task::JoinSet::from_iter([census(options.clone(), told)]);
    let mut custom = Custom {
        servers: servers.clone(),
        options,
        topics: BTreeMap::new(),
        events,
        speaker,
        writer,
        store,
        complete: false,
        definitions: BTreeMap::new(),
    };
    for topic in [Topic::Templates, Topic::Configs, Topic::Expansions] {
        custom.open(topic);
    }
    loop {
        tokio::select! {
            event = inbox.recv() => {
                let Some((topic, change)) = event else { return };
                custom.take(topic, change);
                tokio::time::sleep(GATHER).await;
                while let Ok((topic, change)) = inbox.try_recv() {
                    custom.take(topic, change);
                }
                custom.speak();
            }
            changed = changes.changed() => if changed.is_err() { return },
            changed = servers.changed() => if changed.is_err() { return },
        }
        custom.write();
    }
}

/// Asks from time to time which servers there are.
async fn census(options: ClusterOptions, told: watch::Sender<Option<BTreeSet<String>>>) {
    let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", "Pod"), "pods");
    let api: Api<DynamicObject> = Api::namespaced_with(options.cluster.client().clone(), &options.own_namespace, &kind);
    loop {
        // Where it may not be asked, every entry stays.
        if let Ok(pods) = api.list_metadata(&ListParams::default()).await {
            let names: BTreeSet<String> = pods.items.into_iter().filter_map(|p| p.metadata.name).collect();
            let names = names.contains(&options.identity).then_some(names);
            told.send_if_modified(|before| {
                let changed = *before != names;
                *before = names;
                changed
            });
        }
        tokio::time::sleep(CENSUS).await;
    }
}

impl Topic {
    fn resource(&self) -> ApiResource {
        let of = |group: &str, version: &str, kind: &str, plural: &str| {
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
        };
        match self {
            Topic::Templates => of(
                "templates.gatekeeper.sh",
                "v1",
                "ConstraintTemplate",
                "constrainttemplates",
            ),
            Topic::Configs => of("config.gatekeeper.sh", "v1alpha1", "Config", "configs"),
            Topic::Expansions => of(
                "expansion.gatekeeper.sh",
                "v1alpha1",
                "ExpansionTemplate",
                "expansiontemplate",
            ),
            Topic::Constraints(kind) => of("constraints.gatekeeper.sh", "v1beta1", kind, &kind.to_lowercase()),
        }
    }
}

impl Custom {
    fn api(&self, topic: &Topic) -> Api<DynamicObject> {
        Api::all_with(self.options.cluster.client().clone(), &topic.resource())
    }

    /// Begins to follow a topic.
    fn open(&mut self, topic: Topic) {
        let api = self.api(&topic);
        let (pace, again) = (self.options.cluster.pace(), self.options.cluster.again());
        let (cluster, events, name) = (self.options.cluster.clone(), self.events.clone(), topic.clone());
        let task = tokio::spawn(async move {
            follow(api, None, pace, again, |change| {
                if !matches!(change, Change::Unreachable(_)) {
                    cluster.heard();
                }
                events.send((name.clone(), change)).is_ok()
            })
            .await;
        });
        self.topics.entry(topic).or_default().task = Some(task);
    }

    fn take(&mut self, topic: Topic, change: Change) {
        let own = self.options.own_namespace.clone();
        let Some(objects) = self.topics.get_mut(&topic) else {
            return;
        };
        let counts = |o: &DynamicObject| {
            topic != Topic::Configs
                || (o.metadata.name.as_deref() == Some("config")
                    && o.metadata
                        .namespace
                        .as_deref()
                        .is_some_and(|n| n == own || n == GATEKEEPER))
        };
        let name = |o: &DynamicObject| o.metadata.name.clone().unwrap_or_default();
        match change {
            Change::All(all) => {
                objects.listed = true;
                objects.by_name = all.into_iter().filter(counts).map(|o| (name(&o), held(o))).collect();
            }
            Change::Put(object) if counts(&object) => {
                objects.by_name.insert(name(&object), held(object));
            }
            Change::Gone(object) if counts(&object) => {
                objects.by_name.remove(&name(&object));
            }
            Change::Put(_) | Change::Gone(_) => {}
            Change::NoKind => {
                objects.listed = true;
                objects.by_name.clear();
            }
            Change::Unreachable(why) => self.speaker.silent(why),
        }
        if topic == Topic::Templates {
            self.follow_kinds();
        }
    }

    /// Follows the constraints of every template there is, and of no other.
    fn follow_kinds(&mut self) {
        let Some(templates) = self.topics.get(&Topic::Templates) else {
            return;
        };
        let wanted: Vec<Topic> = templates
            .by_name
            .values()
            .filter_map(|t| kind_of(&t.object))
            .map(Topic::Constraints)
            .collect();
        self.topics
            .retain(|topic, _| !matches!(topic, Topic::Constraints(_)) || wanted.contains(topic));
        for topic in wanted {
            if !self.topics.contains_key(&topic) {
                self.open(topic);
            }
        }
    }

    /// Says what there is, once everything was listed.
    fn speak(&mut self) {
        self.complete |= self.topics.values().all(|t| t.listed);
        if self.options.create_definitions {
            self.define();
        }
        if !self.complete {
            return;
        }
        let mut contribution = Contribution::default();
        for (topic, objects) in &self.topics {
            for (name, held) in &objects.by_name {
                contribution.add(&file(topic, name), &held.document);
            }
        }
        self.speaker.say(contribution);
    }

    /// Has the API server know the constraints of each template.
    fn define(&mut self) {
        let Some(templates) = self.topics.get(&Topic::Templates) else {
            return;
        };
        let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
        let resource = ApiResource::from_gvk_with_plural(&kind, "customresourcedefinitions");
        let api: Api<DynamicObject> = Api::all_with(self.options.cluster.client().clone(), &resource);
        let mut seen = BTreeMap::new();
        for held in templates.by_name.values() {
            if held.object.metadata.deletion_timestamp.is_some() {
                continue;
            }
            // What is wrong with a template is told in its status.
            let Some(definition) = definition(&held.object) else {
                continue;
            };
            let name = definition
                .pointer("/metadata/name")
                .and_then(Json::as_str)
                .unwrap_or_default()
                .to_owned();
            if self.definitions.get(&name) != Some(&definition) {
                let target = Target {
                    api: api.clone(),
                    key: format!("definition/{name}"),
                    name: name.clone(),
                };
                self.writer.want(target, Write::Apply(definition.clone()));
            }
            seen.insert(name, definition);
        }
        self.definitions = seen;
    }

    /// Writes what became of each object, where it does not say so yet.
    fn write(&self) {
        if !self.options.write_status {
            return;
        }
        let status = self.store.status();
        let Some(answer) = self.speaker.answer(&status) else {
            return;
        };
        let servers = self.servers.borrow().clone();
        let stays = |id: &str| servers.as_ref().is_none_or(|s| s.contains(id));
        for (topic, objects) in &self.topics {
            let shape = match topic {
                Topic::Templates => status::Shape::Template,
                Topic::Constraints(_) => status::Shape::Constraint,
                Topic::Configs | Topic::Expansions => continue,
            };
            let api = self.api(topic);
            for (name, held) in &objects.by_name {
                let file = file(topic, name);
                let problems: Vec<_> = answer.problems.iter().filter(|p| p.file == file).collect();
                let broken = match topic {
                    Topic::Constraints(kind) => status::broken_template(answer, kind),
                    _ => None,
                };
                let entry = status::by_pod(&held.object, shape, &self.options.identity, &problems, broken);
                if let Some(body) = status::patch(&held.object, shape, &self.options.identity, entry, stays) {
                    let target = Target {
                        api: api.clone(),
                        key: format!("status/{file}"),
                        name: name.clone(),
                    };
                    self.writer.want(target, Write::MergeStatus(body));
                }
            }
        }
    }
}

fn file(topic: &Topic, name: &str) -> String {
    match topic {
        Topic::Templates => format!("ConstraintTemplate/{name}"),
        Topic::Configs => format!("Config/{name}"),
        Topic::Expansions => format!("ExpansionTemplate/{name}"),
        Topic::Constraints(kind) => format!("{kind}/{name}"),
    }
}

/// The kind of the constraints of a template, if it is one that a group of resources can have.
fn kind_of(template: &DynamicObject) -> Option<String> {
    let kind = template.data.pointer("/spec/crd/spec/names/kind")?.as_str()?;
    let plain = !kind.is_empty() && kind.len() <= 63 && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    plain.then(|| kind.to_owned())
}

fn held(object: DynamicObject) -> Held {
    Held {
        document: document(&object),
        object,
    }
}

/// An object as a policy file has it.
fn document(object: &DynamicObject) -> Vec<u8> {
    let mut metadata = json!({"name": object.metadata.name});
    if let Some(namespace) = &object.metadata.namespace {
        status::set(&mut metadata, "namespace", json!(namespace));
    }
    if let Some(labels) = &object.metadata.labels {
        status::set(&mut metadata, "labels", json!(labels));
    }
    let annotations: BTreeMap<&String, &String> = object
        .metadata
        .annotations
        .iter()
        .flatten()
        .filter(|(key, _)| !BOOKKEEPING.contains(&key.as_str()))
        .collect();
    if !annotations.is_empty() {
        status::set(&mut metadata, "annotations", json!(annotations));
    }
    let types = object.types.clone().unwrap_or_default();
    let mut out = json!({"apiVersion": types.api_version, "kind": types.kind, "metadata": metadata});
    if let (Some(out), Some(data)) = (out.as_object_mut(), object.data.as_object()) {
        let data = data.iter().filter(|(key, _)| *key != "status");
        out.extend(data.map(|(key, value)| (key.clone(), value.clone())));
    }
    let mut text = serde_json::to_vec_pretty(&out).unwrap_or_default();
    text.push(b'\n');
    text
}

fn definition(template: &DynamicObject) -> Option<Json> {
    let value = crate::cluster::value(template.clone()).ok()?;
    let definition = regent_core::template::definition(&value).ok()?;
    serde_json::from_str(&json::write(&definition)).ok()
}
