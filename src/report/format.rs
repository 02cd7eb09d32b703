//! Numbers as people read them.

use super::Breakdown;

/// Dollars: cents from one dollar on, four places below it.
pub(super) fn dollars(amount: f64) -> String {
    if amount.abs() < 1.0 && amount != 0.0 {
        return format!("${amount:.4}");
    }
    let cents = format!("{amount:.2}");
    let (whole, fraction) = cents.split_once('.').unwrap_or((&cents, "00"));
    format!("${}.{fraction}", grouped(whole))
}

/// Dollars, and what of it has none.
pub(super) fn cost(found: &Breakdown) -> String {
    match (found.count() - found.unpriced, found.unpriced) {
        (_, 0) => dollars(found.cost_usd),
        (0, _) => "no known price".to_owned(),
        (_, unpriced) => format!("{} and {} without a known price", dollars(found.cost_usd), count(unpriced)),
    }
}

/// A whole number with its thousands apart.
pub(super) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// A count that may be an expectation: whole where it is near enough.
pub(super) fn expected(number: f64) -> String {
    if (number - number.round()).abs() < 0.05 { grouped(&format!("{number:.0}")) } else { format!("{number:.1}") }
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `server_capacity` as `server capacity`.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// `2026-05-01T12:00:00Z` as `2026-05-01 12:00:00`.
pub(super) fn clock(rfc3339: &str) -> String {
    rfc3339.replace('T', " ").replace('Z', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well_at_every_size() {
        for (amount, text) in [
            (0.0, "$0.00"),
            (0.0097, "$0.0097"),
            (0.25, "$0.2500"),
            (1.0, "$1.00"),
            (999.999, "$1,000.00"),
            (1_234_567.5, "$1,234,567.50"),
        ] {
            assert_eq!(dollars(amount), text);
        }
        assert_eq!((count(0), count(1_000), count(123_456)), ("0".into(), "1,000".into(), "123,456".into()));
        assert_eq!((expected(3.0), expected(3.25), expected(1500.01)), ("3".into(), "3.2".into(), "1,500".into()));
    }
}
