//! What templates write after a `|`.

#![allow(unreachable_pub)] // of what the attribute makes of these functions

use askama::{Result, Values};
use faultline_core::model::Tokens;

use super::{Breakdown, finding, format};

/// A number, behind however many references a template holds it.
pub(super) trait Number<T> {
    fn number(&self) -> T;
}

impl Number<u64> for u64 {
    fn number(&self) -> u64 {
        *self
    }
}

impl Number<f64> for f64 {
    fn number(&self) -> f64 {
        *self
    }
}

impl<T, N: Number<T>> Number<T> for &N {
    fn number(&self) -> T {
        N::number(self)
    }
}

#[askama::filter_fn]
pub(super) fn count<N: Number<u64>>(number: N, _: &dyn Values) -> Result<String> {
    Ok(format::count(number.number()))
}

#[askama::filter_fn]
pub(super) fn expected<N: Number<f64>>(number: N, _: &dyn Values) -> Result<String> {
    Ok(format::expected(number.number()))
}

#[askama::filter_fn]
pub(super) fn dollars<N: Number<f64>>(amount: N, _: &dyn Values) -> Result<String> {
    Ok(format::dollars(amount.number()))
}

#[askama::filter_fn]
pub(super) fn words(name: &str, _: &dyn Values) -> Result<String> {
    Ok(format::words(name))
}

#[askama::filter_fn]
pub(super) fn clock(time: &str, _: &dyn Values) -> Result<String> {
    Ok(format::clock(time))
}

#[askama::filter_fn]
pub(super) fn tokens(tokens: &Tokens, _: &dyn Values) -> Result<u64> {
    Ok(tokens.total())
}

#[askama::filter_fn]
pub(super) fn cost(found: &Breakdown, _: &dyn Values) -> Result<String> {
    Ok(format::cost(found))
}

#[askama::filter_fn]
pub(super) fn model(model_id: &str, _: &dyn Values, route: &str) -> Result<String> {
    Ok(finding::model_name(model_id, route))
}
