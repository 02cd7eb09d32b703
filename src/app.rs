//! The wiring: what starts in which order, what it is given, and how it ends. Nothing else wires.

mod cell;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use anyhow::Context;
use faultline_core::{correlate, model::Finding, price::PriceTable};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use self::cell::CellTask;
use crate::{
    aws::{BaseConfig, meter::ApiMeter},
    clock::Clock,
    config::Config,
    export::{self, Exporter},
    ledger::Ledger,
    pipeline::{batch::Outlet, recorder::Recorder, status::StatusBoard},
    report::{self, Reporter},
};

/// Batches between the sources and the recorder: enough that they do not wait for each other, little enough that a
/// stuck ledger stops the reading.
const BATCHES_IN_FLIGHT: usize = 256;
/// What a correlator keeps of one cell before it drops the oldest, counted.
const OBSERVATIONS_A_CELL: usize = 2_000_000;

/// What a caller may set besides the configuration.
#[derive(Debug, Default)]
pub struct Options {
    /// The time; the system's when absent.
    pub clock: Option<Clock>,
    /// AWS credentials; the environment's when absent.
    pub credentials: Option<aws_credential_types::provider::SharedCredentialsProvider>,
    /// Told of each finding once it is in the ledger.
    pub on_finding: Option<mpsc::UnboundedSender<Finding>>,
}

/// The running daemon.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    stop_sources: CancellationToken,
    stop_server: CancellationToken,
    cells: TaskTracker,
    recorder: JoinHandle<()>,
    recorder_gone: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

impl App {
    /// Starts everything. Fails, with what to do about it, when the port is taken or the ledger cannot be used;
    /// trouble with AWS is not a failure to start.
    pub async fn start(config: Config, options: Options) -> anyhow::Result<Self> {
        let clock = options.clock.unwrap_or_else(Clock::system);
        let listener = TcpListener::bind(config.listen).await.with_context(|| {
            format!("cannot listen on {}: choose another address with `listen`, or end what uses it", config.listen)
        })?;
        let address = listener.local_addr()?;

        let prices = Arc::new(PriceTable::builtin().with_overrides(config.prices.clone()));
        let ledger = Ledger::open(&config.ledger, clock.now(), Arc::clone(&prices))
            .with_context(|| format!("ledger {}", config.ledger.display()))?
            .read_back(config.correlation.read_back())
            .retention(config.retention);
        let board = StatusBoard::default();
        let meter = ApiMeter::default();
        let first_passes = Arc::new(AtomicUsize::new(cell::sources(&config.cells)));
        let budget = config.monthly_budget_usd;
        let exporter = Exporter::new(board.clone(), meter.clone(), clock.clone(), Arc::clone(&first_passes), budget);
        let stop_server = CancellationToken::new();
        let reader = ledger.reader().context("ledger")?;
        let reporter = Reporter { ledger: config.ledger.clone(), settings: Arc::new(report::Settings::from(&config)) };
        let server = tokio::spawn(export::serve(listener, exporter.clone(), reader, reporter, stop_server.clone()));

        let base = match options.credentials {
            Some(credentials) => BaseConfig::with_credentials(credentials, meter).await,
            None => BaseConfig::from_environment(meter).await,
        };
        let (outlet, batches) = Outlet::channel(BATCHES_IN_FLIGHT);
        let stop_sources = CancellationToken::new();
        let cells = TaskTracker::new();
        let config = Arc::new(config);
        for index in 0..config.cells.len() {
            let task = CellTask::new(Arc::clone(&config), index, &board, &ledger)?;
            cells.spawn(task.run(base.clone(), outlet.clone(), clock.clone(), stop_sources.clone()));
        }
        cells.close();
        drop(outlet);

        let recorder = Recorder {
            clock,
            settings: correlate::Settings {
                window: config.correlation.window,
                horizon: config.correlation.horizon,
                invocations_count: config.correlation.invocations_count,
                cap: OBSERVATIONS_A_CELL,
            },
            prices,
            ledger,
            board,
            exporter,
            first_passes,
            on_finding: options.on_finding,
        };
        let recorder_gone = CancellationToken::new();
        let guard = recorder_gone.clone().drop_guard();
        let recorder = tokio::task::spawn_blocking(move || {
            let _guard = guard;
            recorder.run(batches);
        });
        info!(%address, cells = config.cells.len(), ledger = %config.ledger.display(), "started");
        Ok(Self { address, stop_sources, stop_server, cells, recorder, recorder_gone, server })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs until it is told to stop, by SIGTERM or SIGINT, and then stops within the deadline. Without its recorder
    /// the daemon would only seem to run: that ends it, with an error, so that whoever supervises it starts it again.
    pub async fn run_until_stopped(self, deadline: Duration) -> anyhow::Result<()> {
        let told = tokio::select! {
            () = stop_signal() => true,
            () = self.recorder_gone.cancelled() => false,
        };
        let stopped = self.stop(deadline).await;
        if told { stopped } else { stopped.and(Err(anyhow::anyhow!("the recorder ended by itself; the log says why"))) }
    }

    /// Stops the sources, lets everything behind them end as its channel closes, and gives up at the deadline.
    pub async fn stop(self, deadline: Duration) -> anyhow::Result<()> {
        info!("stopping");
        self.stop_sources.cancel();
        let drained = tokio::time::timeout(deadline, async {
            self.cells.wait().await;
            let recorder = self.recorder.await;
            self.stop_server.cancel();
            (recorder, self.server.await)
        });
        match drained.await {
            Ok((Ok(()), Ok(Ok(())))) => Ok(()),
            Ok((recorder, server)) => {
                recorder.context("the recorder ended badly")?;
                server.context("the server ended badly")?.context("the server failed")
            }
            Err(_elapsed) => {
                warn!(
                    ?deadline,
                    "not everything ended in time; what is not in the ledger is read again at the next start"
                );
                Ok(())
            }
        }
    }
}

/// Waits for SIGTERM or SIGINT.
async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(error) => {
            warn!(%error, "cannot wait for SIGTERM; SIGINT still ends the daemon");
            drop(interrupt.await);
        }
    }
}
