//! A file of prices: rows in the form of the built-in table, in dollars per million tokens.

use std::{path::Path, sync::Arc};

use faultline_core::{
    model::{ModelKey, Route},
    price::{PriceRow, PriceTable, Tier},
};

use super::{
    error::ConfigErrors,
    read::optional,
    reader::{Found, Value, document},
    values,
};

/// Reads and checks the price file at `path`: a list of rows with `model_id`, and either `input`, `output` and where
/// the model has a cache `cache_read` and `cache_write`, in dollars per million tokens; or `same_as`, a model whose
/// prices it has; or the tier `provisioned`. `route` (`none` when absent) and `region` narrow a row of prices, `tier`
/// multiplies them, `source` and `as_of` say where a price is from and of which day.
pub(super) fn load(path: &Path) -> Result<Vec<PriceRow>, ConfigErrors> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigErrors::of_file(&name, format!("cannot be read: {error}")))?;
    parse(&text, &name)
}

fn parse(text: &str, name: &str) -> Result<Vec<PriceRow>, ConfigErrors> {
    let builtin = PriceTable::builtin();
    document(text, name, &mut Found::default(), |root, found| {
        let mut rows: Vec<PriceRow> = Vec::new();
        for value in root.list(found)? {
            let read = row(&value, found, name, &builtin).unwrap_or_default();
            let place = |row: &PriceRow| (Arc::clone(&row.model_id), row.route, row.region.clone());
            if let Some(row) = read.iter().find(|row| rows.iter().any(|other| place(other) == place(row))) {
                value.error(found, format!("{} by route {} has a row above already", row.model_id, row.route));
            }
            rows.extend(read);
        }
        Some(rows)
    })
}

fn row(value: &Value<'_>, found: &mut Found, file: &str, builtin: &PriceTable) -> Option<Vec<PriceRow>> {
    let mut fields = value.fields(found)?;
    let model_id = optional(&mut fields, found, "model_id", |text| Ok(Arc::<str>::from(text)));
    let route = optional(&mut fields, found, "route", |text| one_of(text, &Route::ALL, Route::as_str));
    let region = optional(&mut fields, found, "region", |text| values::region(text).map(Arc::from));
    let tier = optional(&mut fields, found, "tier", |text| one_of(text, &Tier::ALL, |tier| tier.as_str()));
    let same_as = optional(&mut fields, found, "same_as", |text| match &model_id {
        None => Ok(Vec::new()),
        Some(name) => match builtin.rows_as(&ModelKey::parse(text), name) {
            rows if rows.is_empty() => Err("the built-in table has no price of this model".to_owned()),
            rows => Ok(rows),
        },
    });
    let mut dollars = |key| fields.take(key, found).and_then(|value| value.amount(found));
    let (input, output) = (dollars("input"), dollars("output"));
    let (cache_read, cache_write) = (dollars("cache_read"), dollars("cache_write"));
    let source = optional(&mut fields, found, "source", |text| Ok(Arc::from(text)));
    let as_of = optional(&mut fields, found, "as_of", |text| Ok(Arc::from(text)));
    fields.finish(found);

    let tier = tier.unwrap_or_default();
    let source = source.unwrap_or_else(|| file.into());
    match (model_id, input, output) {
        (Some(model_id), None, None) if tier == Tier::Provisioned => {
            Some(vec![PriceRow::provisioned(model_id, source)])
        }
        (Some(_), None, None) if same_as.is_some() => Some(same_as?.into_iter().map(|row| row.in_tier(tier)).collect()),
        (Some(model_id), Some(input), Some(output)) if tier != Tier::Provisioned && same_as.is_none() => {
            let priced = PriceRow {
                input,
                output,
                cache_read,
                cache_write,
                tier: Tier::Default,
                ..PriceRow::provisioned(model_id, source)
            };
            let placed = PriceRow {
                route: route.unwrap_or_default(),
                region,
                as_of: as_of.unwrap_or_else(|| "".into()),
                ..priced
            };
            Some(vec![placed.in_tier(tier)])
        }
        _ => {
            value.error(
                found,
                "a price needs `model_id`, and `input` and `output` in dollars per million tokens, or `same_as` with \
                 the model it is priced as, or `tier: provisioned`",
            );
            None
        }
    }
}

fn one_of<T: Copy>(text: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, String> {
    all.iter().copied().find(|one| name(*one) == text).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
        format!("expected one of {}", names.join(", "))
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
            "prices.yaml:1:3: [0]: a price needs `model_id`, and `input` and `output`",
            "prices.yaml:2:45: [1].route: expected one of none, us",
            "prices.yaml:3:38: [2]: unknown key `inptu`: did you mean `input`?",
            "prices.yaml:4:3: [3]: c by route none has a row above already",
        ] {
            assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
        }
    }

    #[test]
    fn a_row_can_name_a_tier_a_region_and_the_model_it_is_priced_as() {
        let text = "- {model_id: batch-jobs, input: 4, output: 10, tier: batch, region: eu-west-1}\n\
                    - {model_id: a1b2c3d4e5f6, same_as: us.anthropic.claude-sonnet-4-5-20250929-v1:0, tier: flex}\n\
                    - {model_id: xyz987, tier: provisioned}\n";
        let rows = parse(text, "prices.yaml").unwrap();
        assert_eq!((rows[0].input, rows[0].output, rows[0].region.as_deref()), (2.0, 5.0, Some("eu-west-1")));
        assert_eq!((&*rows[1].model_id, rows[1].input, rows[1].tier), ("a1b2c3d4e5f6", 1.65, Tier::Flex));
        assert_eq!((&*rows[2].model_id, rows[2].input, rows[2].tier), ("xyz987", 0.0, Tier::Provisioned));
    }

    #[test]
    fn a_row_that_says_two_things_or_names_no_known_model_is_refused() {
        let text = "- {model_id: a, same_as: nobody.knows}\n- {model_id: b, same_as: amazon.nova-pro-v1:0, input: 1, output: 1}\n\
                    - {model_id: c, tier: provisioned, input: 1, output: 1}\n- {model_id: d, tier: cheap, input: 1, output: 1}\n";
        let said = parse(text, "prices.yaml").unwrap_err().to_string();
        for expected in [
            "[0].same_as: the built-in table has no price",
            "[1]: a price needs",
            "[2]: a price needs",
            "[3].tier: expected one of default, flex",
        ] {
            assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
        }
    }
}
