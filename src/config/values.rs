//! Text that means something: durations, accounts, regions, ARNs, log groups.

use std::{ops::RangeInclusive, time::Duration};

use crate::sources::logs::GroupSelector;

/// A duration such as `60s`, `10m` or `1h30m`, within bounds.
pub(super) fn duration(text: &str, bounds: &RangeInclusive<Duration>) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|_| format!("`{}` is no duration: write it as 60s, 10m or 1h30m", shown(text)))?;
    if bounds.contains(&duration) {
        return Ok(duration);
    }
    let (least, most) = (humantime::format_duration(*bounds.start()), humantime::format_duration(*bounds.end()));
    Err(format!("`{}` is outside of what works: from {least} to {most}", shown(text)))
}

/// Twelve digits.
pub(super) fn account_id(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{}` is no AWS account id: twelve digits, in quotes so that leading zeros stay", shown(text)))
    }
}

/// A region's code: `us-east-1`, `us-gov-west-1`.
pub(super) fn region(text: &str) -> Result<String, String> {
    let parts: Vec<_> = text.split('-').collect();
    let well_formed = matches!(parts[..], [_, .., number] if parts.len() >= 3
        && number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit()))
        && parts[..parts.len() - 1].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase()));
    if well_formed { Ok(text.to_owned()) } else { Err(format!("`{}` is no AWS region such as us-east-1", shown(text))) }
}

/// An IAM role's ARN, and its account.
pub(super) fn role_arn(text: &str) -> Result<String, String> {
    if account_of_role(text).is_some() {
        Ok(text.to_owned())
    } else {
        Err(format!("`{}` is no role ARN: arn:aws:iam::111122223333:role/NAME", shown(text)))
    }
}

/// The account of an IAM role's ARN.
pub(super) fn account_of_role(arn: &str) -> Option<&str> {
    match arn.splitn(6, ':').collect::<Vec<_>>()[..] {
        ["arn", _, "iam", "", account, role] if account_id(account).is_ok() => {
            role.strip_prefix("role/").filter(|name| !name.is_empty()).map(|_| account)
        }
        _ => None,
    }
}

/// A principal: role or user, plain or as STS names it.
pub(super) fn identity(text: &str) -> Result<String, String> {
    match text.splitn(6, ':').collect::<Vec<_>>()[..] {
        ["arn", _, "iam" | "sts", "", account, name] if account_id(account).is_ok() && name.contains('/') => {
            Ok(text.to_owned())
        }
        _ => Err(format!("`{}` is no identity ARN: arn:aws:iam::111122223333:role/NAME", shown(text))),
    }
}

/// `http://…` or `https://…`.
pub(super) fn endpoint_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(char::is_whitespace) => Ok(text.to_owned()),
        _ => Err("expected an URL that begins with http:// or https://".to_owned()),
    }
}

/// One log group: a name or an ARN.
pub(super) fn log_group(text: &str) -> Result<String, String> {
    let name = text.split_once(":log-group:").map_or(text, |(_, name)| name.trim_end_matches(":*"));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-/.#".contains(c);
    if text.starts_with("arn:") && name == text {
        return Err("not a log group's ARN: arn:aws:logs:REGION:ACCOUNT:log-group:NAME".to_owned());
    }
    match name.chars().find(|c| !allowed(*c)) {
        Some(wrong) => Err(format!("`{wrong}` cannot be in a log group's name; a `*` only at its end")),
        None if name.is_empty() || name.len() > 512 => Err("a log group's name has 1 to 512 characters".to_owned()),
        None => Ok(text.to_owned()),
    }
}

/// Log groups: a name, a `prefix*` or an ARN.
pub(super) fn log_groups(text: &str) -> Result<GroupSelector, String> {
    match text.strip_suffix('*').filter(|_| !text.starts_with("arn:")) {
        Some(prefix) => log_group(prefix).map(GroupSelector::Prefix),
        None => log_group(text).map(GroupSelector::Exact),
    }
}

/// A value as an error may show it.
fn shown(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_told_from_other_text() {
        for good in ["us-east-1", "ap-southeast-2", "us-gov-west-1", "eusc-de-east-1"] {
            assert!(region(good).is_ok(), "{good}");
        }
        for bad in ["", "us-east", "useast1", "us-east-", "US-EAST-1", "us--1", "us-east-1a"] {
            assert!(region(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_group_is_a_name_a_prefix_or_an_arn() {
        assert_eq!(log_groups("/ecs/*"), Ok(GroupSelector::Prefix("/ecs/".into())));
        assert_eq!(log_groups("/ecs/chat"), Ok(GroupSelector::Exact("/ecs/chat".into())));
        let arn = "arn:aws:logs:us-east-1:111122223333:log-group:/ecs/chat:*";
        assert_eq!(log_groups(arn), Ok(GroupSelector::Exact(arn.into())));
        for bad in ["", "*", "/ecs/*/chat", "/ecs/ch at", "arn:aws:s3:::bucket"] {
            assert!(log_groups(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_duration_has_a_unit_and_bounds() {
        let bounds = Duration::from_secs(1)..=Duration::from_secs(3600);
        assert_eq!(duration("1m30s", &bounds), Ok(Duration::from_secs(90)));
        for bad in ["60", "-5s", "0s", "2h", "soon", ""] {
            assert!(duration(bad, &bounds).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_account_of_a_role_is_in_its_arn() {
        assert_eq!(account_of_role("arn:aws:iam::111122223333:role/path/faultline"), Some("111122223333"));
        for bad in
            ["arn:aws:iam::1111:role/x", "arn:aws:iam::111122223333:user/x", "arn:aws:iam::111122223333:role/", "x"]
        {
            assert_eq!(account_of_role(bad), None, "{bad}");
        }
    }
}
