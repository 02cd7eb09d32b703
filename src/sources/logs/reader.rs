//! One log group of one application, read on from where it was.

use std::sync::Arc;

use faultline_core::{
    model::{ClientFailure, ClientSuccess, LogRef, Observation, Time},
    recognise::{
        LogEvent, Recognised, Settings as RecogniserSettings, filter_pattern, success_filter_pattern,
        success_request_id,
    },
};
use tokio::time::Instant;

use super::{
    Application, Delivery, Settings, cursor_name,
    hits::{self, Place},
    lines::Lines,
};
use crate::{
    pipeline::source::PassError,
    sources::{
        log_events::{Event, Group},
        seen::Seen,
        tail::{Scan, Tail},
    },
};

/// What one pass over a group came to.
#[derive(Debug, Default)]
pub(super) struct GroupPass {
    pub newest_data: Option<Time>,
    /// It was cut off at its deadline.
    pub unfinished: bool,
    /// Events that arrived later than the overlap.
    pub missed: u64,
}

/// What is searched for in a stretch, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    /// Lines that may tell of a failure.
    Failures,
    /// Lines with a request id, of which some tell of calls that ended well.
    Successes,
    /// All lines.
    Everything,
}

impl Search {
    fn pattern(self) -> Option<&'static str> {
        match self {
            Self::Failures => Some(filter_pattern()),
            Self::Successes => Some(success_filter_pattern()),
            Self::Everything => None,
        }
    }
}

/// Reads one group.
#[derive(Debug)]
pub(super) struct GroupReader {
    application: Arc<Application>,
    delivery: Arc<Delivery>,
    group: Group,
    recogniser: RecogniserSettings,
    lines: Lines,
    searches: &'static [Search],
    tail: Tail,
    seen: Seen,
    /// The stretch being read, and which of the searches it is in.
    scan: Option<(Scan, usize)>,
}

impl GroupReader {
    pub(super) fn new(
        application: Arc<Application>,
        delivery: Arc<Delivery>,
        group: Group,
        settings: Settings,
        tail: Tail,
    ) -> Self {
        let searches: &[Search] = match (settings.server_side_filter, application.successes) {
            (false, _) => &[Search::Everything],
            (true, false) => &[Search::Failures],
            (true, true) => &[Search::Failures, Search::Successes],
        };
        let recogniser =
            RecogniserSettings { assume_bedrock: application.assume_bedrock, ..RecogniserSettings::default() };
        let lines = Lines::new(recogniser.clone());
        Self { application, delivery, group, recogniser, lines, searches, tail, seen: Seen::default(), scan: None }
    }

    /// Reads what is new before `now`, page by page, and sends what each page said at once. At the deadline it stops
    /// where it is and goes on from there in the next pass.
    pub(super) async fn read_on(&mut self, now: Time, deadline: Instant) -> Result<GroupPass, PassError> {
        let mut pass = GroupPass::default();
        loop {
            if self.step(now, &mut pass).await? && self.tail.is_at(now) {
                return Ok(pass);
            }
            if Instant::now() >= deadline {
                pass.unfinished = true;
                return Ok(pass);
            }
        }
    }

    /// Reads one page. True at the end of a stretch.
    async fn step(&mut self, now: Time, pass: &mut GroupPass) -> Result<bool, PassError> {
        let (mut scan, mut index) = self.scan.take().unwrap_or_else(|| (Scan::new(self.tail.next(now)), 0));
        let search = self.searches[index];
        let read = match scan.page(&self.application.clients, &self.group, search.pattern()).await {
            Ok(mut page) => {
                let (seen, tail) = (&self.seen, &self.tail);
                page.events.retain(|event| seen.is_new(index, &event.event_id) && tail.wants(scan.stretch, event));
                pass.newest_data = pass.newest_data.max(page.events.iter().map(|event| event.at).max());
                self.page(search, index, &scan, page.events, now, pass).await.map(|()| page.next)
            }
            Err(error) => Err(error.into()),
        };
        match read {
            Ok(None) => {}
            Ok(Some(next)) => {
                scan.go_on(next);
                self.scan = Some((scan, index));
                return Ok(false);
            }
            Err(error) => {
                self.scan = Some((scan, index));
                return Err(error);
            }
        }
        index += 1;
        if index < self.searches.len() {
            self.scan = Some((Scan::new(scan.stretch), index));
            return Ok(false);
        }
        let closed = match search {
            Search::Everything => self.lines.close(now, self.tail.oldest()),
            Search::Failures | Search::Successes => Vec::new(),
        };
        self.tail.done(scan.stretch, now);
        let observations = closed.into_iter().map(|failure| self.failure(failure, now)).collect();
        self.delivery
            .send(observations, Some((cursor_name(&self.application, &self.group), self.tail.cursor())))
            .await?;
        self.seen.forget_before(self.tail.oldest());
        Ok(true)
    }

    /// Reads the events of a page, sends what they say, and remembers them.
    async fn page(
        &mut self,
        search: Search,
        index: usize,
        scan: &Scan,
        mut events: Vec<Event>,
        now: Time,
        pass: &mut GroupPass,
    ) -> Result<(), PassError> {
        let mut failures = Vec::new();
        let mut successes = Vec::new();
        match search {
            Search::Everything => {
                events.sort_by_key(|event| event.at);
                failures = self.lines.read(scan.stretch.from, &events);
            }
            Search::Failures => {
                let place =
                    Place { clients: &self.application.clients, group: &self.group, settings: &self.recogniser };
                let read = hits::recognise(&place, events, now).await?;
                (failures, events) = (read.failures, read.done);
            }
            Search::Successes => {}
        }
        if self.application.successes && search != Search::Failures {
            successes = events.iter().filter_map(|event| self.success(event)).collect();
        }
        let failures = failures.into_iter().map(|failure| self.failure(failure, now));
        let observations: Vec<_> = failures.chain(successes).collect();
        if !observations.is_empty() {
            self.delivery.send(observations, None).await?;
        }
        for event in &events {
            pass.missed += u64::from(self.tail.is_missed(event));
            self.seen.remember(index, &event.event_id, event.at);
        }
        Ok(())
    }

    fn failure(&self, recognised: Recognised, otherwise_at: Time) -> Observation {
        let application = &self.application;
        let at = recognised.at.unwrap_or(otherwise_at);
        let mut text = recognised.text;
        if text.model.is_none() {
            text.model.clone_from(&application.model);
        }
        let group = Arc::clone(self.group.name());
        Observation::Failure(ClientFailure {
            cell: self.delivery.cell().clone(),
            application: Arc::clone(&application.name),
            identity: application.identity.clone(),
            at,
            log: LogRef { group, stream: recognised.stream, event_id: recognised.event_id, at },
            text,
        })
    }

    fn success(&self, event: &Event) -> Option<Observation> {
        Some(Observation::Success(ClientSuccess {
            cell: self.delivery.cell().clone(),
            application: Arc::clone(&self.application.name),
            at: event.at,
            request_id: success_request_id(event.message.as_bytes())?,
        }))
    }
}

/// An event as the recogniser takes it.
pub(super) fn log_event(event: &Event) -> LogEvent<'_> {
    LogEvent { stream: &event.stream, event_id: &event.event_id, at: Some(event.at), message: event.message.as_bytes() }
}
