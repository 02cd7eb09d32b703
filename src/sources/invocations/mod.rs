//! The model invocation log: the other half of a failure.
//!
//! `failures` asks for records that carry an errorCode, for those of the request ids just seen failing, and for the
//! failures without an id for their model's records in the minutes that could match: its cost grows with failures, not
//! with traffic. `all` reads every record. `auto` reads all while that is affordable. Bodies are skipped while parsing,
//! and which stretches were read as a whole is told to the correlator.

mod body;
mod choice;
mod parse;
mod records;
#[cfg(test)]
mod tests;
mod wanted;
mod windows;

use std::{sync::Arc, time::Duration as StdDuration};

use chrono::Duration;
use faultline_core::model::{ModelKey, Observation, RecordsRead, Time};
use tokio::{sync::mpsc, time::Instant};
use tracing::{info, warn};

pub use self::wanted::FailedCall;
use self::{
    choice::{Choice, Volume},
    records::Records,
    wanted::Wanted,
    windows::{Window, Windows},
};
use super::{
    SourceContext,
    log_events::{Event, Group},
    seen::Seen,
    tail::{Reason, Scan, Stretch, Tail},
};
use crate::pipeline::{
    batch::{Batch, CursorKey, Ended},
    source::{Pass, PassError, Source},
    status::{SourceKind, SourceState},
};

/// How long a pass goes on where there is much to read.
const LONGEST_PASS: StdDuration = StdDuration::from_secs(15);
/// What a look at the log takes in, to know how much is written to it.
const PROBE: Duration = Duration::seconds(30);
/// And how old that is: what is younger has not all arrived.
const PROBE_AGE: Duration = Duration::seconds(60);

/// Which records are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Those with an errorCode, and those of failures just seen.
    Failures,
    /// Every one.
    All,
}

/// Which records are to be read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ReadMode {
    /// Always these.
    Always(Read),
    /// Every one while that takes fewer bytes a minute than this and leaves room to the application logs.
    Auto {
        /// Bytes a minute, what is read again for late records included.
        budget: f64,
    },
}

/// How the invocation log is read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The log group, a name or an ARN.
    pub group: String,
    /// Which records.
    pub read: ReadMode,
    /// Whether CloudWatch filters; without, everything is read and filtered here.
    pub server_side_filter: bool,
    /// How often it is polled.
    pub poll: StdDuration,
    /// How late a record may arrive and still be read.
    pub overlap: Duration,
    /// How long a record of a failure is asked for.
    pub horizon: Duration,
    /// Keys of requestMetadata that may hold the application's own id.
    pub id_keys: Vec<String>,
}

/// Reads one cell's invocation log.
#[derive(Debug)]
pub struct InvocationsSource {
    context: SourceContext,
    server_side_filter: bool,
    mode: ReadMode,
    records: Records,
    choice: Choice,
    asked_for: Arc<tokio::sync::Mutex<mpsc::Receiver<FailedCall>>>,
    wanted: Wanted,
    windows: Windows,
    tail: Tail,
    seen: Seen,
    /// The stretch being read.
    scan: Option<Reading>,
    /// The window being read.
    window: Option<(Window, Scan)>,
    /// What the current pass came to.
    pass: Counts,
}

/// A stretch being read, and how much was in it so far.
#[derive(Debug)]
struct Reading {
    read: Read,
    scan: Scan,
    bytes: f64,
    events: f64,
    newest: Option<Time>,
}

#[derive(Debug, Default)]
struct Counts {
    newest_data: Option<Time>,
    unreadable: usize,
    missed: u64,
}

impl InvocationsSource {
    /// Begins at `cursor`, or one window back. `asked_for` brings the failures from the logs source; it is shared so that
    /// a source built again after a panic goes on with the same channel.
    pub fn new(
        context: SourceContext,
        settings: Settings,
        asked_for: Arc<tokio::sync::Mutex<mpsc::Receiver<FailedCall>>>,
        cursor: Option<Time>,
    ) -> Self {
        let Settings { group, read, server_side_filter, poll, overlap, horizon, id_keys } = settings;
        let tail = Tail::new(overlap, context.read_back + overlap, context.begin(cursor), cursor);
        let mode = if server_side_filter { read } else { ReadMode::Always(Read::All) };
        let budget = match mode {
            ReadMode::Auto { budget } => budget,
            ReadMode::Always(_) => f64::INFINITY,
        };
        let readings = tail.readings(Duration::from_std(poll).unwrap_or(Duration::MAX));
        Self {
            server_side_filter,
            mode,
            choice: Choice::new(budget, readings),
            asked_for,
            wanted: Wanted::new(horizon, &id_keys),
            windows: Windows::new(overlap, horizon),
            records: Records { cell: context.cell.clone(), group: Group::parse(&group), id_keys },
            context,
            tail,
            seen: Seen::default(),
            scan: None,
            window: None,
            pass: Counts::default(),
        }
    }

    async fn take_requests(&mut self) {
        let mut asked_for = self.asked_for.lock().await;
        while let Ok(call) = asked_for.try_recv() {
            self.wanted.add(&call);
            self.windows.add(&call);
        }
    }

    /// Which records are read now; where that is for us to decide, the log is looked at first.
    async fn reading(&mut self, now: Time) -> Result<Read, PassError> {
        if let ReadMode::Always(read) = self.mode {
            return Ok(read);
        }
        if self.choice.probe_is_due(now) {
            let until = now - PROBE_AGE;
            let stretch = Stretch { from: until - PROBE, until, reason: Reason::Near };
            let page = Scan::new(stretch).page(&self.context.clients, &self.records.group, None).await?;
            // Where one page does not hold it, what it does hold tells as much.
            let newest = page.events.iter().map(|event| event.at).max();
            let span = if page.next.is_some() { newest.map_or(PROBE, |at| at - stretch.from) } else { PROBE };
            self.choice.probed(now);
            self.measured(float(page.bytes()), float(page.events.len()), span, now);
        }
        Ok(self.choice.reading().unwrap_or(Read::Failures))
    }

    fn measured(&mut self, bytes: f64, events: f64, span: Duration, now: Time) {
        if self.mode == ReadMode::Always(Read::All) || self.mode == ReadMode::Always(Read::Failures) {
            return;
        }
        let volume = Volume { bytes, events, span };
        let load = self.choice.load(volume);
        let (cell, group) = (&self.context.cell, self.records.group.name());
        match self.choice.measured(volume, now) {
            Some(Read::All) => info!(%cell, %group, load, "reading every invocation record: that is affordable"),
            Some(Read::Failures) => info!(
                %cell, %group, load,
                "reading the invocation records of failures only: every record would be more than the budget; hidden \
                 retries of calls that ended well stay unseen"
            ),
            None => {}
        }
    }

    /// Asks for the records of failures that were just seen, by their ids.
    async fn look_up(&mut self, now: Time) -> Result<(), PassError> {
        for lookup in self.wanted.due(now) {
            let stretch = Stretch { from: lookup.from, until: lookup.until, reason: Reason::Near };
            let mut scan = Scan::new(stretch);
            loop {
                let page = scan.page(&self.context.clients, &self.records.group, Some(&lookup.pattern)).await?;
                self.send_records(&page.events, None).await?;
                match page.next {
                    Some(next) => scan.go_on(next),
                    None => break,
                }
            }
            // Asked counts only once the answers were sent.
            self.wanted.asked(&lookup, now);
        }
        Ok(())
    }

    /// Reads on, page by page, until everything before `now` was read or the deadline is there. True when it was.
    async fn read_on(&mut self, read: Read, now: Time, deadline: Instant) -> Result<bool, PassError> {
        loop {
            if self.step(read, now).await? && self.tail.is_at(now) {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                self.measure_progress(now);
                return Ok(false);
            }
        }
    }

    /// Reads one page. True at the end of a stretch.
    async fn step(&mut self, read: Read, now: Time) -> Result<bool, PassError> {
        let reading = match &mut self.scan {
            Some(reading) if reading.read == read => reading,
            none => none.insert(Reading {
                read,
                scan: Scan::new(self.tail.next(now)),
                bytes: 0.0,
                events: 0.0,
                newest: None,
            }),
        };
        let pattern = match (self.server_side_filter, read) {
            (true, Read::Failures) => Some("{ $.errorCode = * }"),
            _ => None,
        };
        let stretch = reading.scan.stretch;
        let mut page = reading.scan.page(&self.context.clients, &self.records.group, pattern).await?;
        reading.bytes += float(page.bytes());
        reading.events += float(page.events.len());
        reading.newest = reading.newest.max(page.events.iter().map(|event| event.at).max());
        let number = usize::from(read == Read::All);
        page.events.retain(|event| self.seen.is_new(number, &event.event_id) && self.tail.wants(stretch, event));
        self.send_records(&page.events, None).await?;
        for event in &page.events {
            self.pass.missed += u64::from(self.tail.is_missed(event));
            self.seen.remember(number, &event.event_id, event.at);
        }
        match (page.next, &mut self.scan) {
            (Some(next), Some(reading)) => {
                reading.scan.go_on(next);
                Ok(false)
            }
            _ => {
                self.finish_stretch(stretch, read, now).await?;
                Ok(true)
            }
        }
    }

    async fn finish_stretch(&mut self, stretch: Stretch, read: Read, now: Time) -> Result<(), PassError> {
        self.tail.done(stretch, now);
        let whole = read == Read::All && stretch.reason != Reason::Far;
        let range = (stretch.from, stretch.until);
        self.send_read(if whole { &[None] } else { &[] }, range, Some(self.tail.cursor())).await?;
        if let Some(reading) = self.scan.take().filter(|_| whole) {
            self.windows.all_read(range, now);
            self.measured(reading.bytes, reading.events, range.1 - range.0, now);
        }
        self.seen.forget_before(self.tail.oldest());
        Ok(())
    }

    /// A long stretch tells before its end how much is written to the log.
    fn measure_progress(&mut self, now: Time) {
        let Some(Reading { read: Read::All, scan, bytes, events, newest: Some(newest) }) = &self.scan else { return };
        let (bytes, events, span) = (*bytes, *events, *newest - scan.stretch.from);
        self.measured(bytes, events, span, now);
    }

    /// Reads the windows of failures without an id, until the deadline. True when none is left.
    async fn read_windows(&mut self, now: Time, deadline: Instant) -> Result<bool, PassError> {
        loop {
            let Some((window, mut scan)) = self.window.take().or_else(|| {
                let window = self.windows.due(now)?;
                let (from, until) = window.range();
                Some((window, Scan::new(Stretch { from, until, reason: Reason::Near })))
            }) else {
                return Ok(true);
            };
            let page = scan.page(&self.context.clients, &self.records.group, window.pattern().as_deref()).await;
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    self.window = Some((window, scan));
                    return Err(error.into());
                }
            };
            self.send_records(&page.events, None).await?;
            match page.next {
                Some(next) => {
                    scan.go_on(next);
                    self.window = Some((window, scan));
                }
                None => {
                    self.send_read(&window.models, window.range(), None).await?;
                    self.windows.done(&window, now);
                }
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
        }
    }

    /// Says of which models every record of a range was read, and moves the cursor.
    async fn send_read(
        &self,
        models: &[Option<ModelKey>],
        (from, until): (Time, Time),
        cursor: Option<Time>,
    ) -> Result<(), Ended> {
        let cell = &self.context.cell;
        let read = |model: &Option<ModelKey>| {
            Observation::RecordsRead(RecordsRead { cell: cell.clone(), model: model.clone(), from, until })
        };
        self.send(models.iter().map(read).collect(), cursor).await
    }

    async fn send_records(&mut self, events: &[Event], cursor: Option<Time>) -> Result<(), Ended> {
        let parsed = self.records.parse(events.iter());
        if let Some(error) = parsed.because {
            let (cell, group, lines) = (&self.context.cell, self.records.group.name(), parsed.unreadable);
            warn!(%cell, %group, lines, %error, "lines are no invocation records");
            self.pass.unreadable += lines;
        }
        for record in &parsed.records {
            self.wanted.found(&record.request_id);
        }
        self.pass.newest_data = self.pass.newest_data.max(events.iter().map(|event| event.at).max());
        if parsed.records.is_empty() {
            return Ok(());
        }
        self.send(parsed.records.into_iter().map(Observation::Record).collect(), cursor).await
    }

    async fn send(&self, observations: Vec<Observation>, cursor: Option<Time>) -> Result<(), Ended> {
        let cell = self.context.cell.clone();
        let name = self.records.group.name().to_string();
        let key = CursorKey { cell: cell.clone(), kind: SourceKind::Invocations, name };
        let cursors = cursor.map(|at| (key, at)).into_iter().collect();
        self.context.outlet.send(Batch { cell: Some(cell), observations, cursors, first_pass_over: false }).await
    }
}

impl Source for InvocationsSource {
    async fn poll(&mut self) -> Result<Pass, PassError> {
        let now = self.context.clock.now();
        let started = Instant::now();
        self.take_requests().await;
        let read = self.reading(now).await?;
        let by_id = read == Read::Failures;
        if by_id {
            self.look_up(now).await?;
        } else {
            self.wanted.forget(now);
        }
        let finished = self.read_on(read, now, started + LONGEST_PASS / if by_id { 2 } else { 1 }).await?;
        let windows_finished = if by_id {
            self.read_windows(now, started + LONGEST_PASS).await?
        } else {
            self.windows.forget(now);
            true
        };

        let Counts { newest_data, unreadable, missed } = std::mem::take(&mut self.pass);
        let (state, detail) = match (unreadable, newest_data) {
            (0, None) => (SourceState::NoTraffic, String::new()),
            (0, Some(_)) => (SourceState::Ok, String::new()),
            (lines, _) => {
                let group = self.records.group.name();
                (SourceState::Partial, format!("{lines} lines of {group} are no invocation records and were skipped"))
            }
        };
        let pass = Pass::new(state, detail, newest_data);
        Ok(Pass { unfinished: !(finished && windows_finished), missed_events: missed, ..pass })
    }
}

#[allow(clippy::cast_precision_loss)] // a page's bytes and events
const fn float(count: usize) -> f64 {
    count as f64
}
