//! One cell's sources: its account found out, its clients made, its cursors read, its sources driven.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use faultline_core::model::{Cell, ModelKey, Time};
use tokio::sync::{Mutex, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    aws::{Access, BaseConfig, RegionClients},
    clock::Clock,
    config::{self, CellConfig, Config, InvocationsRead},
    ledger::{Ledger, LedgerError},
    pipeline::{
        batch::{Batch, Outlet},
        source::{Driver, backoff},
        status::{SourceKind, StatusBoard, StatusHandle},
    },
    sources::{
        SourceContext,
        invocations::{self, FailedCall, InvocationsSource},
        logs::{self, Application, LogsSource},
        metrics::{self, MetricsSource},
    },
};

/// Ids of failures on their way to the lookup.
const WANTED_IN_FLIGHT: usize = 10_000;
/// Shown until the account is known.
const UNKNOWN_ACCOUNT: &str = "unknown";

/// How many sources these cells have, all in all.
pub(super) fn sources(cells: &[CellConfig]) -> usize {
    cells.iter().map(|cell| kinds(cell).len()).sum()
}

fn kinds(cell: &CellConfig) -> Vec<SourceKind> {
    let mut kinds = vec![SourceKind::Metrics];
    if !cell.applications.is_empty() {
        kinds.push(SourceKind::Logs);
    }
    if cell.invocations.is_some() {
        kinds.push(SourceKind::Invocations);
    }
    kinds
}

/// A cell on its way to being watched.
pub(super) struct CellTask {
    config: Arc<Config>,
    index: usize,
    statuses: BTreeMap<SourceKind, StatusHandle>,
    /// Cursors of this region, by account, source and name: read before the ledger goes to the recorder.
    cursors: Vec<(crate::pipeline::batch::CursorKey, Time)>,
}

/// What the sources of a cell are given besides what is their own.
struct Surroundings {
    cell: Cell,
    base: BaseConfig,
    clients: RegionClients,
    outlet: Outlet,
    clock: Clock,
    stop: CancellationToken,
}

impl CellTask {
    pub(super) fn new(
        config: Arc<Config>,
        index: usize,
        board: &StatusBoard,
        ledger: &Ledger,
    ) -> Result<Self, LedgerError> {
        let cell = &config.cells[index];
        let shown = Cell::new(cell.account_id.as_deref().unwrap_or(UNKNOWN_ACCOUNT), &cell.region);
        let statuses = kinds(cell).into_iter().map(|kind| (kind, board.add(shown.clone(), kind))).collect();
        let cursors = ledger.cursors()?.into_iter().filter(|(key, _)| *key.cell.region == *cell.region).collect();
        Ok(Self { config, index, statuses, cursors })
    }

    fn config(&self) -> &CellConfig {
        &self.config.cells[self.index]
    }

    pub(super) async fn run(self, base: BaseConfig, outlet: Outlet, clock: Clock, stop: CancellationToken) {
        let access = self.config().access.clone();
        let clients = base.clients(&access, &self.config().region).await;
        let Some(account) = self.account(&clients, &outlet, &clock, &stop).await else { return };
        let cell = Cell::new(&account, &self.config().region);
        for status in self.statuses.values() {
            status.update(|status| status.cell = cell.clone());
        }
        info!(%cell, sources = self.statuses.len(), "watching");
        let around = Surroundings { cell, base, clients, outlet, clock, stop };
        let sources = TaskTracker::new();
        self.start_sources(&around, &sources).await;
        sources.close();
        drop(around);
        sources.wait().await;
    }

    /// The account, from the configuration, else asked of STS until it answers. `None` when the daemon ends first.
    async fn account(
        &self,
        clients: &RegionClients,
        outlet: &Outlet,
        clock: &Clock,
        stop: &CancellationToken,
    ) -> Option<String> {
        if let Some(account) = &self.config().account_id {
            return Some(account.to_string());
        }
        let mut failures = 0;
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return None,
                asked = clients.account_id() => asked,
            };
            let error = match asked {
                Ok(account) => return Some(account),
                Err(error) => error,
            };
            let wait = backoff(Duration::from_secs(2), failures);
            warn!(region = %self.config().region, error = %error.detail, retry_in = ?wait, "account not known yet");
            for status in self.statuses.values() {
                status.update(|status| {
                    status.state = error.state;
                    status.detail.clone_from(&error.detail);
                    status.next_poll = chrono::Duration::from_std(wait).ok().map(|wait| clock.now() + wait);
                });
                // The other cells need not wait for this one to be ready.
                if failures == 0 {
                    outlet.send(Batch { first_pass_over: true, ..Batch::default() }).await.ok()?;
                }
            }
            failures = failures.saturating_add(1);
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn start_sources(&self, around: &Surroundings, sources: &TaskTracker) {
        let context = SourceContext {
            cell: around.cell.clone(),
            clients: around.clients.clone(),
            outlet: around.outlet.clone(),
            clock: around.clock.clone(),
            read_back: self.config.correlation.read_back(),
            horizon: self.config.correlation.horizon,
        };
        let (wanted, asked_for) = mpsc::channel(WANTED_IN_FLIGHT);

        if let Some(driver) = self.driver(around, SourceKind::Metrics, self.config.metrics.poll) {
            let cursor = self.cursors_of(around, SourceKind::Metrics).into_values().next();
            let config::MetricsConfig { poll, detail, settle, budget_usd_per_month } = self.config.metrics;
            let poll = chrono::Duration::from_std(poll).unwrap_or(chrono::Duration::MAX);
            let settings = metrics::Settings { poll, detail, settle, budget_usd_per_month };
            let context = context.clone();
            sources.spawn(driver.run(move || MetricsSource::new(context.clone(), settings, cursor)));
        }
        if let Some(driver) = self.driver(around, SourceKind::Logs, self.config.logs.poll) {
            let applications = self.applications(around).await;
            let settings = logs::Settings {
                overlap: self.config.logs.overlap,
                server_side_filter: self.config.logs.server_side_filter,
            };
            let (context, cursors) = (context.clone(), self.cursors_of(around, SourceKind::Logs));
            sources.spawn(driver.run(move || {
                LogsSource::new(context.clone(), settings, applications.clone(), cursors.clone(), wanted.clone())
            }));
        }
        if let Some(driver) = self.driver(around, SourceKind::Invocations, self.config.logs.poll)
            && let Some(settings) = self.invocations()
        {
            let cursor = self.cursors_of(around, SourceKind::Invocations).into_values().min();
            let asked_for: Arc<Mutex<mpsc::Receiver<FailedCall>>> = Arc::new(Mutex::new(asked_for));
            sources.spawn(driver.run(move || {
                InvocationsSource::new(context.clone(), settings.clone(), Arc::clone(&asked_for), cursor)
            }));
        }
    }

    fn driver(&self, around: &Surroundings, kind: SourceKind, every: Duration) -> Option<Driver> {
        Some(Driver {
            every,
            status: self.statuses.get(&kind)?.clone(),
            outlet: around.outlet.clone(),
            stop: around.stop.clone(),
            clock: around.clock.clone(),
        })
    }

    fn cursors_of(&self, around: &Surroundings, kind: SourceKind) -> BTreeMap<String, Time> {
        let own = self.cursors.iter().filter(|(key, _)| key.cell == around.cell && key.kind == kind);
        own.map(|(key, time)| (key.name.clone(), *time)).collect()
    }

    /// The applications, each with clients for where its logs are; those in the cell's own place share its limits.
    async fn applications(&self, around: &Surroundings) -> Vec<Arc<Application>> {
        let cell = self.config();
        let own = (cell.access.role_arn.as_deref(), &*cell.region);
        let mut clients: BTreeMap<(Option<&str>, &str), RegionClients> = BTreeMap::new();
        clients.insert(own, around.clients.clone());
        let mut applications = Vec::new();
        for application in &cell.applications {
            let region = application.region.as_deref().unwrap_or(&cell.region);
            let role = application.role_arn.as_deref().or(cell.access.role_arn.as_deref());
            let place = match (&application.role_arn, &application.region) {
                (None, None) => String::new(),
                (role, region) => {
                    format!("{} {} ", region.as_deref().unwrap_or_default(), role.as_deref().unwrap_or_default())
                }
            };
            let clients = match clients.entry((role, region)) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(entry) => {
                    // A role of the application's own has its own external id, or none.
                    let external_id = match &application.role_arn {
                        Some(_) => application.external_id.clone(),
                        None => cell.access.external_id.clone(),
                    };
                    let endpoint_url = cell.access.endpoint_url.clone();
                    let access = Access { role_arn: role.map(str::to_owned), external_id, endpoint_url };
                    entry.insert(around.base.clients(&access, region).await).clone()
                }
            };
            applications.push(Arc::new(Application {
                name: application.name.as_str().into(),
                selector: application.group.clone(),
                identity: application.identity.as_deref().map(Arc::from),
                model: application.model_id.as_deref().map(ModelKey::parse),
                assume_bedrock: application.assume_bedrock,
                successes: application.successes,
                place,
                clients,
            }));
        }
        applications
    }

    fn invocations(&self) -> Option<invocations::Settings> {
        let configured = self.config().invocations.as_ref()?;
        Some(invocations::Settings {
            group: configured.group.clone(),
            read: match configured.read {
                InvocationsRead::All => invocations::ReadMode::Always(invocations::Read::All),
                InvocationsRead::Failures => invocations::ReadMode::Always(invocations::Read::Failures),
                InvocationsRead::Auto => invocations::ReadMode::Auto { budget: configured.megabytes_per_minute * 1e6 },
            },
            poll: self.config.logs.poll,
            server_side_filter: self.config.logs.server_side_filter,
            overlap: self.config.logs.overlap,
            horizon: self.config.correlation.horizon,
            id_keys: self.config.correlation.id_keys.clone(),
        })
    }
}
