#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::model::Tokens;

const REGION: &str = "us-east-1";

fn row(model_id: &str) -> PriceRow {
    PriceRow {
        input: 3.0,
        output: 15.0,
        cache_read: Some(0.3),
        tier: Tier::Default,
        ..PriceRow::provisioned(model_id.into(), "".into())
    }
}

#[test]
fn the_builtin_table_has_the_current_families_and_says_where_from() {
    let table = PriceTable::builtin();
    for model in [
        "anthropic.claude-sonnet-4-20250514-v1:0",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "us.anthropic.claude-opus-5",
        "eu.amazon.nova-pro-v1:0",
        "amazon.nova-micro-v1:0",
        "us.meta.llama4-maverick-17b-instruct-v1:0",
        "mistral.mistral-large-2407-v1:0",
        "deepseek.v3.2",
        "openai.gpt-oss-120b-1:0",
        "qwen.qwen3-32b-v1:0",
    ] {
        let row = table.lookup(&ModelKey::parse(model), REGION).unwrap_or_else(|| panic!("{model} has no price"));
        assert!(row.input > 0.0 && row.output > 0.0 && !row.source.is_empty() && row.as_of.len() == 10, "{row:?}");
    }
}

#[test]
fn a_route_has_its_own_price_where_there_is_one() {
    // FACTS: global. $3 / $15, us. $3.3 / $16.5 a million tokens.
    let table = PriceTable::builtin();
    let of = |name| table.lookup(&ModelKey::parse(name), REGION).map(|row| (row.input, row.output));
    assert_eq!(of("global.anthropic.claude-sonnet-4-5-20250929-v1:0"), Some((3.0, 15.0)));
    assert_eq!(of("us.anthropic.claude-sonnet-4-5-20250929-v1:0"), Some((3.3, 16.5)));
}

#[test]
fn a_region_has_its_own_price_where_there_is_one_and_the_others_the_general_one() {
    let table = PriceTable::builtin();
    let model = ModelKey::parse("meta.llama3-70b-instruct-v1:0");
    let of = |region| table.lookup(&model, region).unwrap().input;
    assert!(of("ap-south-1") > of("us-east-1"), "{} {}", of("ap-south-1"), of("us-east-1"));
    assert_eq!(of("us-east-1").to_bits(), of("us-east-2").to_bits());
}

#[test]
fn an_unknown_model_has_no_price_rather_than_a_price_of_nothing() {
    for name in ["somebody.new-model-v1:0", "a1b2c3d4e5f6"] {
        assert_eq!(PriceTable::builtin().lookup(&ModelKey::parse(name), REGION), None);
    }
}

#[test]
fn each_kind_of_token_has_its_price() {
    let tokens = Tokens { input: 1_000_000, output: 100_000, cache_read: 1_000_000, cache_write: 10_000 };
    assert!((row("m").cost(&tokens) - (3.0 + 1.5 + 0.3 + 0.03)).abs() < 1e-12);
}

#[test]
fn tiers_cost_their_multiple_and_a_provisioned_call_costs_nothing_more() {
    let tokens = Tokens { input: 1_000_000, ..Tokens::default() };
    let cost = |tier| row("m").in_tier(tier).cost(&tokens);
    let costs = Tier::ALL.map(cost);
    assert_eq!(costs, [3.0, 1.5, 5.25, 1.5, 0.0]);
    let provisioned = PriceRow::provisioned("xyz987".into(), "prices.yaml".into());
    let table = PriceTable::builtin().with_overrides([provisioned]);
    let known = table.lookup(&ModelKey::parse("xyz987"), REGION).unwrap();
    assert_eq!((known.tier, known.cost(&tokens)), (Tier::Provisioned, 0.0), "a price, and it is $0");
}

#[test]
fn a_row_of_ones_own_replaces_the_builtin_ones_in_every_region() {
    let model = ModelKey::parse("meta.llama3-70b-instruct-v1:0");
    let own = PriceRow { input: 99.0, ..row(&model.model_id) };
    let table = PriceTable::builtin().with_overrides([own.clone()]);
    for region in [REGION, "ap-south-1"] {
        assert_eq!(table.lookup(&model, region), Some(&own), "{region}");
    }
    let regional = PriceRow { input: 98.0, region: Some("ap-south-1".into()), ..own.clone() };
    let table = PriceTable::builtin().with_overrides([regional.clone(), own.clone()]);
    assert_eq!(table.lookup(&model, REGION), Some(&own));
    assert_eq!(table.lookup(&model, "ap-south-1"), Some(&regional));
}

#[test]
fn another_name_of_a_model_has_its_prices() {
    let table = PriceTable::builtin();
    let rows = table.rows_as(&ModelKey::parse("us.amazon.nova-pro-v1:0"), &"a1b2c3d4e5f6".into());
    let table = table.with_overrides(rows);
    let price = |name: &str| table.lookup(&ModelKey::parse(name), REGION).map(|row| (row.input, row.output));
    assert_eq!(price("a1b2c3d4e5f6"), price("us.amazon.nova-pro-v1:0"));
    assert!(table.rows_as(&ModelKey::parse("nobody.knows"), &"x".into()).is_empty());
}

#[test]
fn the_json_of_a_price_names_region_and_tier_only_where_they_are_of_interest() {
    let json = serde_json::to_value(row("m")).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys.len(), 8, "{keys:?}");
    let json = serde_json::to_value(row("m").in_tier(Tier::Flex)).unwrap();
    assert_eq!(json["tier"], "flex");
    assert_eq!(serde_json::from_value::<PriceRow>(json).unwrap(), row("m").in_tier(Tier::Flex));
}
