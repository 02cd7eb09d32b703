//! The report as a table, beside the numbers that a study of the same questions reached.

use std::fmt::{self, Display, Formatter};

use faultline_core::model::Cause;

use super::report::{Incidents, Interval, MetricsSide, Named, Rate, Report};

/// Precision and recall that the study reached at a request rate.
type Reached = (f64, f64);

/// What the study reached, by request rate.
struct Study {
    timeouts: Option<Reached>,
    timeouts_with_tokens: Option<Reached>,
    resets: Option<Reached>,
    hidden: Option<Reached>,
    coverage: Option<f64>,
    incidents: Option<(f64, f64)>,
    causes: Option<f64>,
}

const fn study(rpm: u32) -> Study {
    let nothing = Study {
        timeouts: None,
        timeouts_with_tokens: None,
        resets: None,
        hidden: None,
        coverage: None,
        incidents: None,
        causes: None,
    };
    match rpm {
        1 => Study {
            timeouts: Some((1.0, 0.93)),
            resets: Some((1.0, 0.90)),
            hidden: Some((0.98, 0.70)),
            coverage: Some(0.87),
            incidents: Some((0.67, 0.0)),
            causes: Some(0.94),
            ..nothing
        },
        10 => Study {
            timeouts: Some((0.99, 0.96)),
            resets: Some((0.96, 0.77)),
            hidden: Some((0.96, 0.77)),
            coverage: Some(0.87),
            incidents: Some((0.86, 0.06)),
            causes: Some(0.91),
            ..nothing
        },
        60 => Study {
            timeouts: Some((0.97, 0.59)),
            resets: Some((0.94, 0.39)),
            hidden: Some((0.97, 0.65)),
            coverage: Some(0.92),
            incidents: Some((0.98, 1.3)),
            causes: Some(0.96),
            ..nothing
        },
        300 => Study {
            timeouts: Some((0.95, 0.30)),
            timeouts_with_tokens: Some((0.95, 0.69)),
            resets: Some((0.95, 0.08)),
            hidden: Some((0.97, 0.46)),
            coverage: Some(0.92),
            incidents: Some((0.99, 3.9)),
            causes: Some(0.93),
        },
        1_000 => Study { timeouts: Some((0.97, 0.22)), resets: Some((0.96, 0.04)), coverage: Some(0.90), ..nothing },
        5_000 => Study { timeouts: Some((0.91, 0.07)), coverage: Some(0.57), ..nothing },
        _ => nothing,
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "Seeds {}.", if self.tuning { "for tuning" } else { "held out, never tuned on" })?;
        for rate in &self.rates {
            writeln!(f)?;
            write_rate(f, rate)?;
        }
        writeln!(f, "\nCauses, what it was (rows) and what was said (columns), any score, all rates:")?;
        let columns = Cause::ALL.map(Some).into_iter().chain([None]);
        let columns: Vec<_> =
            columns.filter(|said| said.is_none() || self.confusion.iter().any(|c| c.said == *said)).collect();
        let name = |said: Option<Cause>| said.map_or("nothing", Cause::as_str);
        write!(f, "  {:<18}", "")?;
        columns.iter().try_for_each(|said| write!(f, "{:>17}", name(*said)))?;
        writeln!(f)?;
        for truth in Cause::ALL.into_iter().filter(|cause| self.confusion.iter().any(|c| c.truth == *cause)) {
            write!(f, "  {:<18}", truth.as_str())?;
            for said in &columns {
                let cell = self.confusion.iter().find(|c| c.truth == truth && c.said == *said);
                write!(f, "{:>17}", cell.map_or(0, |cell| cell.count))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn write_rate(f: &mut Formatter<'_>, rate: &Rate) -> fmt::Result {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // request rates are small
    let study = study(rate.rpm as u32);
    let Rate { rpm, worlds, requests, seconds, .. } = rate;
    writeln!(f, "{rpm} requests a minute: {worlds} worlds, {requests} requests, correlated in {seconds:.1} s")?;
    writeln!(f, "  {:<46}{:>10}{:>8}{:>8}{:>8}   study", "", "precision", "recall", "named", "of")?;
    for row in rate.named.iter().filter(|row| row.named > 0 || row.of > 0) {
        let reached = match row.what.as_str() {
            "timeouts" => study.timeouts,
            "timeouts, input tokens told" => study.timeouts_with_tokens,
            "resets" => study.resets,
            "hidden retries" => study.hidden,
            _ => None,
        };
        let Named { what, named, of, .. } = row;
        let (precision, recall) = (share(row.precision), share(row.recall));
        write!(f, "  {what:<46}{precision:>10}{recall:>8}{named:>8}{of:>8}")?;
        match reached {
            Some((precision, recall)) => writeln!(f, "   {precision:.2} / {recall:.2}")?,
            None => writeln!(f)?,
        }
    }
    write!(f, "  probabilities, said -> seen (count):")?;
    for bin in &rate.reliability {
        write!(f, " {:.2} -> {:.2} ({})", bin.said, bin.seen, bin.count)?;
    }
    writeln!(f, "; mean distance {}", share(rate.calibration_error))?;
    write_interval(f, "total", &rate.total)?;
    writeln!(f, " (study: {})", share(study.coverage))?;
    write_interval(f, "dollars", &rate.dollars)?;
    writeln!(f)?;
    write_metrics(f, &rate.metrics)?;
    write_incidents(f, &rate.incidents, &study)
}

fn write_interval(f: &mut Formatter<'_>, what: &str, interval: &Interval) -> fmt::Result {
    let Interval { worlds, median_error, p90_error, bias, coverage, above, half_width } = interval;
    write!(
        f,
        "  {what}: median error {}, p90 {}, sum {} of the truth in {worlds} worlds",
        percent(*median_error),
        percent(*p90_error),
        share(*bias)
    )?;
    if coverage.is_some() {
        write!(
            f,
            "; interval half-width {}, lower end above the truth in {}, covers {}",
            percent(*half_width),
            share(*above),
            share(*coverage)
        )?;
    }
    Ok(())
}

fn write_metrics(f: &mut Formatter<'_>, metrics: &MetricsSide) -> fmt::Result {
    let MetricsSide { calibrated, lower_bound, uncalibrated, wrongly_calibrated, wrong_readings, coverage } = metrics;
    writeln!(
        f,
        "  metrics: calibrated {calibrated}, lower bound {lower_bound}, uncalibrated {uncalibrated}; wrongly \
         calibrated {wrongly_calibrated}, wrong readings {wrong_readings}; calibrated bounds cover {}",
        share(*coverage)
    )
}

fn write_incidents(f: &mut Formatter<'_>, incidents: &Incidents, study: &Study) -> fmt::Result {
    let Incidents { of, found, false_alarms, false_alarms_per_day, causes, causes_right, low_load_right, low_load_of } =
        incidents;
    write!(
        f,
        "  incidents: {found} of {of} found, {false_alarms} false alarms ({false_alarms_per_day:.2} a day), cause right in \
         {causes_right} of {causes} with a score of 0.7, low load in {low_load_right} of {low_load_of}"
    )?;
    if let (Some((recall, alarms)), Some(causes)) = (study.incidents, study.causes) {
        write!(f, " (study: {recall:.2} found, {alarms:.2} alarms a day, causes {causes:.2})")?;
    }
    writeln!(f)
}

fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.3}"))
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{:.1} %", value * 100.0))
}
