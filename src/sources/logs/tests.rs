//! The logs source on the simulated AWS, in Tokio's paused time.
#![allow(clippy::unwrap_used, clippy::panic)]

use tokio::time::{advance, sleep};

use super::*;
use crate::sources::test_world::{ACCOUNT, TestWorld, at};

const THROTTLED: &str = "botocore.errorfactory.ThrottlingException: An error occurred (ThrottlingException) when calling the Converse operation (reached max retries: 4): Too many requests";

/// A failure with a request id of its own.
fn unavailable(number: i64) -> String {
    format!(
        "software.amazon.awssdk.services.bedrockruntime.model.ServiceUnavailableException: Too many connections, please \
         wait before trying again. (Service: BedrockRuntime, Status Code: 503, Request ID: \
         7f1c2a7e-0000-4000-8000-{number:012}) (SDK Attempt Count: 4)"
    )
}

fn settings(server_side_filter: bool) -> Settings {
    Settings { overlap: Duration::minutes(10), server_side_filter }
}

fn application(world: &TestWorld, selector: GroupSelector) -> Arc<Application> {
    Arc::new(Application {
        name: "chat".into(),
        selector,
        identity: None,
        model: None,
        assume_bedrock: true,
        successes: false,
        place: String::new(),
        clients: world.clients.clone(),
    })
}

fn exact(world: &TestWorld, group: &str) -> Arc<Application> {
    application(world, GroupSelector::Exact(group.to_owned()))
}

fn source(world: &TestWorld, applications: Vec<Arc<Application>>, settings: Settings) -> LogsSource {
    let (wanted, _) = mpsc::channel(1);
    LogsSource::new(world.context(), settings, applications, BTreeMap::new(), wanted)
}

/// Polls every 15 s for so long.
async fn poll_for(source: &mut LogsSource, seconds: u64) -> u64 {
    let mut missed = 0;
    let until = Instant::now() + StdDuration::from_secs(seconds);
    while Instant::now() < until {
        let started = Instant::now();
        let pass = source.poll().await.unwrap();
        missed += pass.missed_events;
        if !pass.unfinished {
            sleep(StdDuration::from_secs(15).saturating_sub(started.elapsed())).await;
        }
    }
    missed
}

#[tokio::test(start_paused = true)]
async fn events_up_to_the_overlap_late_are_found_once_and_later_ones_are_counted_when_seen() {
    for filter in [true, false] {
        let mut world = TestWorld::new().await;
        for (number, (second, late)) in
            (0..).zip([(0.0, 5.0), (60.0, 20.0), (120.0, 300.0), (180.0, 599.0), (240.0, 900.0)])
        {
            world.write("/app", "s", second, late, &unavailable(number));
            // The stream goes on, so that the late ones are late.
            world.write("/app", "s", second + 1.0, 1.0, "INFO served");
        }
        let app = exact(&world, "/app");
        let mut source = source(&world, vec![app], settings(filter));
        let missed = poll_for(&mut source, 2 * 3600).await;
        let mut found = world.sent().failure_seconds();
        found.sort_unstable();
        assert_eq!((found, missed), (vec![0, 60, 120, 180, 240], 1), "also the one that came too late, later");
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_with_a_huge_backlog_delays_another_by_no_more_than_a_pass() {
    let mut world = TestWorld::new().await;
    // An hour of 30 pages, of an AWS that takes its time.
    world.aws.with_faults(|faults| faults.slow_down(ACCOUNT, StdDuration::from_secs(3)));
    let padding = "x".repeat(250_000);
    for index in 0..120 {
        world.write("/huge", "s", f64::from(index) * 30.0 - 3600.0, 1.0, &format!("INFO {padding}"));
    }
    for minute in 0..5 {
        world.write("/small", "s", f64::from(minute) * 60.0 + 5.0, 2.0, &unavailable(i64::from(minute)));
    }
    let applications = vec![exact(&world, "/huge"), exact(&world, "/small")];
    let mut source = source(&world, applications, settings(false));
    let mut delays = Vec::new();
    let mut unfinished = 0;
    while world.clock.now() < at(400.0) {
        let pass = source.poll().await.unwrap();
        unfinished += usize::from(pass.unfinished);
        for second in world.sent().failure_seconds() {
            delays.push((world.clock.now() - at(0.0)).num_seconds() - second);
        }
        if !pass.unfinished {
            sleep(StdDuration::from_secs(15)).await;
        }
    }
    assert_eq!(delays.len(), 5);
    assert!(unfinished >= 5, "the backlog takes several passes: {unfinished}");
    assert!(delays.iter().all(|delay| *delay <= 25), "{delays:?}");
}

#[tokio::test(start_paused = true)]
async fn all_groups_of_an_account_together_stay_within_five_calls_a_second() {
    let world = TestWorld::new().await;
    let groups = (0..40).map(|index| format!("/app/{index}")).collect::<Vec<_>>();
    for group in &groups {
        world.write(group, "s", 0.0, 0.0, &unavailable(1));
    }
    let applications = groups.iter().map(|group| exact(&world, group)).collect();
    let mut source = source(&world, applications, settings(true));
    let started = Instant::now();
    source.poll().await.unwrap();
    // The simulated AWS refuses a sixth call within a second, and the SDK would have tried again.
    let calls = world.aws.calls("FilterLogEvents");
    assert!((40..=46).contains(&calls), "{calls}: none was refused");
    assert!(started.elapsed() >= StdDuration::from_secs(8), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_traceback_split_over_events_is_one_failure_with_its_lines_read_once() {
    let mut world = TestWorld::new().await;
    let lines = [
        "Traceback (most recent call last):",
        "  File \"/app/chat.py\", line 31, in answer",
        "    client.converse(modelId='us.amazon.nova-pro-v1:0', messages=messages)",
        THROTTLED,
    ];
    for failure in 0..3 {
        for (index, line) in (0_i32..).zip(lines) {
            // The log driver delivers the last lines a little later.
            let late = if index >= 2 { 4.0 } else { 1.0 };
            world.write("/app", "s", f64::from(failure) * 2.0 + f64::from(index) * 0.01, late, line);
        }
    }
    let app = exact(&world, "/app");
    let mut source = source(&world, vec![app], settings(true));
    poll_for(&mut source, 120).await;
    let sent = world.sent();
    assert_eq!(sent.failures.len(), 3, "{:?}", sent.failure_seconds());
    assert_eq!(world.aws.calls("GetLogEvents"), 2, "one stretch of the stream, a page and the page that ends it");
}

#[tokio::test(start_paused = true)]
async fn groups_that_appear_are_found_and_those_that_are_gone_are_no_trouble() {
    let mut world = TestWorld::new().await;
    world.write("/aws/lambda/tagger-a", "s", 0.0, 0.0, &unavailable(1));
    let tagger = application(&world, GroupSelector::Prefix("/aws/lambda/tagger-".to_owned()));
    let mut source = source(&world, vec![tagger], settings(true));
    poll_for(&mut source, 30).await;
    assert_eq!(world.sent().failures.len(), 1);
    world.write("/aws/lambda/tagger-b", "s", 40.0, 0.0, &unavailable(1));
    world.write("/aws/lambda/other", "s", 40.0, 0.0, &unavailable(1));
    poll_for(&mut source, 400).await;
    let groups: Vec<_> = world.sent().failures.iter().map(|failure| failure.log.group.to_string()).collect();
    assert_eq!(groups, ["/aws/lambda/tagger-b"]);
}

#[tokio::test(start_paused = true)]
async fn the_cursor_never_passes_what_was_not_sent_and_a_refused_page_is_read_again() {
    let mut world = TestWorld::new().await;
    for second in 0..50 {
        world.write("/app", "s", f64::from(second), 1.0, &unavailable(i64::from(second)));
    }
    let app = exact(&world, "/app");
    let mut source = source(&world, vec![app], settings(true));
    advance(StdDuration::from_secs(60)).await;
    world.aws.with_faults(|faults| faults.deny(ACCOUNT, "FilterLogEvents"));
    assert!(source.poll().await.is_err());
    let refused = world.sent();
    assert!(refused.cursors.is_empty() && refused.failures.is_empty());
    world.aws.with_faults(|faults| faults.allow_all());
    source.poll().await.unwrap();
    let sent = world.sent();
    assert_eq!(sent.failures.len(), 50);
    assert_eq!(sent.cursors.len(), 1);
    assert!(sent.cursors[0].1 <= world.clock.now());
}

#[tokio::test(start_paused = true)]
async fn success_lines_give_their_request_ids_where_that_is_asked_for() {
    let id = "11111111-2222-4333-8444-555555555555";
    for (successes, filter) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut world = TestWorld::new().await;
        world.write("/app", "other", 0.0, 1.0, &format!("INFO answered request_id={id} in 900 ms"));
        world.write("/app", "s", 1.0, 1.0, &unavailable(1));
        let mut app = Arc::into_inner(exact(&world, "/app")).unwrap();
        app.successes = successes;
        let mut source = source(&world, vec![Arc::new(app)], settings(filter));
        poll_for(&mut source, 120).await;
        let sent = world.sent();
        assert_eq!(sent.failures.len(), 1, "{successes} {filter}");
        assert_eq!(sent.successes, if successes { vec![id] } else { vec![] }, "{successes} {filter}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_cut_at_its_limit_without_a_token_is_read_to_its_end() {
    let mut world = TestWorld::new().await;
    world.aws.with_faults(|faults| faults.give_no_tokens(true));
    for index in 0..25_000_i64 {
        let message = if index % 5_000 == 0 { unavailable(index) } else { "INFO served".to_owned() };
        // Several events share a millisecond.
        #[allow(clippy::cast_precision_loss)]
        let second = (index / 4) as f64 * 0.001;
        world.write("/app", "s", second, 0.0, &message);
    }
    advance(StdDuration::from_secs(60)).await;
    let app = exact(&world, "/app");
    let mut source = source(&world, vec![app], settings(false));
    source.poll().await.unwrap();
    assert_eq!(world.sent().failures.len(), 5);
}
