//! An application whose logs are read, and the log groups it writes.

use std::sync::Arc;

use faultline_core::model::ModelKey;

use crate::{
    aws::{CallError, RegionClients},
    sources::log_events::Group,
};

/// Which log groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupSelector {
    /// One, by name or ARN.
    Exact(String),
    /// Every one whose name begins so.
    Prefix(String),
}

/// An application.
#[derive(Debug)]
pub struct Application {
    /// The label `application`.
    pub name: Arc<str>,
    /// Its log groups.
    pub selector: GroupSelector,
    /// The IAM identity it calls Bedrock as, where configured.
    pub identity: Option<Arc<str>>,
    /// The model it calls, where it is one and configured.
    pub model: Option<ModelKey>,
    /// Whether a failure that names no service is taken for Bedrock's.
    pub assume_bedrock: bool,
    /// Whether lines of calls that ended well are read too.
    pub successes: bool,
    /// What its groups' cursors are called besides the group's name, where the logs are not in the cell's own place.
    pub place: String,
    /// The clients of the account and region its logs are in.
    pub clients: RegionClients,
}

impl Application {
    /// The groups there are now.
    pub(super) async fn groups(&self) -> Result<Vec<Group>, CallError> {
        let prefix = match &self.selector {
            GroupSelector::Exact(name) => return Ok(vec![Group::parse(name)]),
            GroupSelector::Prefix(prefix) => prefix,
        };
        let mut groups = Vec::new();
        let mut token = None;
        loop {
            let request = self.clients.logs.describe_log_groups().log_group_name_prefix(prefix).set_next_token(token);
            let page = self.clients.caller.call("DescribeLogGroups", 0.0, request.send()).await?;
            groups.extend(
                page.log_groups()
                    .iter()
                    .filter_map(|group| group.log_group_name())
                    .map(|name| Group::Name(name.into())),
            );
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(groups);
            }
        }
    }
}
