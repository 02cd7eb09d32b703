//! The invocation log's source on the simulated AWS, in Tokio's paused time.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use tokio::time::{advance, sleep};

use super::*;
use crate::sources::test_world::{TestWorld, at};

const GROUP: &str = "/bedrock/invocations";
const MODEL: &str = "us.anthropic.claude-sonnet-4-20250514-v1:0";
const OTHER: &str = "amazon.nova-pro-v1:0";

fn id(number: u32) -> String {
    format!("7f1c2a7e-0000-4000-8000-{number:012}")
}

fn record(request_id: &str, model: &str, second: f64, error: Option<&str>) -> String {
    let error = error.map_or_else(String::new, |code| format!(r#""errorCode":"{code}","#));
    let at = at(second).format("%Y-%m-%dT%H:%M:%SZ");
    format!(
        r#"{{"schemaType":"ModelInvocationLog","timestamp":"{at}",{error}"requestId":"{request_id}","modelId":"{model}","operation":"Converse","input":{{"inputBodyJson":{{"messages":"a private prompt"}},"inputTokenCount":1000}},"output":{{"outputTokenCount":200}}}}"#
    )
}

fn write(world: &TestWorld, request_id: &str, model: &str, second: f64, late: f64) {
    world.write(GROUP, "aws/bedrock/modelinvocations", second, late, &record(request_id, model, second, None));
}

fn settings(read: ReadMode) -> Settings {
    Settings {
        group: GROUP.to_owned(),
        read,
        server_side_filter: true,
        poll: StdDuration::from_secs(15),
        overlap: Duration::minutes(10),
        horizon: Duration::minutes(30),
        id_keys: vec!["faultline-id".to_owned()],
    }
}

struct Running {
    world: TestWorld,
    source: InvocationsSource,
    wanted: mpsc::Sender<FailedCall>,
}

impl Running {
    async fn new(settings: Settings) -> Self {
        let world = TestWorld::new().await;
        world.aws.with_store(crate::sources::test_world::ACCOUNT, crate::sources::test_world::REGION, |store| {
            store.create_group(GROUP);
        });
        let (wanted, asked_for) = mpsc::channel(10_000);
        let source =
            InvocationsSource::new(world.context(), settings, Arc::new(tokio::sync::Mutex::new(asked_for)), None);
        Self { world, source, wanted }
    }

    fn failed(&self, request_id: Option<String>, model: Option<&str>, second: f64, reach: i64) {
        let call = FailedCall {
            request_id,
            own_id: None,
            model: model.map(ModelKey::parse),
            failed_at: at(second),
            reach: Duration::seconds(reach),
        };
        self.wanted.try_send(call).unwrap();
    }

    async fn poll_for(&mut self, seconds: u64) {
        let until = Instant::now() + StdDuration::from_secs(seconds);
        while Instant::now() < until {
            let started = Instant::now();
            if !self.source.poll().await.unwrap().unfinished {
                sleep(StdDuration::from_secs(15).saturating_sub(started.elapsed())).await;
            }
        }
    }
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

#[tokio::test(start_paused = true)]
async fn failures_reads_the_records_of_failures_alone_and_late_ones_too() {
    let mut running = Running::new(settings(ReadMode::Always(Read::Failures))).await;
    for number in 0..50 {
        write(&running.world, &id(number), MODEL, f64::from(number), if number == 3 { 700.0 } else { 5.0 });
    }
    let failed = record(&id(99), MODEL, 10.0, Some("InternalServerException"));
    running.world.write(GROUP, "s", 10.0, 5.0, &failed);
    running.failed(Some(id(3)), Some(MODEL), 4.0, 60);
    running.failed(Some(id(7)), Some(MODEL), 8.0, 60);
    running.poll_for(1200).await;
    let sent = running.world.sent();
    assert_eq!(sorted(sent.record_ids()), [id(3), id(7), id(99)]);
    assert!(sent.read.is_empty(), "nothing was read as a whole");
}

#[tokio::test(start_paused = true)]
async fn for_a_failure_without_an_id_all_records_of_its_model_around_it_are_read_and_that_is_said() {
    let mut running = Running::new(settings(ReadMode::Always(Read::Failures))).await;
    for minute in 0..30 {
        write(&running.world, &id(minute), MODEL, f64::from(minute) * 60.0 + 1.0, 5.0);
        write(&running.world, &id(100 + minute), OTHER, f64::from(minute) * 60.0 + 1.0, 5.0);
    }
    // One record that comes late; nobody knows that it is missing.
    write(&running.world, &id(50), MODEL, 14.0 * 60.0, 300.0);
    sleep(StdDuration::from_secs(16 * 60)).await;
    running.failed(None, Some(MODEL), 15.0 * 60.0 + 30.0, 120);
    running.poll_for(1200).await;
    let sent = running.world.sent();
    let found: BTreeSet<_> = sent.record_ids().into_iter().collect();
    assert_eq!(found, [12, 13, 14, 15, 16, 50].map(id).into());
    let model = Some(ModelKey::parse(MODEL));
    let (from, until) = (at(12.0 * 60.0), at(17.0 * 60.0));
    assert!(sent.read.iter().all(|read| read.model == model && read.from >= from && read.until <= until));
    let covered: Duration = sent.read.iter().map(|read| read.until - read.from).sum();
    assert_eq!(covered, Duration::minutes(10), "each minute when it was wanted, and once its late records were there");
}

#[tokio::test(start_paused = true)]
async fn all_reads_every_record_once_and_says_what_was_read() {
    let mut running = Running::new(settings(ReadMode::Always(Read::All))).await;
    let late = [5.0, 20.0, 400.0];
    for number in 0..60 {
        write(&running.world, &id(number), MODEL, f64::from(number) * 10.0, late[number as usize % 3]);
    }
    running.poll_for(1500).await;
    let sent = running.world.sent();
    assert_eq!(sorted(sent.record_ids()), (0..60).map(id).collect::<Vec<_>>());
    assert!(sent.read.iter().all(|read| read.model.is_none()));
    let (from, until) = (sent.read[0].from, sent.read.iter().map(|read| read.until).max().unwrap());
    assert!(from <= at(-3600.0) && until >= at(1480.0), "{from} to {until}");
    assert!(sent.read.windows(2).all(|pair| pair[1].from <= pair[0].until), "without a gap");
}

#[tokio::test(start_paused = true)]
async fn auto_reads_all_of_a_small_log_and_of_one_that_grows_large_the_failures() {
    let mut running = Running::new(settings(ReadMode::Auto { budget: 60_000.0 })).await;
    // Some 350 bytes each: 6 a minute are 2 kB, and six readings of them 12 kB; 120 a minute are 250 kB.
    let rate = |second: f64| if (1200.0..2400.0).contains(&second) { 0.5 } else { 10.0 };
    let (mut second, mut number) = (-600.0, 0);
    while second < 4200.0 {
        write(&running.world, &id(number), MODEL, second, 5.0);
        second += rate(second);
        number += 1;
    }
    let mut read_as_a_whole = async |seconds| {
        running.poll_for(seconds).await;
        let sent = running.world.sent();
        sent.read.last().is_some_and(|read| read.until > running.world.clock.now() - Duration::seconds(60))
    };
    assert!(read_as_a_whole(1200).await, "small");
    assert!(!read_as_a_whole(1200).await, "large");
    assert!(read_as_a_whole(1500).await, "and small again");
}

/// A million records, a hundred failures.
#[tokio::test(start_paused = true)]
async fn what_failures_costs_grows_with_failures_and_not_with_traffic() {
    const RECORDS: u32 = 1_000_000;
    let mut running = Running::new(settings(ReadMode::Always(Read::Failures))).await;
    let models: Vec<_> = (0..20).map(|model| format!("us.vendor.model-{model}-v1:0")).collect();
    let stream = "aws/bedrock/modelinvocations";
    let mut bytes = 0;
    for number in 0..RECORDS {
        let second = f64::from(number) * 0.0036 - 3600.0;
        let message = record(&id(number), &models[number as usize % 20], second, None);
        bytes += message.len();
        running.world.write(GROUP, stream, second, 5.0, &message);
    }
    advance(StdDuration::from_secs(60)).await;
    // 80 that know their id, 20 resets of one model in one incident that do not.
    let known: Vec<_> = (0..80).map(|index| index * (RECORDS / 80) + 17).collect();
    for number in &known {
        running.failed(Some(id(*number)), None, f64::from(*number) * 0.0036 - 3595.0, 60);
    }
    for index in 0..20 {
        running.failed(None, Some(&models[3]), -1200.0 + f64::from(index), 5);
    }
    running.poll_for(60).await;
    let sent = running.world.sent();
    let found: BTreeSet<_> = sent.record_ids().into_iter().collect();
    assert!(known.iter().all(|number| found.contains(&id(*number))), "every one that was asked for");
    assert!(sent.read.iter().map(|read| read.until - read.from).sum::<Duration>() >= Duration::minutes(3));
    let served = running.world.aws.log_bytes_served();
    assert!(served * 100 < bytes as u64, "{served} of {bytes} bytes");
    assert!(served > 100_000, "the incident's window is among them: {served}");
}
