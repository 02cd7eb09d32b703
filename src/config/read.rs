//! The file as a whole.

use std::{ops::RangeInclusive, path::Path, time::Duration};

use faultline_core::{correlate::InvocationsCount, model::ModelKey};

use super::{
    Config, CorrelationConfig, LogsConfig, MetricsConfig, cells,
    error::ConfigErrors,
    options::default_of,
    prices,
    reader::{Fields, Found, Value, document},
    values,
};
use crate::{ledger::Retention, report::Provisioned};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(366 * 86_400);
/// Fewer cursors than a large account has log groups would be read from anew again and again.
const LEAST_CURSORS: usize = 100;
/// One metric polled once an hour costs about as much in a month.
const LEAST_BUDGET_USD: f64 = 0.01;

/// Reads and checks the file at `path`.
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigErrors::of_file(&name, format!("cannot be read: {error}")))?;
    let directory = path.parent().unwrap_or_else(|| Path::new(""));
    read(&text, &name, directory, &mut Found::default())
}

/// Reads and checks `text`; `name` is what errors call it. A price file is looked for in the working directory.
pub fn parse(text: &str, name: &str) -> Result<Config, ConfigErrors> {
    read(text, name, Path::new(""), &mut Found::default())
}

pub(super) fn read(text: &str, name: &str, directory: &Path, found: &mut Found) -> Result<Config, ConfigErrors> {
    let mut config = document(text, name, found, |root, found| {
        let mut fields = root.fields(found)?;
        let listen = or_default(&mut fields, found, "listen", "listen", |text| {
            text.parse().map_err(|_| format!("`{text}` is no address: write it as 127.0.0.1:9884"))
        });
        let ledger = or_default(&mut fields, found, "ledger", "ledger", |text| Ok(text.into()));
        let cells = match fields.take("cells", found) {
            Some(value) => cells::read(&value, found),
            None => {
                root.error(found, "`cells` is missing: name at least one cell with its `regions`");
                None
            }
        };
        let metrics = section(&mut fields, found, "metrics", metrics);
        let logs = section(&mut fields, found, "logs", logs);
        let correlation = section(&mut fields, found, "correlation", correlation);
        let price_file = fields.take("prices", found).and_then(|value| Some((value.text(found)?, value)));
        let prices = match &price_file {
            Some((file, value)) => match prices::load(&directory.join(file)) {
                Ok(rows) => rows,
                Err(errors) => {
                    for error in errors.to_string().lines() {
                        value.error(found, error);
                    }
                    Vec::new()
                }
            },
            None => Vec::new(),
        };
        let monthly_budget_usd = section(&mut fields, found, "budget", |fields, found| {
            Some(fields.take("monthly_usd", found).and_then(|value| value.amount(found)))
        });
        let provisioned = match fields.take("provisioned", found) {
            Some(value) => {
                value.list(found).map(|rows| rows.iter().filter_map(|row| provisioned(row, found)).collect())
            }
            None => Some(Vec::new()),
        };
        let retention = section(&mut fields, found, "retention", retention);
        let shutdown_timeout =
            duration(&mut fields, found, "shutdown_timeout", "shutdown_timeout", SECOND..=10 * MINUTE);
        fields.finish(found);
        Some(Config {
            listen: listen?,
            ledger: ledger?,
            cells: cells?,
            metrics: metrics?,
            logs: logs?,
            correlation: correlation?,
            prices,
            monthly_budget_usd: monthly_budget_usd?,
            provisioned: provisioned?,
            retention: retention?,
            shutdown_timeout: shutdown_timeout?,
        })
    })?;
    config.cells.sort_by_key(|cell| (cell.account_id.clone(), cell.region.clone()));
    Ok(config)
}

fn metrics(fields: &mut Fields<'_>, found: &mut Found) -> Option<MetricsConfig> {
    let poll = duration(fields, found, "metrics.poll", "poll", SECOND..=HOUR);
    let detail = duration(fields, found, "metrics.detail", "detail", SECOND..=DAY);
    let settle = duration(fields, found, "metrics.settle", "settle", SECOND..=DAY);
    let budget_usd_per_month = match fields.take("budget_usd_per_month", found) {
        None => default_of("metrics.budget_usd_per_month").parse().ok(),
        Some(value) => {
            let budget = value.amount(found)?;
            // Nothing can be polled for nothing: who wants no metrics leaves the cell out.
            if budget < LEAST_BUDGET_USD {
                value.error(found, format!("less than ${LEAST_BUDGET_USD} a month is not enough to poll at all"));
            }
            Some(budget)
        }
    };
    Some(MetricsConfig {
        poll: poll?,
        detail: chrono_duration(detail?),
        settle: chrono_duration(settle?),
        budget_usd_per_month: budget_usd_per_month?,
    })
}

fn logs(fields: &mut Fields<'_>, found: &mut Found) -> Option<LogsConfig> {
    let poll = duration(fields, found, "logs.poll", "poll", SECOND..=HOUR);
    let overlap = duration(fields, found, "logs.overlap", "overlap", SECOND..=DAY);
    let server_side_filter = match fields.take("server_side_filter", found) {
        Some(value) => value.boolean(found),
        None => Some(true),
    };
    Some(LogsConfig { poll: poll?, overlap: chrono_duration(overlap?), server_side_filter: server_side_filter? })
}

fn correlation(fields: &mut Fields<'_>, found: &mut Found) -> Option<CorrelationConfig> {
    let window = duration(fields, found, "correlation.window", "window", 5 * MINUTE..=7 * DAY);
    let horizon = duration(fields, found, "correlation.horizon", "horizon", MINUTE..=7 * DAY);
    let counts = [
        ("auto", InvocationsCount::Auto),
        ("successes", InvocationsCount::Successes),
        ("accepted", InvocationsCount::Accepted),
    ];
    let invocations_count =
        or_default(fields, found, "correlation.invocations_count", "invocations_count", |text| one_of(text, &counts));
    let id_keys = match fields.take("id_keys", found) {
        Some(value) => value.list(found).map(|keys| keys.iter().filter_map(|key| key.text(found)).collect()),
        None => Some(vec!["faultline-id".to_owned()]),
    };
    let (window, horizon) = (chrono_duration(window?), chrono_duration(horizon?));
    if horizon > window {
        let message = "longer than correlation.window: failures would leave the gauges before they are concluded";
        fields.error("horizon", found, message);
    }
    Some(CorrelationConfig { window, horizon, invocations_count: invocations_count?, id_keys: id_keys? })
}

fn provisioned(row: &Value<'_>, found: &mut Found) -> Option<Provisioned> {
    let mut fields = row.fields(found)?;
    let model = fields.take("model_id", found).and_then(|value| value.text(found));
    let usd_per_hour = fields.take("usd_per_hour", found).and_then(|value| value.amount(found));
    fields.finish(found);
    if model.is_none() || usd_per_hour.is_none() {
        row.error(found, "a price of provisioned throughput has a `model_id` and `usd_per_hour`");
    }
    Some(Provisioned { model_id: ModelKey::parse(&model?).model_id.to_string(), usd_per_hour: usd_per_hour? })
}

fn retention(fields: &mut Fields<'_>, found: &mut Found) -> Option<Retention> {
    let findings = duration(fields, found, "retention.findings", "findings", DAY..=20 * YEAR);
    let cursors = or_default(fields, found, "retention.cursors", "cursors", |text| {
        let number = text.parse().ok().filter(|number| *number >= LEAST_CURSORS);
        number.ok_or_else(|| format!("`{text}` is no number from {LEAST_CURSORS} up: each log group has a cursor"))
    });
    Some(Retention { findings: chrono_duration(findings?), cursors: cursors? })
}

/// A mapping of its own, or its defaults.
pub(super) fn section<T>(
    fields: &mut Fields<'_>,
    found: &mut Found,
    key: &'static str,
    read: impl FnOnce(&mut Fields<'_>, &mut Found) -> Option<T>,
) -> Option<T> {
    let mut inner = match fields.take(key, found) {
        Some(value) => value.fields(found)?,
        None => fields.absent(key),
    };
    let section = read(&mut inner, found);
    inner.finish(found);
    section
}

/// The text at `key`, or the default of the option `path`, parsed.
pub(super) fn or_default<T>(
    fields: &mut Fields<'_>,
    found: &mut Found,
    path: &str,
    key: &'static str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    match fields.take(key, found) {
        Some(value) => value.parsed(found, parse),
        None => parse(default_of(path)).ok(),
    }
}

fn duration(
    fields: &mut Fields<'_>,
    found: &mut Found,
    path: &str,
    key: &'static str,
    bounds: RangeInclusive<Duration>,
) -> Option<Duration> {
    or_default(fields, found, path, key, |text| values::duration(text, &bounds))
}

/// One of a closed list of words.
pub(super) fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        format!("expected {}", words.join(" or "))
    })
}

fn chrono_duration(duration: Duration) -> chrono::Duration {
    // The bounds of every option are far below what chrono can hold.
    chrono::Duration::from_std(duration).unwrap_or(chrono::Duration::MAX)
}

/// The text at `key`, parsed, where it is there.
pub(super) fn optional<T>(
    fields: &mut Fields<'_>,
    found: &mut Found,
    key: &'static str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    fields.take(key, found).and_then(|value: Value<'_>| value.parsed(found, parse))
}
