use std::{fs, path::Path};

use super::*;

fn refusal(place: &Place) -> String {
    Ledger::open(&place.path(), at(0), Arc::default()).unwrap_err().to_string()
}

#[test]
fn a_commit_that_fails_leaves_nothing_behind_and_can_be_made_again() {
    let place = Place::new();
    let mut ledger = place.open();
    let pages: i64 = ledger.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    ledger.connection.pragma_update(None, "max_page_count", pages).unwrap();
    let change = Change {
        findings: (0..500).map(|index| finding(&format!("r{index}"), index, 0)).collect(),
        cursors: vec![cursor(30)],
        ..Change::default()
    };
    assert!(ledger.commit(&change).unwrap_err().to_string().contains("full"));
    assert!(all_of(&ledger).is_empty() && ledger.cursors().unwrap().is_empty());
    assert_eq!(value(&ledger, Counter::BilledFailedInvocations, &[]), 0.0);

    ledger.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    ledger.commit(&change).unwrap();
    assert_eq!(value(&ledger, Counter::BilledFailedInvocations, &[]), 500.0);
    assert_eq!(ledger.cursors().unwrap().len(), 1);
}

#[test]
fn a_ledger_of_a_newer_version_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let ledger = place.open();
    ledger.connection.pragma_update(None, "user_version", 99).unwrap();
    drop(ledger);
    let before = std::fs::read(place.path()).unwrap();
    let error = Ledger::open(&place.path(), at(0), Arc::default()).unwrap_err();
    assert!(error.to_string().contains("schema 99, this one knows up to 3"), "{error}");
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
}

#[test]
fn a_file_that_is_no_ledger_is_refused_and_left_as_it_is() {
    let place = Place::new();
    std::fs::write(
        place.path(),
        "my notes, which are longer than a header of SQLite has to be for it to be looked at; ".repeat(20),
    )
    .unwrap();
    let before = std::fs::read(place.path()).unwrap();
    let error = Ledger::open(&place.path(), at(0), Arc::default()).unwrap_err();
    assert!(error.to_string().contains("not a Faultline ledger"), "{error}");
    assert_eq!(std::fs::read(place.path()).unwrap(), before);

    let place = Place::new();
    rusqlite::Connection::open(place.path()).unwrap().execute("CREATE TABLE theirs (x)", ()).unwrap();
    let error = Ledger::open(&place.path(), at(0), Arc::default()).unwrap_err();
    assert!(error.to_string().contains("not a Faultline ledger"), "{error}");
}

#[test]
fn a_ledger_where_there_is_no_directory_says_what_to_do() {
    let error = Ledger::open(std::path::Path::new("/no/such/directory/f.db"), at(0), Arc::default()).unwrap_err();
    assert!(error.to_string().contains("check that the directory exists"), "{error}");
}

/// A copy of the ledger that this version wrote.
fn of_version(version: i64) -> Place {
    let place = Place::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ledger");
    fs::copy(fixtures.join(format!("version_{version}.db")), place.path()).unwrap();
    place
}

#[test]
fn a_ledger_of_every_past_version_opens_with_everything_in_it() {
    for version in 1..=2 {
        let place = of_version(version);
        let before: Vec<FindingJson> = {
            let old = rusqlite::Connection::open(place.path()).unwrap();
            let mut statement = old.prepare("SELECT body FROM findings ORDER BY occurred_at DESC").unwrap();
            let bodies = statement.query_map((), |row| row.get::<_, String>(0)).unwrap();
            bodies.map(|body| serde_json::from_str(&body.unwrap()).unwrap()).collect()
        };
        assert_eq!(before.len(), 3);
        let mut ledger = place.open();
        assert_eq!(all_of(&ledger), before, "version {version}");
        assert_eq!(ledger.cursors().unwrap(), [cursor(30)]);
        assert_eq!(value(&ledger, Counter::ClientFailures, &[]), 2.0);
        let same = Change {
            failures: vec![failure("e2", 20), failure("e3", 30)],
            concluded: vec![Conclusion { failure: failure("e1", 10), outcome: Outcome::Billed }],
            findings: vec![finding("7f1c2a7e-0000-4000-8000-000000000001", 5, 0)],
            points: vec![point(Metric::Invocations, 1, 7.0), point(Metric::InvocationServerErrors, 6, 4.0)],
            ..Change::default()
        };
        ledger.commit(&same).unwrap();
        assert_eq!(value(&ledger, Counter::ClientFailures, &[]), 3.0, "e1 and e2 were known");
        assert_eq!(value(&ledger, Counter::ClientFailuresConcluded, &["billed"]), 1.0);
        assert_eq!(value(&ledger, Counter::BilledFailedInvocations, &[]), 2.0, "one is older than the ledger");
        assert_eq!(value(&ledger, Counter::Invocations, &[]), 7.0);
        assert_eq!(value(&ledger, Counter::InvocationErrors, &["server"]), 4.0);
    }
}

#[test]
fn a_reader_leaves_an_earlier_version_as_it_is() {
    let place = of_version(1);
    let before = fs::read(place.path()).unwrap();
    let said = LedgerReader::open(&place.path()).unwrap_err().to_string();
    assert!(said.contains("earlier Faultline (schema 1)"), "{said}");
    assert_eq!(fs::read(place.path()).unwrap(), before);
}

#[test]
fn a_reader_creates_no_ledger() {
    let place = Place::new();
    let said = LedgerReader::open(&place.path()).unwrap_err().to_string();
    assert!(said.contains("no such file"), "{said}");
    assert!(!place.path().exists());
}

#[test]
fn a_damaged_ledger_is_refused_with_what_to_do_and_left_as_it_is() {
    let place = Place::new();
    drop(place.open());
    let mut bytes = fs::read(place.path()).unwrap();
    // Every page but the first, which holds the header.
    bytes[4096..].fill(0xA5);
    fs::write(place.path(), &bytes).unwrap();
    let said = refusal(&place);
    assert!(said.contains("damaged") && said.contains("restore a copy"), "{said}");
    assert_eq!(fs::read(place.path()).unwrap(), bytes);
}

#[test]
fn a_ledger_in_use_names_who_uses_it_and_is_free_once_that_one_is_gone() {
    let place = Place::new();
    let first = place.open();
    let said = refusal(&place);
    assert!(said.contains(&format!("in use by process {} on host ", std::process::id())), "{said}");
    drop(first);
    // What a process that was killed leaves behind: the file, without the system's lock.
    fs::write(place.path().with_extension("db.lock"), "process 1 on host elsewhere\n").unwrap();
    drop(place.open());
}

#[test]
fn what_is_old_goes_and_the_newest_cursors_stay() {
    let place = Place::new();
    let retention = Retention { findings: Duration::days(30), cursors: 2 };
    let day = 86_400;
    let named = |name: &str, second| (CursorKey { name: name.to_owned(), ..cursor(0).0 }, at(second));
    let change = Change {
        failures: vec![failure("old", -31 * day), failure("new", -day)],
        findings: vec![finding("old", -31 * day, 0), finding("new", -day, 0)],
        points: vec![point(Metric::Invocations, -20 * 1440, 1.0), point(Metric::Invocations, -1440, 1.0)],
        cursors: vec![named("a", -2 * day), named("b", -day), named("c", 0)],
        ..Change::default()
    };
    // The first commit of every run cleans up.
    place.open().retention(retention).commit(&change).unwrap();
    let ledger = place.open();
    assert_eq!(
        all_of(&ledger).iter().map(|finding| finding.id.as_str()).collect::<Vec<_>>(),
        [finding("new", 0, 0).id]
    );
    assert_eq!(ledger.cursors().unwrap().into_iter().map(|(key, _)| key.name).collect::<Vec<_>>(), ["b", "c"]);
    let count = |table: &str| -> i64 {
        ledger.connection.query_row(&format!("SELECT count(*) FROM {table}"), (), |row| row.get(0)).unwrap()
    };
    assert_eq!((count("failures"), count("minutes"), count("intervals")), (1, 1, 2), "intervals outlive their minutes");
}

#[test]
fn the_newest_findings_are_found_by_an_index_whatever_the_filter() {
    let place = Place::new();
    let ledger = place.open();
    let (time, grade) = (Some(at(0)), vec![Evidence::Probable]);
    let all = FindingsQuery { since: None, until: None, evidence: vec![], model_id: None, limit: 100, after: None };
    for query in [
        all.clone(),
        FindingsQuery { since: time, until: time, ..all.clone() },
        FindingsQuery { evidence: grade.clone(), after: Some((0, 1)), ..all.clone() },
        FindingsQuery { model_id: Some("m".into()), ..all.clone() },
        FindingsQuery { model_id: Some("m".into()), evidence: grade, since: time, ..all },
    ] {
        let (sql, values) = crate::ledger::reader::newest(&query, 101);
        let mut statement = ledger.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan = statement.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
        let plan: Vec<String> = plan.map(Result::unwrap).collect();
        let index = if query.model_id.is_some() { "findings_by_model" } else { "findings_by_time" };
        assert!(plan.iter().any(|step| step.contains(index)), "{plan:#?}");
        assert!(plan.iter().all(|step| !step.contains("SCAN findings")), "{plan:#?}");
        // One sort, of the few rows that are returned.
        assert_eq!(plan.iter().filter(|step| step.contains("TEMP B-TREE")).count(), 1, "{plan:#?}");
    }
}

#[test]
fn a_probable_finding_that_was_taken_back_is_no_longer_listed() {
    let place = Place::new();
    let mut ledger = place.open();
    let matched = Finding { evidence: Evidence::Probable, probability: 0.9, ..finding("r1", 5, 0) };
    let taken_back = Finding { probability: 0.4, revision: 1, ..matched.clone() };
    ledger.commit(&Change { findings: vec![matched.clone()], ..Change::default() }).unwrap();
    assert_eq!(all_of(&ledger).len(), 1);
    ledger.commit(&Change { findings: vec![taken_back, matched], ..Change::default() }).unwrap();
    assert_eq!(all_of(&ledger), []);
}
