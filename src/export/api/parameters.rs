//! What several questions ask in the same way.

use std::{fmt::Display, str::FromStr};

use axum::http::StatusCode;
use faultline_core::model::Time;

use crate::{clock::time_or_age, export::http::ApiError};

const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 1000;

/// How many rows to a page.
pub(super) fn limit(text: Option<String>) -> Result<usize, ApiError> {
    let Some(text) = text else { return Ok(DEFAULT_LIMIT) };
    let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or_else(|| bad(format!("limit: `{text}` is not a number from 1 to {MOST}")))
}

/// Where the page before ended: a time in milliseconds, and what tells rows of one time apart.
pub(super) fn cursor<T: FromStr>(text: Option<String>) -> Result<Option<(i64, T)>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let parts = text.split_once('.').and_then(|(at, rest)| Some((at.parse().ok()?, rest.parse().ok()?)));
    parts.map(Some).ok_or_else(|| bad("cursor: take it from `next_cursor` of the page before, unchanged".to_owned()))
}

/// The cursor of the next page, as text.
pub(super) fn next_cursor(next: Option<(i64, impl Display)>) -> Option<String> {
    next.map(|(at, rest)| format!("{at}.{rest}"))
}

/// A time, where one was given.
pub(super) fn time(name: &str, text: Option<String>, now: Time) -> Result<Option<Time>, ApiError> {
    text.map(|text| time_or_age(&text, now).map_err(|wrong| bad(format!("{name}: {wrong}")))).transpose()
}

pub(super) const fn bad(message: String) -> ApiError {
    ApiError(StatusCode::BAD_REQUEST, message)
}
