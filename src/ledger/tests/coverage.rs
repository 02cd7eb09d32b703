use super::*;

fn spans(ledger: &Ledger) -> Vec<(i64, i64)> {
    let covered = ledger.reader().unwrap().covered(at(-1_000_000), at(1_000_000)).unwrap();
    let second = |time: Time| (time - at(0)).num_seconds();
    covered.into_iter().map(|span| (second(span.since), second(span.until))).collect()
}

#[test]
fn what_lies_between_two_cursors_was_read_and_the_first_begins_where_a_start_reads_back_to() {
    let place = Place::new();
    let mut ledger = place.open().read_back(Duration::seconds(3600));
    for second in [-10, 30, 20, 90] {
        ledger.commit(&Change { cursors: vec![cursor(second)], ..Change::default() }).unwrap();
    }
    assert_eq!(spans(&ledger), [(-3600, 90)]);
    drop(ledger);
    // A restart goes on from the cursor, after however long: nothing is left out.
    let mut ledger = place.open().read_back(Duration::seconds(3600));
    ledger.commit(&Change { cursors: vec![cursor(90_000)], ..Change::default() }).unwrap();
    assert_eq!(spans(&ledger), [(-3600, 90_000)]);
}

#[test]
fn a_source_that_changes_or_falls_silent_leaves_a_trace() {
    let place = Place::new();
    let mut ledger = place.open();
    for (minute, state) in [(0, "ok"), (1, "ok"), (2, "access_denied"), (3, "access_denied"), (4, "ok"), (60, "ok")] {
        let seen = SourceSeen {
            cell: scope().cell,
            kind: SourceKind::Logs,
            at: at(minute * 60),
            state: state.to_owned(),
            detail: String::new(),
        };
        // Repeating it changes nothing.
        ledger.commit(&Change { sources: vec![seen.clone(), seen], ..Change::default() }).unwrap();
    }
    let states = ledger.reader().unwrap().source_states(at(0), at(10_000)).unwrap();
    let minute = |time: Time| (time - at(0)).num_minutes();
    let spans: Vec<_> =
        states.iter().map(|span| (minute(span.since), minute(span.until), span.state.as_str())).collect();
    assert_eq!(spans, [(0, 2, "ok"), (2, 4, "access_denied"), (4, 4, "ok"), (60, 60, "ok")]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn coverage_is_the_union_of_what_was_read(spans in prop::collection::vec((0..40_i64, 0..12_i64), 1..12)) {
        let place = Place::new();
        let mut ledger = place.open();
        let mut read = [false; 60];
        let transaction = ledger.connection.transaction().unwrap();
        for (since, length) in spans {
            let (from, to) = (at(since), at(since + length));
            crate::ledger::coverage::cover(&transaction, &mut ledger.names, &cursor(0).0, from, to).unwrap();
            for second in since..since + length {
                read[usize::try_from(second).unwrap()] = true;
            }
        }
        transaction.commit().unwrap();
        let found = self::spans(&ledger);
        for (second, read) in (0_i64..).zip(read) {
            let covered = found.iter().filter(|(since, until)| (*since..*until).contains(&second)).count();
            prop_assert_eq!(covered, usize::from(read), "second {} of {:?}", second, found);
        }
        prop_assert!(found.windows(2).all(|pair| pair[0].1 < pair[1].0), "joined where they touch: {:?}", found);
    }
}
