//! How the page writes numbers, times and other people's text.

use std::fmt::{self, Write};

use faultline_core::model::{ModelKey, Time};

/// Text that is safe between tags and in quoted attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '&' => f.write_str("&amp;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => f.write_char(c),
        })
    }
}

/// `read_timeout` as a person says it. Only ever given words of our own.
pub(super) fn words(label: &str) -> String {
    label.replace('_', " ")
}

/// Whole cents where there are any, more digits where a call costs less than one.
pub(super) fn dollars(amount: f64) -> String {
    if amount == 0.0 || amount >= 1.0 { format!("${amount:.2}") } else { format!("${amount:.4}") }
}

pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count that may be an expectation: whole, with separators.
pub(super) fn whole(number: f64) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts of requests, never below 0
    thousands(number.max(0.0).round() as u64)
}

/// `12:03`, or with its day where that is not today's.
pub(super) fn clock(time: Time, now: Time) -> String {
    let form = if time.date_naive() == now.date_naive() { "%H:%M" } else { "%b %-d %H:%M" };
    time.format(form).to_string()
}

/// The model as it is called: with its routing prefix.
pub(super) fn model_of(model_id: &str, route: &str) -> String {
    if route == "none" { model_id.to_owned() } else { format!("{route}.{model_id}") }
}

/// The last part of a model's name, which tells models apart where there is little room.
pub(super) fn short(model: &ModelKey) -> String {
    let id = model.model_id.split_once('.').map_or(&*model.model_id, |(_, name)| name);
    model_of(id, model.route.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_names_cannot_become_markup() {
        assert_eq!(Escaped("<script>'\"&").to_string(), "&lt;script&gt;&#39;&quot;&amp;");
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 0.00123, 12.345].map(dollars), ["$0.00", "$0.0012", "$12.35"]);
    }
}
