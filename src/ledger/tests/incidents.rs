use super::*;

fn incident(minute: i64, ended: Option<i64>, cause: Cause, revision: u32) -> Incident {
    let started_at = at(minute * 60);
    Incident {
        id: Incident::id_of(&scope(), started_at),
        scope: scope(),
        started_at,
        ended_at: ended.map(|minute| at(minute * 60)),
        cause,
        score: 0.75,
        scores: vec![(cause, 0.75), (Cause::Unknown, 0.25)],
        low_load: true,
        failures: 12,
        billed_failed: 4.5,
        cost_usd: Some(0.125),
        evidence: "12 of 12 failures were 503s.".to_owned(),
        remedy: "Retry with jitter.".to_owned(),
        revision,
    }
}

#[test]
fn an_incident_is_kept_whole_and_an_earlier_step_does_not_replace_a_later_one() {
    let place = Place::new();
    let mut ledger = place.open();
    let (open, over) = (incident(1, None, Cause::Network, 0), incident(1, Some(9), Cause::Network, 1));
    for incident in [open.clone(), over.clone(), open] {
        ledger.commit(&Change { incidents: vec![incident], ..Change::default() }).unwrap();
    }
    let query = IncidentsQuery { since: None, until: None, cause: None, model_id: None, limit: 9, after: None };
    let found = ledger.reader().unwrap().incidents(&query).unwrap();
    assert_eq!(found, IncidentsPage { incidents: vec![IncidentJson::from(&over)], next: None });
}

#[test]
fn an_incident_that_is_taken_back_is_gone() {
    let place = Place::new();
    let mut ledger = place.open();
    let all = IncidentsQuery { since: None, until: None, cause: None, model_id: None, limit: 9, after: None };
    let back = Incident { failures: 0, revision: 1, ..incident(0, Some(0), Cause::Network, 0) };
    for (said, left) in [(incident(0, None, Cause::Network, 0), 1), (back, 0)] {
        ledger.commit(&Change { incidents: vec![said], ..Change::default() }).unwrap();
        assert_eq!(ledger.reader().unwrap().incidents(&all).unwrap().incidents.len(), left);
    }
}

#[test]
fn incidents_are_found_by_when_they_went_on_by_cause_and_by_model_newest_first() {
    let place = Place::new();
    let mut ledger = place.open();
    let incidents = vec![
        incident(0, Some(5), Cause::Network, 0),
        incident(10, Some(20), Cause::Throttling, 0),
        incident(30, None, Cause::Network, 0),
    ];
    ledger.commit(&Change { incidents, ..Change::default() }).unwrap();
    let reader = ledger.reader().unwrap();
    let all = IncidentsQuery { since: None, until: None, cause: None, model_id: None, limit: 9, after: None };
    let minutes = |query: &IncidentsQuery| {
        let page = reader.incidents(query).unwrap();
        let started = page.incidents.into_iter().map(|incident| incident.started_at[14..16].parse::<u32>().unwrap());
        (started.collect::<Vec<_>>(), page.next)
    };
    assert_eq!(minutes(&all).0, [30, 10, 0]);
    assert_eq!(minutes(&IncidentsQuery { since: Some(at(20 * 60)), ..all.clone() }).0, [30], "one goes on");
    assert_eq!(minutes(&IncidentsQuery { since: Some(at(19 * 60)), ..all.clone() }).0, [30, 10]);
    assert_eq!(minutes(&IncidentsQuery { until: Some(at(10 * 60)), ..all.clone() }).0, [0]);
    assert_eq!(minutes(&IncidentsQuery { cause: Some(Cause::Network), ..all.clone() }).0, [30, 0]);
    assert_eq!(minutes(&IncidentsQuery { model_id: Some("another".to_owned()), ..all.clone() }).0, [] as [u32; 0]);
    let (first, next) = minutes(&IncidentsQuery { limit: 2, ..all.clone() });
    assert_eq!(first, [30, 10]);
    assert_eq!(minutes(&IncidentsQuery { limit: 2, after: next, ..all }), (vec![0], None));
}
