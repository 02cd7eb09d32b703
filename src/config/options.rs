//! Every option, documented where its default is defined.

/// One option of the configuration file.
#[derive(Debug)]
pub struct OptionDoc {
    /// Where it stands: `cells[].regions` is the key `regions` of each element of `cells`.
    pub path: &'static str,
    /// What kind of value.
    pub value: &'static str,
    /// What it is when absent, as it would be written; empty where it then does nothing.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

const fn option(path: &'static str, value: &'static str, default: &'static str, meaning: &'static str) -> OptionDoc {
    OptionDoc { path, value, default, meaning }
}

/// All of them, in the order of the example file.
pub const OPTIONS: &[OptionDoc] = &[
    option(
        "listen",
        "address:port",
        "127.0.0.1:9884",
        "Where /metrics, the API and the page are served. Port 0 takes a free one, which is printed.",
    ),
    option(
        "ledger",
        "path",
        "faultline.db",
        "The SQLite file that holds findings, counters and cursors; relative to the working directory.",
    ),
    option("cells", "list", "", "What is watched. The only key that must be there."),
    option(
        "cells[].regions",
        "list of regions",
        "",
        "The regions of this account; each is a cell of its own. Required.",
    ),
    option(
        "cells[].account_id",
        "twelve digits, quoted",
        "",
        "The account. Taken from `role_arn` or asked of STS when absent.",
    ),
    option(
        "cells[].role_arn",
        "role ARN",
        "",
        "The role to assume; the environment's own credentials are used when absent.",
    ),
    option("cells[].external_id", "text", "", "The external id that the role's trust policy asks for."),
    option("cells[].endpoint_url", "URL", "", "Another endpoint for every AWS service: emulators, private endpoints."),
    option("cells[].applications", "list", "", "The applications whose logs tell of failed calls."),
    option(
        "cells[].applications[].group",
        "log group",
        "",
        "The application's log group: a name, a `prefix*`, or an ARN. Required.",
    ),
    option("cells[].applications[].name", "text", "", "The label `application`; the group as written when absent."),
    option(
        "cells[].applications[].identity",
        "role or user ARN",
        "",
        "Whose calls these logs tell of; it narrows matching.",
    ),
    option(
        "cells[].applications[].model_id",
        "model id or ARN",
        "",
        "The model, if the application uses one; for failures whose text names none.",
    ),
    option(
        "cells[].applications[].assume",
        "`bedrock` or `none`",
        "bedrock",
        "Whether a failure that names no service is taken for Bedrock's. What names another service never is.",
    ),
    option(
        "cells[].applications[].successes",
        "boolean",
        "false",
        "Whether the request ids of calls that ended well are read too: they narrow the matching of failures without one.",
    ),
    option("cells[].applications[].region", "region", "", "Where the logs are, if not in the cell's region."),
    option("cells[].applications[].role_arn", "role ARN", "", "The role that reads the logs, if not the cell's."),
    option("cells[].applications[].external_id", "text", "", "That role's external id."),
    option(
        "cells[].invocations",
        "log group, or `group` and `read`",
        "",
        "Bedrock's model invocation log. Without it, what failed is known but not what was billed.",
    ),
    option("cells[].invocations.group", "log group", "", "The log group, a name or an ARN."),
    option(
        "cells[].invocations.read",
        "`auto`, `failures` or `all`",
        "auto",
        "`failures` reads the records of failed calls only; hidden retries of calls that ended well then stay unseen. `all` reads every record. `auto` reads all while that is affordable.",
    ),
    option(
        "cells[].invocations.megabytes_per_minute",
        "number",
        "60",
        "What `auto` may read to read every record, late ones' second readings included; above it, it does what `failures` does.",
    ),
    option("metrics.poll", "duration", "60s", "How often CloudWatch's error counts are asked for."),
    option(
        "metrics.detail",
        "duration",
        "10m",
        "How often tokens, latencies and the rest are asked for, every minute of them; where errors show, at every `poll`.",
    ),
    option(
        "metrics.settle",
        "duration",
        "10m",
        "How old a minute must be to be taken as final, until that is learnt for each series (3 to 30 minutes).",
    ),
    option(
        "metrics.budget_usd_per_month",
        "dollars",
        "50",
        "What polling one cell's metrics may cost a month; polls become rarer before it is overrun, and say so.",
    ),
    option("logs.poll", "duration", "15s", "How often logs are read."),
    option("logs.overlap", "duration", "10m", "How late an event may arrive and still be found."),
    option(
        "logs.server_side_filter",
        "boolean",
        "true",
        "Whether CloudWatch Logs filters. `false` reads everything: for emulators that do not know filter patterns.",
    ),
    option(
        "correlation.window",
        "duration",
        "1h",
        "What the gauges look back over, and how far a first start reads back.",
    ),
    option(
        "correlation.horizon",
        "duration",
        "30m",
        "How long a record may follow its failure before the failure is concluded without it.",
    ),
    option(
        "correlation.invocations_count",
        "`auto`, `successes` or `accepted`",
        "auto",
        "What CloudWatch's Invocations counts; `auto` calibrates it per model.",
    ),
    option(
        "correlation.id_keys",
        "list of text",
        "[faultline-id]",
        "Keys of requestMetadata that hold the application's own id of a call.",
    ),
    option(
        "prices",
        "path",
        "",
        "A file of prices added to, or in place of, the built-in ones; relative to this file.",
    ),
    option(
        "budget.monthly_usd",
        "dollars",
        "",
        "Bedrock spend a month that is meant not to be exceeded, exported for the budget alert.",
    ),
    option("provisioned", "list", "", "What provisioned throughput would cost, for the report's break-even."),
    option("provisioned[].model_id", "model id", "", "The model that it would carry."),
    option("provisioned[].usd_per_hour", "dollars", "", "For as many model units as the traffic needs."),
    option(
        "retention.findings",
        "duration",
        "400d",
        "How long findings, incidents, failures and what was read are kept. Single minutes of metrics go after 16 days, their five-minute sums with the rest.",
    ),
    option("retention.cursors", "number", "10000", "How many places to read on from are kept; the oldest go first."),
    option(
        "shutdown_timeout",
        "duration",
        "10s",
        "How long stopping may take before what is unfinished is left for the next start.",
    ),
];

/// The default of an option, as it would be written.
pub(super) fn default_of(path: &str) -> &'static str {
    OPTIONS.iter().find(|option| option.path == path).map_or("", |option| option.default)
}
