//! CloudWatch Logs: DescribeLogGroups, DescribeLogStreams, FilterLogEvents, GetLogEvents.

use std::time::Duration;

use faultline_core::model::Time;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{AwsState, Caller, answer::Fault, pattern::Pattern};
use crate::simulate::store::time;

/// FilterLogEvents calls a second, per account and region.
const FILTER_CALLS_A_SECOND: usize = 5;
const EVENTS_A_PAGE: u64 = 10_000;
/// A page of events is cut at about 1 MB; each event counts 26 bytes besides its message.
const BYTES_A_PAGE: usize = 1_048_576;
/// With a pattern, one call searches more of the log than it may return, but not all of it.
const BYTES_SEARCHED: usize = 8 * BYTES_A_PAGE;
const BYTES_BESIDE: usize = 26;
/// Every so many-th first page is empty and has a token all the same, as AWS's may be.
const EMPTY_PAGE_EVERY: u64 = 7;
const GROUPS_A_PAGE: u64 = 50;

pub(super) fn answer(
    state: &mut AwsState,
    caller: &Caller,
    operation: &str,
    body: &[u8],
    now: Time,
) -> Result<Vec<u8>, Fault> {
    let input: Value =
        serde_json::from_slice(body).map_err(|error| Fault::new(400, "SerializationException", error.to_string()))?;
    let answer = match operation {
        "DescribeLogGroups" => describe_groups(state, caller, &input)?,
        "DescribeLogStreams" => describe_streams(state, caller, &input)?,
        "FilterLogEvents" => filter_events(state, caller, &input, now)?,
        "GetLogEvents" => get_events(state, caller, &input, now)?,
        _ => return Err(Fault::new(400, "UnknownOperationException", operation)),
    };
    Ok(answer.to_string().into_bytes())
}

/// A page of names, and the token of the next.
fn page(names: Vec<String>, input: &Value, most: u64) -> Result<(Vec<String>, Option<String>), Fault> {
    let skip = token(input, "")?;
    let limit = usize::try_from(input["limit"].as_u64().unwrap_or(most).clamp(1, most)).unwrap_or(usize::MAX);
    let next = (names.len() > skip + limit).then(|| (skip + limit).to_string());
    Ok((names.into_iter().skip(skip).take(limit).collect(), next))
}

fn describe_groups(state: &mut AwsState, caller: &Caller, input: &Value) -> Result<Value, Fault> {
    let prefix = input["logGroupNamePrefix"].as_str().unwrap_or_default();
    let groups = state.store(caller).groups().filter(|name| name.starts_with(prefix));
    let (names, next) = page(groups.map(ToString::to_string).collect(), input, GROUPS_A_PAGE)?;
    let group = |name: String| {
        let arn = format!("arn:aws:logs:{}:{}:log-group:{name}", caller.region, caller.account_id);
        json!({ "logGroupName": name, "arn": format!("{arn}:*"), "logGroupArn": arn })
    };
    Ok(json!({ "logGroups": names.into_iter().map(group).collect::<Vec<_>>(), "nextToken": next }))
}

fn describe_streams(state: &mut AwsState, caller: &Caller, input: &Value) -> Result<Value, Fault> {
    let group = group_name(input, caller)?;
    let prefix = input["logStreamNamePrefix"].as_str().unwrap_or_default();
    let streams = state.store(caller).streams(&group).ok_or_else(no_group)?;
    let names = streams.filter(|name| name.starts_with(prefix)).map(ToString::to_string).collect();
    let (names, next) = page(names, input, GROUPS_A_PAGE)?;
    let stream = |name| json!({ "logStreamName": name });
    Ok(json!({ "logStreams": names.into_iter().map(stream).collect::<Vec<_>>(), "nextToken": next }))
}

fn filter_events(state: &mut AwsState, caller: &Caller, input: &Value, now: Time) -> Result<Value, Fault> {
    let calls = state.filter_calls.entry(caller.clone()).or_default();
    calls.retain(|call| call.elapsed() < Duration::from_secs(1));
    if calls.len() >= FILTER_CALLS_A_SECOND {
        return Err(Fault::new(400, "ThrottlingException", "Rate exceeded"));
    }
    calls.push(Instant::now());

    let group = group_name(input, caller)?;
    let pattern = Pattern::parse(input["filterPattern"].as_str().unwrap_or_default())?;
    let streams: Option<Vec<&str>> =
        input["logStreamNames"].as_array().map(|names| names.iter().filter_map(Value::as_str).collect());
    let limit = input["limit"].as_u64().unwrap_or(EVENTS_A_PAGE);
    if !(1..=EVENTS_A_PAGE).contains(&limit) {
        return Err(Fault::invalid("limit must be from 1 to 10000"));
    }
    let range = (input["startTime"].as_i64().unwrap_or(0), input["endTime"].as_i64().unwrap_or(i64::MAX));
    let after = input["nextToken"].as_str();
    state.filter_pages += u64::from(after.is_none());
    let no_tokens = state.faults.no_tokens();
    let slip_in_empty = after.is_none() && state.filter_pages.is_multiple_of(EMPTY_PAGE_EVERY);
    // New events may have come before the token: it names the last event read, not a position.
    let last = match after {
        None | Some("f/start") => None,
        Some(token) => Some(token.strip_prefix("f/").and_then(event_id).ok_or_else(bad_token)?),
    };
    let range = (last.map_or(range.0, |(timestamp, _)| range.0.max(timestamp)), range.1);
    let mut events = state.store(caller).events(&group, range, now).ok_or_else(no_group)?.peekable();
    if slip_in_empty && !no_tokens && events.peek().is_some() {
        return Ok(json!({ "events": [], "nextToken": "f/start", "searchedLogStreams": [] }));
    }
    let events = events.skip_while(|event| last.is_some_and(|(_, id)| *event.event_id <= *id));
    // A page searches so many bytes of the log, matches or not: with a pattern, pages may be short or empty.
    let (mut searched, mut returned, mut found, mut last) = (0, 0, Vec::new(), None);
    let mut next = None;
    for event in events {
        let bytes = event.message.len() + BYTES_BESIDE;
        let matches = streams.as_ref().is_none_or(|streams| streams.contains(&event.stream.as_ref()))
            && pattern.matches(&event.message);
        let full = searched + bytes > BYTES_SEARCHED
            || matches && (returned + bytes > BYTES_A_PAGE || found.len() as u64 >= limit);
        if full && let Some(last) = last {
            next = Some(format!("f/{last}"));
            break;
        }
        searched += bytes;
        last = Some(&event.event_id);
        if matches {
            returned += bytes;
            found.push(json!({
                "logStreamName": event.stream,
                "timestamp": event.timestamp,
                "message": event.message,
                "ingestionTime": event.visible_at.timestamp_millis(),
                "eventId": event.event_id,
            }));
        }
    }
    state.log_bytes_served += returned as u64;
    let next = next.filter(|_| !no_tokens);
    Ok(json!({ "events": found, "nextToken": next, "searchedLogStreams": [] }))
}

/// The timestamp that an event id begins with, and the id.
fn event_id(id: &str) -> Option<(i64, &str)> {
    Some((id.get(..20)?.parse().ok()?, id))
}

fn get_events(state: &mut AwsState, caller: &Caller, input: &Value, now: Time) -> Result<Value, Fault> {
    let group = group_name(input, caller)?;
    let stream = input["logStreamName"].as_str().ok_or_else(|| Fault::invalid("logStreamName is required"))?;
    // Unlike FilterLogEvents, the end is exclusive here.
    let range = (input["startTime"].as_i64().unwrap_or(0), input["endTime"].as_i64().map_or(i64::MAX, |end| end - 1));
    let limit = usize::try_from(input["limit"].as_u64().unwrap_or(EVENTS_A_PAGE).clamp(1, EVENTS_A_PAGE)).unwrap_or(1);
    if input["startFromHead"].as_bool() != Some(true) {
        return Err(Fault::invalid("this simulation reads streams from their head only"));
    }
    let skip = token(input, "f/")?;
    let events = state.store(caller).events(&group, range, now).ok_or_else(no_group)?;
    let (mut bytes, mut page) = (0, Vec::new());
    for event in events.filter(|event| *event.stream == *stream).skip(skip).take(limit) {
        bytes += event.message.len() + BYTES_BESIDE;
        if bytes > BYTES_A_PAGE && !page.is_empty() {
            break;
        }
        page.push(json!({
            "timestamp": time(event.timestamp).timestamp_millis(),
            "message": event.message,
            "ingestionTime": event.visible_at.timestamp_millis(),
        }));
    }
    state.log_bytes_served += bytes as u64;
    // At the end of the stream the token that was sent comes back.
    let next = format!("f/{}", skip + page.len());
    Ok(json!({ "events": page, "nextForwardToken": next, "nextBackwardToken": format!("b/{skip}") }))
}

/// The group of a name, or of an ARN, which must then be of the caller's account and region.
fn group_name(input: &Value, caller: &Caller) -> Result<String, Fault> {
    match (input["logGroupName"].as_str(), input["logGroupIdentifier"].as_str()) {
        (Some(name), None) => Ok(name.to_owned()),
        (None, Some(identifier)) => {
            let own = format!("arn:aws:logs:{}:{}:log-group:", caller.region, caller.account_id);
            match identifier.strip_prefix(&own) {
                Some(name) if !name.ends_with(":*") => Ok(name.to_owned()),
                _ if identifier.starts_with("arn:") => Err(no_group()),
                _ => Ok(identifier.to_owned()),
            }
        }
        _ => Err(Fault::invalid("either logGroupName or logGroupIdentifier is required")),
    }
}

fn token(input: &Value, prefix: &str) -> Result<usize, Fault> {
    match input["nextToken"].as_str() {
        None => Ok(0),
        Some(token) => token.strip_prefix(prefix).and_then(|token| token.parse().ok()).ok_or_else(bad_token),
    }
}

fn bad_token() -> Fault {
    Fault::invalid("The specified nextToken is invalid.")
}

fn no_group() -> Fault {
    Fault::new(400, "ResourceNotFoundException", "The specified log group does not exist.")
}
