//! The properties that crash recovery, replay and scale-out stand on: the same observations in any order, with any
//! repeats and any advances in between, come to the same findings, conclusions and summary.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*, sample::Index};

use super::{
    CellSummary, Correlator,
    blocks::PROBABLE,
    tests::{MODEL, at, cell, correlator, failure, point, record},
};
use crate::model::{
    ClientFailure, ClientSuccess, Evidence, FailureKind, Finding, InvocationRecord, Metric, ModelKey, Observation,
    Operation, Outcome, RecordsRead, Time,
};

/// Every failure is concluded by this second.
const END: i64 = 4_100;

fn model() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(MODEL), Just("amazon.nova-pro-v1:0")]
}

fn caller() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![None, Some("chat"), Some("chat"), Some("batch")])
}

/// A failure that names a request, an own id, or neither; and the record of a call like it.
fn failures() -> impl Strategy<Value = Observation> {
    let kinds = prop::sample::select(vec![
        FailureKind::ReadTimeout,
        FailureKind::ReadTimeout,
        FailureKind::ConnectionReset,
        FailureKind::StreamTruncated,
        FailureKind::ServiceUnavailable,
        FailureKind::Throttled,
        FailureKind::Rejected,
    ]);
    let named = (prop::option::weighted(0.3, 0..12_u8), prop::option::weighted(0.2, 0..3_u8));
    let told = (prop::option::of(model()), caller(), prop::option::of(1..4_u32), any::<bool>(), any::<bool>());
    (0..1_200_i64, kinds, named, told).prop_map(
        |(second, kind, (request, own), (model, caller, attempts, timed, counted))| {
            let mut told = failure("", second, kind, request.map(|id| format!("r{id}")).as_deref());
            told.text.own_id = own.map(|id| format!("o{id}"));
            told.text.model = model.map(ModelKey::parse);
            told.text.attempts = attempts;
            told.text.elapsed_seconds = timed.then_some(60.1);
            told.text.input_tokens = counted.then_some(1_000);
            told.identity = caller.map(|caller| format!("arn:aws:iam::111122223333:role/{caller}").into());
            // One event has one text.
            told.log.event_id = format!("{second}{:?}{:?}", told.text, told.identity).into();
            Observation::Failure(told)
        },
    )
}

/// One record of each request: which, is a function of its number.
fn of_request(
    number: u16,
    drawn: (i64, bool, Option<&'static str>, Option<u8>, Option<&'static str>, bool),
) -> InvocationRecord {
    let (second, metered, error, own, caller, slow) = drawn;
    let read = record(&format!("r{number}"), second, if metered { 1_000 } else { 0 }, error);
    InvocationRecord {
        own_id: own.map(|id| format!("o{id}").into()),
        identity: caller.map(|caller| format!("arn:aws:sts::111122223333:assumed-role/{caller}/{number}").into()),
        operation: Some(Operation::Converse),
        latency_seconds: Some(if slow { 75.0 } else { 4.0 }),
        ..read
    }
}

fn world() -> impl Strategy<Value = Vec<Observation>> {
    let errors =
        prop::sample::select(vec![None, None, None, Some("InternalServerException"), Some("ValidationException")]);
    let drawn = (
        0..1_200_i64,
        prop::bool::weighted(0.9),
        errors,
        prop::option::weighted(0.2, 0..3_u8),
        caller(),
        any::<bool>(),
    );
    let records = vec(drawn, 0..30).prop_map(|drawn| {
        (0..).zip(drawn).map(|(number, drawn)| Observation::Record(of_request(number, drawn))).collect::<Vec<_>>()
    });
    let successes = (0..1_200_i64, 0..30_u8).prop_map(|(second, number)| {
        Observation::Success(ClientSuccess {
            cell: cell(),
            application: "chat".into(),
            at: at(second),
            request_id: format!("r{number}"),
        })
    });
    let points = (0..20_i64, 1..5_i32).prop_map(|(minute, count)| {
        Observation::Metric(point(Metric::InvocationServerErrors, minute, f64::from(count), 1.0))
    });
    let read = prop::bool::weighted(0.9).prop_map(|all| {
        Observation::RecordsRead(RecordsRead {
            cell: cell(),
            model: (!all).then(|| ModelKey::parse(MODEL)),
            from: at(-3_600),
            until: at(1_500),
        })
    });
    let others = vec(prop_oneof![6 => failures(), 2 => successes, 1 => points, 1 => read], 1..40);
    (records, others).prop_map(|(records, others)| records.into_iter().chain(others).collect())
}

#[derive(Debug, Default, PartialEq)]
struct End {
    /// What is named in the end, without revisions, which count the steps of the way there.
    findings: BTreeMap<String, Finding>,
    outcomes: BTreeMap<String, Outcome>,
    summary: Option<CellSummary>,
}

impl End {
    fn advance(&mut self, correlator: &mut Correlator, now: Time) {
        let advance = correlator.advance(now);
        for finding in advance.findings {
            self.findings.insert(finding.id.clone(), finding);
        }
        for conclusion in advance.concluded {
            let again = self.outcomes.insert(conclusion.failure.log.key(), conclusion.outcome);
            assert_eq!(again, None, "concluded twice");
        }
    }

    fn named(mut self, correlator: &Correlator) -> Self {
        self.findings.retain(|_, finding| finding.probability >= PROBABLE);
        self.findings.values_mut().for_each(|finding| finding.revision = 0);
        let mut summary = correlator.summary(at(END));
        summary.incidents.iter_mut().for_each(|incident| incident.revision = 0);
        self.summary = Some(summary);
        self
    }
}

/// Shows the observations one by one; before the first horizon ends, `pauses` says where to advance.
fn run(observations: &[Observation], pauses: &[bool]) -> End {
    let mut correlator = correlator();
    let mut end = End::default();
    for (n, observation) in (0_i64..).zip(observations) {
        correlator.observe(observation);
        if usize::try_from(n).ok().and_then(|n| pauses.get(n)).copied().unwrap_or_default() {
            end.advance(&mut correlator, at(n));
        }
    }
    end.advance(&mut correlator, at(600));
    for second in [3_600, 3_700, END] {
        end.advance(&mut correlator, at(second));
    }
    end.named(&correlator)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_the_repeats_and_the_pauses_do_not_matter(
        observations in world(),
        shuffle in vec(any::<Index>(), 120),
        pauses in vec(prop::bool::weighted(0.2), 120),
    ) {
        let plain = run(&observations, &[]);
        // Each at least once, in an order and with repeats that the indices draw.
        let mut mixed = observations.clone();
        for (n, index) in shuffle.iter().enumerate() {
            if n % 2 == 0 {
                mixed.push(index.get(&observations).clone());
            } else {
                let (one, other) = (n % mixed.len(), index.index(mixed.len()));
                mixed.swap(one, other);
            }
        }
        prop_assert_eq!(&run(&mixed, &pauses), &plain);
        let failures: BTreeSet<String> = mixed.iter().filter_map(as_failure).map(|failure| failure.log.key()).collect();
        prop_assert_eq!(failures.len(), plain.outcomes.len(), "each failure is concluded once");
    }

    #[test]
    fn no_request_is_found_twice_and_no_failure_is_of_more_than_one(observations in world()) {
        let mut correlator = correlator();
        observations.iter().for_each(|observation| correlator.observe(observation));
        let mut end = End::default();
        end.advance(&mut correlator, at(600));
        end.advance(&mut correlator, at(END));
        let mut requests = BTreeSet::new();
        for finding in end.findings.values() {
            prop_assert!(requests.insert(finding.request_id.clone()));
            prop_assert!(finding.tokens.total() > 0 && finding.failure != FailureKind::Rejected);
            prop_assert!((finding.evidence == Evidence::Confirmed) == (finding.probability == 1.0), "{:?}", finding);
        }
        let (mut by_failure, mut by_record) = (BTreeMap::<_, f64>::new(), BTreeMap::<_, f64>::new());
        for pair in correlator.matches() {
            *by_failure.entry(pair.client_log.key()).or_default() += pair.probability;
            *by_record.entry(pair.request_id.to_owned()).or_default() += pair.probability;
        }
        // Propagation is loopy: a record shared by many failures may sum to a little more than 1.
        prop_assert!(by_failure.values().all(|sum| *sum <= 1.0 + 1e-9), "{:?}", by_failure);
        prop_assert!(by_record.values().all(|sum| *sum <= 1.15), "{:?}", by_record);
    }
}

fn as_failure(observation: &Observation) -> Option<&ClientFailure> {
    match observation {
        Observation::Failure(failure) => Some(failure),
        _ => None,
    }
}
