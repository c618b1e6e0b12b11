//! Putting it together.

use crate::attempt::{Grain, Input};
use crate::loader::{self, Message};
use crate::namespaces::Namespaces;
use crate::options::{Options, Source};
use crate::source::Contribution;
use crate::speaker::Speaker;
use crate::store::Store;
use crate::writer::Writer;
use crate::{config_map, custom, disk};
use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

/// A running watcher. Dropping it ends it; the store stays as it is.
#[derive(Debug)]
pub struct Watcher {
    store: Arc<Store>,
    namespaces: Arc<Namespaces>,
    messages: mpsc::Sender<Message>,
    loader: Option<JoinHandle<()>>,
    /// Numbers of the sources that change only by being told.
    told: BTreeMap<String, usize>,
    disks: Vec<disk::Watch>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Watcher {
    /// What is served.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Has a [`Source::Fixed`] say something else from now on; for servers that get policies in ways of their own. False:
    /// there is no such source.
    pub fn say(&self, source: &str, contribution: Contribution) -> bool {
        let Some(index) = self.told.get(source) else {
            return false;
        };
        self.messages.send(Message::Update(*index, contribution)).is_ok()
    }

    /// Namespace objects for matching; without a cluster there are none.
    pub fn namespaces(&self) -> &Arc<Namespaces> {
        &self.namespaces
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.disks.clear();
        for task in &self.tasks {
            task.abort();
        }
        // A loader that has ended needs no telling.
        let _ = self.messages.send(Message::Stop);
        if let Some(loader) = self.loader.take() {
            let _ = loader.join();
        }
    }
}

/// Starts watching. Tasks for the cluster run on the Tokio runtime this is called in; disks and compiling have threads
/// of their own.
///
/// # Errors
/// There is no source, the cache directory cannot be used, or a thread cannot be made. A source that cannot be read is
/// no error: it may come, and [`Store::status`] tells of it.
pub fn start(options: Options) -> Result<Watcher, String> {
    let store = Arc::new(Store::default());
    let (messages, inbox) = mpsc::channel();
    store.connect(messages.clone());
    let mut inputs = Vec::new();
    let mut paths = Vec::new();
    let mut fixed = Vec::new();
    let mut told = BTreeMap::new();
    for source in &options.sources {
        let index = inputs.len();
        match source {
            Source::Fixed { name, contribution } => {
                inputs.push(Input::new(name, Grain::Whole, false));
                told.insert(name.clone(), index);
                fixed.push((index, contribution.clone()));
            }
            Source::Disk(disk) => {
                inputs.push(Input::new(&disk.path, Grain::Whole, false));
                paths.push((index, disk.path.clone()));
            }
        }
    }
    let mut maps = None;
    let mut customs = None;
    if let Some(cluster) = &options.cluster {
        // What is deleted in a cluster is deleted on purpose: such a source may become empty, the whole set may not.
        if cluster.config_maps {
            maps = Some(Speaker::new(config_map::NAME, inputs.len(), messages.clone()));
            inputs.push(Input::new(config_map::NAME, Grain::Whole, true));
        }
        if cluster.custom_resources {
            customs = Some(Speaker::new(custom::NAME, inputs.len(), messages.clone()));
            inputs.push(Input::new(custom::NAME, Grain::Objects, true));
        }
    }
    if inputs.is_empty() {
        return Err("there is no policy source to watch".to_owned());
    }
    let (poll, debounce) = (options.poll, options.debounce);
    let cache_dir = options.cache_dir.clone();
    let cluster = options.cluster.clone();
    let pinned_by_flag = options.pin.is_some();
    let loader = loader::spawn(store.clone(), options, inputs, inbox)?;
    for (index, contribution) in fixed {
        // The loader ends only after us.
        let _ = messages.send(Message::Update(index, contribution));
    }
    let mut disks = Vec::new();
    for (index, path) in paths {
        disks.push(disk::watch(path, index, poll, debounce, messages.clone())?);
    }
    let mut tasks = Vec::new();
    let mut namespaces = Arc::default();
    if let Some(options) = cluster {
        let cluster = options.cluster.clone();
        let writer = Writer::default();
        if let Some(speaker) = maps {
            let run = config_map::run(options.clone(), pinned_by_flag, speaker, writer.clone(), store.clone());
            tasks.push(tokio::spawn(run));
        }
        if let Some(speaker) = customs {
            let run = custom::run(options, speaker, writer.clone(), store.clone());
            tasks.push(tokio::spawn(run));
        }
        tasks.push(tokio::spawn(writer.run()));
        namespaces = Namespaces::watched(cluster.clone(), cache_dir);
        tasks.push(tokio::spawn(namespaces.clone().run()));
        tasks.push(tokio::spawn(cluster.beat()));
    }
    Ok(Watcher {
        store,
        namespaces,
        tasks,
        messages,
        loader: Some(loader),
        told,
        disks,
    })
}
