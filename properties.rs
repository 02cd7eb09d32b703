//! The property that crash recovery, replay and scale-out stand on: the same observations in any order, with any
//! repeats and any advances in between, come to the same findings, conclusions and summary.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, sample::Index};

use super::{
    CellSummary, Correlator, EstimateState, Settings,
    fixtures::{MODEL, at, cell, failure, minute, point, record},
};
use crate::{
    model::{FailureKind, Finding, Metric, ModelKey, Observation, Outcome, Tokens},
    price::PriceTable,
};

fn model() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(MODEL), Just("amazon.nova-pro-v1:0")]
}

fn own_id() -> impl Strategy<Value = Option<String>> {
    prop::option::weighted(0.3, (0..6_u8).prop_map(|n| format!("own-{n}")))
}

/// Few ids in few minutes, so that most of them meet.
fn observation() -> impl Strategy<Value = Observation> {
    let request = 0..12_u8;
    let kind = prop::sample::select(FailureKind::ALL.to_vec());
    let told = (prop::option::of(request.clone()), own_id(), prop::option::of(model()), prop::option::of(1..6_u32));
    let failed = (0..600_i64, 0..12_u8, kind, told).prop_map(|(seconds, event, kind, (request, own, model, attempts))| {
        // What a log event tells is a function of the event.
        failure(seconds, &format!("e{event}-{seconds}-{kind}-{request:?}-{own:?}-{model:?}-{attempts:?}"), kind, |text| {
            text.request_id = request.map(|request| format!("r{request}"));
            text.own_id = own;
            text.model = model.map(ModelKey::parse);
            text.attempts = attempts;
        })
    });
    let code = prop::sample::select(vec![None, None, Some("InternalServerException"), Some("ValidationException")]);
    let recorded = (request, 0..600_i64, code, any::<bool>(), own_id(), model());
    let recorded = recorded.prop_map(|(request, seconds, code, metered, own, model)| {
        record(seconds, &format!("r{request}"), |record| {
            record.error_code = code.map(Into::into);
            record.tokens = if metered { record.tokens } else { Tokens::default() };
            record.own_id = own.map(Into::into);
            record.model = ModelKey::parse(model);
        })
    });
    let counts = [
        Metric::Invocations,
        Metric::EstimatedTPMQuotaUsage,
        Metric::InputTokenCount,
        Metric::InvocationServerErrors,
        Metric::InvocationLatency,
    ];
    let metered = (0..10_i64, prop::sample::select(counts.to_vec()), 0..20_u8, any::<bool>());
    let metered = metered.prop_map(|(minutes, metric, count, settled)| {
        let mut observation = point(minutes, metric, f64::from(count));
        if let Observation::Metric(point) = &mut observation {
            point.settled = settled;
        }
        observation
    });
    prop_oneof![4 => failed, 4 => recorded, 2 => metered]
}

/// One record a request: Bedrock writes no second one.
fn world() -> impl Strategy<Value = Vec<Observation>> {
    vec(observation(), 1..60).prop_map(|observations| {
        let mut seen = std::collections::BTreeSet::new();
        let first = |observation: &Observation| match observation {
            Observation::Record(record) => seen.insert(record.request_id.to_string()),
            _ => true,
        };
        observations.into_iter().filter(first).collect()
    })
}

#[derive(Debug, PartialEq)]
struct End {
    /// By id, the last of each, without its revision.
    findings: BTreeMap<String, Finding>,
    outcomes: BTreeMap<String, Vec<Outcome>>,
    summary: CellSummary,
}

/// Shows the observations one by one; before the first horizon ends, `pauses` says where to advance.
fn run(observations: &[Observation], pauses: &[bool]) -> End {
    let mut correlator = Correlator::new(cell(), Settings::default(), PriceTable::builtin().into());
    let (mut findings, mut outcomes) = (BTreeMap::<String, Finding>::new(), BTreeMap::<_, Vec<_>>::new());
    let mut advance = |correlator: &mut Correlator, now| {
        let advance = correlator.advance(now);
        for finding in advance.findings {
            let before = findings.insert(finding.id.clone(), finding.clone());
            assert_eq!(finding.revision, before.map_or(0, |before| before.revision + 1));
        }
        for conclusion in advance.concluded {
            outcomes.entry(conclusion.failure.log.key()).or_default().push(conclusion.outcome);
        }
    };
    for (n, observation) in observations.iter().enumerate() {
        correlator.observe(observation);
        if pauses.get(n).copied().unwrap_or_default() {
            advance(&mut correlator, at(n as i64));
        }
    }
    advance(&mut correlator, minute(45));
    findings.values_mut().for_each(|finding| finding.revision = 0);
    End { summary: correlator.summary(minute(45)), findings, outcomes }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_the_repeats_and_the_advances_do_not_matter(
        observations in world(),
        shuffle in vec(any::<Index>(), 120),
        pauses in vec(prop::bool::weighted(0.2), 120),
    ) {
        let plain = run(&observations, &[]);
        // Each at least once, in an order and with repeats that the indices draw.
        let mut mixed = observations.clone();
        for (n, index) in shuffle.iter().enumerate() {
            match n % 2 {
                0 => { let drawn = index.get(&observations).clone(); mixed.push(drawn); }
                _ => { let (one, other) = (n % mixed.len(), index.index(mixed.len())); mixed.swap(one, other); }
            }
        }
        prop_assert_eq!(&run(&mixed, &pauses), &plain);
        prop_assert!(plain.outcomes.values().all(|outcomes| outcomes.len() == 1), "each failure is concluded once");
        let failures = mixed.iter().filter_map(|o| match o { Observation::Failure(f) => Some(f.log.key()), _ => None });
        prop_assert_eq!(failures.collect::<std::collections::BTreeSet<_>>().len(), plain.outcomes.len());
    }

    #[test]
    fn a_total_is_at_least_what_is_certain_and_at_most_its_upper_end(observations in world()) {
        for scope in run(&observations, &[]).summary.scopes {
            let best = scope.confirmed.count as f64 + scope.estimated;
            prop_assert!(scope.lower <= best && best <= scope.upper, "{:#?}", scope);
            prop_assert!(scope.lower >= scope.confirmed.count as f64, "{:#?}", scope);
            prop_assert!(scope.state != EstimateState::Uncalibrated || scope.estimated == 0.0);
        }
    }

    #[test]
    fn every_finding_metered_tokens_and_was_not_rejected(observations in world()) {
        for finding in run(&observations, &[]).findings.values() {
            prop_assert!(finding.tokens.total() > 0);
            prop_assert!(finding.failure != FailureKind::Rejected);
            prop_assert_eq!(&finding.id, &Finding::id_of(&cell(), finding.request_id.as_deref().unwrap()));
        }
    }
}
