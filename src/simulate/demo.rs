//! `faultline demo`: the real daemon, the real SDK and real HTTP, on an AWS that runs inside this process.

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use faultline_core::model::Finding;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    fleet::{ApplicationInfo, DEMO_PAST, Fleet, FleetPlan, INVOCATION_GROUP},
    server::{self, ACCESS_KEY, Aws},
    store::DimensionSets,
};
use crate::{
    app::{self, App},
    cli::print,
    clock::Clock,
    config::{
        ApplicationConfig, CellConfig, Config, CorrelationConfig, InvocationsConfig, InvocationsRead, LogsConfig,
        MetricsConfig,
    },
    ledger::Retention,
    sources::logs::GroupSelector,
};

/// How often the fleet is let live on.
const STEP: Duration = Duration::from_secs(1);
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Runs the demo until it is stopped.
pub async fn run(listen: SocketAddr, seed: u64) -> anyhow::Result<()> {
    let clock = Clock::system();
    let stop = CancellationToken::new();
    let plan = FleetPlan::demo(seed, clock.now());
    let aws = Arc::new(Aws::new(clock.clone(), &plan.account_id));
    let endpoint = start_aws(&aws, &plan, clock.clone(), stop.clone()).await?;

    // The demo keeps nothing: its account is another one every time.
    let directory = tempfile::tempdir().context("cannot make a directory for the demo's ledger")?;
    let config = config(&plan, listen, &endpoint, directory.path().join("demo.db"));
    let (on_finding, findings) = mpsc::unbounded_channel();
    let credentials = SharedCredentialsProvider::new(Credentials::new(ACCESS_KEY, "simulated", None, None, "demo"));
    let options = app::Options { on_finding: Some(on_finding), credentials: Some(credentials), ..Default::default() };
    let app = App::start(config, options).await?;
    let address = app.address();
    print(&format!(
        "Faultline is watching a simulated AWS account with {} applications and {} hours of history.\n\n  \
         page      http://{address}/\n  report    http://{address}/report?since=3h\n  metrics   http://{address}/metrics\n  findings  http://{address}/api/v1/findings\n\n\
         Billed but failed invocations, as they are found (Ctrl-C ends the demo):\n",
        plan.applications.len(),
        DEMO_PAST.num_hours(),
    ))?;
    let printing = tokio::spawn(print_findings(findings));
    let stopped = app.run_until_stopped(STOP_WITHIN).await;
    stop.cancel();
    printing.abort();
    stopped
}

/// Starts the simulated account: its past at once, then on as time goes. Returns its endpoint.
async fn start_aws(aws: &Arc<Aws>, plan: &FleetPlan, clock: Clock, stop: CancellationToken) -> anyhow::Result<String> {
    let (account, region) = (plan.account_id.clone(), plan.region.clone());
    aws.with_store(&account, &region, |store| {
        store.show(DimensionSets { across_all_models: true, service_tiers: true });
    });
    let mut fleet = Fleet::new(plan.clone(), clock.now() - DEMO_PAST);
    let live_on = {
        let aws = Arc::clone(aws);
        move |fleet: &mut Fleet| {
            let mut emissions = Vec::new();
            fleet.advance(clock.now(), &mut emissions);
            aws.with_store(&account, &region, |store| emissions.into_iter().for_each(|emission| store.apply(emission)));
        }
    };
    live_on(&mut fleet);
    let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot open a port for the simulated AWS")?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    tokio::spawn(server::serve(listener, Arc::clone(aws), stop.clone()));
    tokio::spawn(async move {
        let mut step = tokio::time::interval(STEP);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = step.tick() => live_on(&mut fleet),
            }
        }
    });
    Ok(endpoint)
}

/// The daemon's configuration for this account: impatient, because someone is watching.
fn config(plan: &FleetPlan, listen: SocketAddr, endpoint: &str, ledger: std::path::PathBuf) -> Config {
    let application = |application: ApplicationInfo| ApplicationConfig {
        name: application.name.to_string(),
        group: GroupSelector::Exact(application.log_group.to_string()),
        identity: Some(application.identity.to_string()),
        model_id: Some(application.model_id.to_string()),
        assume_bedrock: true,
        successes: false,
        region: None,
        role_arn: None,
        external_id: None,
    };
    Config {
        listen,
        ledger,
        cells: vec![CellConfig {
            account_id: Some(plan.account_id.to_string()),
            region: plan.region.to_string(),
            access: crate::aws::Access { endpoint_url: Some(endpoint.to_owned()), ..Default::default() },
            applications: plan.applications().into_iter().map(application).collect(),
            invocations: Some(InvocationsConfig {
                group: INVOCATION_GROUP.to_owned(),
                read: InvocationsRead::Failures,
                megabytes_per_minute: 60.0,
            }),
        }],
        metrics: MetricsConfig {
            poll: Duration::from_secs(10),
            detail: chrono::Duration::seconds(20),
            settle: chrono::Duration::minutes(5),
            budget_usd_per_month: f64::INFINITY,
        },
        logs: LogsConfig {
            poll: Duration::from_secs(3),
            overlap: chrono::Duration::minutes(1),
            server_side_filter: true,
        },
        correlation: CorrelationConfig {
            window: chrono::Duration::hours(1),
            horizon: chrono::Duration::minutes(10),
            invocations_count: faultline_core::correlate::InvocationsCount::Auto,
            id_keys: vec!["faultline-id".to_owned(), "call_id".to_owned()],
        },
        prices: Vec::new(),
        monthly_budget_usd: None,
        provisioned: Vec::new(),
        retention: Retention::default(),
        shutdown_timeout: STOP_WITHIN,
    }
}

/// One line per finding; a revision is no news.
async fn print_findings(mut findings: mpsc::UnboundedReceiver<Finding>) {
    let mut known = HashSet::new();
    while let Some(finding) = findings.recv().await {
        if known.insert(finding.id.clone()) && print(&line(&finding)).is_err() {
            return;
        }
    }
}

fn line(finding: &Finding) -> String {
    let cost = finding.cost_usd.map_or_else(|| "no price".to_owned(), |cost| format!("${cost:.4}"));
    format!(
        "{}  {:<9}  {:>8}  {:>6} in {:>5} out  {:<19}  {}  {}  {}\n",
        finding.occurred_at.format("%Y-%m-%d %H:%M:%SZ"),
        finding.evidence.as_str(),
        cost,
        finding.tokens.input + finding.tokens.cache_read + finding.tokens.cache_write,
        finding.tokens.output,
        finding.failure.as_str(),
        finding.request_id.as_deref().unwrap_or("-"),
        finding.application.as_deref().unwrap_or("-"),
        finding.scope.model,
    )
}
