//! A file of prices: rows in the form of the built-in table, in dollars per million tokens.

use std::{path::Path, sync::Arc};

use faultline_core::{model::Route, price::PriceRow};

use super::{
    error::ConfigErrors,
    read::optional,
    reader::{Found, Value, document},
};

/// Reads and checks the price file at `path`: a list of rows with `model_id`, `route` (`none` when absent), `input`,
/// `output`, and where the model has a cache `cache_read` and `cache_write`, in dollars per million tokens.
/// `source` and `as_of` say where a price is from and of which day.
pub(super) fn load(path: &Path) -> Result<Vec<PriceRow>, ConfigErrors> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigErrors::of_file(&name, format!("cannot be read: {error}")))?;
    parse(&text, &name)
}

fn parse(text: &str, name: &str) -> Result<Vec<PriceRow>, ConfigErrors> {
    document(text, name, &mut Found::default(), |root, found| {
        let mut rows: Vec<PriceRow> = Vec::new();
        for value in root.list(found)? {
            let Some(row) = row(&value, found, name) else { continue };
            if rows.iter().any(|other| (&other.model_id, other.route) == (&row.model_id, row.route)) {
                value.error(found, format!("{} by route {} has a row above already", row.model_id, row.route));
            }
            rows.push(row);
        }
        Some(rows)
    })
}

fn row(value: &Value<'_>, found: &mut Found, file: &str) -> Option<PriceRow> {
    let mut fields = value.fields(found)?;
    let model_id = optional(&mut fields, found, "model_id", |text| Ok(Arc::from(text)));
    let route = match fields.take("route", found) {
        None => Some(Route::None),
        Some(value) => value.parsed(found, |text| {
            Route::ALL.into_iter().find(|route| route.as_str() == text).ok_or_else(|| {
                let routes: Vec<_> = Route::ALL.iter().map(|route| route.as_str()).collect();
                format!("expected one of {}", routes.join(", "))
            })
        }),
    };
    let mut dollars = |key| fields.take(key, found).and_then(|value| value.amount(found));
    let (input, output) = (dollars("input"), dollars("output"));
    let (cache_read, cache_write) = (dollars("cache_read"), dollars("cache_write"));
    let source = optional(&mut fields, found, "source", |text| Ok(Arc::from(text)));
    let as_of = optional(&mut fields, found, "as_of", |text| Ok(Arc::from(text)));
    fields.finish(found);
    if model_id.is_none() || input.is_none() || output.is_none() {
        value.error(found, "a price needs `model_id`, `input` and `output`, in dollars per million tokens");
    }
    Some(PriceRow {
        model_id: model_id?,
        route: route?,
        input: input?,
        output: output?,
        cache_read,
        cache_write,
        source: source.unwrap_or_else(|| file.into()),
        as_of: as_of.unwrap_or_else(|| "".into()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_row_needs_no_more_than_a_model_and_two_prices() {
        let rows = parse("- {model_id: my-profile, input: 3, output: 15.5}", "prices.yaml").unwrap();
        assert_eq!((rows[0].input, rows[0].output, rows[0].route), (3.0, 15.5, Route::None));
        assert_eq!((rows[0].cache_read, &*rows[0].source), (None, "prices.yaml"));
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let text = "- {model_id: a, input: 3, output: -1}\n- {model_id: b, input: 1, output: 1, route: mars}\n\
                    - {model_id: c, input: 1, output: 1, inptu: 1}\n- {model_id: c, input: 1, output: 1}\n";
        let said = parse(text, "prices.yaml").unwrap_err().to_string();
        for expected in [
            "prices.yaml:1:35: [0].output: -1 is less than 0",
            "prices.yaml:1:3: [0]: a price needs `model_id`, `input` and `output`",
            "prices.yaml:2:45: [1].route: expected one of none, us",
            "prices.yaml:3:38: [2]: unknown key `inptu`: did you mean `input`?",
            "prices.yaml:4:3: [3]: c by route none has a row above already",
        ] {
            assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
        }
    }
}
