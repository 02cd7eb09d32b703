//! STS: GetCallerIdentity and AssumeRole, in awsQuery.

use std::collections::HashMap;

use chrono::{Duration, SecondsFormat, Utc};

use super::{AwsState, Caller, answer::Fault};

/// The operation of a form.
pub(super) fn action(body: &[u8]) -> String {
    form(body).remove("Action").unwrap_or_default()
}

fn form(body: &[u8]) -> HashMap<String, String> {
    // What is no form names no action, and is refused for that.
    serde_urlencoded::from_bytes(body).unwrap_or_default()
}

pub(super) fn answer(state: &mut AwsState, caller: &Caller, body: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut form = form(body);
    let mut take = |key: &str| form.remove(key);
    match take("Action").as_deref() {
        Some("GetCallerIdentity") => {
            let account = &caller.account_id;
            Ok(result(
                "GetCallerIdentity",
                &format!(
                    "<Arn>arn:aws:sts::{account}:assumed-role/faultline/session</Arn><UserId>AROA:session</UserId><Account>{account}</Account>"
                ),
            ))
        }
        Some("AssumeRole") => {
            let arn = take("RoleArn").unwrap_or_default();
            let denied = || {
                let user = format!("arn:aws:sts::{}:assumed-role/faultline/session", caller.account_id);
                let message = format!("User: {user} is not authorized to perform: sts:AssumeRole on resource: {arn}");
                Fault::new(403, "AccessDenied", message)
            };
            let role = state.roles.get(&arn).cloned().ok_or_else(denied)?;
            if role.external_id.is_some() && role.external_id != take("ExternalId") {
                return Err(denied());
            }
            let key = format!("ASIA{:016}", state.keys.len());
            state.keys.insert(key.clone(), role.account_id);
            let session = take("RoleSessionName").unwrap_or_default();
            // The SDK's clock is the machine's, whatever time it is in the simulation.
            let expires = (Utc::now() + Duration::hours(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
            Ok(result(
                "AssumeRole",
                &format!(
                    "<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>simulated</SecretAccessKey>\
                     <SessionToken>simulated</SessionToken><Expiration>{expires}</Expiration></Credentials>\
                     <AssumedRoleUser><AssumedRoleId>AROA:{session}</AssumedRoleId><Arn>{arn}/{session}</Arn></AssumedRoleUser>"
                ),
            ))
        }
        other => {
            Err(Fault::new(400, "InvalidAction", format!("Could not find operation {}", other.unwrap_or_default())))
        }
    }
}

fn result(operation: &str, content: &str) -> Vec<u8> {
    format!(
        "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result>{content}</{operation}Result>\
         <ResponseMetadata><RequestId>00000000-0000-4000-8000-000000000000</RequestId></ResponseMetadata></{operation}Response>"
    )
    .into_bytes()
}
