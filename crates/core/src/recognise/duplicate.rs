//! One failure logged twice by the same chain of handlers is one failure.

use std::collections::VecDeque;

use super::frame::Shape;
use crate::model::{FailureKind, Time};

/// What is remembered of a failure.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) kind: FailureKind,
    pub(super) core: String,
    pub(super) header: u64,
    pub(super) request_id: Option<String>,
    pub(super) shape: Shape,
    pub(super) first: u64,
    pub(super) last: u64,
    /// When its event was written, and when its text says it was: the two clocks may differ.
    pub(super) at: [Option<Time>; 2],
}

const REMEMBERED: usize = 8;
/// Lines that may lie between two records of one failure.
const NEAR: u64 = 2;

/// The last failures of a stream.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<Told>);

impl Recent {
    /// Whether this failure was told before; remembers it if not.
    pub(super) fn repeats(&mut self, told: Told) -> bool {
        let repeated = self.0.iter_mut().find(|known| known.is_repeated_by(&told));
        if let Some(known) = repeated {
            known.last = told.last;
            return true;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(told);
        false
    }
}

impl Told {
    fn is_repeated_by(&self, later: &Self) -> bool {
        if let (Some(known), Some(id)) = (&self.request_id, &later.request_id) {
            return known == id;
        }
        // Handlers in a chain log one after the other, in words or a form of their own. Two calls that fail alike are
        // logged by the same line of code.
        let adjacent = later.first <= self.last + 1 + NEAR;
        let another_handler = self.shape != later.shape || self.header != later.header;
        let same = || self.core.contains(&later.core) || later.core.contains(&self.core);
        let at_once = self.at.iter().zip(later.at).all(|(known, at)| match (known, at) {
            (Some(known), Some(at)) => (at - *known).num_seconds().abs() < 2,
            _ => true,
        });
        adjacent && another_handler && self.kind == later.kind && at_once && same()
    }
}
