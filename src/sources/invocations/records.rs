//! Log events in, records out.

use std::sync::Arc;

use faultline_core::model::{Cell, InvocationRecord, LogRef};

use super::parse::{NotARecord, parse};
use crate::sources::log_events::{Event, Group};

/// Reads records out of the log of one cell.
#[derive(Debug)]
pub(super) struct Records {
    pub cell: Cell,
    pub group: Group,
    /// Keys of requestMetadata that may hold the application's own id.
    pub id_keys: Vec<String>,
}

/// What a page of the log held.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub records: Vec<InvocationRecord>,
    /// Lines that are no record.
    pub unreadable: usize,
    /// Why the first of them is none.
    pub because: Option<NotARecord>,
}

impl Records {
    pub(super) fn parse<'a>(&self, events: impl Iterator<Item = &'a Event>) -> Parsed {
        let mut parsed = Parsed::default();
        for event in events {
            let log = LogRef {
                group: Arc::clone(self.group.name()),
                stream: Arc::clone(&event.stream),
                event_id: Arc::clone(&event.event_id),
                at: event.at,
            };
            match parse(&self.cell, log, &event.message, &self.id_keys) {
                Ok(record) => parsed.records.push(record),
                Err(error) => {
                    parsed.unreadable += 1;
                    parsed.because.get_or_insert(error);
                }
            }
        }
        parsed
    }
}
