//! A simulated account at a time that tests move, and daemons that watch it.
#![allow(dead_code, unreachable_pub)] // each test file uses a part, of a module that is no crate

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use chrono::{DateTime, TimeZone, Utc};
use faultline::{
    app::{App, Options},
    aws::Access,
    clock::Clock,
    config::{
        ApplicationConfig, CellConfig, Config, CorrelationConfig, InvocationsConfig, InvocationsRead, LogsConfig,
        MetricsConfig,
    },
    simulate::{
        fleet::{ApplicationInfo, Fleet, FleetPlan, INVOCATION_GROUP, RequestTruth},
        server::{self, ACCESS_KEY, Aws},
        store::DimensionSets,
    },
    sources::logs::GroupSelector,
};
use faultline_core::correlate::InvocationsCount;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub const ACCOUNT: &str = "111122223333";
pub const OTHER_ACCOUNT: &str = "444455556666";
pub const REGION: &str = "us-east-1";
const ROLE: &str = "arn:aws:iam::444455556666:role/faultline";
/// Lines of the last seconds would make a count depend on when it is looked at.
const QUIET: chrono::Duration = chrono::Duration::seconds(10);
const PATIENCE: Duration = Duration::from_secs(120);

pub struct World {
    pub aws: Arc<Aws>,
    endpoint: String,
    fleet: Mutex<Fleet>,
    plan: FleetPlan,
    /// Milliseconds since 1970: this world's time.
    time: Arc<AtomicI64>,
    place: tempfile::TempDir,
    ledgers: AtomicU32,
    stop: CancellationToken,
}

impl World {
    /// The demo's account, with a smaller fleet and two hours of past, at noon of a day.
    pub async fn demo() -> Self {
        let noon = Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).unwrap();
        let time = Arc::new(AtomicI64::new(noon.timestamp_millis()));
        let mut plan = FleetPlan::demo(7, noon);
        plan.applications.iter_mut().for_each(|application| application.calls_per_minute /= 2.0);
        let clock = clock(&time);
        let aws = Arc::new(Aws::new(clock, ACCOUNT));
        aws.with_store(ACCOUNT, REGION, |store| {
            store.show(DimensionSets { across_all_models: true, service_tiers: true });
        });
        aws.with_faults(|faults| {
            faults.list_late(chrono::Duration::minutes(15));
            faults.page_datapoints(5_000);
        });
        aws.add_role(ROLE, OTHER_ACCOUNT, Some("its-id"));
        aws.with_store(OTHER_ACCOUNT, REGION, |store| {
            store.create_group(&plan.applications()[0].log_group);
            store.create_group(INVOCATION_GROUP);
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(server::serve(listener, Arc::clone(&aws), stop.clone()));
        let fleet = Mutex::new(Fleet::new(plan.clone(), noon - chrono::Duration::hours(2)));
        let place = tempfile::tempdir().unwrap();
        let world = Self { aws, endpoint, fleet, plan, time, place, ledgers: AtomicU32::new(0), stop };
        world.advance(chrono::Duration::zero());
        world
    }

    pub fn now(&self) -> DateTime<Utc> {
        clock(&self.time).now()
    }

    pub fn started_at(&self) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).unwrap()
    }

    /// Lets this world live on.
    pub fn advance(&self, by: chrono::Duration) {
        let now = self.now() + by;
        let mut emissions = Vec::new();
        self.fleet.lock().unwrap().advance(now, &mut emissions);
        self.aws.with_store(ACCOUNT, REGION, |store| emissions.into_iter().for_each(|emission| store.apply(emission)));
        self.time.store(now.timestamp_millis(), Ordering::SeqCst);
    }

    /// Lets this world live on, and then until no application has logged anything for a while.
    pub fn advance_until_quiet(&self, by: chrono::Duration) {
        self.advance(by);
        let is_quiet = || {
            let young = self.now() - QUIET;
            !self.truth().iter().any(|request| request.logged_at.is_some_and(|at| at >= young))
        };
        while !is_quiet() {
            self.advance(chrono::Duration::seconds(1));
        }
    }

    pub fn truth(&self) -> Vec<RequestTruth> {
        self.fleet.lock().unwrap().truth().to_vec()
    }

    /// Failed calls since a time that were logged.
    pub fn client_failures_since(&self, since: DateTime<Utc>) -> f64 {
        let truth = self.truth();
        let logged = truth.iter().filter_map(|request| request.logged_at).filter(|at| *at >= since && *at < self.now());
        f64::from(u32::try_from(logged.count()).unwrap())
    }

    /// A configuration that watches this account, with a ledger of its own.
    pub fn config(&self) -> Config {
        let number = self.ledgers.fetch_add(1, Ordering::SeqCst);
        let ledger: PathBuf = self.place.path().join(format!("faultline-{number}.db"));
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ledger,
            cells: vec![self.cell(ACCOUNT, Access::default(), self.plan.applications())],
            metrics: MetricsConfig {
                poll: Duration::from_millis(200),
                detail: chrono::Duration::milliseconds(200),
                settle: chrono::Duration::minutes(5),
                budget_usd_per_month: 1e9,
            },
            logs: LogsConfig {
                poll: Duration::from_millis(200),
                overlap: chrono::Duration::minutes(2),
                server_side_filter: true,
            },
            correlation: CorrelationConfig {
                window: chrono::Duration::hours(1),
                horizon: chrono::Duration::minutes(30),
                invocations_count: InvocationsCount::Auto,
                id_keys: vec!["faultline-id".to_owned(), "call_id".to_owned()],
            },
            prices: Vec::new(),
            monthly_budget_usd: None,
            provisioned: Vec::new(),
            retention: faultline::ledger::Retention::default(),
            shutdown_timeout: Duration::from_secs(10),
        }
    }

    /// The same, and an account that is read through a role.
    pub fn config_of_two_accounts(&self) -> Config {
        let mut config = self.config();
        let access =
            Access { role_arn: Some(ROLE.to_owned()), external_id: Some("its-id".to_owned()), endpoint_url: None };
        config.cells.push(self.cell(OTHER_ACCOUNT, access, self.plan.applications()[..1].to_vec()));
        config
    }

    fn cell(&self, account: &str, access: Access, applications: Vec<ApplicationInfo>) -> CellConfig {
        let application = |application: ApplicationInfo| ApplicationConfig {
            name: application.name.to_string(),
            group: GroupSelector::Exact(application.log_group.to_string()),
            identity: None,
            model_id: Some(application.model_id.to_string()),
            assume_bedrock: true,
            successes: false,
            region: None,
            role_arn: None,
            external_id: None,
        };
        CellConfig {
            account_id: Some(account.to_owned()),
            region: REGION.to_owned(),
            access: Access { endpoint_url: Some(self.endpoint.clone()), ..access },
            applications: applications.into_iter().map(application).collect(),
            invocations: Some(InvocationsConfig {
                group: INVOCATION_GROUP.to_owned(),
                read: InvocationsRead::Failures,
                megabytes_per_minute: 60.0,
            }),
        }
    }

    /// Starts the daemon on this world, by this world's time.
    pub async fn start(&self, config: Config) -> Daemon {
        let credentials = Credentials::new(ACCESS_KEY, "simulated", None, None, "test");
        let options = Options {
            clock: Some(clock(&self.time)),
            credentials: Some(SharedCredentialsProvider::new(credentials)),
            on_finding: None,
        };
        let app = App::start(config, options).await.unwrap();
        Daemon { app }
    }

    /// How many findings a daemon has that its clients' logs tell of.
    pub async fn joined(&self, daemon: &Daemon) -> usize {
        let answer = daemon.json("/api/v1/findings?limit=1000").await;
        answer["findings"].as_array().unwrap().iter().filter(|finding| !finding["client_log"].is_null()).count()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn clock(time: &Arc<AtomicI64>) -> Clock {
    let time = Arc::clone(time);
    Clock::new(move || DateTime::from_timestamp_millis(time.load(Ordering::SeqCst)).unwrap())
}

/// A running daemon.
pub struct Daemon {
    app: App,
}

impl Daemon {
    pub async fn text(&self, path: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut connection = tokio::net::TcpStream::connect(self.app.address()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: faultline\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains("transfer-encoding: chunked"), "{head}");
        body.to_owned()
    }

    pub async fn json(&self, path: &str) -> Value {
        let text = self.text(path).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    pub async fn until_ready(&self) {
        self.until("readiness", async || self.text("/-/ready").await == "ready\n").await;
    }

    /// Waits until a condition holds, within a hard limit.
    pub async fn until(&self, what: &str, condition: impl AsyncFn() -> bool) {
        let started = Instant::now();
        while !condition().await {
            assert!(started.elapsed() < PATIENCE, "no {what}; sources: {}", self.text("/api/v1/sources").await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn stop(self) {
        self.app.stop(Duration::from_secs(15)).await.unwrap();
    }
}

/// The sum of the samples whose line begins with `name` and holds `label`.
pub fn sum(metrics: &str, name: &str, label: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}
