//! What is watched.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ApplicationConfig, CellConfig, InvocationsConfig, InvocationsRead,
    options::default_of,
    read::{one_of, optional, or_default},
    reader::{Found, Value},
    values,
};
use crate::aws::Access;

/// A cell per region of each entry.
pub(super) fn read(value: &Value<'_>, found: &mut Found) -> Option<Vec<CellConfig>> {
    let entries = value.list(found)?;
    if entries.is_empty() {
        value.error(found, "name at least one cell with its `regions`");
    }
    let mut cells = Vec::new();
    let mut seen: BTreeMap<(Option<String>, Option<String>, String), String> = BTreeMap::new();
    for entry in &entries {
        let Some(of_entry) = cell(entry, found) else { continue };
        for cell in of_entry {
            let name = (cell.account_id.clone(), cell.access.endpoint_url.clone(), cell.region.clone());
            if let Some(first) = seen.insert(name, entry.path().to_owned()) {
                entry.error(found, format!("{} of this account is watched by {first} already", cell.region));
            }
            cells.push(cell);
        }
    }
    Some(cells)
}

fn cell(entry: &Value<'_>, found: &mut Found) -> Option<Vec<CellConfig>> {
    let mut fields = entry.fields(found)?;
    let regions = match fields.take("regions", found) {
        Some(value) => {
            let listed = value.list(found);
            if listed.as_ref().is_some_and(Vec::is_empty) {
                value.error(found, "name at least one region");
            }
            listed.iter().flatten().filter_map(|region| region.parsed(found, values::region)).collect()
        }
        None => {
            entry.error(found, "`regions` is missing: the regions of this account to watch, such as [us-east-1]");
            Vec::new()
        }
    };
    let account_value = fields.take("account_id", found);
    let account_id = account_value.as_ref().and_then(|value| value.parsed(found, values::account_id));
    let role_arn = optional(&mut fields, found, "role_arn", values::role_arn);
    let external_id = fields.take("external_id", found);
    let endpoint_url = optional(&mut fields, found, "endpoint_url", values::endpoint_url);
    let of_role = role_arn.as_deref().and_then(values::account_of_role);
    if let (Some(value), Some(account), Some(of_role)) = (&account_value, &account_id, of_role)
        && account != of_role
    {
        value.error(found, format!("role_arn belongs to account {of_role}, not to {account}"));
    }
    if let (Some(value), None) = (&external_id, &role_arn) {
        value.error(found, "an external id does nothing without role_arn");
    }
    let account_id = account_id.or_else(|| of_role.map(str::to_owned));
    let external_id = external_id.and_then(|value| value.text(found));
    let applications = fields.take("applications", found).map_or_else(Vec::new, |value| applications(&value, found));
    let invocations = fields.take("invocations", found).and_then(|value| invocations(&value, found));
    fields.finish(found);

    let access = Access { role_arn, external_id, endpoint_url };
    let cell = |region| CellConfig {
        account_id: account_id.clone(),
        region,
        access: access.clone(),
        applications: applications.clone(),
        invocations: invocations.clone(),
    };
    Some(regions.into_iter().map(cell).collect())
}

fn applications(value: &Value<'_>, found: &mut Found) -> Vec<ApplicationConfig> {
    let mut names = BTreeSet::new();
    let mut applications = Vec::new();
    for entry in value.list(found).unwrap_or_default() {
        let Some((application, group)) = application(&entry, found) else { continue };
        if !names.insert((group.clone(), application.region.clone(), application.role_arn.clone())) {
            entry.error(found, format!("group `{group}` is read by an application above already"));
        }
        applications.push(application);
    }
    applications
}

fn application(entry: &Value<'_>, found: &mut Found) -> Option<(ApplicationConfig, String)> {
    let mut fields = entry.fields(found)?;
    let group_value = fields.take("group", found);
    if group_value.is_none() {
        entry.error(found, "`group` is missing: the application's log group");
    }
    let written = group_value.as_ref().and_then(|value| value.text(found));
    let group =
        group_value.as_ref().zip(written.as_ref()).and_then(|(value, _)| value.parsed(found, values::log_groups));
    let name = optional(&mut fields, found, "name", |text| match text.trim() {
        "" => Err("a name must not be empty".to_owned()),
        name => Ok(name.to_owned()),
    });
    let identity = optional(&mut fields, found, "identity", values::identity);
    let model_id = optional(&mut fields, found, "model_id", |text| match text.trim() {
        id if id.is_empty() || id.contains(char::is_whitespace) => Err("expected a model id or ARN".to_owned()),
        id => Ok(id.to_owned()),
    });
    let assume = or_default(&mut fields, found, "cells[].applications[].assume", "assume", |text| {
        one_of(text, &[("bedrock", true), ("none", false)])
    });
    let successes = fields.take("successes", found).map_or(Some(false), |value| value.boolean(found));
    let region = optional(&mut fields, found, "region", values::region);
    let role_arn = optional(&mut fields, found, "role_arn", values::role_arn);
    let external_id = fields.take("external_id", found);
    if let (Some(value), None) = (&external_id, &role_arn) {
        value.error(found, "an external id does nothing without role_arn");
    }
    let external_id = external_id.and_then(|value| value.text(found));
    fields.finish(found);
    let written = written?;
    let application = ApplicationConfig {
        name: name.unwrap_or_else(|| written.clone()),
        group: group?,
        identity,
        model_id,
        assume_bedrock: assume?,
        successes: successes?,
        region,
        role_arn,
        external_id,
    };
    Some((application, written))
}

fn invocations(value: &Value<'_>, found: &mut Found) -> Option<InvocationsConfig> {
    if !value.is_mapping() {
        // The short form is the group alone; its keys are still options.
        value.fields_known(found, &["group", "read", "megabytes_per_minute"]);
        let group = value.parsed(found, values::log_group)?;
        let megabytes_per_minute = default_budget()?;
        return Some(InvocationsConfig { group, read: InvocationsRead::Auto, megabytes_per_minute });
    }
    let mut fields = value.fields(found)?;
    let group = optional(&mut fields, found, "group", values::log_group);
    if group.is_none() {
        value.error(found, "`group` is missing: the log group that Bedrock logs invocations to");
    }
    let read =
        or_default(&mut fields, found, "cells[].invocations.read", "read", |text| one_of(text, &InvocationsRead::ALL));
    let megabytes_per_minute = match fields.take("megabytes_per_minute", found) {
        Some(value) => value.amount(found),
        None => default_budget(),
    };
    fields.finish(found);
    Some(InvocationsConfig { group: group?, read: read?, megabytes_per_minute: megabytes_per_minute? })
}

fn default_budget() -> Option<f64> {
    default_of("cells[].invocations.megabytes_per_minute").parse().ok()
}
