//! The history of the sources' health: what of it is news to the ledger.

use std::collections::BTreeMap;

use chrono::Duration;
use faultline_core::model::{Cell, Time};

use super::status::{SourceKind, SourceState, StatusBoard};
use crate::ledger::SourceSeen;

/// A state that holds is told again this often, so that the ledger knows until when it held.
const TOLD_EVERY: Duration = Duration::minutes(1);

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Health(BTreeMap<(Cell, SourceKind), (SourceState, Time)>);

impl Health {
    /// The states that changed, or were told long ago.
    pub(super) fn news(&mut self, board: &StatusBoard, now: Time) -> Vec<SourceSeen> {
        let mut news = Vec::new();
        for status in board.all().into_iter().filter(|status| status.state != SourceState::Starting) {
            let key = (status.cell.clone(), status.kind);
            let told = self.0.get(&key);
            if told.is_some_and(|(state, at)| *state == status.state && now - *at < TOLD_EVERY) {
                continue;
            }
            self.0.insert(key, (status.state, now));
            let state = serde_json::to_value(status.state).ok();
            let state = state.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
            news.push(SourceSeen { cell: status.cell, kind: status.kind, at: now, state, detail: status.detail });
        }
        news
    }
}
