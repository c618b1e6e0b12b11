//! A cluster source's line to the loader.

use crate::loader::Message;
use crate::source::Contribution;
use crate::store::{SourceStatus, Status};
use std::sync::mpsc::Sender;

/// Sends what a source says when that has changed, and knows the answer to it.
#[derive(Debug)]
pub(crate) struct Speaker {
    name: &'static str,
    index: usize,
    messages: Sender<Message>,
    said: Option<Contribution>,
    version: u64,
}

impl Speaker {
    pub(crate) fn new(name: &'static str, index: usize, messages: Sender<Message>) -> Speaker {
        Speaker {
            name,
            index,
            messages,
            said: None,
            version: 0,
        }
    }

    /// Says it, unless that was said last.
    pub(crate) fn say(&mut self, mut now: Contribution) {
        now.version = self.version;
        if self.said.as_ref() == Some(&now) {
            return;
        }
        self.version += 1;
        now.version = self.version;
        self.said = Some(now.clone());
        // The loader ends only with the process.
        let _ = self.messages.send(Message::Update(self.index, now));
    }

    /// Says why nothing can be said.
    pub(crate) fn silent(&self, why: String) {
        if self.said.is_none() {
            let _ = self.messages.send(Message::Silent(self.index, why));
        }
    }

    /// Asks for a revision to be held, or for none.
    pub(crate) fn pin(&self, revision: Option<String>, answer: Sender<Result<(), crate::PinError>>) {
        let _ = self.messages.send(Message::Pin(revision, answer));
    }

    /// What became of what was said last, once that is known.
    pub(crate) fn answer<'s>(&self, status: &'s Status) -> Option<&'s SourceStatus> {
        let source = status.sources.iter().find(|s| s.name == self.name)?;
        (self.said.is_some() && source.version == self.version).then_some(source)
    }
}
